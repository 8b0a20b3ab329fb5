"""What a batch is about to write, for every engine alike.

Lives here: the head of the log and the changes of one transaction, as values.
Must not live here: how they come about (``batch``) or become rows (``flush``).
Law: one of these holds what one transaction writes, and nothing longer.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from governance.audit import GENESIS, Header
from governance.control import Control
from governance.kept import Use
from governance.making import quickly_made
from governance.outbox import Owed
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.ports import AgentKey, IdempotencyKey, Remembered, Signature
from governance.principal import AgentId, Credential, TenantId
from governance.replacing import replace
from governance.retention import classes_of
from governance.segments import SegmentDetached
from governance.tickets.ticket import Ticket, TicketId, Vote
from storage import codec
from storage.deeds import DeedRow
from storage.tree.merkle import Range


class Linked(NamedTuple):
    """A record that has its number and link; its payload is in ``encoded`` alone."""

    seq: int
    type: str
    version: int
    at: datetime
    header: Header
    hash: str
    encoded: bytes


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """Where the log ends; ``at`` is its high-water time, None while it is empty.

    While a transaction runs, ``tree`` is still that of before: it grows once, at its end.
    """

    seq: int = 0
    hash: str = GENESIS
    at: datetime | None = None
    pending: int = 0
    tree: Range = field(default_factory=Range)

    def followed_by(self, linked: Linked) -> "Head":
        """The head once ``linked`` is the last record."""
        return Head(
            seq=linked.seq, hash=linked.hash, at=self.at, pending=self.pending, tree=self.tree
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRow:
    """One person's standing on one revision; ``is_new``: the database must know no vote yet."""

    vote: Vote
    is_withdrawn: bool
    is_new: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedHead:
    """A signature of the log's head as it is after this transaction."""

    seq: int
    origin: str
    signature: Signature


VoteKey = tuple[TicketId, int, str]


@dataclass(slots=True, kw_only=True)
class Changes:
    """What is to be written; one of these for a step, merged into the batch's when it held."""

    head: Head
    events: list[Linked] = field(default_factory=list)
    tickets: dict[TicketId, Ticket] = field(default_factory=dict)
    opened: dict[TicketId, int] = field(default_factory=dict)
    """Tickets born here, with the sequence number of their birth."""
    pending_of: dict[AgentKey, int] = field(default_factory=dict)
    """By how much each agent's pending tickets grew or shrank."""
    remembered: dict[IdempotencyKey, Remembered] = field(default_factory=dict)
    keys_kept: dict[TicketId, datetime] = field(default_factory=dict)
    """Tickets that ended here, with the moment until which their keys are kept."""
    buckets: dict[str, Bucket] = field(default_factory=dict)
    control: Control | None = None
    credentials: dict[str, Credential] = field(default_factory=dict)
    votes: dict[VoteKey, VoteRow] = field(default_factory=dict)
    deeds: list[DeedRow] = field(default_factory=list)
    floods: dict[str, Flood | None] = field(default_factory=dict)
    owed: dict[Owed, None] = field(default_factory=dict)
    contents: dict[str, bytes] = field(default_factory=dict)
    uses: list[tuple[str, Linked]] = field(default_factory=list)
    """Digests of contents, with the records that name them."""
    erased: dict[str, None] = field(default_factory=dict)
    """Contents to be gone after this transaction."""
    detached: list[tuple[int, SegmentDetached]] = field(default_factory=list)
    """Segments whose records leave here, with the number of the record that says so."""
    signed_head: SignedHead | None = None

    def ended(self) -> Head:
        """Where the log ends once this is written, with its tree grown by the records."""
        leaves = (event.encoded for event in self.events)
        return replace(self.head, tree=self.head.tree.grown(leaves))

    def take(self, other: "Changes") -> None:
        """Add what a later step changed."""
        self.head = other.head
        self.events += other.events
        self.tickets |= other.tickets
        self.opened |= other.opened
        for agent, grown in other.pending_of.items():
            self.pending_of[agent] = self.pending_of.get(agent, 0) + grown
        self.remembered |= other.remembered
        self.keys_kept |= other.keys_kept
        self.buckets |= other.buckets
        self.control = other.control or self.control
        self.credentials |= other.credentials
        for key, row in other.votes.items():
            self.votes[key] = after_earlier(self.votes.get(key), row)
        self.deeds += other.deeds
        self.floods |= other.floods
        self.owed |= other.owed
        for digest in other.contents:
            self.erased.pop(digest, None)
        self.contents |= other.contents
        self.uses += other.uses
        self.erased |= other.erased
        self.detached += other.detached


def use_of(linked: Linked) -> Use:
    """What a record says of the contents that it names."""
    told = codec.record(linked.encoded)["payload"]
    return Use(
        seq=linked.seq,
        at=linked.at,
        tenant=TenantId(linked.header.tenant),
        agent=AgentId(linked.header.agent_id),
        trace_id=linked.header.trace_id,
        ticket_id=linked.header.ticket_id,
        data_classes=classes_of(told),
    )


def after_earlier(earlier: VoteRow | None, row: VoteRow) -> VoteRow:
    return row if earlier is None else replace(row, is_new=earlier.is_new)


def vote_rows(before: Ticket, after: Ticket) -> list[tuple[VoteKey, VoteRow]]:
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
