"""Whether a reminder or a step of an escalation is one.

Lives here: the deciders of what time does to a ticket that waits for people. Must not live here:
when they are asked (``bot.reminding``), whom a tier names. Law: nobody is reminded of a ticket that
is settled, that they have spoken on, or that they may not; the same reminder, and the same step,
comes once, whoever asks for it and however often.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from governance.principal import PersonId
from governance.tickets import lost
from governance.tickets import nudge_commands as nudge_cmd
from governance.tickets import nudge_events as nudge_ev
from governance.tickets.decided import NOTHING, Decided
from governance.tickets.ticket import Reminded, Ticket, TicketState

_DAY = timedelta(hours=24)


def remind(ticket: Ticket, command: nudge_cmd.RemindVoters, at: datetime) -> Decided:
    """Remind those of the people whom it helps to be reminded."""
    if not _waits(ticket, command.revision, at):
        return NOTHING
    number = command.number
    people = tuple(
        sorted(
            person
            for person in set(command.people)
            if person not in ticket.ask.excluded
            and ticket.vote_of(person) is None
            and not _had_enough(_theirs(ticket.reminders, person), number, command.most_a_day, at)
        )
    )
    if not people:
        return NOTHING
    reminded = nudge_ev.VotersReminded(
        ticket_id=ticket.id, revision=ticket.revision, number=number, people=people
    )
    return Decided(events=(reminded,))


def remind_of_lost(ticket: Ticket, command: nudge_cmd.RemindResolvers, at: datetime) -> Decided:
    """Tell those whose word is missing that nobody knows what became of its run.

    A moment that has nobody to tell is recorded as well: the channel is told of it.
    """
    number = lost.number(ticket, at)
    if not number or ticket.revision != command.revision:
        return NOTHING
    had = lost.reminders(ticket)
    people = tuple(
        sorted(
            person
            for person in set(command.people)
            if person not in ticket.ask.excluded
            and not lost.has_spoken(ticket, {person})
            and not _had_enough(_theirs(had, person), number, command.most_a_day, at)
        )
    )
    if not people and any(one.number >= number for one in had):
        return NOTHING
    reminded = nudge_ev.ResolversReminded(
        ticket_id=ticket.id, revision=ticket.revision, number=number, people=people
    )
    return Decided(events=(reminded,))


def _theirs(reminders: Iterable[Reminded], person: PersonId) -> list[Reminded]:
    return [one for one in reminders if person in one.people]


def _had_enough(mine: Sequence[Reminded], number: int, most_a_day: int, at: datetime) -> bool:
    is_repeat = any(one.number >= number for one in mine)
    return is_repeat or sum(at - one.at < _DAY for one in mine) >= most_a_day


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
