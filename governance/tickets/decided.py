"""What a decider answers: events, or a refusal, or both.

Lives here: that value. Law: an expiry that a late vote uncovers is an event *and* a refusal.
"""

from dataclasses import dataclass

from governance.errors import Code, Refused
from governance.sentences import Sentence
from governance.tickets.events import TicketEvent
from governance.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Events to append (possibly none) and the refusal to raise once they are durable.

    Neither: the command asks for what already is so.
    """

    events: tuple[TicketEvent, ...] = ()
    refusal: Refused | None = None


def is_now(ticket: Ticket) -> Sentence:
    """In which state it is, for a refusal."""
    state = Sentence(ticket.state.value.lower())
    return Sentence("ticket {ticket} is {state}", ticket=ticket.id, state=state)


def refused(code: Code, message: str, *events: TicketEvent) -> Decided:
    """A refusal, with the events that it leaves behind."""
    return Decided(events=events, refusal=Refused(code, message))


NOTHING = Decided()
"""It already is as the command asks."""
