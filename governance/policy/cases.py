"""Cases of a policy: what somebody expects of one request, and what the bundle answers.

Lives here: a case, how its answer differs from what was expected, and which rules no case reaches.
Must not live here: how cases are written down (``bot.policy_cases``), or the decision.
Law: a case is decided by the very ``evaluate`` that decides for agents; a rule counts as reached
only where it had a part in an answer.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from governance.action import ActionRequest
from governance.policy.decision import Constraints, Decision, Effect
from governance.policy.evaluate import evaluate
from governance.policy.facts import Past
from governance.policy.model import Bundle
from governance.policy.tiers import people_needed
from governance.principal import Agent

NOT_COUNTED = "not counted"
"""The verdict of a rule that matches by claims alone; ``evaluate`` writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What a case expects; what is None is not looked at."""

    effect: Effect
    rules: frozenset[str] | None = None
    """Exactly these rules decide, as an explanation calls it."""
    tier: str | None = None
    constraint: str | None = None
    """The BLOCK constraint that refuses, or to which this would be the exception."""
    reason: str | None = None
    """Words that stand in the reason, whatever their case."""
    people: int | None = None
    """The fewest people who can approve it."""
    warnings: frozenset[str] | None = None
    """Exactly these WARN constraints are shown."""
    throttled_by: frozenset[str] | None = None
    """Exactly these rules would take a token from their buckets."""
    limits: Constraints | None = None
    """Exactly these constraints on how it may run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request under one bundle, at one moment."""

    name: str
    request: ActionRequest
    agent: Agent
    at: datetime
    expected: Expected
    past: Past = field(default_factory=Past)
    empty: frozenset[str] = frozenset()
    """Rules whose bucket holds no token any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that was expected otherwise."""

    what: str
    expected: str
    got: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of one case."""

    case: Case
    decision: Decision
    differences: tuple[Difference, ...]

    @property
    def passed(self) -> bool:
        """Whether all is as expected."""
        return not self.differences

    @property
    def reached(self) -> frozenset[str]:
        """The rules that had a part in the answer."""
        decided = frozenset(self.decision.rule_ids)
        return decided | frozenset(demand.rule_id for demand in self.decision.demands)


def run(case: Case, bundle: Bundle) -> Outcome:
    """Decide on ``case`` and compare."""
    decision = evaluate(case.request, case.agent, bundle, at=case.at, past=case.past)
    decision = _settled(decision, case.empty)
    return Outcome(
        case=case, decision=decision, differences=tuple(_differences(case.expected, decision))
    )


def _settled(decision: Decision, empty: frozenset[str]) -> Decision:
    """The decision once the ledger has looked at its buckets: the first empty one throttles."""
    for demand in decision.demands:
        if demand.rule_id in empty:
            return replace(
                decision,
                effect=Effect.THROTTLE,
                reason=f"rule {demand.rule_id}: too many of these now",
                rule_ids=(demand.rule_id,),
                requirement=None,
                risk_tier="",
                constraint_id="",
            )
    return decision


def _differences(expected: Expected, got: Decision) -> Iterator[Difference]:
    yield from _compared("effect", expected.effect.value, got.effect.value)
    needed = 0 if got.requirement is None else people_needed(got.requirement)
    yield from _compared("rules", _names(expected.rules), _names(got.rule_ids))
    yield from _compared("tier", expected.tier, got.risk_tier)
    blocked = got.constraint_ids
    if expected.constraint is not None and expected.constraint not in blocked:
        yield Difference(
            what="constraint", expected=expected.constraint or "none", got=_shown(_names(blocked))
        )
    if expected.reason is not None and expected.reason.casefold() not in got.reason.casefold():
        yield Difference(what="reason", expected=f"... {expected.reason} ...", got=got.reason)
    people = None if expected.people is None else str(expected.people)
    yield from _compared("people", people, str(needed))
    warned = (warning.constraint_id for warning in got.warnings)
    yield from _compared("warnings", _names(expected.warnings), _names(warned))
    demanded = (demand.rule_id for demand in got.demands)
    yield from _compared("throttled_by", _names(expected.throttled_by), _names(demanded))
    if expected.limits is not None and expected.limits != got.constraints:
        yield Difference(
            what="limits",
            expected=str(expected.limits.to_json()),
            got=str(got.constraints.to_json()),
        )


def _compared(what: str, expected: str | None, got: str | None) -> Iterator[Difference]:
    if expected is not None and expected != got:
        yield Difference(what=what, expected=_shown(expected), got=_shown(got))


def _shown(text: str | None) -> str:
    return text or "none"


def _names(names: Iterable[str] | None) -> str | None:
    return None if names is None else ", ".join(sorted(set(names)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What the cases of a bundle leave untested."""

    rules: int
    unreached: tuple[str, ...]
    """Rules that had a part in no case's answer, in the order of the file."""
    effects: frozenset[Effect]
    """Every answer that the bundle's rules can give."""
    unseen: tuple[Effect, ...]
    """Those of ``effects`` that no case got."""
    constraints_unreached: tuple[str, ...]
    """Constraints that no case violated."""

    @property
    def is_full(self) -> bool:
        """Whether every rule, effect and constraint is reached."""
        return not (self.unreached or self.unseen or self.constraints_unreached)

    @property
    def percent(self) -> int:
        """The reached share of the rules, rounded down."""
        return 100 if not self.rules else 100 * (self.rules - len(self.unreached)) // self.rules


def coverage(outcomes: Iterable[Outcome], bundle: Bundle) -> Coverage:
    """Which rules, effects and constraints ``outcomes`` never touched."""
    answers = list(outcomes)
    reached = frozenset().union(*(outcome.reached for outcome in answers))
    rules = bundle.rules.rules
    effects = frozenset(rule.effect for rule in rules)
    seen = {outcome.decision.effect for outcome in answers}
    violated = {name for outcome in answers for name in _violated(outcome.decision)}
    return Coverage(
        rules=len(rules),
        unreached=tuple(rule.id for rule in rules if rule.id not in reached),
        effects=effects,
        unseen=tuple(effect for effect in Effect if effect in effects - seen),
        constraints_unreached=tuple(
            rule.id for rule in bundle.constraints if rule.id not in violated
        ),
    )


def _violated(decision: Decision) -> Iterator[str]:
    yield from decision.constraint_ids
    yield from (warning.constraint_id for warning in decision.warnings)
