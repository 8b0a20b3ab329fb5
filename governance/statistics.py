"""How approving went over a while, counted from the log.

Lives here: the facts that are counted, and the figures that they make. Must not live here: reading
the log, words or pictures. Law: every figure is a count of recorded events or an exact rank among
them; a ticket counts once, by its first outcome, in the window in which it was opened; memory grows
with what waits and with the names of rules, tiers and people, never with the log.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import accumulate
from typing import Protocol

from governance.principal import TenantId
from governance.tickets.ticket import Choice, TicketState

WARM_UP = timedelta(hours=48)
"""The longest that a ticket waits: what was opened earlier cannot wait in the window."""
SAMPLES = 28


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is counted of one record; ``type`` is the event's."""

    seq: int
    at: datetime
    type: str
    ticket_id: str = ""
    word: str = ""
    """The effect of a decision, or the choice of a vote."""
    who: str = ""
    """Who voted; of a ticket that was opened, the state it was born in."""
    tier: str = ""
    rules: tuple[str, ...] = ()
    """Rules by which it was decided."""
    fired: tuple[str, ...] = ()
    """Rules that matched, whatever was decided."""
    count: int = 1


class End(StrEnum):
    """How the wait for people ended first."""

    APPROVED = "approved"
    REJECTED = "rejected"
    EXPIRED = "expired"
    TAKEN_BACK = "taken back"


_ENDS: Mapping[str, End] = {
    "TicketApproved": End.APPROVED,
    "TicketRejected": End.REJECTED,
    "TicketExpired": End.EXPIRED,
    "TicketCancelled": End.TAKEN_BACK,
    "TicketDenied": End.TAKEN_BACK,
}
_DECISIONS = frozenset(
    {"TicketOpened", "DecisionEvaluated", "SubmissionThrottled", "RefusalsCoalesced"}
)
_AGAIN = frozenset({"TicketRevised", "QuorumLost"})
_RUNS: Mapping[str, str] = {
    "ExecutionSucceeded": "succeeded",
    "ExecutionFailed": "failed",
    "ExecutionLost": "unknown",
}
COUNTED = frozenset({*_ENDS, *_DECISIONS, *_AGAIN, *_RUNS, "VoteCast"})
"""Types of events that are counted; others need not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What became of the tickets that needed people, of one rule, one tier, or of all."""

    asked: int = 0
    ended: Mapping[End, int] = field(default_factory=dict)
    waits_s: Mapping[int, int] = field(default_factory=dict)
    """Whole seconds until people decided -> how often."""

    def of(self, end: End) -> int:
        """How many ended so."""
        return self.ended.get(end, 0)

    @property
    def waiting(self) -> int:
        """How many still wait."""
        return self.asked - sum(self.ended.values())

    @property
    def decided(self) -> int:
        """How many came to an end that says something about the question: not those taken back."""
        return self.of(End.APPROVED) + self.of(End.REJECTED) + self.of(End.EXPIRED)

    def wait_s(self, percent_of_them: int) -> int | None:
        """The wait that so many percent did not exceed (nearest rank); None: nobody decided."""
        total = sum(self.waits_s.values())
        if not total:
            return None
        rank = max(1, -(-total * percent_of_them // 100))
        seconds = sorted(self.waits_s)
        passed = accumulate(self.waits_s[one] for one in seconds)
        return seconds[bisect_left(list(passed), rank)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """Votes of one person."""

    person: str
    approvals: int
    rejections: int

    @property
    def votes(self) -> int:
        """All of them."""
        return self.approvals + self.rejections


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """The queue at one instant."""

    at: datetime
    waiting: int
    oldest_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """A window of the log in numbers."""

    since: datetime
    until: datetime
    effects: Mapping[str, int]
    all: Asked
    rules: Mapping[str, Asked]
    tiers: Mapping[str, Asked]
    fired: Mapping[str, int]
    runs: Mapping[str, int]
    loads: tuple[Load, ...]
    """The most votes first."""
    queue: tuple[Sample, ...]

    @property
    def decisions(self) -> int:
        """How many decisions there were."""
        return sum(self.effects.values())


class FactSource(Protocol):
    """A log that can be counted."""

    async def facts(self, tenant: TenantId, after_seq: int, until_seq: int) -> Sequence[Fact]:
        """Facts of the records after one number up to another, in order."""
        ...

    async def seq_before(self, at: datetime) -> int:
        """The number of the last record before ``at``; 0: there is none."""
        ...


def percent(part: int, whole: int) -> int:
    """``part`` of ``whole`` in percent, rounded half up; 0 of 0 is 0."""
    return (200 * part + whole) // (2 * whole) if whole else 0


@dataclass(slots=True)
class _Count:
    asked: int = 0
    ended: Counter[End] = field(default_factory=Counter)
    waits_s: Counter[int] = field(default_factory=Counter)

    def done(self) -> Asked:
        return Asked(asked=self.asked, ended=dict(self.ended), waits_s=dict(self.waits_s))


@dataclass(frozen=True, slots=True)
class _Waiting:
    since: datetime
    counts: tuple[_Count, ...]


class Tally:
    """Counts facts in the order of the log; begin ``WARM_UP`` before ``since``."""

    def __init__(self, *, since: datetime, until: datetime, samples: int = SAMPLES) -> None:
        self._since = since
        self._until = until
        self._effects: Counter[str] = Counter()
        self._fired: Counter[str] = Counter()
        self._runs: Counter[str] = Counter()
        self._votes: Counter[tuple[str, str]] = Counter()
        self._all = _Count()
        self._rules: dict[str, _Count] = {}
        self._tiers: dict[str, _Count] = {}
        self._waiting: dict[str, _Waiting] = {}
        step = (until - since) / samples
        self._due = [since + step * number for number in range(1, samples + 1)]
        self._samples: list[Sample] = []

    def add(self, facts: Iterable[Fact]) -> None:
        """Count more facts, those that follow."""
        for fact in facts:
            if fact.at <= self._until:
                self._sample(fact.at)
                self._add(fact, is_inside=fact.at >= self._since)

    def _add(self, fact: Fact, *, is_inside: bool) -> None:
        if fact.type in _DECISIONS:
            if is_inside:
                self._effects[fact.word] += fact.count
                self._fired.update(dict.fromkeys(fact.fired, fact.count))
            if fact.type == "TicketOpened" and fact.who == TicketState.PENDING.value:
                self._open(fact, is_inside=is_inside)
        elif fact.type in _ENDS:
            self._end(fact, _ENDS[fact.type])
        elif fact.type in _AGAIN:
            # It waits again, and was counted when it waited first.
            again = _Waiting(since=fact.at, counts=())
            self._waiting.setdefault(fact.ticket_id, again)
        elif is_inside and fact.type in _RUNS:
            self._runs[_RUNS[fact.type]] += 1
        elif is_inside and fact.type == "VoteCast":
            self._votes[fact.who, fact.word] += 1

    def _open(self, fact: Fact, *, is_inside: bool) -> None:
        counts: tuple[_Count, ...] = ()
        if is_inside:
            rules = (self._rules.setdefault(rule, _Count()) for rule in dict.fromkeys(fact.rules))
            counts = (self._all, self._tiers.setdefault(fact.tier, _Count()), *rules)
        for count in counts:
            count.asked += 1
        self._waiting[fact.ticket_id] = _Waiting(since=fact.at, counts=counts)

    def _end(self, fact: Fact, end: End) -> None:
        waited = self._waiting.pop(fact.ticket_id, None)
        if waited is None:
            return  # approved already, or born so
        seconds = (fact.at - waited.since) // timedelta(seconds=1)
        for count in waited.counts:
            count.ended[end] += 1
            if end in (End.APPROVED, End.REJECTED):
                count.waits_s[seconds] += 1

    def _sample(self, at: datetime) -> None:
        while self._due and self._due[0] < at:
            self._look(self._due.pop(0))

    def _look(self, at: datetime) -> None:
        oldest = min((one.since for one in self._waiting.values()), default=at)
        age_s = (at - oldest) // timedelta(seconds=1)
        self._samples.append(Sample(at=at, waiting=len(self._waiting), oldest_s=age_s))

    def figures(self) -> Figures:
        """What was counted; every instant of the window has passed by now."""
        for at in self._due:
            self._look(at)
        self._due = []
        return Figures(
            since=self._since,
            until=self._until,
            effects=dict(self._effects),
            all=self._all.done(),
            rules={rule: self._rules[rule].done() for rule in sorted(self._rules)},
            tiers={tier: self._tiers[tier].done() for tier in sorted(self._tiers)},
            fired=dict(self._fired),
            runs=dict(self._runs),
            loads=self._loads(),
            queue=tuple(self._samples),
        )

    def _loads(self) -> tuple[Load, ...]:
        loads = [
            Load(
                person=person,
                approvals=self._votes[person, Choice.APPROVE.value],
                rejections=self._votes[person, Choice.REJECT.value],
            )
            for person in {person for person, _ in self._votes}
        ]
        return tuple(sorted(loads, key=lambda load: (-load.votes, load.person)))
