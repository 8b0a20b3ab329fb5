"""One batch of the writer: steps run on committed state plus what the batch did so far.

Lives here: order, sequence numbers, links, projections and messages owed, for every engine alike.
Must not live here: SQL, threads, or any state that outlives a transaction.
Law: a step that fails leaves nothing behind; whatever a step commits is seen by the next one of
the batch; the head is read inside the transaction and never remembered between batches.
"""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from governance import control as ctl
from governance.action import content_digest
from governance.audit import Event, Record, describe, encode, hash_of
from governance.control import Control
from governance.errors import Code, PlacetError, Unavailable
from governance.outbox import owed
from governance.policy.facts import MOST_DEEDS, Deed, DeedsOf, Past, Tally, Wanted
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.ports import AgentKey, IdempotencyKey, Keys, Logged, Remembered, State, Step
from governance.principal import Credential
from governance.tickets import events as ev
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket, TicketId, TicketState
from storage import codec
from storage.changes import Changes, Head, VoteKey, VoteRow, after_earlier
from storage.deeds import deed_of, is_counted, is_of, past_of, ticket_stands

T = TypeVar("T")
V = TypeVar("V")
_log = logging.getLogger("placet.ledger")


class Source(Protocol):
    """Committed state, read under the writer's lock."""

    def control(self) -> Control:
        """The governing state."""
        ...

    def ticket(self, ticket_id: TicketId) -> Ticket | None:
        """One ticket."""
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """What the caller of one step gets once the batch is durable."""

    reply: T | PlacetError
    seqs: tuple[int, ...] = ()


class Batch:
    """The steps of one transaction, run one after the other at one event time."""

    def __init__(self, source: Source, head: Head, now: datetime) -> None:
        self.at = now if head.at is None else max(now, head.at)
        self.changes = Changes(head=replace(head, at=self.at))
        self._source = source

    def attempt(self, keys: Keys, step: Step[T]) -> Outcome[T]:
        """Run one step; its failure is its own and leaves no trace in the batch."""
        draft = _Draft(self._source, self.changes, self.at)
        try:
            result = step(draft.state(keys))
            for event in result.events:
                draft.append(event)
            draft.keep(result.contents)
            draft.changes.floods |= result.floods
        except PlacetError as error:
            return Outcome(reply=error)
        except Exception as error:  # noqa: BLE001  # a step is foreign code: its bug is its own failure
            _log.exception("a step failed", extra={"error": type(error).__name__})
            return Outcome(reply=unavailable("the step could not be run"))
        self.changes.take(draft.changes)
        return Outcome(reply=result.reply, seqs=tuple(e.seq for e in draft.changes.events))


class _Draft:
    """One step's changes over the batch's, over committed state."""

    def __init__(self, source: Source, base: Changes, at: datetime) -> None:
        self._source = source
        self._base = base
        self._at = at
        self.changes = Changes(head=base.head)

    def state(self, keys: Keys) -> State:
        """What the step may look at."""
        tickets = {key: self._ticket(key) for key in keys.tickets}
        used = {key: self._remembered(key) for key in keys.idempotency}
        return State(
            at=self._at,
            control=self._control(),
            tickets={key: value for key, value in tickets.items() if value is not None},
            idempotency={key: value for key, value in used.items() if value is not None},
            buckets=_Found(keys.buckets, self._bucket),
            pending=self.changes.head.pending,
            pending_of={key: self._pending_of(key) for key in keys.pending_of},
            past=Past() if keys.past is None else self._past(keys.past),
            floods=_Found(keys.floods, self._flood),
        )

    def append(self, event: Event) -> None:
        """Number, link and project one event."""
        after: Ticket | None = None
        if isinstance(event, ev.TicketEvent):
            after = self._project_ticket(event)
        elif isinstance(event, ctl.ControlEvent):
            self._project_control(event)
        if isinstance(event, ev.TicketOpened | ev.SubmissionThrottled | ev.DecisionEvaluated):
            for key, tokens, since in event.counters:
                self.changes.buckets[key] = Bucket(tokens_milli=tokens, updated_at=since)
        self._link(event, after)
        deed = deed_of(event, self.changes.head.seq, self._at)
        if deed is not None:
            self.changes.deeds.append(deed)
        self.changes.owed |= dict.fromkeys(owed(event, after))

    def keep(self, contents: Mapping[str, bytes]) -> None:
        """Put contents into the payload table, under no other name than their own digest."""
        for digest, body in contents.items():
            if content_digest(body) != digest:
                raise ValueError("content under another digest than its own")
            self.changes.contents[digest] = body

    def _link(self, event: Event, after: Ticket | None) -> None:
        head = self.changes.head
        record = Record(
            seq=head.seq + 1,
            previous=head.hash,
            type=type(event).__name__,
            version=event.version,
            at=self._at,
            header=describe(event, after),
            payload=codec.payload(event),
        )
        encoded = encode(record)
        logged = Logged(
            seq=record.seq,
            type=record.type,
            version=record.version,
            at=self._at,
            header=record.header,
            payload=record.payload,
            hash=hash_of(encoded),
            encoded=encoded,
        )
        self.changes.events.append(logged)
        self.changes.head = replace(
            head, seq=logged.seq, hash=logged.hash, tree=head.tree.grown((encoded,))
        )

    def _project_ticket(self, event: ev.TicketEvent) -> Ticket:
        before = self._ticket(event.ticket_id)
        after = evolve(before, event, self._at)
        changes, head = self.changes, self.changes.head
        if isinstance(event, ev.TicketOpened):
            changes.opened[after.id] = head.seq + 1
            self._remember(after)
        grown = (after.state is TicketState.PENDING) - (
            before is not None and before.state is TicketState.PENDING
        )
        if grown:
            changes.head = replace(head, pending=head.pending + grown)
            agent = (after.ask.tenant, after.ask.agent)
            changes.pending_of[agent] = changes.pending_of.get(agent, 0) + grown
        changes.tickets[after.id] = after
        if before is not None and before.votes != after.votes:
            for key, row in _vote_rows(before, after):
                changes.votes[key] = after_earlier(changes.votes.get(key), row)
        return after

    def _remember(self, ticket: Ticket) -> None:
        ask = ticket.ask
        key = (ask.tenant, ask.agent, ask.idempotency_key)
        if self._remembered(key) is not None:
            raise ValueError("an idempotency key is used twice")
        self.changes.remembered[key] = Remembered(
            request_digest=ask.request_digest, ticket_id=ticket.id
        )

    def _project_control(self, event: ctl.ControlEvent) -> None:
        self.changes.control = ctl.evolve(self._control(), event, self._at)
        match event:
            case ctl.CredentialIssued():
                self.changes.credentials[event.credential.id] = event.credential
            case ctl.CredentialRevoked():
                known = self._credential(event.credential_id)
                if known is None:
                    raise ValueError("a credential that was never issued cannot be revoked")
                self.changes.credentials[known.id] = replace(known, revoked_at=self._at)
            case _:
                pass

    def _control(self) -> Control:
        return self.changes.control or self._base.control or self._source.control()

    def _ticket(self, key: TicketId) -> Ticket | None:
        mine = self.changes.tickets.get(key) or self._base.tickets.get(key)
        return mine or self._source.ticket(key)

    def _remembered(self, key: IdempotencyKey) -> Remembered | None:
        mine = self.changes.remembered.get(key) or self._base.remembered.get(key)
        return mine or self._source.remembered(key)

    def _bucket(self, key: str) -> Bucket | None:
        mine = self.changes.buckets.get(key) or self._base.buckets.get(key)
        return mine or self._source.bucket(key)

    def _pending_of(self, key: AgentKey) -> int:
        grown = self._base.pending_of.get(key, 0) + self.changes.pending_of.get(key, 0)
        return self._source.pending_of(key) + grown

    def _flood(self, key: str) -> Flood | None:
        for changes in (self.changes, self._base):
            if key in changes.floods:
                return changes.floods[key]
        return self._source.flood(key)

    def _past(self, wanted: Wanted) -> Past:
        newest_first = [*reversed(self.changes.deeds), *reversed(self._base.deeds)]
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
        ticket = self.changes.tickets.get(key) or self._base.tickets.get(key)
        return deed if ticket is None else replace(deed, stands=ticket_stands(ticket))

    def _credential(self, key: str) -> Credential | None:
        mine = self.changes.credentials.get(key) or self._base.credentials.get(key)
        return mine or self._source.credential(key)


class _Found(Mapping[str, V]):
    """What the transaction finds under any key; listed are those that were named."""

    def __init__(self, named: tuple[str, ...], find: Callable[[str], V | None]) -> None:
        self._find = find
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


def _vote_rows(before: Ticket, after: Ticket) -> list[tuple[VoteKey, VoteRow]]:
    """What changed about the votes of one revision; a new revision leaves the old rows alone."""
    if before.revision != after.revision:
        return []
    old = {vote.person: vote for vote in before.votes}
    new = {vote.person: vote for vote in after.votes}
    rows: list[tuple[VoteKey, VoteRow]] = []
    for person in {**old, **new}:
        if old.get(person) == new.get(person):
            continue
        vote = new.get(person) or old[person]
        row = VoteRow(vote=vote, is_withdrawn=person not in new, is_new=person not in old)
        rows.append(((after.id, after.revision, person), row))
    return rows


def unavailable(message: str) -> Unavailable:
    """The ledger cannot do it now; nothing was written."""
    return Unavailable(Code.LEDGER_UNAVAILABLE, message)


def raised(outcome: Outcome[T]) -> T:
    """The reply, or the error raised that stands in its place."""
    if isinstance(outcome.reply, PlacetError):
        raise outcome.reply
    return outcome.reply
