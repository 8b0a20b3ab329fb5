"""What the ledger in memory keeps.

Lives here: its dictionaries and lists. Must not live here: how they change (``ledger``) or
are read for a batch (``source``). Law: they hold what the tables of a database hold.
"""

from dataclasses import dataclass, field
from datetime import datetime

from governance.control import Control
from governance.kept import Use
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.ports import AgentKey, IdempotencyKey, Logged, Remembered
from governance.principal import Credential
from governance.tickets.ticket import Ticket, TicketId
from storage.deeds import DeedRow
from storage.writing.changes import Head, VoteKey, VoteRow


@dataclass(slots=True, kw_only=True)
class MemoryTables:
    """The committed state of one ledger."""

    head: Head = field(default_factory=Head)
    events: list[Logged] = field(default_factory=list)
    tickets: dict[TicketId, Ticket] = field(default_factory=dict)
    remembered: dict[IdempotencyKey, Remembered] = field(default_factory=dict)
    keys_kept: dict[TicketId, datetime] = field(default_factory=dict)
    buckets: dict[str, Bucket] = field(default_factory=dict)
    pending_of: dict[AgentKey, int] = field(default_factory=dict)
    control: Control = field(default_factory=Control)
    credentials: dict[str, Credential] = field(default_factory=dict)
    votes: dict[VoteKey, VoteRow] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    erased: dict[str, datetime] = field(default_factory=dict)
    deeds: list[DeedRow] = field(default_factory=list)
    floods: dict[str, Flood] = field(default_factory=dict)
