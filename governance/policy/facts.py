"""What a decision depends on besides the request and the bundle.

Lives here: the moment, what the agent or the trace already did, and how often was asked.
Must not live here: how that is looked up (the ledger) or what follows from it (``history``).
Law: a decision is a function of request, bundle and these facts; they are recorded beside it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from governance.canonical import digest
from governance.making import quickly_made
from governance.principal import AgentId, TenantId

MOST_DEEDS = 1_000
"""How many deeds are read for one agent or trace; with more, rules are told what is missing."""


class Whose(StrEnum):
    """Whose deeds a rule asks about. A trace is a claim: an agent may begin a new one."""

    AGENT = "agent"
    TRACE = "trace"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One earlier request that was not refused at once, as far as later rules may ask about it.

    Classes and tags are folded and hold what registry and agent said together; ``seq`` is its
    record in the log.
    """

    ticket_id: str
    at: datetime
    agent: AgentId
    trace_id: str
    topic: str
    tool: str
    action: str
    target: str
    data_classes: tuple[str, ...] = ()
    risk_tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    seq: int = 0
    stands: bool = True
    """False: refused, taken back or run out before it began, or only asked about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeedsOf:
    """Which deeds are to be read: those of one agent or trace, back to ``within_s`` ago."""

    tenant: TenantId
    whose: Whose
    value: str
    within_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """One sliding count of requests; counting may stop at ``most``."""

    tenant: TenantId
    per: str
    """agent, tenant, tool, trace, or label:NAME"""
    value: str
    within_s: int
    most: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be looked up for one request."""

    deeds: tuple[DeedsOf, ...] = ()
    tallies: tuple[Tally, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What was looked up; ``deeds`` are newest first and each there once."""

    deeds: tuple[Deed, ...] = ()
    cut: Mapping[str, datetime] = field(default_factory=dict)
    """``Whose`` -> the oldest deed read, where there were more than are read."""
    counts: Mapping[Tally, int | None] | None = None
    """None: count the deeds themselves; a tally without number could not be counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """One tally with what was found, None where it could not be counted."""

    per: str
    value: str
    within_s: int
    most: int
    found: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Considered:
    """What of the past a decision looked at, so that anybody with the log can look again.

    Seconds back for the agent's and for the trace's deeds (0: not asked), how many were found,
    and a digest of their sequence numbers, each with whether it stood.
    """

    agent_s: int
    trace_s: int
    deeds: int
    digest: str
    counts: tuple[Counted, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``at`` is aware; ``past`` reaches as far back as the bundle's rules look."""

    at: datetime
    past: Past = field(default_factory=Past)


def considered(wanted: Wanted, past: Past) -> Considered:
    """The record of what a decision was made on."""
    reach = {item.whose: item.within_s for item in wanted.deeds}
    seen = [[deed.seq, deed.stands] for deed in past.deeds]
    counts = past.counts or {}
    return Considered(
        agent_s=reach.get(Whose.AGENT, 0),
        trace_s=reach.get(Whose.TRACE, 0),
        deeds=len(past.deeds),
        digest=digest("deeds", seen),
        counts=tuple(
            Counted(
                per=tally.per,
                value=tally.value,
                within_s=tally.within_s,
                most=tally.most,
                found=found,
            )
            for tally, found in counts.items()
        ),
    )
