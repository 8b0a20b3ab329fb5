"""Rules that no request can reach, whatever stands in the other rules.

Lives here: conditions that exclude each other, and names that the registry does not know.
Must not live here: rules that other rules make pointless (``rules``).
Law: what is called unreachable is refused by the registry or fits no request, for every claim.
"""

from collections.abc import Iterable, Iterator

from governance.action import ActionKind
from governance.policy.decision import Effect
from governance.policy.forms.documented import pointer
from governance.policy.index import Rule
from governance.policy.lint.findings import LintCode, LintFinding
from governance.policy.lint.globs import is_possible_topic
from governance.policy.lint.matches import used
from governance.policy.matching import Match
from governance.policy.model import PROD, Bundle, Strategy
from governance.policy.tools import WIDTH, Tool

_REFUSES = (Effect.DENY, Effect.THROTTLE)


def unreached(bundle: Bundle) -> Iterator[LintFinding]:
    """Every finding about one rule or constraint by itself."""
    shielding = _shielding(bundle)
    for rule in bundle.rules.rules:
        place = ("rules", rule.position, "match")
        yield from _topics(rule.match, place, f"rule {rule.id}")
        yield from _names(bundle, rule.match, place, f"rule {rule.id}")
        yield from _allows_everything(rule)
        if rule.match.tools:
            yield from _uses(bundle, rule, is_shield=rule.position < shielding)
        elif rule.effect.loosens:
            yield from _loosens(bundle, rule)
    for number, constraint in enumerate(bundle.constraints):
        if constraint.match is not None:
            place = ("constraints", number, "match")
            yield from _topics(constraint.match, place, f"constraint {constraint.id}")
            yield from _names(bundle, constraint.match, place, f"constraint {constraint.id}")


def _topics(match: Match, place: tuple[str | int, ...], who: str) -> Iterator[LintFinding]:
    for number, topic in enumerate(match.topics):
        if not is_possible_topic(topic):
            yield LintFinding(
                code=LintCode.IMPOSSIBLE_TOPIC,
                pointer=pointer(*place, "topics", number),
                text=f"{who} waits for the topic {topic.pattern!r}, which no request can have",
                fix="a topic begins with a letter or digit and goes on with letters, digits "
                "and . _ : / -",
            )


def _names(
    bundle: Bundle, match: Match, place: tuple[str | int, ...], who: str
) -> Iterator[LintFinding]:
    for name in sorted(match.tools):
        if bundle.tools.get(name) is None:
            yield LintFinding(
                code=LintCode.UNKNOWN_TOOL,
                pointer=pointer(*place, "tools"),
                text=f"{who} names the tool {name}, which is not registered: its use is refused "
                "whatever is written here",
                fix=f"register {name} under tools, or correct its spelling",
            )
    for name in sorted(match.data_classes - bundle.clearance.known):
        yield LintFinding(
            code=LintCode.UNKNOWN_CLASS,
            pointer=pointer(*place, "data_classes"),
            text=f"{who} names the data class {name}, for which nobody is cleared: a request "
            "that states it is refused whatever is written here",
            fix=f"map {name} to roles under clearance, or correct its spelling",
        )


def _allows_everything(rule: Rule) -> Iterator[LintFinding]:
    is_any = not rule.match.topics or any(
        topic.pattern in ("*", "job.*") for topic in rule.match.topics
    )
    if rule.effect.loosens and is_any and used(rule.match) <= {"topics"}:
        yield LintFinding(
            code=LintCode.ALLOWS_EVERYTHING,
            pointer=pointer("rules", rule.position),
            text=f"rule {rule.id} lets everything through that no other rule stops",
            fix="say in its match for which topics, tools or agents it is meant",
        )


def _shielding(bundle: Bundle) -> int:
    """Under ``first_match``: an allow before this position keeps a stricter rule from answering."""
    if bundle.strategy is not Strategy.FIRST_MATCH:
        return 0
    stricter = (r.position for r in bundle.rules.rules if r.effect is not Effect.ALLOW)
    return max(stricter, default=0)


def _uses(bundle: Bundle, rule: Rule, *, is_shield: bool) -> Iterator[LintFinding]:
    """What remains of a rule that names tools, once the registry has spoken."""
    tools = [tool for name in sorted(rule.match.tools) if (tool := bundle.tools.get(name))]
    uses = [(tool, action) for tool in tools for action in _actions(tool, rule.match)]
    possible = [(tool, action) for tool, action in uses if _fits(bundle, rule, tool)]
    if not possible:
        yield _never(rule, _why(tools, uses))
    elif (
        not is_shield
        and rule.effect is Effect.ALLOW
        and all(
            tool.requires_approval or action.value in bundle.approval_required_for
            for tool, action in possible
        )
    ):
        yield LintFinding(
            code=LintCode.ASKS_ANYWAY,
            pointer=pointer("rules", rule.position),
            text=f"rule {rule.id} allows uses of tools for which people are asked anyway: by the "
            "tool's requires_approval, or because writes and executes ask everywhere",
            fix=f"remove {rule.id}; a tool's use is let through by the registry alone, or not",
        )


def _actions(tool: Tool, match: Match) -> list[ActionKind]:
    """What ``tool`` can be seen to do within its grant and what ``match`` asks for."""
    seen = tool.actions if tool.run is None else (max(tool.actions, key=WIDTH.index),)
    return [action for action in seen if not match.actions or action.value in match.actions]


def _fits(bundle: Bundle, rule: Rule, tool: Tool) -> bool:
    """Whether a use of ``tool`` that the registry accepts could make ``rule`` count."""
    match = rule.match
    where = match.environments & {*bundle.environments, PROD}
    is_known = where == match.environments or rule.effect.loosens
    if match.environments and is_known and not _places(bundle, tool, where):
        return False
    if not rule.effect.loosens:
        return True
    capability = frozenset({tool.capability}) - {""}
    tags = tool.risk_tags.union(*(derived.tags for derived in tool.derived))
    return (
        not match.labels
        and not match.requires
        and (not match.capabilities or bool(match.capabilities & capability))
        and (not match.risk_tags or bool(match.risk_tags & tags))
        and (not match.data_classes or tool.classification in match.data_classes)
    )


def _places(bundle: Bundle, tool: Tool, where: Iterable[str]) -> list[str]:
    """Those of ``where`` in which the registry and the gate let ``tool`` be used."""
    found = []
    for name in where:
        allowed = bundle.gate(name).allowed_tools
        is_bound = bool(tool.environments) and name not in tool.environments
        if not is_bound and (allowed is None or tool.name in allowed):
            found.append(name)
    return found


def _why(tools: list[Tool], uses: list[tuple[Tool, ActionKind]]) -> str:
    if not tools:
        return "none of its tools is registered"
    if not uses:
        return "its tools may do none of its actions"
    return (
        "what the registry knows of its tools (environments, capability, tags, class) never fits "
        "its other conditions, and an agent's word loosens nothing"
    )


def _loosens(bundle: Bundle, rule: Rule) -> Iterator[LintFinding]:
    places = rule.match.environments
    if places and not places & {*bundle.environments, PROD}:
        yield _never(rule, f"no environment of {', '.join(sorted(places))} has a gate")


def _never(rule: Rule, why: str) -> LintFinding:
    if rule.effect in _REFUSES:
        return LintFinding(
            code=LintCode.REFUSED_ANYWAY,
            pointer=pointer("rules", rule.position),
            text=f"rule {rule.id} stops what is refused without it: {why}",
            fix=f"remove {rule.id}, or correct its conditions",
        )
    return LintFinding(
        code=LintCode.NEVER_MATCHES,
        pointer=pointer("rules", rule.position, "match"),
        text=f"rule {rule.id} never has an effect: {why}",
        fix="correct its conditions, or what is registered, or remove it",
    )
