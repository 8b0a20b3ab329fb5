"""What a bundle would have answered to the decisions that are on record.

Lives here: judging recorded requests again, under a candidate and under the bundle that decided
then, and what differs. Must not live here: reading the log, or how a difference is shown.
Law: nothing is charged and nothing is guessed: a request that is not whole on record is counted
as not judged. A difference that is not surely as strict as before counts as looser. Memory does
not grow with the number of cases.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.canonical import Json
from governance.differences import (
    Answer,
    Case,
    Difference,
    answer_of,
    difference,
    differs,
    is_drift,
    recorded,
)
from governance.policy.decision import Decision, Effect
from governance.policy.evaluate import evaluate
from governance.policy.facts import MOST_DEEDS, Deed, Past
from governance.policy.model import Bundle
from governance.recorded import recall

MOST_TOLD = 200
"""Differences and drifts that are told one by one; counts are always whole."""
_NOT_COUNTED = "not counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a candidate changes. ``matrix`` counts (old effect, new effect) over all judged."""

    snapshot: str
    judged: int
    matrix: Mapping[tuple[Effect, Effect], int]
    differing: tuple[Difference, ...]
    differing_total: int
    looser: int
    newly_denied: int
    newly_allowed: int
    may_throttle: int
    people_old: int
    people_new: int
    not_judged: Mapping[str, int]
    drift: tuple[Difference, ...]
    """Where the bundle that decided then answers otherwise now: ``old`` is what is on record."""
    drift_total: int
    not_rederived: int
    """Decided under a bundle that is not at hand; compared with what is on record."""
    never_fire: tuple[str, ...]
    asks_about_past: bool
    """Rules look back, and see no further than the cases of this simulation."""

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "snapshot": self.snapshot,
            "judged": self.judged,
            "matrix": [
                {"old": old.value, "new": new.value, "count": count}
                for (old, new), count in self.matrix.items()
            ],
            "differing": [item.to_json() for item in self.differing],
            "differing_total": self.differing_total,
            "looser": self.looser,
            "newly_denied": self.newly_denied,
            "newly_allowed": self.newly_allowed,
            "may_throttle": self.may_throttle,
            "people_old": self.people_old,
            "people_new": self.people_new,
            "not_judged": [
                {"reason": reason, "count": count} for reason, count in self.not_judged.items()
            ],
            "drift": [item.to_json() for item in self.drift],
            "drift_total": self.drift_total,
            "not_rederived": self.not_rederived,
            "never_fire": list(self.never_fire),
            "asks_about_past": self.asks_about_past,
        }


@dataclass(slots=True)
class Simulation:
    """A candidate judging one recorded case after the other.

    ``deciding`` are the bundles that decided then, by snapshot; ``most`` bounds each list. Rules
    about the past see the cases that were judged before, the newest ``MOST_DEEDS`` of them.
    """

    candidate: Bundle
    deciding: Mapping[str, Bundle]
    most: int = MOST_TOLD
    _counts: Counter[str] = field(default_factory=Counter)
    _matrix: Counter[tuple[Effect, Effect]] = field(default_factory=Counter)
    _not_judged: Counter[str] = field(default_factory=Counter)
    _looser: list[Difference] = field(default_factory=list)
    _stricter: list[Difference] = field(default_factory=list)
    _drift: list[Difference] = field(default_factory=list)
    _fired: set[str] = field(default_factory=set)
    _deeds: deque[Deed] = field(default_factory=lambda: deque(maxlen=MOST_DEEDS))

    def judge(self, case: Case) -> None:
        """Judge ``case`` under both bundles and count what differs."""
        recalled = recall(case.ask, case.content)
        if recalled.request is None or recalled.agent is None:
            self._not_judged[recalled.why_not] += 1
            return
        request, agent = recalled.request, recalled.agent
        past = Past(deeds=tuple(self._deeds)) if self._asks_about_past else Past()
        new_decision = evaluate(request, agent, self.candidate, at=case.at, past=past)
        self._fired.update(
            line.id
            for line in new_decision.trace
            if line.source == "rule" and line.verdict != _NOT_COUNTED
        )
        bundle = self.deciding.get(case.ruling.snapshot)
        old = recorded(case.ruling)
        if bundle is None:
            self._counts["not_rederived"] += 1
        else:
            rederived = answer_of(evaluate(request, agent, bundle, at=case.at, past=past))
            if is_drift(case.ruling, rederived):
                self._counts["drift"] += 1
                _keep(self._drift, difference(case, old, rederived), self.most)
            else:
                old = rederived
        self._compare(case, old, answer_of(new_decision))
        self._deeds.appendleft(_deed(case, new_decision))

    @property
    def _asks_about_past(self) -> bool:
        bundles = (self.candidate, *self.deciding.values())
        return not all(bundle.lookback.is_empty for bundle in bundles)

    def _compare(self, case: Case, old: Answer, new: Answer) -> None:
        self._counts["judged"] += 1
        self._matrix[old.effect, new.effect] += 1
        self._counts["people_old"] += old.people
        self._counts["people_new"] += new.people
        self._counts["may_throttle"] += bool(new.may_throttle)
        if not differs(old, new):
            return
        found = difference(case, old, new)
        self._counts["differing"] += 1
        self._counts["looser"] += found.is_looser
        self._counts["newly_denied"] += _is_newly(Effect.DENY, old, new)
        self._counts["newly_allowed"] += new.effect.loosens and not old.effect.loosens
        _keep(self._looser if found.is_looser else self._stricter, found, self.most)

    def report(self) -> Report:
        """What was found so far; the looser differences first."""
        count = self._counts
        return Report(
            snapshot=self.candidate.snapshot,
            judged=count["judged"],
            matrix={
                pair: self._matrix[pair]
                for pair in sorted(self._matrix, key=lambda pair: (pair[0].rank, pair[1].rank))
            },
            differing=tuple([*self._looser, *self._stricter][: self.most]),
            differing_total=count["differing"],
            looser=count["looser"],
            newly_denied=count["newly_denied"],
            newly_allowed=count["newly_allowed"],
            may_throttle=count["may_throttle"],
            people_old=count["people_old"],
            people_new=count["people_new"],
            not_judged=dict(sorted(self._not_judged.items())),
            drift=tuple(self._drift),
            drift_total=count["drift"],
            not_rederived=count["not_rederived"],
            never_fire=tuple(
                rule.id for rule in self.candidate.rules.rules if rule.id not in self._fired
            )[: self.most],
            asks_about_past=self._asks_about_past,
        )


def _deed(case: Case, decision: Decision) -> Deed:
    ask = case.ask
    return Deed(
        ticket_id=case.ticket_id,
        at=case.at,
        agent=ask.agent,
        trace_id=ask.trace_id,
        topic=ask.topic,
        tool=ask.tool,
        action=ask.action.value,
        target=ask.target,
        data_classes=decision.data_classes,
        risk_tags=decision.risk_tags,
        labels=ask.labels,
        seq=case.seq,
        stands=case.stands,
    )


def _is_newly(effect: Effect, old: Answer, new: Answer) -> bool:
    return new.effect is effect and old.effect is not effect


def _keep(kept: list[Difference], found: Difference, most: int) -> None:
    if len(kept) < most:
        kept.append(found)
