"""Events -> messages owed, as data, and the box that keeps them until they are delivered.

Lives here: which effect follows from which event, and the outbox as a shape.
Must not live here: any effect, any box (``storage``). Law: a message owed is written in the
transaction of its event; messages of one key coalesce, so only the newest state is ever delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Protocol

from governance import control as ctl
from governance.action import Dispatch
from governance.audit import Event
from governance.execution import OutputState
from governance.policy.decision import Effect
from governance.policy.emergency import LABEL as EMERGENCY_LABEL
from governance.tickets import events as ev
from governance.tickets import lost
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import Basis, Ticket, TicketId, TicketState


class OwedKind(StrEnum):
    """Who works a message off."""

    CARD = "card"
    """Make the ticket's card equal to its state."""
    ALL_CARDS = "all_cards"
    """The same for every open ticket of a tenant."""
    CLEAR = "clear"
    """Confirm the voters against the directory, so that it may start."""
    EXECUTE = "execute"
    """Run it, if it may start."""
    EMERGENCY = "emergency"
    """Tell the second channel of a ticket that names an emergency template."""
    WATCH = "watch"
    """Look whether a ticket that waits for people asks for a reminder, or a step of escalation."""
    REMIND = "remind"
    """Tell one person, in one message, everything that waits for them."""
    ESCALATE = "escalate"
    """Tell the channel of a step that a ticket still waits."""
    REMIND_UNKNOWN = "remind_unknown"
    """Tell one person, in one message, every run that ended in the dark and lacks their word."""
    TELL_UNKNOWN = "tell_unknown"
    """The same for the channel of a tenant's cards."""
    TELL_EXPIRED = "tell_expired"
    """Tell one person that what they answer for was not decided in time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One message: at most one of each kind and key waits at any time."""

    kind: OwedKind
    key: str
    deadline: datetime | None = field(default=None, compare=False)
    """By when it is of use: what is due is worked off in this order, what names none at first."""
    not_before: datetime | None = field(default=None, compare=False)
    """Not due until then; None: at once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """A message in the hands of one worker until its claim runs out."""

    owed: Owed
    token: str
    """Names this claim; a message that changed meanwhile is not removed by ``done``."""
    attempts: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a ticket's card is, and a digest of what it shows."""

    channel: str
    ts: str
    shown: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Backlog:
    """Messages of one kind that wait for one reason; ``error`` is empty for those never tried."""

    kind: OwedKind
    error: str
    is_dead: bool
    count: int


LONGEST_WAIT_S = 3600
"""Nothing is put off for longer: a later time was written by a clock that was ahead, and is due."""


class Outbox(Protocol):
    """Messages owed, claimed by one worker at a time."""

    async def claim(
        self,
        kinds: Sequence[OwedKind],
        *,
        at: datetime,
        lease_s: int,
        limit: int,
        is_placed: bool | None = None,
        key: str | None = None,
    ) -> Sequence[Claimed]:
        """Due messages, the earliest deadline first, hidden from other workers for ``lease_s``.

        A message or a claim whose time is over ``LONGEST_WAIT_S`` away is due, too. ``is_placed``
        asks for messages of keys that have a card, or have none; ``key`` for one alone.
        """

    async def done(self, claimed: Claimed) -> None:
        """Delivered: gone, unless it was owed again meanwhile."""

    async def retry(self, claimed: Claimed, *, at: datetime, error: str) -> None:
        """Not delivered: due again at ``at``."""

    async def bury(self, claimed: Claimed, *, error: str) -> None:
        """Given up: kept as a dead letter for people to see."""

    async def owe(self, owed: Owed, *, at: datetime) -> None:
        """Owe a message outside any event (a repair, a fan-out)."""

    async def dead(self) -> Sequence[tuple[Owed, str]]:
        """Dead letters with their last error."""

    async def backlog(self) -> Sequence[Backlog]:
        """Everything that waits or was given up, counted by kind and last error."""

    async def unplaced(self, limit: int) -> int:
        """How many cards wait to be posted for the first time, counted up to ``limit``."""

    async def cursor(self, name: str) -> int:
        """How far a sink has read the log; 0 at first."""

    async def advance(self, name: str, seq: int) -> None:
        """Remember how far a sink has read."""

    async def place(self, ticket_id: TicketId) -> Place | None:
        """Where a card is."""

    async def put_place(self, ticket_id: TicketId, place: Place) -> None:
        """Remember where a card is."""

    async def lose_place(
        self, ticket_id: TicketId, lost: Place, owed: Owed, *, at: datetime
    ) -> None:
        """Forget the card at ``lost`` and owe it anew, both or neither.

        Nothing happens where another place was remembered meanwhile.
        """


_FREEZES = (ctl.AgentFrozen, ctl.UnfreezeAsked, ctl.AgentUnfrozen)
_FIRST_LOOK = timedelta(seconds=60)
_GATHERED = timedelta(minutes=5)
"""Runs that end in the dark one after another are told to a person in one message for so long."""
_COUNTED_FROM = datetime(1970, 1, 1, tzinfo=UTC)
"""From where these are counted: the same end for all, so that none puts off the others."""
STEP = "\n"
"""Between a ticket's id and what stands behind it in a key; no id holds it."""
_MAY_WAIT = (ev.TicketOpened, ev.TicketRevised, ev.QuorumLost)
_MAY_START = (ev.TicketOpened, ev.TicketApproved, ev.TicketUpheld)
_AFTERMATH = (
    run_ev.ExecutionLost,
    run_ev.OutcomeAttested,
    run_ev.UnknownResolved,
    run_ev.OutputReleased,
    run_ev.OutputDiscarded,
)
_SILENT = (
    ev.VoteRefused,
    run_ev.ExecutionCleared,
    ev.TicketUpheld,
    nudge_ev.VotersReminded,
    nudge_ev.ResolversReminded,
)


def _asked_people(event: Event, after: Ticket) -> bool:
    """Whether a card shows this ticket: people were asked, or what came of it is theirs to say."""
    if isinstance(event, ev.TicketDenied):
        # The denial took the place of the ruling by which people were asked.
        return after.basis is not Basis.POLICY
    if after.ruling.effect is Effect.REQUIRE_APPROVAL or isinstance(event, _AFTERMATH):
        return True
    return after.report is not None and after.report.output_state is OutputState.QUARANTINED


def owed(event: Event, after: Ticket | None) -> tuple[Owed, ...]:
    """The messages that ``event`` owes; ``after`` is its ticket once it has happened."""
    if after is None:
        if isinstance(event, _FREEZES):
            return (Owed(kind=OwedKind.ALL_CARDS, key=event.tenant),)
        return ()
    messages: list[Owed] = []
    if _asked_people(event, after):
        if not isinstance(event, _SILENT):
            messages.append(Owed(kind=OwedKind.CARD, key=after.id, deadline=after.expires_at))
        if isinstance(event, _MAY_WAIT) and after.state is TicketState.PENDING:
            messages.append(_watched(after))
    if isinstance(event, run_ev.ExecutionLost):
        messages.append(Owed(kind=OwedKind.WATCH, key=after.id, deadline=after.expires_at))
    if _is_emergency(event, after):
        messages.append(Owed(kind=OwedKind.EMERGENCY, key=after.id))
    if isinstance(event, ev.TicketExpired):
        messages += _told_of_expiry(after)
    messages += _told_by_time(event, after)
    if after.state is TicketState.APPROVED and after.ask.dispatch is Dispatch.EXECUTE:
        if isinstance(event, _MAY_START):
            messages.append(Owed(kind=OwedKind.CLEAR, key=after.id))
        elif isinstance(event, run_ev.ExecutionCleared):
            messages.append(Owed(kind=OwedKind.EXECUTE, key=after.id))
    return tuple(messages)


def _is_emergency(event: Event, after: Ticket) -> bool:
    """Whether people are asked about something that calls itself an emergency."""
    is_asked = isinstance(event, ev.TicketOpened) and after.state is TicketState.PENDING
    return is_asked and any(name == EMERGENCY_LABEL for name, _ in after.ask.labels)


def _watched(ticket: Ticket) -> Owed:
    """Look at it, but not at once: no reminder comes in the first minute or quarter of a life."""
    life = ticket.expires_at - ticket.updated_at
    first = ticket.updated_at + min(_FIRST_LOOK, life / 4)
    return Owed(kind=OwedKind.WATCH, key=ticket.id, deadline=ticket.expires_at, not_before=first)


def _told_by_time(event: Event, after: Ticket) -> list[Owed]:
    """Whom a reminder or a step of an escalation tells."""
    if isinstance(event, nudge_ev.ResolversReminded):
        return _told_of_lost(event, after)
    if not isinstance(event, nudge_ev.VotersReminded | nudge_ev.TicketEscalated):
        return []
    messages = [Owed(kind=OwedKind.REMIND, key=person) for person in event.people]
    if isinstance(event, nudge_ev.TicketEscalated) and event.channel:
        key = f"{after.id}{STEP}{event.step}"
        messages.append(Owed(kind=OwedKind.ESCALATE, key=key, deadline=after.expires_at))
    return messages


def _told_of_lost(event: nudge_ev.ResolversReminded, after: Ticket) -> list[Owed]:
    """One message to each person for all of some minutes, and once at each moment the channel."""
    due_at = after.updated_at + _GATHERED - (after.updated_at - _COUNTED_FROM) % _GATHERED
    messages = [
        Owed(kind=OwedKind.REMIND_UNKNOWN, key=person, not_before=due_at) for person in event.people
    ]
    if sum(one.number == event.number for one in lost.reminders(after)) == 1:
        messages.append(Owed(kind=OwedKind.TELL_UNKNOWN, key=after.ask.tenant))
    return messages


def _told_of_expiry(ticket: Ticket) -> list[Owed]:
    """One message for each person who answers for the request."""
    return [
        Owed(kind=OwedKind.TELL_EXPIRED, key=f"{ticket.id}{STEP}{person}")
        for person in sorted(ticket.ask.excluded)
    ]
