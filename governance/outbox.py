"""Events -> messages owed, as data, and the box that keeps them until they are delivered.

Lives here: which effect follows from which event, and the outbox as a shape.
Must not live here: any effect, any box (``storage``). Law: a message owed is written in the
transaction of its event; messages of one key coalesce, so only the newest state is ever delivered.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from governance import control as ctl
from governance.action import Dispatch
from governance.audit import Event
from governance.policy.decision import Effect
from governance.tickets import events as ev
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """One message: at most one of each kind and key waits at any time."""

    kind: OwedKind
    key: str


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


LONGEST_WAIT_S = 3600
"""Nothing is put off for longer: a later time was written by a clock that was ahead, and is due."""


class Outbox(Protocol):
    """Messages owed, claimed by one worker at a time."""

    async def claim(
        self, kinds: Sequence[OwedKind], *, at: datetime, lease_s: int, limit: int
    ) -> Sequence[Claimed]:
        """Due messages, earliest first, hidden from other workers for ``lease_s``.

        A message or a claim whose time is over ``LONGEST_WAIT_S`` away is due, too.
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

    async def cursor(self, name: str) -> int:
        """How far a sink has read the log; 0 at first."""

    async def advance(self, name: str, seq: int) -> None:
        """Remember how far a sink has read."""

    async def place(self, ticket_id: TicketId) -> Place | None:
        """Where a card is."""

    async def put_place(self, ticket_id: TicketId, place: Place) -> None:
        """Remember where a card is."""


_FREEZES = (ctl.AgentFrozen, ctl.UnfreezeAsked, ctl.AgentUnfrozen)
_MAY_START = (ev.TicketOpened, ev.TicketApproved, ev.TicketUpheld)
_SILENT = (ev.VoteRefused, run_ev.ExecutionCleared, ev.TicketUpheld)


def _asked_people(event: Event, after: Ticket) -> bool:
    """Whether a card shows this ticket."""
    if isinstance(event, ev.TicketDenied):
        # The denial took the place of the ruling by which people were asked.
        return after.basis is not Basis.POLICY
    return after.ruling.effect is Effect.REQUIRE_APPROVAL


def owed(event: Event, after: Ticket | None) -> tuple[Owed, ...]:
    """The messages that ``event`` owes; ``after`` is its ticket once it has happened."""
    if after is None:
        if isinstance(event, _FREEZES):
            return (Owed(kind=OwedKind.ALL_CARDS, key=event.tenant),)
        return ()
    messages: list[Owed] = []
    if _asked_people(event, after) and not isinstance(event, _SILENT):
        messages.append(Owed(kind=OwedKind.CARD, key=after.id))
    if after.state is TicketState.APPROVED and after.ask.dispatch is Dispatch.EXECUTE:
        if isinstance(event, _MAY_START):
            messages.append(Owed(kind=OwedKind.CLEAR, key=after.id))
        elif isinstance(event, run_ev.ExecutionCleared):
            messages.append(Owed(kind=OwedKind.EXECUTE, key=after.id))
    return tuple(messages)
