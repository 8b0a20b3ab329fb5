"""What a decision depends on besides the request and the bundle.

Lives here: the moment, and what the agent or the trace already did. Must not live here: how that
is looked up (the ledger) or what follows from it (``conditions``).
Law: a decision is a function of request, bundle and these facts; they are recorded beside it.
"""

from dataclasses import dataclass
from datetime import datetime

from governance.principal import AgentId


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """One earlier job, as far as later rules may ask about it."""

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """``at`` is aware; ``deeds`` are newest first, as far back as the bundle's rules look."""

    at: datetime
    deeds: tuple[Deed, ...] = ()
