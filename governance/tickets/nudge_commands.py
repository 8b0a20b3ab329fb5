"""What time may ask of a ticket that waits, in the imperative.

Lives here: reminders and steps of an escalation as commands. Must not live here: when they are
due, or whether they are taken (``_nudging``). Law: they give nobody a vote and take none away.
"""

from dataclasses import dataclass

from governance.principal import PersonId
from governance.tickets.ticket import TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindVoters:
    """Record that these people are reminded now; whoever needs no reminder is left out.

    ``number`` is the place of this reminder in the tier's; nobody has more than ``most_a_day`` of
    one ticket in 24 hours.
    """

    ticket_id: TicketId
    revision: int
    number: int
    people: tuple[PersonId, ...]
    most_a_day: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalateTicket:
    """Record that a step of the tier's escalation came; a no-op when it came before."""

    ticket_id: TicketId
    revision: int
    step: int
    channel: str = ""
    roles: tuple[str, ...] = ()
    people: tuple[PersonId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RemindResolvers:
    """Record that these people are told now that nobody knows what became of a run.

    Which reminder it is follows from the time (``lost``); ``most_a_day`` as above, counted from
    when nobody knew.
    """

    ticket_id: TicketId
    revision: int
    people: tuple[PersonId, ...]
    most_a_day: int


NudgeCommand = RemindVoters | EscalateTicket | RemindResolvers
"""Everything that time alone asks of a ticket that waits for people, but its end."""
