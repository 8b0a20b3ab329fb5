"""Whether a reminder or a step of an escalation is one.

Lives here: the two deciders of what time does to a ticket that waits. Must not live here: when
they are asked (``bot.reminding``), whom a tier names. Law: nobody is reminded of a ticket that is
settled, that they voted on, or that they may not vote on; the same reminder, and the same step,
comes once, whoever asks for it and however often.
"""

from datetime import datetime, timedelta

from governance.principal import PersonId
from governance.tickets import nudge_commands as nudge_cmd
from governance.tickets import nudge_events as nudge_ev
from governance.tickets.decided import NOTHING, Decided
from governance.tickets.ticket import Ticket, TicketState

_DAY = timedelta(hours=24)


def remind(ticket: Ticket, command: nudge_cmd.RemindVoters, at: datetime) -> Decided:
    """Remind those of the people whom it helps to be reminded."""
    if not _waits(ticket, command.revision, at):
        return NOTHING
    people = tuple(
        sorted(
            person
            for person in set(command.people)
            if person not in ticket.ask.excluded
            and ticket.vote_of(person) is None
            and not _had_enough(ticket, person, command, at)
        )
    )
    if not people:
        return NOTHING
    reminded = nudge_ev.VotersReminded(
        ticket_id=ticket.id, revision=ticket.revision, number=command.number, people=people
    )
    return Decided(events=(reminded,))


def _had_enough(
    ticket: Ticket, person: PersonId, command: nudge_cmd.RemindVoters, at: datetime
) -> bool:
    mine = [one for one in ticket.reminders if person in one.people]
    is_repeat = any(one.number >= command.number for one in mine)
    return is_repeat or sum(at - one.at < _DAY for one in mine) >= command.most_a_day


def escalate(ticket: Ticket, command: nudge_cmd.EscalateTicket, at: datetime) -> Decided:
    """Take a step that was not taken yet."""
    is_taken = any(one.step == command.step for one in ticket.escalated)
    if is_taken or not _waits(ticket, command.revision, at):
        return NOTHING
    told = tuple(sorted(set(command.people) - ticket.ask.excluded))
    escalated = nudge_ev.TicketEscalated(
        ticket_id=ticket.id,
        revision=ticket.revision,
        step=command.step,
        channel=command.channel,
        roles=command.roles,
        people=told,
    )
    return Decided(events=(escalated,))


def _waits(ticket: Ticket, revision: int, at: datetime) -> bool:
    return (
        ticket.state is TicketState.PENDING
        and ticket.revision == revision
        and at < ticket.expires_at
    )
