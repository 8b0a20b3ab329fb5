"""Rules that never decide because of another rule.

Lives here: shadowed, redundant and contradictory rules, and allows that stand before a deny.
Must not live here: rules that no request can reach (``reach``).
Law: "never decides" is said only where it holds for every request, whatever is claimed; the
number of comparisons is bounded, and what was left out is reported.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from governance.policy.decision import Effect
from governance.policy.forms.documented import pointer
from governance.policy.index import Rule
from governance.policy.lint.findings import LintCode, LintFinding, Severity, Unclear
from governance.policy.lint.globs import Effort
from governance.policy.lint.matches import SAME_FOR_ALL, covers, looks_under, sort_out, used
from governance.policy.matching import Match
from governance.policy.model import Bundle, Strategy

MAX_STEPS = 5_000_000
"""How many steps all comparisons may take, about as many microseconds.

10,000 rules on topics of their own need less than a tenth of it.
"""
_STEPS_A_PAIR = 50
_STOPS = (Effect.DENY, Effect.THROTTLE)


@dataclass(slots=True, kw_only=True)
class _Pairs:
    """The walk over pairs of rules, within the budget."""

    bundle: Bundle
    effort: Effort
    skipped: list[Rule] = field(default_factory=list)

    def over(self, rule: Rule, filed: dict[tuple[str, str], list[int]]) -> Iterator[Rule]:
        """Every other rule that could cover ``rule``, while the effort lasts."""
        rules = self.bundle.rules.rules
        positions = (at for key in looks_under(rule.match) for at in filed.get(key, ()))
        for position in positions:
            if not self.effort.spend(_STEPS_A_PAIR):
                self.skipped.append(rule)
                return
            if position != rule.position:
                yield rules[position]


def compared(bundle: Bundle, *, most: int = MAX_STEPS) -> tuple[list[LintFinding], list[Unclear]]:
    """Every rule that another makes pointless, and the rules that were not looked at."""
    rules = bundle.rules.rules
    filed = sort_out(rule.match for rule in rules)
    pairs = _Pairs(bundle=bundle, effort=Effort(most))
    finding = _first_match if bundle.strategy is Strategy.FIRST_MATCH else _most_restrictive
    found = [
        one
        for rule in rules
        if (one := _first(finding(o, rule, pairs.effort) for o in pairs.over(rule, filed)))
    ]
    return found, _left_out(pairs.skipped)


def _first(found: Iterable[LintFinding | None]) -> LintFinding | None:
    """The first error, or else the first warning: no choice of somebody's hides a mistake."""
    warning: LintFinding | None = None
    for finding in found:
        if finding is not None and finding.severity is Severity.ERROR:
            return finding
        warning = warning or finding
    return warning


def _left_out(skipped: list[Rule]) -> list[Unclear]:
    if not skipped:
        return []
    text = (
        f"{len(skipped)} rules from {skipped[0].id} on were not compared with all others: "
        "too many rules have conditions that could contain each other"
    )
    return [Unclear(pointer=pointer("rules", skipped[0].position), text=text)]


def _most_restrictive(other: Rule, rule: Rule, effort: Effort) -> LintFinding | None:
    """What makes ``rule`` pointless where the strictest word wins."""
    if not _says_as_much(other, rule) or not covers(other.match, rule.match, effort):
        return None
    if covers(rule.match, other.match, effort) and _says_as_much(rule, other):
        return _redundant(other, rule) if other.position < rule.position else None
    return _pointless(other, rule, "whatever it matches, the stricter one decides", effort)


def _says_as_much(other: Rule, rule: Rule) -> bool:
    """Whether ``rule`` adds nothing where ``other`` counts as well."""
    if other.rate is not None:
        # Two buckets empty at different times: nothing is said about them here.
        return False
    if rule.effect.rank > other.effect.rank:
        return False
    return other.effect in _STOPS or (
        (rule.effect.loosens or rule.tier in ("", other.tier))
        and other.constraints.merge(rule.constraints) == other.constraints
    )


def _first_match(other: Rule, rule: Rule, effort: Effort) -> LintFinding | None:
    """What makes ``rule`` pointless where the first of the file decides."""
    if other.position > rule.position or other.rate is not None or rule.rate is not None:
        return None
    if not covers(other.match, rule.match, effort):
        return None
    is_softer = other.effect.loosens and not rule.effect.loosens
    if is_softer and not _is_beyond_claims(other.match):
        return _behind(other, rule)
    return _pointless(other, rule, "it stands first and always decides", effort)


def _is_beyond_claims(match: Match) -> bool:
    """Whether no claim of an agent changes what ``match`` says."""
    return used(match) <= SAME_FOR_ALL


def _pointless(other: Rule, rule: Rule, why: str, effort: Effort) -> LintFinding:
    if _says(other) == _says(rule):
        return _redundant(other, rule)
    is_same = covers(rule.match, other.match, effort)
    return LintFinding(
        code=LintCode.CONTRADICTORY if is_same else LintCode.SHADOWED,
        pointer=pointer("rules", rule.position),
        text=f"rules {other.id} and {rule.id} are for the same requests and say "
        f"{_says(other)} and {_says(rule)}; {rule.id} never decides"
        if is_same
        else f"rule {rule.id} ({_says(rule)}) never decides: rule {other.id} ({_says(other)}) "
        f"takes in all that it matches, and {why}",
        fix=f"remove {rule.id}, or narrow the match of {other.id}",
    )


def _redundant(other: Rule, rule: Rule) -> LintFinding:
    return LintFinding(
        code=LintCode.REDUNDANT,
        pointer=pointer("rules", rule.position),
        text=f"rule {rule.id} adds nothing: rule {other.id} says the same of all that it matches",
        fix=f"remove {rule.id}, or say in its match what only it is for",
    )


def _behind(other: Rule, rule: Rule) -> LintFinding:
    return LintFinding(
        code=LintCode.DENY_BEHIND_ALLOW,
        pointer=pointer("rules", rule.position),
        text=f"rule {rule.id} ({_says(rule)}) stands behind rule {other.id} ({_says(other)}), "
        "which takes in all that it matches and decides where the agent's words are vouched for",
        fix=f"move {rule.id} before {other.id}",
    )


def _says(rule: Rule) -> str:
    words = [rule.effect.value]
    words += [f"tier {rule.tier}"] if rule.tier else []
    words += ["with its own constraints"] if not rule.constraints.is_empty else []
    return ", ".join(words)
