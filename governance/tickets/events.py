"""What happened to a ticket, in the past tense.

Lives here: event shapes, their type names and versions, up to the decision. Must not live here:
what came of an approved one (``run_events``), who appends them.
Law: a stored shape never changes; a new field goes at the end with a default, as a new version,
and golden bytes prove it. Only this package builds events that change a ticket's state.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, TypeGuard, get_args

from governance.errors import Code
from governance.making import quickly_made
from governance.policy.decision import Effect, TraceLine
from governance.policy.facts import Considered
from governance.principal import AgentId, PersonId, TenantId
from governance.tickets.nudge_events import NudgeEvent
from governance.tickets.run_events import RunEvent
from governance.tickets.ticket import Ask, Basis, Choice, Ruling, TicketId, TicketState, Vote

Counter = tuple[str, int, datetime]
"""Bucket key, tokens left in thousandths, and when that was so."""


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class TicketOpened:
    """A request was decided and has its one ticket, born in ``state``."""

    version: ClassVar[int] = 2
    ticket_id: TicketId
    state: TicketState
    basis: Basis | None
    ask: Ask
    ruling: Ruling
    binding: str
    expires_at: datetime
    counters: tuple[Counter, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    action: str = ""
    """As policy judged it; with the classes below, what later rules may ask about."""
    data_classes: tuple[str, ...] = ()
    considered: Considered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmissionThrottled:
    """A request came too fast; it has no ticket."""

    version: ClassVar[int] = 2
    ask: Ask
    ruling: Ruling
    retry_after_s: int
    counters: tuple[Counter, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    considered: Considered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionEvaluated:
    """A decision was asked for without a job."""

    version: ClassVar[int] = 2
    ask: Ask
    ruling: Ruling
    counters: tuple[Counter, ...] = ()
    trace: tuple[TraceLine, ...] = ()
    action: str = ""
    """As policy judged it; with the classes below, what later rules may ask about."""
    data_classes: tuple[str, ...] = ()
    considered: Considered | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusalsCoalesced:
    """More requests of one agent were refused in one window than are recorded one by one."""

    version: ClassVar[int] = 1
    tenant: TenantId
    agent: AgentId
    effect: Effect
    rule_id: str
    count: int
    first_at: datetime
    last_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteCast:
    """A vote counts; it replaces an earlier one of the same person on this revision."""

    version: ClassVar[int] = 2
    ticket_id: TicketId
    revision: int
    vote: Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteWithdrawn:
    """A person took their vote back."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    person: PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class VoteRefused:
    """A vote did not count; recorded once per person, ticket and code."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    person: PersonId
    choice: Choice
    code: Code


@dataclass(frozen=True, slots=True, kw_only=True)
class FullViewOpened:
    """A person was sent the last page of the whole action, or said to have read it as a file.

    Since version 2 ``file_digest`` is SHA-256 of that file in hex, empty for pages.
    """

    version: ClassVar[int] = 2
    ticket_id: TicketId
    revision: int
    person: PersonId
    file_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketApproved:
    """The quorum is met."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    weight: int
    threshold: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRejected:
    """People said no: ``cause`` is veto, unreachable or stopped."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    person: PersonId
    cause: str
    comment_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketExpired:
    """Its time ran out."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketCancelled:
    """Whoever asked took it back."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    actor: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketDenied:
    """A newly activated bundle denies it."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    ruling: Ruling


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketRevised:
    """It is pending again as a new revision; every vote on the old one is void.

    ``cause`` is execution_failed, policy_changed or retry_after_unknown.
    """

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    cause: str
    ruling: Ruling
    binding: str
    expires_at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuorumLost:
    """Voters no longer hold their role, or what was lent to them; it is pending without them."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    dropped: tuple[PersonId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseOverdue:
    """Nobody decided within the tier's ``respond_within``."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TicketUpheld:
    """A newly activated bundle judged it again and is no stricter: ruling and votes stand."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    snapshot: str


TicketEvent = (
    TicketOpened
    | VoteCast
    | VoteWithdrawn
    | VoteRefused
    | FullViewOpened
    | TicketApproved
    | TicketRejected
    | TicketExpired
    | TicketCancelled
    | TicketDenied
    | TicketRevised
    | QuorumLost
    | ResponseOverdue
    | RunEvent
    | TicketUpheld
    | NudgeEvent
)
"""Everything that can happen to a ticket."""

_OF_TICKETS = frozenset(get_args(TicketEvent))


def is_of_ticket(event: object) -> TypeGuard[TicketEvent]:
    """Whether ``event`` happens to a ticket: asked of every record, so by its very class."""
    return type(event) in _OF_TICKETS
