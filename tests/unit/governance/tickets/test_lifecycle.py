"""The one table of transitions: what each event does, and that nothing else is possible."""

from dataclasses import replace
from datetime import timedelta
from typing import get_args

import pytest

from governance.action import Dispatch
from governance.policy.decision import Effect
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.lifecycle import LIVE, TRANSITIONS, WIRE, evolve
from governance.tickets.ticket import Attested, Ticket, TicketId, TicketState
from tests.support.build import ANNA, T0, report, samples
from tests.support.core import (
    TICKET,
    approved,
    born,
    clearing,
    decision,
    executing,
    played,
    redeeming,
    request,
)

S = TicketState
EVENTS = {
    name: event for name, (event, _) in samples().items() if isinstance(event, ev.TicketEvent)
}
MOVES: dict[str, TicketState] = {
    "TicketApproved": S.APPROVED,
    "TicketRejected": S.REJECTED,
    "TicketExpired": S.EXPIRED,
    "TicketCancelled": S.CANCELLED,
    "TicketDenied": S.DENIED,
    "TicketRevised": S.PENDING,
    "QuorumLost": S.PENDING,
    "ExecutionStarted": S.EXECUTING,
    "ExecutionSucceeded": S.EXECUTED,
    "ExecutionLost": S.UNKNOWN,
    "GrantRedeemed": S.RELEASED,
}


def test_the_table_names_every_state_and_nothing_else():
    assert {*TRANSITIONS} == {None, *TicketState}
    assert {*WIRE} == {*TicketState}
    assert {state for state in TicketState if TRANSITIONS[state]} == LIVE


def test_the_table_is_the_one_that_the_documentation_promises():
    assert {(before, after) for before, ends in TRANSITIONS.items() for after in ends} == {
        (None, S.PENDING),
        (None, S.APPROVED),
        (None, S.DENIED),
        (S.PENDING, S.PENDING),
        (S.PENDING, S.APPROVED),
        (S.PENDING, S.REJECTED),
        (S.PENDING, S.EXPIRED),
        (S.PENDING, S.CANCELLED),
        (S.PENDING, S.DENIED),
        (S.APPROVED, S.EXECUTING),
        (S.APPROVED, S.RELEASED),
        (S.APPROVED, S.EXPIRED),
        (S.APPROVED, S.CANCELLED),
        (S.APPROVED, S.DENIED),
        (S.APPROVED, S.REJECTED),
        (S.APPROVED, S.PENDING),
        (S.EXECUTING, S.EXECUTED),
        (S.EXECUTING, S.PENDING),
        (S.EXECUTING, S.EXPIRED),
        (S.EXECUTING, S.UNKNOWN),
        (S.UNKNOWN, S.EXECUTED),
        (S.UNKNOWN, S.PENDING),
        (S.UNKNOWN, S.EXPIRED),
    }


def test_there_is_a_sample_of_every_event():
    assert {*EVENTS} == {kind.__name__ for kind in get_args(ev.TicketEvent)}


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("name", MOVES)
def test_an_event_moves_a_ticket_only_where_the_table_has_it(name: str, state: TicketState):
    ticket = replace(born(), state=state)
    if MOVES[name] in TRANSITIONS[state]:
        assert evolve(ticket, EVENTS[name], T0).state is MOVES[name]
    else:
        with pytest.raises(ValueError, match="cannot become"):
            evolve(ticket, EVENTS[name], T0)


@pytest.mark.parametrize("state", list(TicketState))
@pytest.mark.parametrize("name", sorted({*EVENTS} - {*MOVES, "TicketOpened", "UnknownResolved"}))
def test_every_other_event_leaves_the_state_alone(name: str, state: TicketState):
    ticket = replace(born(), state=state, report=report())
    assert evolve(ticket, EVENTS[name], T0).state is state


@pytest.mark.parametrize("name", ["OutputReleased", "OutputDiscarded"])
def test_an_output_that_never_was_is_neither_released_nor_discarded(name: str):
    with pytest.raises(ValueError, match="which has no output"):
        evolve(born(), EVENTS[name], T0)


def test_resolving_the_unknown_ends_it_only_where_it_took_effect():
    unknown = replace(born(), state=S.UNKNOWN)
    yes = run_ev.UnknownResolved(ticket_id=TICKET, revision=1, person="p", took_effect=True)  # type: ignore[arg-type]
    assert evolve(unknown, yes, T0).state is S.EXECUTED
    assert evolve(unknown, replace(yes, took_effect=False), T0).state is S.UNKNOWN
    with pytest.raises(ValueError, match="cannot become"):
        evolve(born(), yes, T0)


@pytest.mark.parametrize("state", sorted({*TicketState} - {S.PENDING, S.APPROVED, S.DENIED}))
def test_nothing_is_born_in_the_middle_of_its_life(state: TicketState):
    birth = EVENTS["TicketOpened"]
    with pytest.raises(ValueError, match="no ticket is born"):
        evolve(None, replace(birth, state=state), T0)  # type: ignore[call-arg]


def test_a_ticket_is_born_once_and_events_belong_to_their_ticket():
    birth, approval = EVENTS["TicketOpened"], EVENTS["TicketApproved"]
    with pytest.raises(ValueError, match="born twice"):
        evolve(born(), birth, T0)
    with pytest.raises(ValueError, match="without its ticket"):
        evolve(None, approval, T0)
    with pytest.raises(ValueError, match="without its ticket"):
        evolve(replace(born(), id=TicketId("t-2")), approval, T0)


def test_every_event_says_when_the_ticket_changed():
    later = T0 + timedelta(seconds=9)
    assert evolve(born(), EVENTS["VoteCast"], later).updated_at == later


def test_a_revision_forgets_what_belonged_to_the_one_before():
    word = Attested(person=ANNA, took_effect=True)
    before = replace(executing(), deferrals=2, is_overdue=True, attested=(word,), failures=3)
    before = replace(before, refusals=((ANNA, "wrong_role"),))
    event = EVENTS["TicketRevised"]
    now = evolve(before, event, T0)
    assert (now.revision, now.binding, now.note) == (2, event.binding, event.note)  # type: ignore[union-attr]
    assert (now.votes, now.refusals, now.deferrals, now.is_overdue) == ((), (), 0, False)
    assert (now.attested, now.failures) == ((), 3)
    assert (now.basis, now.approved_at, now.cleared_at, now.run) == (None, None, None, None)


def test_an_event_that_is_not_known_changes_nothing_in_silence():
    class Invented:
        ticket_id = TICKET

    with pytest.raises(ValueError, match="Invented is not known"):
        evolve(born(), Invented(), T0)  # type: ignore[arg-type]


def _ends() -> dict[TicketState, Ticket]:
    release = request(dispatch=Dispatch.RELEASE)
    grant = born(request=release, decision=decision(Effect.ALLOW))
    cancel = cmd.CancelTicket(ticket_id=TICKET, actor="x", agent=born().ask.agent)
    return {
        S.DENIED: born(decision=decision(Effect.DENY)),
        S.CANCELLED: played(born(), cancel),
        S.RELEASED: played(grant, clearing(grant), redeeming(grant)),
        S.EXPIRED: played(
            approved(), cmd.ExpireTicket(ticket_id=TICKET), at=T0 + timedelta(hours=1)
        ),
    }


@pytest.mark.parametrize(("state", "ticket"), _ends().items())
def test_an_end_is_an_end(state: TicketState, ticket: Ticket):
    assert ticket.state is state
    for name in MOVES:
        with pytest.raises(ValueError, match="cannot become"):
            evolve(ticket, EVENTS[name], T0)
