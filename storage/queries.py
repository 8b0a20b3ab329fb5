"""Reads of committed state, through SQLAlchemy Core.

Lives here: inbox lists, timelines, records and due work, each by an index. Must not live here:
writes or decisions.
Law: no read scans a table that grows; what cannot be read answers ``ledger_unavailable``.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache, partial
from typing import Any

from sqlalchemy import CompoundSelect, Connection, Row, Select, and_, func, select, text, union_all

from governance.audit import GENESIS
from governance.control import Control
from governance.digests import content_digest
from governance.kept import Named
from governance.policy.facts import Past, Wanted
from governance.ports import DueWork, Logged, Queue, TicketQuery
from governance.principal import Credential, TenantId
from governance.statistics import Fact
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ticket, TicketId, TicketState
from storage import codec, deeds, facts
from storage.connection import NUL, in_style
from storage.errors import unavailable
from storage.owed_reads import OwedReads
from storage.retention import keeping, past
from storage.schema.tables import contents, credentials, events, head, tickets
from storage.ticket_pages import newest, soonest
from storage.tree import merkle

# As text, not as parameters: only so is a partial index known to hold all that is asked for.
_ALONE = text("events.trace_id <> '' AND events.ticket_id = ''")
_OF_TICKET = text("events.ticket_id <> ''")
_EVENT = (events.c.seq, events.c.hash, events.c.body)
_RECORDS = "SELECT seq, hash, body FROM events WHERE seq > ? ORDER BY seq LIMIT ?"
_DUE_OF = """SELECT id, {0} AS due_at FROM tickets WHERE {0} <= ? AND {0} IS NOT NULL
    ORDER BY {0}, id LIMIT ?"""
_DUE = (
    *(_DUE_OF.format(c) for c in ("expiring_at", "overdue_at", "lease_until", "uncleared_since")),
    "SELECT key AS id, ends_at AS due_at FROM floods WHERE ends_at <= ? ORDER BY ends_at LIMIT ?",
)
DUE = " UNION ALL ".join(
    f"SELECT {place}, due_at, id FROM ({one}) AS due_{place}"  # noqa: S608  # constants
    for place, one in enumerate(_DUE)
)
"""Everything that the clock must see to, in one statement: most sweeps find nothing at all."""


class Queries(OwedReads):
    """Reads over one pool; every call sees one moment."""

    async def ticket(self, ticket_id: TicketId) -> Ticket | None:
        """See ``governance.ports.Reader``; so are the other reads."""
        body = await self._points.value("SELECT body FROM tickets WHERE id = ?", ticket_id)
        return codec.ticket(bytes(body)) if body is not None else None

    async def tickets(self, query: TicketQuery) -> Sequence[Ticket]:
        named = (query.tenant, query.agent, query.trace_id, query.topic, query.before)
        if any(name is not None and NUL in name for name in named):
            return ()
        page = soonest(query) if query.soonest else newest(query)
        found = await self._points.rows(page.sql, *page.values)
        if not query.soonest:
            found = sorted(found, key=_opened_seq, reverse=True)  # of several states
        return [codec.ticket(bytes(body)) for _, body in found[: query.limit]]

    async def opened_seq(self, ticket_id: TicketId) -> int | None:
        if not _may_be(ticket_id):
            return None
        rows = await self._points.rows("SELECT opened_seq FROM tickets WHERE id = ?", ticket_id)
        return _opened_seq(rows[0]) if rows else None

    async def content(self, digest: str) -> bytes | None:
        found = await self._points.value("SELECT body FROM contents WHERE digest = ?", digest)
        if not isinstance(found, bytes) or content_digest(found) != digest:
            return None  # never there, erased, or other bytes than those that were recorded
        return found

    async def erased_at(self, digest: str) -> datetime | None:
        query = select(contents.c.erased_at).where(contents.c.digest == digest)
        found = await self._value(query)
        return None if found is None else datetime.fromisoformat(found)

    async def contents_after(self, after_seq: int, limit: int) -> Sequence[Named]:
        """Contents in the order of the records that named them; of each record all or none."""
        async with self._reading() as connection:
            return await connection.run_sync(_read_named, after_seq, limit)

    async def control(self) -> Control:
        body = await self._points.value("SELECT body FROM control")
        return codec.control(bytes(body)) if body is not None else Control()

    async def credential(self, credential_id: str) -> Credential | None:
        body = await self._points.value("SELECT body FROM credentials WHERE id = ?", credential_id)
        return _credential(body) if body is not None else None

    async def credentials(self) -> Sequence[Credential]:
        query = select(credentials.c.body).order_by(credentials.c.issued_at, credentials.c.id)
        return [codec.load(Credential, row.body) for row in await self._rows(query)]

    async def timeline(self, trace_id: str) -> Sequence[Logged]:
        if not _may_be(trace_id):
            return ()
        alone: Select[Any] = select(*_EVENT).where(events.c.trace_id == trace_id, _ALONE)
        its_tickets = and_(events.c.ticket_id == tickets.c.id, _OF_TICKET)
        of_tickets = (
            select(*_EVENT)
            .join_from(tickets, events, its_tickets)
            .where(tickets.c.trace_id == trace_id)
        )
        async with self._reading() as connection:
            both: CompoundSelect[Any] = union_all(alone, of_tickets)  # of one moment
            rows: Sequence[Row[Any]] = (await connection.execute(both)).all()
            found = [logged(row) for row in sorted(rows, key=_seq_of)]
            await past.hold_trace(connection, trace_id, {item.header.tenant for item in found})
        return found

    async def history(self, ticket_id: TicketId) -> Sequence[Logged]:
        if not _may_be(ticket_id):
            return ()
        query: Select[Any] = select(*_EVENT).where(events.c.ticket_id == ticket_id, _OF_TICKET)
        async with self._reading() as connection:
            rows = (await connection.execute(query.order_by(events.c.seq))).all()
            await past.hold_ticket(connection, ticket_id)
        return [logged(row) for row in rows]

    async def contents_of(self, ticket_id: TicketId) -> Sequence[str]:
        if not _may_be(ticket_id):
            return ()
        async with self._reading() as connection:
            return await connection.run_sync(_read_contents_of, ticket_id)

    async def records(self, after_seq: int, limit: int) -> Sequence[Logged]:
        rows = await self._points.rows(_RECORDS, after_seq, limit)
        if rows and rows[0][0] > max(after_seq, 0) + 1:
            raise past.gone(rows[0][0] - 1, f"event {max(after_seq, 0) + 1}")
        return [codec.logged(seq, hash_, bytes(body)) for seq, hash_, body in rows]

    async def head(self) -> tuple[int, str]:
        rows = await self._points.rows("SELECT seq, hash FROM head")
        return (rows[0][0], rows[0][1]) if rows else (0, GENESIS)

    async def tree_head(self) -> tuple[int, bytes, str]:
        """Size, RFC 6962 root and head hash of one moment, for a checkpoint."""
        rows = await self._rows(select(head.c.seq, head.c.tree, head.c.hash))
        if not rows:
            raise unavailable("the log has no head: the database was altered")
        try:
            grown = merkle.from_bytes(rows[0].seq, rows[0].tree)
        except ValueError as error:
            raise unavailable("the log's head contradicts itself") from error
        return grown.size, grown.root, rows[0].hash

    async def due(self, at: datetime, *, clearance_age_s: int, limit: int) -> DueWork:
        now, stale = stamp(at), stamp(at - timedelta(seconds=clearance_age_s))
        values = tuple(v for until in (now, now, now, stale, now) for v in (until, limit))
        by_place = sorted(tuple(row) for row in await self._points.rows(DUE, *values))
        found = [tuple(row[2] for row in by_place if row[0] == place) for place in range(5)]
        expiring, overdue, lost, uncleared, ended = found
        return DueWork(
            expiring=expiring, overdue=overdue, lost=lost, uncleared=uncleared, floods=ended
        )

    async def past(self, wanted: Wanted, at: datetime) -> Past:
        async with self._reading() as connection:
            return await connection.run_sync(_read_past, wanted, at)

    async def queue(self, tenant: TenantId) -> Queue:
        waiting = (tickets.c.tenant == tenant, tickets.c.state == TicketState.PENDING.value)
        lost = (tickets.c.tenant == tenant, tickets.c.state == TicketState.UNKNOWN.value)
        oldest = select(tickets.c.created_at).where(*waiting).order_by(tickets.c.opened_seq)
        counted = select(func.count()).select_from(tickets)
        asked = select(
            counted.where(*waiting).scalar_subquery(),
            oldest.limit(1).scalar_subquery(),
            counted.where(*lost).scalar_subquery(),
        )
        async with self._reading() as connection:
            count, first, unknown = (await connection.execute(asked)).one()
        since = None if first is None else datetime.fromisoformat(first)
        return Queue(waiting=count, oldest_at=since, unknown=unknown)

    async def facts(self, tenant: TenantId, after_seq: int, until_seq: int) -> Sequence[Fact]:
        """See ``governance.statistics.FactSource``; so is the next."""
        async with self._reading() as connection:
            return await connection.run_sync(facts.read_facts, tenant, after_seq, until_seq)

    async def seq_before(self, at: datetime) -> int:
        head_seq, _ = await self.head()
        async with self._reading() as connection:
            return await connection.run_sync(facts.seq_before, stamp(at), head_seq)


@lru_cache(1_024)
def _credential(body: bytes) -> Credential:
    """The same bytes are the same credential: they are read anew each time, and parsed once."""
    return codec.load(Credential, body)


def _seq_of(row: Row[Any]) -> int:
    seq: int = row.seq
    return seq


def _opened_seq(row: Sequence[Any]) -> int:
    seq: int = row[0]
    return seq


def _may_be(name: str) -> bool:
    """Whether anything can have this name; not every engine even takes a NUL in a question."""
    return bool(name) and NUL not in name


def _read_past(connection: Connection, wanted: Wanted, at: datetime) -> Past:
    return deeds.read_past(partial(_run, connection), wanted, at)


def _read_named(connection: Connection, after_seq: int, limit: int) -> Sequence[Named]:
    return keeping.read_named(partial(_run, connection), after_seq, limit)


def _read_contents_of(connection: Connection, ticket_id: TicketId) -> Sequence[str]:
    return keeping.read_contents_of(partial(_run, connection), ticket_id)


def _run(connection: Connection, sql: str, values: tuple[object, ...]) -> Iterable[Sequence[Any]]:
    styled = in_style(sql, connection.dialect.paramstyle)
    return connection.exec_driver_sql(styled, values).all()


def logged(row: Row[Any]) -> Logged:
    """A record as read back, every field from the very bytes that were hashed."""
    return codec.logged(row.seq, row.hash, bytes(row.body))
