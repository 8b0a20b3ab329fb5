"""What is known of a content beside its bytes: who put it there, and whether it is gone.

Lives here: values alone. Must not live here: what may be erased (``retention``), SQL. Law: every
record of a content is named, so that what any of them must keep is kept.
"""

from dataclasses import dataclass
from datetime import datetime

from governance.principal import AgentId, TenantId
from governance.tickets.ticket import TicketState


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """A record that put a content into the payload table, and what became of its ticket."""

    seq: int
    at: datetime
    tenant: TenantId
    agent: AgentId
    trace_id: str
    ticket_id: str
    """Empty: of no ticket."""
    state: TicketState | None = None
    data_classes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A content as the payload table has it: every record of it, and when it was erased."""

    uses: tuple[Use, ...] = ()
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Named:
    """A record that put a content there, with what was in play of its request."""

    seq: int
    at: datetime
    digest: str
    data_classes: tuple[str, ...]
    is_gone: bool
