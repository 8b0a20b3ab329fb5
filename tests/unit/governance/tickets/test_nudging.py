"""Reminders and escalations: for whom they help, once, and never of what is settled."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance.tickets import nudge_commands as cmd
from governance.tickets import nudge_events as nudge_ev
from governance.tickets.ticket import Escalated, Reminded, Ticket, TicketState
from tests.support.build import ANNA, BEN, T0, ask, sample_ticket
from tests.support.core import after, decide

S = TicketState


def _waiting(**changes: object) -> Ticket:
    asked = ask(on_behalf_of=None, owners=())
    ticket = sample_ticket(ask=asked, votes=(), expires_at=T0 + timedelta(hours=2))
    return replace(ticket, **changes)  # type: ignore[arg-type]


def _remind(ticket: Ticket, *people: str, number: int = 1, most: int = 3) -> cmd.RemindVoters:
    return cmd.RemindVoters(
        ticket_id=ticket.id,
        revision=ticket.revision,
        number=number,
        people=people,  # type: ignore[arg-type]
        most_a_day=most,
    )


def _step(ticket: Ticket, step: int = 1) -> cmd.EscalateTicket:
    return cmd.EscalateTicket(
        ticket_id=ticket.id, revision=ticket.revision, step=step, channel="C1", people=(BEN,)
    )


def test_whoever_has_not_voted_is_reminded_and_stands_on_the_ticket():
    ticket = _waiting()
    events = decide(ticket, _remind(ticket, BEN, ANNA, BEN)).events
    assert events == (
        nudge_ev.VotersReminded(ticket_id=ticket.id, revision=1, number=1, people=(ANNA, BEN)),
    )
    reminded = after(ticket, events, T0)
    assert reminded.reminders == (Reminded(number=1, at=T0, people=(ANNA, BEN)),)
    assert decide(reminded, _remind(ticket, BEN, ANNA)).events == ()


def test_whoever_voted_or_has_no_vote_is_left_out():
    voted = sample_ticket(ask=ask(on_behalf_of=BEN, owners=()))
    assert voted.vote_of(ANNA) is not None
    assert decide(voted, _remind(voted, ANNA, BEN)).events == ()
    owner = _waiting(ask=ask(on_behalf_of=None, owners=(ANNA,)))
    (event,) = decide(owner, _remind(owner, ANNA, BEN)).events
    assert event.people == (BEN,)  # type: ignore[union-attr]


@pytest.mark.parametrize("state", sorted({*TicketState} - {S.PENDING}))
def test_what_is_settled_reminds_and_escalates_nobody(state: TicketState):
    ticket = _waiting(state=state)
    assert decide(ticket, _remind(ticket, ANNA)).events == ()
    assert decide(ticket, _step(ticket)).events == ()


def test_what_is_over_or_was_revised_reminds_and_escalates_nobody():
    ticket = _waiting()
    over = ticket.expires_at
    assert decide(ticket, _remind(ticket, ANNA), at=over).events == ()
    assert decide(ticket, _step(ticket), at=over).events == ()
    newer = replace(ticket, revision=2)
    assert decide(newer, _remind(ticket, ANNA)).events == ()
    assert decide(newer, _step(ticket)).events == ()


def test_an_earlier_reminder_never_follows_a_later_one():
    ticket = _waiting(reminders=(Reminded(number=2, at=T0, people=(ANNA,)),))
    assert decide(ticket, _remind(ticket, ANNA, number=1)).events == ()
    assert decide(ticket, _remind(ticket, ANNA, number=3)).events != ()


def test_nobody_has_more_reminders_of_one_ticket_in_a_day_than_the_tier_says():
    old = Reminded(number=1, at=T0 - timedelta(hours=24), people=(ANNA,))
    new = Reminded(number=2, at=T0 - timedelta(hours=1), people=(ANNA, BEN))
    ticket = _waiting(reminders=(old, new))
    assert decide(ticket, _remind(ticket, ANNA, number=3, most=1)).events == ()
    assert decide(ticket, _remind(ticket, ANNA, number=3, most=2)).events != ()


def test_a_step_is_taken_once_and_stands_on_the_ticket():
    ticket = _waiting()
    events = decide(ticket, _step(ticket)).events
    escalated = after(ticket, events, T0)
    assert escalated.escalated == (Escalated(step=1, at=T0, channel="C1", roles=(), people=(BEN,)),)
    assert decide(escalated, _step(ticket)).events == ()
    assert decide(escalated, _step(ticket, 2)).events != ()


def test_neither_changes_who_may_vote_or_what_is_approved():
    ticket = _waiting()
    nudged = after(ticket, decide(ticket, _step(ticket)).events, T0)
    nudged = after(nudged, decide(nudged, _remind(nudged, ANNA)).events, T0)
    assert replace(nudged, reminders=(), escalated=(), updated_at=ticket.updated_at) == ticket
