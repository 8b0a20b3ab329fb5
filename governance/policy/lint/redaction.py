"""Rules that keep an argument off cards whose value is shown as the target.

Lives here: that one finding. Must not live here: what is shown (``bot.slack.cards``). Law: where a
tool takes its target from an argument, whoever hides the argument hides the target by name as well,
or is told: an approver should know from the bundle alone what a channel sees.
"""

from collections.abc import Iterator

from governance.policy.forms.documented import pointer
from governance.policy.index import Rule
from governance.policy.lint.findings import LintCode, LintFinding
from governance.policy.model import Bundle
from governance.policy.tools import Tool

_EVERYTHING, _TARGET = "arguments", "target"


def targets_on_cards(bundle: Bundle) -> Iterator[LintFinding]:
    """One finding for each rule that hides the target argument of a tool that it may be about."""
    tools = [tool for tool in bundle.tools if tool.target]
    for rule in bundle.rules.rules:
        hidden = {name.casefold() for name in rule.constraints.redact_deny}
        if not hidden or _TARGET in hidden:
            continue
        shown = [tool for tool in tools if _hides(hidden, tool) and _is_about(rule, tool)]
        if shown:
            yield LintFinding(
                code=LintCode.TARGET_ON_CARD,
                pointer=pointer("rules", rule.position, "constraints", "redact_deny"),
                text=f"rule {rule.id} keeps {shown[0].target} off cards, which is the target of "
                f"{shown[0].name}: the headline shows it",
                fix="name target in redact_deny as well, or leave the argument out of it",
            )


def _hides(hidden: set[str], tool: Tool) -> bool:
    return _EVERYTHING in hidden or tool.target.casefold() in hidden


def _is_about(rule: Rule, tool: Tool) -> bool:
    return not rule.match.tools or tool.name in rule.match.tools
