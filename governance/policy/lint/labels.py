"""Rules that restrict by a label, and so every request that lacks it.

Lives here: which labels a match reads, and whether its ``when`` says what a missing one means.
Must not live here: what an expression comes out as (``cel.missing``).
Law: what cannot be judged restricts; it is told wherever nothing in the match answers for a
request without the label. ``label_not_in`` does: what is missing is none of a list.
"""

from collections.abc import Iterator, Mapping

from governance.policy.cel.expression import Expression
from governance.policy.cel.missing import ERROR, FALSE, TRUE, Words, asks_for, labels_read, without
from governance.policy.cel.tokens import tokens
from governance.policy.conditions import LabelAmong, LabelThreshold
from governance.policy.constraints import ViolationAction
from governance.policy.forms.documented import pointer
from governance.policy.lint.findings import LintCode, LintFinding
from governance.policy.matching import Match
from governance.policy.model import Bundle

Place = tuple[str | int, ...]
_WHEN: Place = ("when",)


def missing_labels(bundle: Bundle) -> Iterator[LintFinding]:
    """Every label that a restricting rule or a BLOCK constraint reads and does not ask for."""
    for rule in bundle.rules.rules:
        if not rule.effect.loosens:
            yield from _unasked(rule.match, ("rules", rule.position, "match"), f"rule {rule.id}")
    for number, item in enumerate(bundle.constraints):
        if item.match is not None and item.violation_action is ViolationAction.BLOCK:
            place = ("constraints", number, "match")
            yield from _unasked(item.match, place, f"constraint {item.id}")


def _unasked(match: Match, place: Place, who: str) -> Iterator[LintFinding]:
    words = next((tokens(i.text) for i in match.conditions if isinstance(i, Expression)), ())
    for label, where in _read(match, words).items():
        said = without(words, label) if words else frozenset()
        # No rule without the label, or a rule that says itself that it holds without.
        is_answered = said in ({FALSE}, {TRUE}) or (where == _WHEN and ERROR not in said)
        if is_answered:
            continue
        asked = asks_for(label)
        fix = f"write when: '{asked} && ...'"
        if where != _WHEN:
            fix = f"write when: '{asked}' beside it" if not words else f"begin when by {asked} &&"
        yield LintFinding(
            code=LintCode.MISSING_LABEL,
            pointer=pointer(*place, *where),
            text=f"{who} looks at the label {label} and so holds for every request without it "
            "too: what cannot be judged restricts",
            fix=f"{fix}; where that is meant, say so: when: '!({asked}) || ...'",
        )


def _read(match: Match, words: Words) -> Mapping[str, Place]:
    """The labels whose values ``match`` reads, and where it does first."""
    found: dict[str, Place] = {label: ("labels", label) for label in match.labels}
    for item in match.conditions:
        if isinstance(item, LabelThreshold):
            found.setdefault(item.label, ("label_threshold", item.label))
        elif isinstance(item, LabelAmong) and item.is_listed:
            found.setdefault(item.label, ("label_in", item.label))
    for label in labels_read(words):
        found.setdefault(label, _WHEN)
    return found
