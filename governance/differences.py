"""Two answers to one recorded request, compared.

Lives here: recorded cases, answers as they are compared, and what is looser.
Must not live here: who answers (``simulation``), or how a difference is shown.
Law: what is not surely as strict as before is looser. An empty bucket is no difference, since
none is charged.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from governance.canonical import Json
from governance.policy.decision import Constraints, Decision, Effect, RejectPolicy, Requirement
from governance.policy.tiers import join, people_needed
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ask, Ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recorded decision; ``content`` None: erased or never kept."""

    seq: int
    at: datetime
    ticket_id: str
    ask: Ask
    ruling: Ruling
    content: bytes | None = None
    stands: bool = True
    """Whether it counts as done for rules about what was done before: a job that was not denied."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one bundle says, as far as two answers are compared."""

    effect: Effect
    reason: str
    rule_ids: tuple[str, ...]
    constraints: Constraints
    requirement: Requirement | None
    may_throttle: tuple[str, ...] = ()
    """Rules whose bucket might have been empty; none was charged."""

    @property
    def people(self) -> int:
        """How many people must approve at least."""
        return 0 if self.requirement is None else people_needed(self.requirement) or 0

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "effect": self.effect.value,
            "reason": self.reason,
            "rule_ids": list(self.rule_ids),
            "risk_tier": "" if self.requirement is None else self.requirement.tier,
            "people": self.people,
            "constraints": self.constraints.to_json() or None,
            "may_throttle": list(self.may_throttle),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One request to which two answers differ; ``is_looser`` where it is not surely as strict."""

    seq: int
    at: datetime
    ticket_id: str
    agent: str
    topic: str
    tool: str
    target: str
    old: Answer
    new: Answer
    is_looser: bool

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "seq": self.seq,
            "at": stamp(self.at),
            "job_id": self.ticket_id,
            "agent": self.agent,
            "topic": self.topic,
            "tool": self.tool,
            "target": self.target,
            "is_looser": self.is_looser,
            "old": self.old.to_json(),
            "new": self.new.to_json(),
        }


def answer_of(decision: Decision) -> Answer:
    """A decision as it is compared."""
    return Answer(
        effect=decision.effect,
        reason=decision.reason,
        rule_ids=decision.rule_ids,
        constraints=decision.constraints,
        requirement=decision.requirement,
        may_throttle=tuple(sorted({demand.rule_id for demand in decision.demands})),
    )


def recorded(ruling: Ruling) -> Answer:
    return Answer(
        effect=ruling.effect,
        reason=ruling.reason,
        rule_ids=ruling.rule_ids,
        constraints=ruling.constraints,
        requirement=ruling.requirement,
    )


def is_drift(ruling: Ruling, again: Answer) -> bool:
    """Whether history does not re-derive; an empty bucket is no drift, since none is charged."""
    if ruling.effect is Effect.THROTTLE and set(ruling.rule_ids) & set(again.may_throttle):
        return False
    recorded = (ruling.effect, ruling.rule_ids, ruling.constraints, ruling.requirement)
    return recorded != (again.effect, again.rule_ids, again.constraints, again.requirement)


def differs(old: Answer, new: Answer) -> bool:
    """Whether anybody would notice: another effect, approval, limit or throttle."""
    noticed = (old.effect, old.requirement, _tight(old), set(old.may_throttle))
    return noticed != (new.effect, new.requirement, _tight(new), set(new.may_throttle))


def difference(case: Case, old: Answer, new: Answer) -> Difference:
    """Two answers to one case."""
    ask = case.ask
    return Difference(
        seq=case.seq,
        at=case.at,
        ticket_id=case.ticket_id,
        agent=ask.agent,
        topic=ask.topic,
        tool=ask.tool,
        target=ask.target,
        old=old,
        new=new,
        is_looser=is_looser(old, new),
    )


def is_looser(old: Answer, new: Answer) -> bool:
    """Whether ``new`` is not surely at least as strict as ``old``."""
    if new.effect is not old.effect:
        return new.effect.rank < old.effect.rank
    return (
        not set(old.may_throttle) <= set(new.may_throttle)
        or old.constraints.merge(new.constraints) != _tight(new)
        or not _asks_as_much(old.requirement, new.requirement)
    )


def _asks_as_much(old: Requirement | None, new: Requirement | None) -> bool:
    """Whether whatever votes satisfy ``new`` satisfied ``old``, on terms no milder."""
    if old is None or new is None:
        return old is None
    joined = replace(
        join((old, new)),
        tier=new.tier,
        roles=new.roles,
        threshold=new.threshold,
        distinct_roles=new.distinct_roles or old.distinct_roles,
        reject_policy=max(old.reject_policy, new.reject_policy, key=_VETOES.index),
    )
    return joined == new and _takes_as_many(old, new)


def _takes_as_many(old: Requirement, new: Requirement) -> bool:
    """By minimums alone, or because nobody else votes, nobody counts more, and no less is due."""
    required = {role.role: role.min_required for role in new.roles}
    if any(role.min_required > required.get(role.role, 0) for role in old.roles):
        return False
    surely = sum(role.weight * required.get(role.role, 0) for role in old.roles)
    weights = {role.role: role.weight for role in old.roles}
    return surely >= old.threshold or (
        new.threshold >= old.threshold
        and all(role.weight <= weights.get(role.role, 0) for role in new.roles)
    )


_VETOES = (RejectPolicy.WEIGHT, RejectPolicy.VETO)


def _tight(answer: Answer) -> Constraints:
    """Merged with itself, so that the order of a list makes no difference."""
    return answer.constraints.merge(answer.constraints)
