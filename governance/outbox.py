"""Events -> messages owed, as data.

Lives here: which effect follows from which event. Must not live here: any effect.
Law: a message owed is written in the transaction of its event; messages of one key coalesce, so
only the newest state is ever delivered.
"""

from dataclasses import dataclass
from enum import StrEnum

from governance import control as ctl
from governance.action import Dispatch
from governance.audit import Event
from governance.policy.decision import Effect
from governance.tickets import events as ev
from governance.tickets.ticket import Basis, Ticket, TicketState


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


_SILENT = (ev.VoteRefused, ev.ExecutionCleared, ev.TicketUpheld)


def _asked_people(event: Event, after: Ticket) -> bool:
    """Whether a card shows this ticket."""
    if isinstance(event, ev.TicketDenied):
        # The denial took the place of the ruling by which people were asked.
        return after.basis is not Basis.POLICY
    return after.ruling.effect is Effect.REQUIRE_APPROVAL


def owed(event: Event, after: Ticket | None) -> tuple[Owed, ...]:
    """The messages that ``event`` owes; ``after`` is its ticket once it has happened."""
    if isinstance(event, ctl.AgentFrozen | ctl.UnfreezeAsked | ctl.AgentUnfrozen):
        return (Owed(kind=OwedKind.ALL_CARDS, key=event.tenant),)
    if after is None:
        return ()
    messages: list[Owed] = []
    if _asked_people(event, after) and not isinstance(event, _SILENT):
        messages.append(Owed(kind=OwedKind.CARD, key=after.id))
    if after.state is TicketState.APPROVED and after.ask.dispatch is Dispatch.EXECUTE:
        if isinstance(event, ev.TicketOpened | ev.TicketApproved | ev.TicketUpheld):
            messages.append(Owed(kind=OwedKind.CLEAR, key=after.id))
        elif isinstance(event, ev.ExecutionCleared):
            messages.append(Owed(kind=OwedKind.EXECUTE, key=after.id))
    return tuple(messages)
