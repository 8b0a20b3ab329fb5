"""A run that ended in the dark: whose word is missing, and when they are told of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from governance.tickets import lost
from governance.tickets import nudge_commands as cmd
from governance.tickets import nudge_events as nudge_ev
from governance.tickets.ticket import Attested, Reminded, Ticket, TicketState
from tests.support import build
from tests.support.build import ANNA, BEN, OWNER, T0, ask, sample_ticket
from tests.support.core import after, decide

S = TicketState
SINCE = datetime(2026, 3, 1, 10, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
MOMENT = timedelta(microseconds=1)
EIGHT = datetime(2026, 3, 2, 8, tzinfo=UTC)


def _lost(**changes: object) -> Ticket:
    """Nobody knows since SINCE, hours after it expired."""
    base = sample_ticket(
        state=S.UNKNOWN,
        ask=ask(on_behalf_of=None, owners=(OWNER,)),
        run=build.run(lease_until=SINCE),
        expires_at=T0,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def _said(person: str, *, took_effect: bool = True) -> Attested:
    return Attested(person=person, took_effect=took_effect)  # type: ignore[arg-type]


def _told(number: int, at: datetime, *people: str) -> Reminded:
    return Reminded(number=number, at=at, people=people)  # type: ignore[arg-type]


def _tell(ticket: Ticket, *people: str, most: int = 3) -> cmd.RemindResolvers:
    return cmd.RemindResolvers(
        ticket_id=ticket.id,
        revision=ticket.revision,
        people=people,  # type: ignore[arg-type]
        most_a_day=most,
    )


@pytest.mark.parametrize(
    ("at", "number"),
    [
        (SINCE - MOMENT, 0),
        (SINCE, 1),
        (SINCE + 2 * HOUR - MOMENT, 1),
        (SINCE + 2 * HOUR, 2),
        (EIGHT - MOMENT, 2),
        (EIGHT, 3),
        (EIGHT + DAY, 4),
        (EIGHT + 30 * DAY, 33),
    ],
)
def test_people_are_told_at_once_after_two_hours_and_each_morning(at: datetime, number: int):
    assert lost.number(_lost(), at) == number


@pytest.mark.parametrize(
    ("at", "next_at"),
    [
        (SINCE - MOMENT, SINCE),
        (SINCE, SINCE + 2 * HOUR),
        (SINCE + 2 * HOUR, EIGHT),
        (EIGHT - MOMENT, EIGHT),
        (EIGHT, EIGHT + DAY),
        (EIGHT + 9 * DAY + HOUR, EIGHT + 10 * DAY),
    ],
)
def test_the_next_moment_is_the_one_at_which_the_number_grows(at: datetime, next_at: datetime):
    ticket = _lost()
    assert lost.following(ticket, at) == next_at
    assert lost.number(ticket, next_at) == lost.number(ticket, next_at - MOMENT) + 1


@pytest.mark.parametrize("state", sorted({*S} - {S.UNKNOWN}))
def test_of_what_is_known_nobody_is_told(state: TicketState):
    ticket = _lost(state=state, reminders=(_told(1, SINCE, ANNA),))
    assert lost.number(ticket, EIGHT) == 0
    assert lost.reminders(ticket) == ()
    assert lost.following(ticket, EIGHT) is None
    assert decide(ticket, _tell(ticket, ANNA), at=EIGHT).events == ()


def test_a_run_without_a_lease_is_no_run():
    assert lost.number(_lost(run=None), EIGHT) == 0


def test_whoever_may_say_is_told_once_at_each_moment_and_stands_on_the_ticket():
    ticket = _lost()
    events = decide(ticket, _tell(ticket, BEN, ANNA, BEN, OWNER), at=SINCE).events
    assert events == (
        nudge_ev.ResolversReminded(ticket_id=ticket.id, revision=1, number=1, people=(ANNA, BEN)),
    )
    told = after(ticket, events, SINCE)
    assert lost.reminders(told) == (_told(1, SINCE, ANNA, BEN),)
    assert decide(told, _tell(told, ANNA, BEN), at=SINCE + 2 * HOUR - MOMENT).events == ()
    (again,) = decide(told, _tell(told, ANNA, BEN), at=SINCE + 2 * HOUR).events
    assert (again.number, again.people) == (2, (ANNA, BEN))  # type: ignore[union-attr]


def test_a_moment_that_has_nobody_to_tell_is_recorded_once_for_the_channel():
    ticket = _lost()
    events = decide(ticket, _tell(ticket), at=SINCE).events
    assert events[0].people == ()  # type: ignore[union-attr]
    told = after(ticket, events, SINCE)
    assert decide(told, _tell(told), at=SINCE + MOMENT).events == ()
    assert decide(told, _tell(told, ANNA), at=SINCE + MOMENT).events != ()  # awake by now
    assert decide(told, _tell(told), at=SINCE + 2 * HOUR).events != ()


def test_after_the_clock_was_set_back_nobody_is_told_twice():
    ticket = _lost(reminders=(_told(2, SINCE + 2 * HOUR, ANNA),))
    assert decide(ticket, _tell(ticket, ANNA), at=SINCE).events == ()


def test_what_was_reminded_while_it_waited_for_votes_counts_for_nothing():
    votes = tuple(_told(n, SINCE - n * MOMENT, ANNA) for n in (1, 2, 3))
    ticket = _lost(reminders=votes)
    assert lost.reminders(ticket) == ()
    assert decide(ticket, _tell(ticket, ANNA), at=SINCE).events != ()


def test_nobody_has_more_in_a_day_than_the_tier_says():
    ticket = _lost(reminders=(_told(1, SINCE, ANNA),))
    later = SINCE + 2 * HOUR
    (event,) = decide(ticket, _tell(ticket, ANNA, BEN, most=1), at=later).events
    assert event.people == (BEN,)  # type: ignore[union-attr]
    assert decide(ticket, _tell(ticket, ANNA, most=1), at=SINCE + DAY).events[0].people == (  # type: ignore[union-attr]
        ANNA,
    )


def test_another_revision_tells_nobody():
    ticket = _lost(revision=2)
    command = replace(_tell(ticket, ANNA), revision=1)
    assert decide(ticket, command, at=SINCE).events == ()


def test_whoever_spoke_is_left_in_peace_while_the_others_are_told():
    ticket = _lost(attested=(_said(ANNA),))
    assert lost.has_spoken(ticket, {ANNA, OWNER})
    assert not lost.has_spoken(ticket, {BEN})
    (event,) = decide(ticket, _tell(ticket, ANNA, BEN), at=SINCE).events
    assert event.people == (BEN,)  # type: ignore[union-attr]


def test_where_words_differ_everybody_is_asked_again():
    ticket = _lost(attested=(_said(ANNA), _said(BEN, took_effect=False)))
    assert lost.is_disputed(ticket)
    assert not lost.has_spoken(ticket, {ANNA, BEN})
    (event,) = decide(ticket, _tell(ticket, ANNA, BEN), at=SINCE).events
    assert event.people == (ANNA, BEN)  # type: ignore[union-attr]
    assert not lost.is_disputed(_lost(attested=(_said(ANNA), _said(BEN))))
