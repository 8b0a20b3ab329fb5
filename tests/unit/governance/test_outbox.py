"""Which messages follow from which event."""

from dataclasses import replace

import pytest

from governance import control as ctl
from governance.action import Dispatch
from governance.outbox import Owed, OwedKind, owed
from governance.policy.decision import Constraints, Effect
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets.ticket import Basis, Ticket, TicketState
from tests.support.build import ANNA, T0, TENANT, ask, evaluated, on, ruling, sample_ticket, samples
from tests.support.core import after, approved, born, decide, decision

S = TicketState
CARD = Owed(kind=OwedKind.CARD, key="t-1")
CLEAR = Owed(kind=OwedKind.CLEAR, key="t-1")
EXECUTE = Owed(kind=OwedKind.EXECUTE, key="t-1")
ALLOWED = ruling(Effect.ALLOW)


def _ticket(state: TicketState = S.PENDING, **changes: object) -> Ticket:
    return sample_ticket(state=state, **changes)


@pytest.mark.parametrize("name", samples())
def test_every_event_of_a_ticket_that_asks_people_but_three_refreshes_its_card(name: str):
    event, ticket = samples()[name]
    is_of_a_ticket = isinstance(event, ev.TicketEvent)
    is_silent = name in {"VoteRefused", "ExecutionCleared", "TicketUpheld"}
    assert (CARD in owed(event, ticket)) is (is_of_a_ticket and not is_silent)


def test_what_policy_alone_settles_has_no_card():
    for state in TicketState:
        ticket = _ticket(state, ruling=ALLOWED)
        assert CARD not in owed(on("t-1", ev.ResponseOverdue), ticket)


def test_a_card_follows_when_a_new_bundle_denies_its_ticket():
    for before in (born(), approved()):
        deny = cmd.ReassessTicket(
            ticket_id=before.id, decision=decision(Effect.DENY, snapshot="s-2")
        )
        (event,) = decide(before, deny).events
        assert CARD in owed(event, after(before, [event], T0))


def test_what_policy_alone_allowed_gets_no_card_when_a_new_bundle_denies_it():
    before = born(decision=decision(Effect.ALLOW))
    deny = cmd.ReassessTicket(ticket_id=before.id, decision=decision(Effect.DENY, snapshot="s-2"))
    (event,) = decide(before, deny).events
    assert CARD not in owed(event, after(before, [event], T0))


def test_a_card_follows_when_a_new_bundle_asks_nobody_any_more():
    tight = decision(Effect.ALLOW_WITH_CONSTRAINTS, constraints=Constraints(max_runtime_s=1))
    for before in (born(), approved()):
        judge = cmd.ReassessTicket(ticket_id=before.id, decision=replace(tight, snapshot="s-2"))
        (event,) = decide(before, judge).events
        assert CARD in owed(event, after(before, [event], T0))


def test_a_card_appears_when_a_new_bundle_asks_people():
    before = born(decision=decision(Effect.ALLOW))
    assert CARD not in owed(on("t-1", ev.ResponseOverdue), before)
    (event,) = decide(
        before, cmd.ReassessTicket(ticket_id="t-1", decision=decision(snapshot="s-2"))
    ).events  # type: ignore[arg-type]
    assert CARD in owed(event, after(before, [event], T0))


@pytest.mark.parametrize("name", samples())
def test_an_approved_execution_is_cleared_first_and_run_only_once_cleared(name: str):
    event, ticket = samples()[name]
    if ticket is None:
        return
    messages = owed(event, replace(ticket, state=S.APPROVED, basis=Basis.PEOPLE))
    startable = {"TicketOpened", "TicketApproved", "TicketUpheld"}
    assert (CLEAR in messages) is (name in startable)
    assert (EXECUTE in messages) is (name == "ExecutionCleared")


@pytest.mark.parametrize("state", sorted({*TicketState} - {S.APPROVED}))
def test_what_is_not_approved_is_neither_cleared_nor_run(state: TicketState):
    for name in ("TicketOpened", "TicketApproved", "ExecutionCleared"):
        event, _ = samples()[name]
        assert {*owed(event, _ticket(state))} <= {CARD}


def test_a_release_waits_for_its_agent():
    ticket = _ticket(S.APPROVED, ask=ask(dispatch=Dispatch.RELEASE), ruling=ALLOWED)
    for name in ("TicketOpened", "TicketApproved", "ExecutionCleared"):
        assert owed(samples()[name][0], ticket) == ()


def test_a_freeze_shows_on_every_card_and_other_governing_events_on_none():
    every = (Owed(kind=OwedKind.ALL_CARDS, key=TENANT),)
    freezing = {"AgentFrozen", "UnfreezeAsked", "AgentUnfrozen"}
    for name, (event, ticket) in samples().items():
        if ticket is None:
            assert owed(event, None) == (every if name in freezing else ())


def test_what_has_no_ticket_owes_nothing():
    assert owed(evaluated(), None) == ()
    frozen = ctl.AgentFrozen(tenant=TENANT, target="all", person=ANNA)
    assert owed(frozen, None) != ()
