"""Conditions over what was done before: ``after`` and ``velocity``.

Lives here: the two conditions, and how far back a bundle's rules look. Must not live here: how the
past is looked up (the ledger, inside its transaction) or what follows from a match (``evaluate``).
Law: the past only restricts; where it cannot be seen whole, a condition that what is seen does not
meet already is an error, so that restricting rules match. A window includes both of its ends.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from governance.action import ActionRequest
from governance.policy.facts import Deed, DeedsOf, Tally, Wanted, Whose
from governance.policy.matching import Condition, Glob, Outcome, Subject
from governance.principal import TenantId

MOST_WINDOW_S = 86_400
LABEL = "label:"
"""What ``per`` begins with where a label says whose requests count together."""


def label_of(per: str) -> str | None:
    """The label that ``per`` names, None where it names something else."""
    return per.removeprefix(LABEL) if per.startswith(LABEL) else None


def tool_of(tool: str, labels: Mapping[str, str]) -> str:
    """The tool that a request names, in its own field or by label."""
    return tool or labels.get("mcp.tool", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """One kind of deed and how many of it there must have been; empty conditions ask nothing."""

    of: Whose = Whose.AGENT
    within_s: int
    at_least: int = 1
    distinct: str = ""
    """targets, tools, topics or data_classes: count different ones; empty counts deeds."""
    topics: tuple[Glob, ...] = ()
    tools: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    data_classes: frozenset[str] = frozenset()
    risk_tags: frozenset[str] = frozenset()

    def judge(self, subject: Subject) -> Outcome:
        """Whether enough of the deeds in the window are of this kind."""
        past = subject.facts.past
        since = subject.facts.at - timedelta(seconds=self.within_s)
        seen: set[tuple[str, str]] = set()
        for number, deed in enumerate(past.deeds):
            if deed.at < since:
                break
            if deed.stands and self._is_theirs(deed, subject) and self._is_meant(deed):
                seen.update(self._values(deed, number))
                if len(seen) >= self.at_least:
                    return Outcome.MATCHED
        oldest = past.cut.get(self.of.value)
        return Outcome.NOT_MATCHED if oldest is None or oldest < since else Outcome.ERROR

    def _is_theirs(self, deed: Deed, subject: Subject) -> bool:
        if self.of is Whose.AGENT:
            return deed.agent == subject.agent
        return deed.trace_id == subject.trace_id

    def _is_meant(self, deed: Deed) -> bool:
        return (
            (not self.tools or deed.tool in self.tools)
            and (not self.actions or deed.action in self.actions)
            and (not self.data_classes or not self.data_classes.isdisjoint(deed.data_classes))
            and (not self.risk_tags or not self.risk_tags.isdisjoint(deed.risk_tags))
            and (not self.topics or any(topic.matches(deed.topic) for topic in self.topics))
        )

    def _values(self, deed: Deed, number: int) -> Iterator[tuple[str, str]]:
        """What of ``deed`` counts once."""
        match self.distinct:
            case "targets":
                target = deed.target.strip().casefold()
                # One that names none may be any: silence must not make it the same as another.
                yield ("named", target) if target else ("unnamed", str(number))
            case "tools":
                yield ("named", deed.tool)
            case "topics":
                yield ("named", deed.topic)
            case "data_classes":
                yield from (("named", name) for name in deed.data_classes)
            case _:
                yield ("deed", str(number))

    def describe(self) -> str:
        """In words, for a trace."""
        what = f"different {self.distinct.replace('_', ' ')}" if self.distinct else "deeds"
        parts = {
            "topics": [topic.pattern for topic in self.topics],
            "tools": sorted(self.tools),
            "actions": sorted(self.actions),
            "data classes": sorted(self.data_classes),
            "risk tags": sorted(self.risk_tags),
        }
        kinds = [f"{name} {', '.join(words)}" for name, words in parts.items() if words]
        which = f" ({'; '.join(kinds)})" if kinds else ""
        return f"{self.at_least} {what} of the {self.of.value} within {self.within_s} s{which}"


@dataclass(frozen=True, slots=True, kw_only=True)
class After:
    """What the agent or the trace already did: every entry must hold."""

    entries: tuple[Earlier, ...]

    def judge(self, subject: Subject) -> Outcome:
        """NOT_MATCHED as soon as one entry surely does not hold."""
        outcomes = {entry.judge(subject) for entry in self.entries}
        if Outcome.NOT_MATCHED in outcomes:
            return Outcome.NOT_MATCHED
        return Outcome.ERROR if Outcome.ERROR in outcomes else Outcome.MATCHED

    @property
    def reads_claims(self) -> bool:
        """What was done is recorded."""
        return False

    def describe(self) -> str:
        """In words, for a trace."""
        return "after " + " and ".join(entry.describe() for entry in self.entries)


@dataclass(frozen=True, slots=True, kw_only=True)
class Velocity:
    """More than so many requests, this one included, within a sliding window."""

    per: str
    more_than: int
    within_s: int

    def judge(self, subject: Subject) -> Outcome:
        """Whether this request is one too many; ERROR where they could not be counted."""
        tally = self._tally(
            subject.tenant, subject.agent, subject.tool, subject.trace_id, subject.labels
        )
        past = subject.facts.past
        if past.counts is None:
            found: int | None = _count(past.deeds, tally, subject.facts.at)
        else:
            found = past.counts.get(tally)
        if found is None:
            return Outcome.ERROR
        return Outcome.MATCHED if found + 1 > self.more_than else Outcome.NOT_MATCHED

    def tally_of(self, request: ActionRequest) -> Tally:
        """What must be counted for ``request``."""
        tool = tool_of(request.tool, request.labels)
        return self._tally(request.tenant, request.agent, tool, request.trace_id, request.labels)

    def _tally(
        self, tenant: str, agent: str, tool: str, trace_id: str, labels: Mapping[str, str]
    ) -> Tally:
        label = label_of(self.per)
        if label is None:
            value = {"agent": agent, "tenant": "", "tool": tool, "trace": trace_id}[self.per]
        else:
            # Requests without the label, or with an empty one, are counted together.
            value = labels.get(label, "")
        return Tally(
            tenant=TenantId(tenant),
            per=self.per,
            value=value,
            within_s=self.within_s,
            most=self.more_than,
        )

    @property
    def reads_claims(self) -> bool:
        """A label is the agent's word."""
        return label_of(self.per) is not None

    def describe(self) -> str:
        """In words, for a trace."""
        return f"more than {self.more_than} requests per {self.per} within {self.within_s} s"


def falls_under(deed: Deed, tally: Tally) -> bool:
    """Whether ``deed``, of the tally's tenant, is one of those that are counted."""
    label = label_of(tally.per)
    if label is not None:
        return dict(deed.labels).get(label, "") == tally.value
    match tally.per:
        case "agent":
            return deed.agent == tally.value
        case "tool":
            return deed.tool == tally.value
        case "trace":
            return deed.trace_id == tally.value
        case _:
            return True


def _count(deeds: Iterable[Deed], tally: Tally, at: datetime) -> int:
    since = at - timedelta(seconds=tally.within_s)
    return sum(deed.at >= since and falls_under(deed, tally) for deed in deeds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookback:
    """How far the rules of a bundle look back; an empty one looks at nothing."""

    agent_s: int = 0
    trace_s: int = 0
    velocities: tuple[Velocity, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether no rule asks about the past."""
        return not (self.agent_s or self.trace_s or self.velocities)

    def wanted_for(self, request: ActionRequest) -> Wanted:
        """What must be looked up for ``request``."""
        reach = (
            (Whose.AGENT, request.agent, self.agent_s),
            (Whose.TRACE, request.trace_id, self.trace_s),
        )
        deeds = tuple(
            DeedsOf(tenant=request.tenant, whose=whose, value=value, within_s=within_s)
            for whose, value, within_s in reach
            if within_s
        )
        return Wanted(deeds=deeds, tallies=self.tallies_of(request))

    def tallies_of(self, request: ActionRequest) -> tuple[Tally, ...]:
        """What must be counted for ``request``, each once."""
        return tuple(dict.fromkeys(item.tally_of(request) for item in self.velocities))


def lookback(conditions: Iterable[Condition]) -> Lookback:
    """How far ``conditions`` look back, all together."""
    reach = dict.fromkeys(Whose, 0)
    velocities: dict[Velocity, None] = {}
    for condition in conditions:
        if isinstance(condition, After):
            for entry in condition.entries:
                reach[entry.of] = max(reach[entry.of], entry.within_s)
        elif isinstance(condition, Velocity):
            velocities[condition] = None
    return Lookback(
        agent_s=reach[Whose.AGENT], trace_s=reach[Whose.TRACE], velocities=tuple(velocities)
    )
