"""What a step sees: committed state under the changes of its batch and its own.

Lives here: where committed state comes from, as a shape, and every read of one step over it.
Must not live here: how changes come about (``batch``), SQL (``source``).
Law: what was changed in this transaction hides what is committed; nothing else is added to it.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol, TypeVar

from governance.control import Control
from governance.kept import Kept, Use
from governance.policy.facts import MOST_DEEDS, Deed, DeedsOf, Past, Tally, Wanted
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.ports import AgentKey, IdempotencyKey, Keys, Remembered, State
from governance.principal import Credential
from governance.retention_events import Hold
from governance.segments import Needs
from governance.tickets.ticket import Ticket, TicketId
from storage.deeds import is_counted, is_of, past_of, ticket_stands
from storage.writing.changes import Changes, use_of

K = TypeVar("K")
V = TypeVar("V")
_NO_PAST = Past()


class Source(Protocol):
    """Committed state, read under the writer's lock."""

    def control(self) -> Control:
        """The governing state."""
        ...

    def ticket(self, ticket_id: TicketId) -> Ticket | None:
        """One ticket."""
        ...

    def met(self, ticket_id: TicketId) -> Ticket | None:
        """The same if that costs nothing; else None, and storing another of that id fails."""
        ...

    def remembered(self, key: IdempotencyKey) -> Remembered | None:
        """What an idempotency key was used for."""
        ...

    def bucket(self, key: str) -> Bucket | None:
        """The level of one bucket."""
        ...

    def pending_of(self, key: AgentKey) -> int:
        """How many tickets of one agent are pending."""
        ...

    def deeds(self, wanted: DeedsOf, at: datetime) -> Sequence[Deed]:
        """Deeds as of ``at``, newest first; one more than ``MOST_DEEDS`` where there are more."""
        ...

    def count(self, tally: Tally, at: datetime) -> int | None:
        """How many requests a tally counts; None where that cannot be known."""
        ...

    def flood(self, key: str) -> Flood | None:
        """One counter of refusals."""
        ...

    def credential(self, credential_id: str) -> Credential | None:
        """One credential."""
        ...

    def kept(self, digest: str) -> Kept | None:
        """Who named a content, and when it was erased; None: nobody ever did."""
        ...

    def needs(self, seals: Sequence[int], holds: Sequence[Hold], at: datetime) -> Needs:
        """What needs the segments that the records ``seals`` have sealed."""
        ...


class Overlay:
    """Committed state under what the batch changed (``base``) and what the step did (``own``)."""

    def __init__(self, source: Source, base: Changes, own: Changes, at: datetime) -> None:
        self._source = source
        self._base = base
        self._own = own
        self._at = at

    def state(self, keys: Keys) -> State:
        """What the step may look at."""
        return State(
            at=self._at,
            control=self.control(),
            tickets=_known(keys.tickets, self.ticket),
            idempotency=_known(keys.idempotency, self.remembered),
            buckets=_Found(keys.buckets, self._bucket),
            pending=self._own.head.pending,
            pending_of={key: self._pending_of(key) for key in keys.pending_of},
            past=_NO_PAST if keys.past is None else self._past(keys.past),
            floods=_Found(keys.floods, self._flood),
            contents=_Found(keys.contents, self._kept),
            needs=self._needs(keys.seals) if keys.seals else Needs(),
        )

    def _needs(self, seals: Sequence[int]) -> Needs:
        # Whatever this batch opens stands behind every seal; a hold it may have placed just now.
        return self._source.needs(seals, tuple(self.control().holds.values()), self._at)

    def control(self) -> Control:
        """The governing state."""
        return self._own.control or self._base.control or self._source.control()

    def ticket(self, key: TicketId) -> Ticket | None:
        """One ticket."""
        mine = self._own.tickets.get(key) or self._base.tickets.get(key)
        return mine or self._source.ticket(key)

    def twin(self, key: TicketId) -> Ticket | None:
        """The ticket that has the id of one that is being born, where that is known already."""
        mine = self._own.tickets.get(key) or self._base.tickets.get(key)
        return mine or self._source.met(key)

    def remembered(self, key: IdempotencyKey) -> Remembered | None:
        """What an idempotency key was used for."""
        mine = self._own.remembered.get(key) or self._base.remembered.get(key)
        return mine or self._source.remembered(key)

    def credential(self, key: str) -> Credential | None:
        """One credential."""
        mine = self._own.credentials.get(key) or self._base.credentials.get(key)
        return mine or self._source.credential(key)

    def _bucket(self, key: str) -> Bucket | None:
        mine = self._own.buckets.get(key) or self._base.buckets.get(key)
        return mine or self._source.bucket(key)

    def _pending_of(self, key: AgentKey) -> int:
        grown = self._base.pending_of.get(key, 0) + self._own.pending_of.get(key, 0)
        return self._source.pending_of(key) + grown

    def _flood(self, key: str) -> Flood | None:
        for changes in (self._own, self._base):
            if key in changes.floods:
                return changes.floods[key]
        return self._source.flood(key)

    def _kept(self, digest: str) -> Kept | None:
        found = self._source.kept(digest)
        for changes in (self._base, self._own):
            more = tuple(use_of(record) for name, record in changes.uses if name == digest)
            if found is None and not more:
                continue
            before = found or Kept()
            gone = None if digest in changes.contents else before.erased_at
            gone = self._at if digest in changes.erased else gone
            found = Kept(uses=(*before.uses, *more), erased_at=gone)
        return found and replace(found, uses=tuple(map(self._used_as_it_stands, found.uses)))

    def _used_as_it_stands(self, use: Use) -> Use:
        key = TicketId(use.ticket_id)
        ticket = self._own.tickets.get(key) or self._base.tickets.get(key)
        return use if ticket is None else replace(use, state=ticket.state)

    def _past(self, wanted: Wanted) -> Past:
        newest_first = [*reversed(self._own.deeds), *reversed(self._base.deeds)]
        found: dict[DeedsOf, list[Deed]] = {}
        for item in wanted.deeds:
            mine = [row.deed for row in newest_first if is_of(row, item)]
            known = [*mine, *self._source.deeds(item, self._at)][: MOST_DEEDS + 1]
            found[item] = [self._as_it_stands(deed) for deed in known]
        counts: dict[Tally, int | None] = {}
        for tally in wanted.tallies:
            before = self._source.count(tally, self._at)
            more = sum(is_counted(row, tally) for row in newest_first)
            counts[tally] = None if before is None else min(before + more, tally.most)
        return past_of(found, counts)

    def _as_it_stands(self, deed: Deed) -> Deed:
        key = TicketId(deed.ticket_id)
        ticket = self._own.tickets.get(key) or self._base.tickets.get(key)
        return deed if ticket is None else replace(deed, stands=ticket_stands(ticket))


def _known(keys: Sequence[K], find: Callable[[K], V | None]) -> Mapping[K, V]:
    """Those of ``keys`` that are there; most steps name one of few kinds, or none."""
    return {key: value for key in keys if (value := find(key)) is not None} if keys else {}


class _Found(Mapping[str, V]):
    """What the transaction finds under any key; listed are those that were named."""

    def __init__(self, named: tuple[str, ...], find: Callable[[str], V | None]) -> None:
        self._find = find
        self._named: tuple[str, ...] = ()
        if named:
            self._named = tuple(key for key in dict.fromkeys(named) if find(key) is not None)

    def __getitem__(self, key: str) -> V:
        found = self._find(key)
        if found is None:
            raise KeyError(key)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._named)

    def __len__(self) -> int:
        return len(self._named)
