"""Committed state of the ledger in memory, for a batch.

Lives here: the reads of ``writing.overlay.Source`` over its dictionaries. Must not live here: the
dictionaries (``tables``). Law: nothing is kept between two batches.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import takewhile

from governance.control import Control
from governance.kept import Kept, Use
from governance.policy.facts import MOST_DEEDS, Deed, DeedsOf, Tally
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.ports import AgentKey, IdempotencyKey, Remembered
from governance.principal import Credential
from governance.retention import classes_of
from governance.retention_events import Hold
from governance.segments import Needs
from governance.tickets.ticket import Ticket, TicketId
from storage.deeds import DeedRow, is_counted, is_of, ticket_stands
from storage.memory.tables import MemoryTables


class MemorySource:
    """Committed state for a batch."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables

    def control(self) -> Control:
        return self._tables.control

    def ticket(self, ticket_id: TicketId) -> Ticket | None:
        return self._tables.tickets.get(ticket_id)

    def met(self, ticket_id: TicketId) -> Ticket | None:
        return self.ticket(ticket_id)

    def remembered(self, key: IdempotencyKey) -> Remembered | None:
        return self._tables.remembered.get(key)

    def bucket(self, key: str) -> Bucket | None:
        return self._tables.buckets.get(key)

    def pending_of(self, key: AgentKey) -> int:
        return self._tables.pending_of.get(key, 0)

    def deeds(self, wanted: DeedsOf, at: datetime) -> Sequence[Deed]:
        since = at - timedelta(seconds=wanted.within_s)
        rows = [r for r in self._newest_first(since) if is_of(r, wanted)][: MOST_DEEDS + 1]
        return [self._as_it_stands(row.deed) for row in rows]

    def count(self, tally: Tally, at: datetime) -> int | None:
        since = at - timedelta(seconds=tally.within_s)
        found = sum(is_counted(row, tally) for row in self._newest_first(since))
        return min(found, tally.most)

    def flood(self, key: str) -> Flood | None:
        return self._tables.floods.get(key)

    def kept(self, digest: str) -> Kept | None:
        tables = self._tables
        uses = tables.uses.get(digest, [])
        is_known = bool(uses) or digest in tables.contents or digest in tables.erased
        found = Kept(
            uses=tuple(map(self.as_used, uses)),
            erased_at=tables.erased.get(digest),
        )
        return found if is_known else None

    def needs(self, seals: Sequence[int], holds: Sequence[Hold], at: datetime) -> Needs:
        """Nothing may go: memory has no records that lie in files."""
        return Needs()

    def as_used(self, use: Use) -> Use:
        """A use with what its ticket has come to."""
        ticket = self._tables.tickets.get(TicketId(use.ticket_id))
        if ticket is None:
            return use
        born = next(e for e in self._tables.events if e.header.ticket_id == ticket.id)
        return replace(use, state=ticket.state, data_classes=classes_of(born.payload))

    def _newest_first(self, since: datetime) -> Iterator[DeedRow]:
        rows = reversed(self._tables.deeds)
        return takewhile(lambda row: row.at >= since, rows)

    def _as_it_stands(self, deed: Deed) -> Deed:
        ticket = self._tables.tickets.get(TicketId(deed.ticket_id))
        return deed if ticket is None else replace(deed, stands=ticket_stands(ticket))

    def credential(self, credential_id: str) -> Credential | None:
        return self._tables.credentials.get(credential_id)
