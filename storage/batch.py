"""One batch of the writer: steps run on committed state plus what the batch did so far.

Lives here: order, sequence numbers, links, projections and messages owed, for every engine alike.
Must not live here: what a step sees (``storage.overlay``), SQL, threads, or any state that
outlives a transaction.
Law: a step that fails leaves nothing behind; whatever a step commits is seen by the next one of
the batch; the head is read inside the transaction and never remembered between batches.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Generic, TypeVar

from governance import control as ctl
from governance.action import content_digest
from governance.audit import Event, Record, describe, encode, hash_of
from governance.errors import Code, PlacetError, Unavailable
from governance.outbox import owed
from governance.policy.throttle import Bucket
from governance.ports import Keys, Logged, Remembered, Step
from governance.tickets import events as ev
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket, TicketState
from storage import codec
from storage.changes import Changes, Head, after_earlier, vote_rows
from storage.deeds import deed_of
from storage.overlay import Overlay, Source

T = TypeVar("T")
_log = logging.getLogger("placet.ledger")


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
            result = step(draft.seen.state(keys))
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
        self._at = at
        self.changes = Changes(head=base.head)
        self.seen = Overlay(source, base, self.changes, at)

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
        before = self.seen.ticket(event.ticket_id)
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
            for key, row in vote_rows(before, after):
                changes.votes[key] = after_earlier(changes.votes.get(key), row)
        return after

    def _remember(self, ticket: Ticket) -> None:
        ask = ticket.ask
        key = (ask.tenant, ask.agent, ask.idempotency_key)
        if self.seen.remembered(key) is not None:
            raise ValueError("an idempotency key is used twice")
        self.changes.remembered[key] = Remembered(
            request_digest=ask.request_digest, ticket_id=ticket.id
        )

    def _project_control(self, event: ctl.ControlEvent) -> None:
        self.changes.control = ctl.evolve(self.seen.control(), event, self._at)
        match event:
            case ctl.CredentialIssued():
                self.changes.credentials[event.credential.id] = event.credential
            case ctl.CredentialRevoked():
                known = self.seen.credential(event.credential_id)
                if known is None:
                    raise ValueError("a credential that was never issued cannot be revoked")
                self.changes.credentials[known.id] = replace(known, revoked_at=self._at)
            case _:
                pass


def unavailable(message: str) -> Unavailable:
    """The ledger cannot do it now; nothing was written."""
    return Unavailable(Code.LEDGER_UNAVAILABLE, message)


def raised(outcome: Outcome[T]) -> T:
    """The reply, or the error raised that stands in its place."""
    if isinstance(outcome.reply, PlacetError):
        raise outcome.reply
    return outcome.reply
