"""What the core needs from the world, as protocols.

Lives here: the ledger's contract, clocks, signers and directories as shapes. Must not live here:
any of them. Law: a step is a pure function of the state that the writer hands it inside the
transaction, and is run again on a retry.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from governance.audit import Event, Header
from governance.canonical import Json
from governance.control import Control, PublicKey
from governance.errors import PlacetError
from governance.kept import Kept
from governance.policy.facts import Past, Wanted
from governance.policy.floods import Flood
from governance.policy.throttle import Bucket
from governance.principal import AgentId, Credential, Eligible, Person, PersonId, TenantId
from governance.segments import Needs
from governance.tickets.ticket import Ticket, TicketId, TicketState

T = TypeVar("T")
IdempotencyKey = tuple[TenantId, AgentId, str]
AgentKey = tuple[TenantId, AgentId]
"""An agent, among those of every tenant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a step will look at; nothing else is in its ``State``."""

    tickets: tuple[TicketId, ...] = ()
    idempotency: tuple[IdempotencyKey, ...] = ()
    buckets: tuple[str, ...] = ()
    pending_of: tuple[AgentKey, ...] = ()
    """Agents whose pending tickets are to be counted."""
    past: Wanted | None = None
    """What is to be looked up about what was done before."""
    floods: tuple[str, ...] = ()
    contents: tuple[str, ...] = ()
    """Digests of contents of which is to be known who named them."""
    seals: tuple[int, ...] = ()
    """Numbers of the records of seals of which is to be known what needs their segments."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What an idempotency key was used for."""

    request_digest: str
    ticket_id: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """The committed state (with the batch so far) of what ``Keys`` named; absent = never seen.

    ``at`` is event time: max(now, time of the log's head). ``pending`` counts pending tickets,
    ``pending_of`` those of each agent that was named. ``buckets`` and ``floods`` answer for any
    key, since which ones a decision needs may show only once it is made on ``past``; they list
    those that were named.
    """

    at: datetime
    control: Control
    tickets: Mapping[TicketId, Ticket] = field(default_factory=dict)
    idempotency: Mapping[IdempotencyKey, Remembered] = field(default_factory=dict)
    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    pending: int = 0
    pending_of: Mapping[AgentKey, int] = field(default_factory=dict)
    past: Past = field(default_factory=Past)
    floods: Mapping[str, Flood] = field(default_factory=dict)
    contents: Mapping[str, Kept] = field(default_factory=dict)
    needs: Needs = field(default_factory=Needs)


@dataclass(frozen=True, slots=True, kw_only=True)
class Result(Generic[T]):
    """What a step wants committed, and what its caller gets after that.

    ``contents`` maps content digests to bytes for the payload table. What a flood counts is durable
    without an event. A ``PlacetError`` as ``reply`` is raised after the events were committed.
    """

    reply: T | PlacetError
    events: tuple[Event, ...] = ()
    contents: Mapping[str, bytes] = field(default_factory=dict)
    floods: Mapping[str, Flood | None] = field(default_factory=dict)
    """Counters of refusals as they stand now; None: the window is over and told."""


Step = Callable[[State], Result[T]]
"""A pure function; it may run more than once and only the last run counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(Generic[T]):
    """A reply whose events are durable; ``seqs`` are their sequence numbers."""

    reply: T
    seqs: tuple[int, ...] = ()


class Ledger(Protocol):
    """The one writer. Everything that changes state goes through ``commit``."""

    async def commit(self, keys: Keys, step: Step[T]) -> Committed[T]:
        """Run ``step`` in a transaction, that takes the request in hand; answer when durable.

        Raises:
            RepeatedError: that request (``governance.once``) was acted on before; nothing happened.
            Unavailable: ``ledger_unavailable`` or ``ledger_busy``; nothing was written.
            PlacetError: what the step replied, after its events were committed.
        """

    async def commit_all(
        self, items: Sequence[tuple[Keys, Step[T]]]
    ) -> Sequence[Committed[T] | PlacetError]:
        """Commit each of ``items`` as by itself, for no request; what each came to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Logged:
    """A record as read back: ``encoded`` are the very bytes that were hashed."""

    seq: int
    type: str
    version: int
    at: datetime
    header: Header
    payload: Json
    hash: str
    encoded: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketQuery:
    """Which tickets, newest first; None = any. A page goes on behind the ticket ``before``."""

    tenant: TenantId | None = None
    states: tuple[TicketState, ...] = ()
    agent: AgentId | None = None
    trace_id: str | None = None
    topic: str | None = None
    needed_people: bool | None = None
    before: TicketId | None = None
    limit: int = 50
    soonest: bool = False
    """True: only what may still expire, the least time left first."""
    opened: range | None = None
    """Of the newest: the numbers that the event which opened it may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DueWork:
    """What the clock must see to at one moment."""

    expiring: tuple[TicketId, ...] = ()
    overdue: tuple[TicketId, ...] = ()
    lost: tuple[TicketId, ...] = ()
    uncleared: tuple[TicketId, ...] = ()
    """Approved, to be executed, with no clearance younger than the given age."""
    floods: tuple[str, ...] = ()
    """Keys of windows of refusals that are over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Queue:
    """How many of a tenant's tickets wait, since when the oldest does, and how many are UNKNOWN."""

    waiting: int = 0
    oldest_at: datetime | None = None
    unknown: int = 0


class Reader(Protocol):
    """Reads of committed state; none of them decides anything."""

    async def ticket(self, ticket_id: TicketId) -> Ticket | None:
        """One ticket."""

    async def tickets(self, query: TicketQuery) -> Sequence[Ticket]:
        """Tickets that match, newest first."""

    async def opened_seq(self, ticket_id: TicketId) -> int | None:
        """The number of the event that opened a ticket."""

    async def content(self, digest: str) -> bytes | None:
        """Content by its digest; None when it never was, has been erased, or was altered."""

    async def erased_at(self, digest: str) -> datetime | None:
        """When a content was erased; None: it was not, or never was."""

    async def control(self) -> Control:
        """The governing state."""

    async def credential(self, credential_id: str) -> Credential | None:
        """A credential, revoked ones included."""

    async def credentials(self) -> Sequence[Credential]:
        """All credentials, oldest first."""

    async def timeline(self, trace_id: str) -> Sequence[Logged]:
        """Every record of one trace, oldest first."""

    async def history(self, ticket_id: TicketId) -> Sequence[Logged]:
        """Every record of one ticket, oldest first."""

    async def contents_of(self, ticket_id: TicketId) -> Sequence[str]:
        """Digests of the contents that a ticket's records named, detached ones too."""

    async def records(self, after_seq: int, limit: int) -> Sequence[Logged]:
        """Records after a sequence number, oldest first."""

    async def head(self) -> tuple[int, str]:
        """Sequence number and hash of the newest record; (0, GENESIS) when empty."""

    async def due(self, at: datetime, *, clearance_age_s: int, limit: int) -> DueWork:
        """What the clock must see to, by indexes."""

    async def past(self, wanted: Wanted, at: datetime) -> Past:
        """What was done before ``at``, as a step would see it."""

    async def queue(self, tenant: TenantId) -> Queue:
        """The approval queue of a tenant."""

    async def changed(self, after_seq: int, timeout_s: float) -> int:
        """Wait until the log has grown past ``after_seq`` (or the time is over); its size."""


class Clock(Protocol):
    """Wall clock, aware and in UTC."""

    def now(self) -> datetime:
        """This instant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signature:
    """base64 of r and s (64 bytes, ES256), and the key that made it."""

    key_id: str
    value: str


class Signer(Protocol):
    """Signs with the active key of a purpose (``vote:<role>``, ``checkpoint``).

    ES256 signatures are malleable and not reproducible: they are no names, and nothing is unique
    by them.
    """

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """Sign ``message``.

        Raises:
            Unavailable: the key cannot be used now.
        """

    def public_keys(self) -> Sequence[PublicKey]:
        """Every key that this signer may use."""


class Directory(Protocol):
    """Who people are now. Fails closed: what cannot be looked up is refused."""

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        """A person who may act, with their roles; ``is_fresh``: nothing older is believed.
        One human is answered by one id, whichever of theirs was asked for.

        Raises:
            Refused: ``voter_is_bot`` and its like: an account that may not vote, and why.
            Unavailable: ``identity_unavailable``: nobody could be asked.
        """

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        """The people who hold any of ``roles``, from the bundle and its groups.

        Raises:
            Unavailable: ``identity_unavailable``.
        """


class Ids(Protocol):
    """Unguessable names, made outside the core."""

    def ticket(self) -> TicketId:
        """A new ticket id."""

    def nonce(self) -> str:
        """128 random bits or more, in hex."""
