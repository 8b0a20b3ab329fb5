"""One batch of the writer: steps run on committed state plus what the batch did so far.

Lives here: order, sequence numbers, links, projections and messages owed, for every engine alike.
Must not live here: what a step sees (``overlay``), SQL, threads, or any state that
outlives a transaction.
Law: a step that fails leaves nothing behind; whatever a step commits is seen by the next one of
the batch; the head is read inside the transaction and never remembered between batches.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, TypeVar

from governance import control as ctl
from governance.audit import Event, describe, encode_fields, hash_of
from governance.control import HEAD
from governance.digests import content_digest
from governance.errors import PlacetError
from governance.idempotency import kept_until
from governance.keys import HeadSigner, head_message
from governance.once import RepeatedError
from governance.outbox import owed
from governance.policy.throttle import Bucket
from governance.ports import Keys, Remembered, Signature, Step
from governance.replacing import replace
from governance.retention import named_contents
from governance.retention_events import ContentErased
from governance.segments import SegmentDetached
from governance.tickets import events as ev
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket, TicketState
from storage.deeds import deed_of
from storage.encoding import canonical
from storage.errors import unavailable
from storage.writing.changes import Changes, Head, Linked, SignedHead, after_earlier, vote_rows
from storage.writing.overlay import Overlay, Source

T = TypeVar("T")
_log = logging.getLogger("placet.ledger")
_COUNTED = (ev.TicketOpened, ev.SubmissionThrottled, ev.DecisionEvaluated)
"""Events that say what was taken from the buckets."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome(Generic[T]):
    """What the caller of one step gets once the batch is durable."""

    reply: T | PlacetError | RepeatedError
    seqs: tuple[int, ...] = ()
    has_taken: bool = False
    """Whether the request that it was done for was taken with it."""


class Batch:
    """The steps of one transaction, run one after the other at one event time."""

    def __init__(self, source: Source, head: Head, now: datetime) -> None:
        self.at = now if head.at is None else max(now, head.at)
        self.now = now
        """The clock's own word, behind ``at`` while a clock that jumped back catches up."""
        self.passed = now if head.at is None else min(now, head.at)
        """What both the clock and the log have passed."""
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

    def sign_head(self, signer: HeadSigner) -> None:
        """Sign where the log ends after this batch, if its key is active there and held here."""
        head = self.changes.head
        control = self.changes.control or self._source.control()
        key = control.active_key(HEAD) if self.changes.events else None
        if key is None:
            return
        origin = signer.origin
        message = head_message(origin=origin, seq=head.seq, hash_=head.hash, at=self.at)
        value = signer.sign_head(key.id, message)
        if value is not None:
            signature = Signature(key_id=key.id, value=value)
            self.changes.signed_head = SignedHead(seq=head.seq, origin=origin, signature=signature)


class _Draft:
    """One step's changes over the batch's, over committed state."""

    def __init__(self, source: Source, base: Changes, at: datetime) -> None:
        self._at = at
        self.changes = Changes(head=base.head)
        self.seen = Overlay(source, base, self.changes, at)

    def append(self, event: Event) -> None:
        """Number, link and project one event."""
        after: Ticket | None = None
        if ev.is_of_ticket(event):
            after = self._project_ticket(event)
        elif isinstance(event, ctl.ControlEvent):
            self._project_control(event)
        if isinstance(event, _COUNTED):
            for key, tokens, since in event.counters:
                self.changes.buckets[key] = Bucket(tokens_milli=tokens, updated_at=since)
        linked = self._link(event, after)
        for digest in named_contents(event):
            self.changes.uses.append((digest, linked))
        if isinstance(event, ContentErased):
            self.changes.erased[event.digest] = None
        elif isinstance(event, SegmentDetached):
            self.changes.detached.append((linked.seq, event))
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

    def _link(self, event: Event, after: Ticket | None) -> Linked:
        head, at = self.changes.head, self._at
        seq, name, version = head.seq + 1, type(event).__name__, event.version
        header = describe(event, after)
        encoded = encode_fields(
            seq=seq,
            previous=head.hash,
            type_=name,
            version=version,
            at=at,
            head=header,
            payload=canonical(event),
        )
        linked = Linked(
            seq=seq,
            type=name,
            version=version,
            at=at,
            header=header,
            hash=hash_of(encoded),
            encoded=encoded,
        )
        self.changes.events.append(linked)
        self.changes.head = head.followed_by(linked)
        return linked

    def _project_ticket(self, event: ev.TicketEvent) -> Ticket:
        is_birth = isinstance(event, ev.TicketOpened)
        find = self.seen.twin if is_birth else self.seen.ticket
        before = find(event.ticket_id)
        after = evolve(before, event, self._at)
        changes, head = self.changes, self.changes.head
        if is_birth:
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
        until = kept_until(before, after, self._at)
        if until is not None:
            changes.keys_kept[after.id] = until
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


def raised(outcome: Outcome[T]) -> T:
    """The reply, or the error raised that stands in its place."""
    if isinstance(outcome.reply, PlacetError | RepeatedError):
        raise outcome.reply
    return outcome.reply
