"""The ledger in memory: the same contract, for tests and examples.

Lives here: ``MemoryLedger``, which is Ledger, Reader and Outbox at once. Must not live here:
anything that outlives the process.
Law: it runs the very batches that the durable ledgers run; only the keeping differs.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Self, TypeVar

from governance import once
from governance.control import Control
from governance.digests import content_digest
from governance.errors import PlacetError
from governance.kept import Named
from governance.policy.facts import Past, Wanted
from governance.ports import Clock, Committed, DueWork, Keys, Logged, Queue, Step, TicketQuery
from governance.principal import Credential, TenantId
from governance.statistics import Fact
from governance.tickets.events import TicketOpened
from governance.tickets.ticket import Ticket, TicketId, TicketState
from storage import codec
from storage.bell import Bell
from storage.deeds import past_of
from storage.memory.facts import fact_of
from storage.memory.outbox import MemoryOutbox
from storage.memory.source import MemorySource
from storage.memory.tables import MemoryTables
from storage.memory.tiles import MemoryTiles
from storage.writing.batch import Batch, raised
from storage.writing.changes import Changes, use_of
from storage.writing.projections import due_columns, needed_people

T = TypeVar("T")


class MemoryLedger(MemoryOutbox):
    """Ledger, Reader and Outbox over dictionaries; one event loop, no threads."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock
        self._bell = Bell()
        self._tables = MemoryTables()
        self.tiles = MemoryTiles(lambda: self._tables.events)

    async def start(self) -> Self:
        """Nothing to open; here so that every ledger is started alike."""
        return self

    async def close(self) -> None:
        """Nothing to close."""

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def commit(self, keys: Keys, step: Step[T]) -> Committed[T]:
        """See ``governance.ports.Ledger``."""
        request = once.untaken()
        if request is not None:
            if not await self.take(request.key, at=request.at, until=request.until):
                raise once.RepeatedError
            request.is_taken = True
        batch = Batch(MemorySource(self._tables), self._tables.head, self._clock.now())
        outcome = batch.attempt(keys, step)
        self._apply(batch.changes, batch.now)
        return Committed(reply=raised(outcome), seqs=outcome.seqs)

    async def commit_all(
        self, items: Sequence[tuple[Keys, Step[T]]]
    ) -> Sequence[Committed[T] | PlacetError]:
        """See ``governance.ports.Ledger``."""
        found: list[Committed[T] | PlacetError] = []
        for keys, step in items:
            try:
                found.append(await self.commit(keys, step))
            except PlacetError as error:
                found.append(error)
        return found

    def _apply(self, changes: Changes, due_at: datetime) -> None:
        if changes.events:
            self._tables.head = changes.ended()
        self._tables.events += [codec.logged(e.seq, e.hash, e.encoded) for e in changes.events]
        self._tables.tickets |= changes.tickets
        for agent, grown in changes.pending_of.items():
            self._tables.pending_of[agent] = self._tables.pending_of.get(agent, 0) + grown
        self._tables.remembered |= changes.remembered
        self._tables.keys_kept |= changes.keys_kept
        self._tables.buckets |= changes.buckets
        self._tables.control = changes.control or self._tables.control
        self._tables.credentials |= changes.credentials
        self._tables.votes |= changes.votes
        self._tables.contents |= changes.contents
        for digest, record in changes.uses:
            self._tables.uses.setdefault(digest, []).append(use_of(record))
        for digest in changes.contents:
            self._tables.erased.pop(digest, None)
        for digest in changes.erased:
            if self._tables.contents.pop(digest, None) is not None:
                self._tables.erased[digest] = changes.head.at or due_at
        self._tables.deeds += changes.deeds
        for key, flood in changes.floods.items():
            if flood is None:
                self._tables.floods.pop(key, None)
            else:
                self._tables.floods[key] = flood
        for message in changes.owed:
            self.owe_now(message, due_at)
        self._bell.ring(self._tables.head.seq)

    async def ticket(self, ticket_id: TicketId) -> Ticket | None:
        """See ``governance.ports.Reader``; so are the other reads."""
        return self._tables.tickets.get(ticket_id)

    async def tickets(self, query: TicketQuery) -> Sequence[Ticket]:
        if query.soonest:
            return self._soonest(query)
        newest_first = list(reversed(self._tables.tickets.values()))
        if query.before is not None:
            ids = [ticket.id for ticket in newest_first]
            past = ids.index(query.before) + 1 if query.before in ids else len(ids)
            newest_first = newest_first[past:]
        if query.opened is not None:
            numbers = self._opened()
            newest_first = [one for one in newest_first if numbers.get(one.id) in query.opened]
        return [ticket for ticket in newest_first if _matches(ticket, query)][: query.limit]

    async def opened_seq(self, ticket_id: TicketId) -> int | None:
        return self._opened().get(ticket_id)

    def _opened(self) -> Mapping[TicketId, int]:
        opening = (one for one in self._tables.events if one.type == TicketOpened.__name__)
        return {TicketId(one.header.ticket_id): one.seq for one in opening}

    def _soonest(self, query: TicketQuery) -> Sequence[Ticket]:
        tickets = self._tables.tickets
        last = None if query.before is None else tickets.get(query.before)
        if last is None and query.before is not None:
            return []
        found = [
            ticket
            for ticket in tickets.values()
            if due_columns(ticket).expiring_at is not None and _matches(ticket, query)
            if last is None or _end_of(ticket) > _end_of(last)
        ]
        return sorted(found, key=_end_of)[: query.limit]

    async def content(self, digest: str) -> bytes | None:
        body = self._tables.contents.get(digest)
        return body if body is not None and content_digest(body) == digest else None

    async def contents_after(self, after_seq: int, limit: int) -> Sequence[Named]:
        """Contents in the order of the records that named them."""
        source = MemorySource(self._tables)
        named = [
            Named(
                seq=use.seq,
                at=use.at,
                digest=digest,
                data_classes=source.as_used(use).data_classes,
                is_gone=digest in self._tables.erased,
            )
            for digest, uses in self._tables.uses.items()
            for use in uses
            if use.seq > after_seq
        ]
        return sorted(named, key=lambda item: (item.seq, item.digest))[:limit]

    async def erased_at(self, digest: str) -> datetime | None:
        return self._tables.erased.get(digest)

    async def forget_keys(self, limit: int) -> int:
        """See ``SqlLedger``."""
        passed = Batch(MemorySource(self._tables), self._tables.head, self._clock.now()).passed
        over = [(until, i) for i, until in self._tables.keys_kept.items() if until <= passed]
        gone = {ticket_id for _, ticket_id in sorted(over)[:limit]}
        for ticket_id in gone:
            del self._tables.keys_kept[ticket_id]
        kept = self._tables.remembered.items()
        self._tables.remembered = {key: used for key, used in kept if used.ticket_id not in gone}
        return len(gone)

    async def control(self) -> Control:
        return self._tables.control

    async def credential(self, credential_id: str) -> Credential | None:
        return self._tables.credentials.get(credential_id)

    async def credentials(self) -> Sequence[Credential]:
        return list(self._tables.credentials.values())

    async def timeline(self, trace_id: str) -> Sequence[Logged]:
        return [
            event for event in self._tables.events if trace_id and event.header.trace_id == trace_id
        ]

    async def history(self, ticket_id: TicketId) -> Sequence[Logged]:
        return [e for e in self._tables.events if ticket_id and e.header.ticket_id == ticket_id]

    async def contents_of(self, ticket_id: TicketId) -> Sequence[str]:
        named = self._tables.uses.items()
        return [name for name, uses in named if any(use.ticket_id == ticket_id for use in uses)]

    async def records(self, after_seq: int, limit: int) -> Sequence[Logged]:
        start = max(0, after_seq)
        return self._tables.events[start : start + limit]

    async def head(self) -> tuple[int, str]:
        return self._tables.head.seq, self._tables.head.hash

    async def tree_head(self) -> tuple[int, bytes, str]:
        """Size, RFC 6962 root and head hash of one moment, for a checkpoint."""
        return self._tables.head.seq, self._tables.head.tree.root, self._tables.head.hash

    async def due(self, at: datetime, *, clearance_age_s: int, limit: int) -> DueWork:
        stale = at - timedelta(seconds=clearance_age_s)
        columns = [(ticket.id, due_columns(ticket)) for ticket in self._tables.tickets.values()]
        expiring = sorted((c.expiring_at, i) for i, c in columns if c.expiring_at)
        overdue = sorted((c.overdue_at, i) for i, c in columns if c.overdue_at)
        lost = sorted((c.lease_until, i) for i, c in columns if c.lease_until)
        uncleared = sorted((c.uncleared_since, i) for i, c in columns if c.uncleared_since)
        return DueWork(
            expiring=tuple(i for when, i in expiring if when <= at)[:limit],
            overdue=tuple(i for when, i in overdue if when <= at)[:limit],
            lost=tuple(i for when, i in lost if when <= at)[:limit],
            uncleared=tuple(i for when, i in uncleared if when <= stale)[:limit],
            floods=tuple(key for key, f in self._tables.floods.items() if f.ends_at <= at)[:limit],
        )

    async def past(self, wanted: Wanted, at: datetime) -> Past:
        source = MemorySource(self._tables)
        return past_of(
            {item: source.deeds(item, at) for item in wanted.deeds},
            {tally: source.count(tally, at) for tally in wanted.tallies},
        )

    async def queue(self, tenant: TenantId) -> Queue:
        ours = [one for one in self._tables.tickets.values() if one.ask.tenant == tenant]
        since = [one.created_at for one in ours if one.state is TicketState.PENDING]
        unknown = sum(one.state is TicketState.UNKNOWN for one in ours)
        return Queue(waiting=len(since), oldest_at=since[0] if since else None, unknown=unknown)

    async def facts(self, tenant: TenantId, after_seq: int, until_seq: int) -> Sequence[Fact]:
        """See ``governance.statistics.FactSource``; so is the next."""
        records = [one for one in self._tables.events if after_seq < one.seq <= until_seq]
        told = (fact_of(one) for one in records if one.header.tenant == tenant)
        return [fact for fact in told if fact is not None]

    async def seq_before(self, at: datetime) -> int:
        return max((one.seq for one in self._tables.events if one.at < at), default=0)

    async def changed(self, after_seq: int, timeout_s: float) -> int:
        return await self._bell.wait(after_seq, timeout_s)


def _end_of(ticket: Ticket) -> tuple[datetime, TicketId]:
    return ticket.expires_at, ticket.id


def _matches(ticket: Ticket, query: TicketQuery) -> bool:
    ask = ticket.ask
    return (
        query.tenant in (None, ask.tenant)
        and (not query.states or ticket.state in query.states)
        and query.agent in (None, ask.agent)
        and query.trace_id in (None, ask.trace_id)
        and query.topic in (None, ask.topic)
        and query.needed_people in (None, needed_people(ticket))
    )
