"""What the rules say to one request.

Lives here: which rules match by what is vouched for and by what is claimed, which of them decide,
and the buckets that may still throttle. Must not live here: the other sources (``sources``) and
the one answer (``evaluate``).
Law: a claim loosens nothing and talks no restricting rule out of matching; a rule that cannot be
judged does not loosen; every rule that matches is told.
"""

from dataclasses import dataclass

from governance.making import quickly_made
from governance.policy.cel.expression import Expression
from governance.policy.decision import BucketDemand, TraceLine
from governance.policy.history import After, label_of
from governance.policy.index import Rule
from governance.policy.matching import Outcome
from governance.policy.model import Strategy
from governance.policy.vouching import Judged

_SEARCHING = (Expression, After)
_COST_OF_SEARCHING = 100
"""Of an expression, or of a look through the past."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What the rules said: those that decide, and the buckets that may still throttle."""

    deciding: tuple[Rule, ...]
    demands: tuple[BucketDemand, ...]
    trace: tuple[TraceLine, ...]


def hear(asked: Judged) -> Heard:
    """Judge the candidates twice: by what is vouched for, and by what is claimed as well.

    A rule that loosens counts only by the facts; one that restricts counts by either. Under
    ``first_match`` the first by the facts and the first by the claims both decide, and so does the
    first without claims where the agent says that it acts: no claim can pull a mild rule in front
    of a strict one.
    """
    facts: list[Rule] = []
    unsaid: list[Rule] = []
    claims: list[Rule] = []
    demands: list[BucketDemand] = []
    trace: list[TraceLine] = []
    index = asked.bundle.rules
    is_twofold = index.has_conditions and asked.unsaid is not asked.claims
    candidates = index.candidates(asked.claims, *((asked.unsaid,) if is_twofold else ()))
    is_ordered = asked.bundle.strategy is Strategy.FIRST_MATCH
    for rule in candidates:
        by_claims = rule.match.judge(asked.claims)
        if is_twofold and by_claims is Outcome.NOT_MATCHED:
            by_claims = _unsaid(rule, asked)
        if by_claims is Outcome.NOT_MATCHED:
            continue
        vouched = _by_facts(rule, asked, by_claims)
        counts = vouched or not rule.effect.loosens
        trace.append(_line(rule, asked, by_claims, counts=counts))
        if counts and rule.rate is not None:
            demands.append(_demand(rule, asked))
        elif counts:
            claims.append(rule)
            facts += [rule] if vouched else []
            if is_ordered and not unsaid and _matches_unsaid(rule, asked):
                unsaid.append(rule)
    deciding = claims
    if is_ordered:
        firsts = {rule.position: rule for rule in (*facts[:1], *unsaid, *claims[:1])}
        deciding = [firsts[position] for position in sorted(firsts)]
    note = f"{len(index.rules)} rules, {len(candidates)} judged, {len(trace)} match"
    trace.append(TraceLine(source="rules", id="", verdict="considered", note=note))
    return Heard(deciding=tuple(deciding), demands=tuple(demands), trace=tuple(trace))


def _by_facts(rule: Rule, asked: Judged, by_claims: Outcome) -> bool:
    """Whether ``rule`` counts without the agent's claims.

    Where a registry vouches for a tool, a rule that looks at claims loosens nothing.
    """
    outcome = by_claims
    if asked.facts is not asked.claims:
        outcome = rule.match.judge(asked.facts)
    if not rule.effect.loosens:
        return outcome is not Outcome.NOT_MATCHED
    return outcome is Outcome.MATCHED and not (asked.tool is not None and rule.match.reads_claims)


def _unsaid(rule: Rule, asked: Judged) -> Outcome:
    """What a restricting rule says without the claims: no claim may talk it out of matching.

    Words only ever add to what is vouched for; a condition may also ask that something is not said.
    """
    if rule.effect.loosens or not rule.match.conditions:
        return Outcome.NOT_MATCHED
    outcome = rule.match.judge(asked.unsaid)
    if outcome is not Outcome.NOT_MATCHED or asked.unsaid is asked.facts:
        return outcome
    return rule.match.judge(asked.facts)


def _matches_unsaid(rule: Rule, asked: Judged) -> bool:
    if asked.unsaid is asked.claims or asked.unsaid is asked.facts:
        return False  # the first of these decides already
    return rule.match.judge(asked.unsaid) is not Outcome.NOT_MATCHED


def _line(rule: Rule, asked: Judged, outcome: Outcome, *, counts: bool) -> TraceLine:
    if outcome is Outcome.MATCHED and counts and rule.rate is None:
        return rule.line
    notes = [rule.reason] if rule.reason else []
    if outcome is Outcome.ERROR:
        seen = (asked.claims, asked.unsaid, asked.facts)
        unclear = next(filter(None, map(rule.match.unclear, seen)), ())
        notes.append(f"cannot be judged: {'; '.join(unclear)}")
    if not counts:
        notes.append("matches by claims alone, which loosen nothing")
    if rule.rate is not None:
        notes.append("throttles while its bucket is empty")
    return TraceLine(
        source="rule",
        id=rule.id,
        verdict=rule.effect.value if counts else "not counted",
        note="; ".join(notes),
    )


def _demand(rule: Rule, asked: Judged) -> BucketDemand:
    rate = rule.rate
    assert rate is not None  # noqa: S101  # the caller asked
    request = asked.request
    label = label_of(rate.per)
    if label is None:
        who = {"agent": request.agent, "tenant": "", "tool": asked.tool_name}[rate.per]
    else:
        # Requests without the label share one bucket: leaving it out is no way around.
        who = request.labels.get(label, "")
    return BucketDemand(
        key="|".join((rule.id, rate.per, request.tenant, who)),
        rule_id=rule.id,
        capacity=rate.count,
        refill_ms=rate.refill_ms,
    )


def cost(asked: Judged) -> int:
    """What it takes to hear the rules, in rules of the plainest kind; 1 at least."""
    return 1 + sum(
        1 + _COST_OF_SEARCHING * any(isinstance(item, _SEARCHING) for item in rule.match.conditions)
        for rule in asked.bundle.rules.candidates(asked.claims)
    )
