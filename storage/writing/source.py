"""Committed state read on the writer's own connection, inside its transaction.

Lives here: bulk loading of what a batch will look at. Must not live here: writes, and anything
kept from one transaction to the next.
Law: one of these lives exactly as long as its transaction.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, TypeVar

from governance.control import Control
from governance.kept import Kept
from governance.policy.decision import Effect
from governance.policy.facts import Deed, DeedsOf, Tally
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.ports import AgentKey, IdempotencyKey, Keys, Remembered
from governance.principal import Credential
from governance.retention_events import Hold
from governance.segments import Needs
from governance.tickets.ticket import Ticket, TicketId
from storage import codec, deeds
from storage.connection import Connection
from storage.errors import unavailable
from storage.retention import detaching, keeping
from storage.tree import merkle
from storage.writing.changes import Head

CHUNK = 600
"""Parameters of one IN list; SQLite takes 32,766, older builds 999."""
N = TypeVar("N")

PENDING_OF = """SELECT count(*) FROM tickets
    WHERE state = 'PENDING' AND tenant = ? AND agent = ?"""
"""Counted in ``ix_tickets_pending`` alone, which holds no more than may be pending."""


FLOOD = """SELECT tenant, agent, effect, rule_id, ends_at, recorded, count, first_at, last_at
    FROM floods WHERE key = ?"""


def flood_of(row: Sequence[Any]) -> Flood:
    """A counter of refusals as it was kept."""
    tenant, agent, effect, rule_id, ends_at, recorded, count, first_at, last_at = row
    return Flood(
        tenant=tenant,
        agent=agent,
        effect=Effect(effect),
        rule_id=rule_id,
        ends_at=datetime.fromisoformat(ends_at),
        recorded=recorded,
        count=count,
        first_at=datetime.fromisoformat(first_at),
        last_at=datetime.fromisoformat(last_at),
    )


def head_of(row: Sequence[Any] | None) -> Head:
    """Where the log ends, as the row of ``LOG_HEAD`` says.

    Raises:
        Unavailable: ``ledger_unavailable``: there is no such row, or it contradicts itself.
    """
    if row is None:
        raise unavailable("the log has no head: the database was altered")
    seq, hash_, at, pending, tree = row
    try:
        grown = merkle.from_bytes(seq, tree)
    except ValueError as error:
        raise unavailable("the log's head contradicts itself") from error
    when = datetime.fromisoformat(at) if at else None
    return Head(seq=seq, hash=hash_, at=when, pending=pending, tree=grown)


class RowSource:
    """``overlay.Source`` over one transaction."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._control: Control | None = None
        self._tickets: dict[TicketId, Ticket | None] = {}
        self._remembered: dict[IdempotencyKey, Remembered | None] = {}
        self._buckets: dict[str, Bucket | None] = {}
        self._pending_of: dict[AgentKey, int] = {}
        self._deeds: dict[DeedsOf, Sequence[Deed]] = {}
        self._counts: dict[Tally, int | None] = {}

    def preload(self, wanted: Iterable[Keys]) -> None:
        """Load what every step of a batch named, in few statements."""
        every = list(wanted)
        self._load_tickets({key for keys in every for key in keys.tickets})
        self._load_remembered({key for keys in every for key in keys.idempotency})
        self._load_buckets({key for keys in every for key in keys.buckets})

    def control(self) -> Control:
        """The governing state."""
        if self._control is None:
            row = self._connection.execute("SELECT body FROM control").fetchone()
            self._control = codec.control(bytes(row[0])) if row else Control()
        return self._control

    def ticket(self, ticket_id: TicketId) -> Ticket | None:
        """One ticket."""
        if ticket_id not in self._tickets:
            self._load_tickets({ticket_id})
        return self._tickets[ticket_id]

    def met(self, ticket_id: TicketId) -> Ticket | None:
        """One ticket that was looked at; the primary key refuses another of an id that was not."""
        return self._tickets.get(ticket_id)

    def remembered(self, key: IdempotencyKey) -> Remembered | None:
        """What an idempotency key was used for."""
        if key not in self._remembered:
            self._load_remembered({key})
        return self._remembered[key]

    def bucket(self, key: str) -> Bucket | None:
        """The level of one bucket."""
        if key not in self._buckets:
            self._load_buckets({key})
        return self._buckets[key]

    def pending_of(self, key: AgentKey) -> int:
        """How many tickets of one agent are pending."""
        if key not in self._pending_of:
            (self._pending_of[key],) = self._connection.execute(PENDING_OF, key).fetchone()
        return self._pending_of[key]

    def deeds(self, wanted: DeedsOf, at: datetime) -> Sequence[Deed]:
        """Deeds as of ``at``, newest first."""
        if wanted not in self._deeds:
            self._deeds[wanted] = deeds.read_deeds(self._connection.execute, wanted, at)
        return self._deeds[wanted]

    def count(self, tally: Tally, at: datetime) -> int | None:
        """How many requests a tally counts."""
        if tally not in self._counts:
            self._counts[tally] = deeds.count(self._connection.execute, tally, at)
        return self._counts[tally]

    def flood(self, key: str) -> Flood | None:
        """One counter of refusals."""
        row = self._connection.execute(FLOOD, (key,)).fetchone()
        return flood_of(row) if row else None

    def kept(self, digest: str) -> Kept | None:
        """Who named a content."""
        return keeping.read_kept(self._connection.execute, digest)

    def needs(self, seals: Sequence[int], holds: Sequence[Hold], at: datetime) -> Needs:
        """What needs sealed segments."""
        return detaching.read_needs(self._connection.execute, seals, holds, at)

    def credential(self, credential_id: str) -> Credential | None:
        """One credential."""
        sql = "SELECT body FROM credentials WHERE id = ?"
        row = self._connection.execute(sql, (credential_id,)).fetchone()
        return codec.load(Credential, row[0]) if row else None

    def _load_tickets(self, wanted: set[TicketId]) -> None:
        self._tickets.update(dict.fromkeys(wanted))
        for chunk in _chunks(wanted):
            sql = f"SELECT id, body FROM tickets WHERE id IN ({_marks(chunk)})"  # noqa: S608  # only marks
            for ticket_id, body in self._connection.execute(sql, chunk):
                self._tickets[ticket_id] = codec.ticket(bytes(body))

    def _load_buckets(self, wanted: set[str]) -> None:
        self._buckets.update(dict.fromkeys(wanted))
        for chunk in _chunks(wanted):
            sql = (
                f"SELECT key, tokens_milli, updated_at FROM buckets WHERE key IN ({_marks(chunk)})"  # noqa: S608  # only marks
            )
            for key, tokens, since in self._connection.execute(sql, chunk):
                at = datetime.fromisoformat(since)
                self._buckets[key] = Bucket(tokens_milli=tokens, updated_at=at)

    def _load_remembered(self, wanted: set[IdempotencyKey]) -> None:
        self._remembered.update(dict.fromkeys(wanted))
        for chunk in _chunks(wanted, of=3):
            rows = ",".join(["(?, ?, ?)"] * len(chunk))
            sql = f"""WITH wanted (tenant, agent, key) AS (VALUES {rows})
                SELECT i.tenant, i.agent, i.key, i.request_digest, i.ticket_id
                FROM wanted w JOIN idempotency i
                ON i.tenant = w.tenant AND i.agent = w.agent AND i.key = w.key"""  # noqa: S608  # only marks
            values = tuple(part for key in chunk for part in key)
            for tenant, agent, key, digest, ticket_id in self._connection.execute(sql, values):
                found = Remembered(request_digest=digest, ticket_id=ticket_id)
                self._remembered[(tenant, agent, key)] = found


def _chunks(wanted: Iterable[N], of: int = 1) -> Iterator[tuple[N, ...]]:
    """``wanted`` in parts; ``of`` parameters for each name."""
    names = iter(wanted)
    while chunk := tuple(islice(names, CHUNK // of)):
        yield chunk


def _marks(chunk: Sequence[str]) -> str:
    return ",".join("?" * len(chunk))
