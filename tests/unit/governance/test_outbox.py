"""Which messages follow from which event."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance import control as ctl
from governance.action import Dispatch
from governance.outbox import STEP, Owed, OwedKind, owed
from governance.policy.decision import Constraints, Effect
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import Basis, Reminded, Ticket, TicketState
from tests.support.build import (
    ANNA,
    BEN,
    T0,
    TENANT,
    ask,
    evaluated,
    on,
    ruling,
    run,
    sample_ticket,
    samples,
)
from tests.support.core import after, approved, born, decide, decision

S = TicketState
CARD = Owed(kind=OwedKind.CARD, key="t-1")
CLEAR = Owed(kind=OwedKind.CLEAR, key="t-1")
EXECUTE = Owed(kind=OwedKind.EXECUTE, key="t-1")
WATCH = Owed(kind=OwedKind.WATCH, key="t-1")
ALLOWED = ruling(Effect.ALLOW)
OF_TICKETS = [name for name, (_, ticket) in samples().items() if ticket is not None]


def _ticket(state: TicketState = S.PENDING, **changes: object) -> Ticket:
    return sample_ticket(state=state, **changes)


@pytest.mark.parametrize("name", samples())
def test_every_event_of_a_ticket_that_asks_people_but_five_refreshes_its_card(name: str):
    event, ticket = samples()[name]
    is_of_a_ticket = isinstance(event, ev.TicketEvent)
    told = {"VotersReminded", "ResolversReminded"}
    is_silent = name in {"VoteRefused", "ExecutionCleared", "TicketUpheld", *told}
    assert (CARD in owed(event, ticket)) is (is_of_a_ticket and not is_silent)


def test_what_calls_itself_an_emergency_is_told_at_once_and_once():
    urgent = Owed(kind=OwedKind.EMERGENCY, key="t-1")
    asked = ask(labels=(("emergency", "failover"),))
    opened, ticket = samples()["TicketOpened"][0], _ticket(ask=asked)
    assert urgent in owed(opened, ticket)
    assert urgent not in owed(opened, _ticket())
    assert urgent not in owed(opened, _ticket(S.DENIED, ask=asked))
    assert urgent not in owed(on("t-1", ev.ResponseOverdue), ticket)


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


@pytest.mark.parametrize("name", OF_TICKETS)
def test_an_approved_execution_is_cleared_first_and_run_only_once_cleared(name: str):
    event, ticket = samples()[name]
    assert ticket is not None
    messages = owed(event, replace(ticket, state=S.APPROVED, basis=Basis.PEOPLE))
    startable = {"TicketOpened", "TicketApproved", "TicketUpheld"}
    assert (CLEAR in messages) is (name in startable)
    assert (EXECUTE in messages) is (name == "ExecutionCleared")


@pytest.mark.parametrize("state", sorted({*TicketState} - {S.APPROVED}))
def test_what_is_not_approved_is_neither_cleared_nor_run(state: TicketState):
    for name in ("TicketOpened", "TicketApproved", "ExecutionCleared"):
        event, _ = samples()[name]
        assert {*owed(event, _ticket(state))} <= {CARD, WATCH}


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


@pytest.mark.parametrize("name", OF_TICKETS)
def test_a_ticket_is_watched_from_when_it_begins_to_wait(name: str):
    event, ticket = samples()[name]
    assert ticket is not None
    begins = {"TicketOpened", "TicketRevised", "QuorumLost"}
    if name == "ExecutionLost":
        return  # it waits for another word than a vote
    assert (WATCH in owed(event, replace(ticket, state=S.PENDING))) is (name in begins)
    assert WATCH not in owed(event, replace(ticket, state=S.DENIED))


@pytest.mark.parametrize(("life_s", "first_s"), [(3_600, 60), (240, 60), (100, 25)])
def test_it_is_first_looked_at_after_a_minute_or_a_quarter_of_its_life(life_s: int, first_s: int):
    ticket = _ticket(updated_at=T0, expires_at=T0 + timedelta(seconds=life_s))
    (watch,) = (one for one in owed(samples()["TicketOpened"][0], ticket) if one == WATCH)
    assert watch.not_before == T0 + timedelta(seconds=first_s)
    assert watch.deadline == ticket.expires_at


def test_a_card_is_owed_by_when_its_ticket_expires():
    ticket = _ticket(expires_at=T0 + timedelta(hours=3))
    (card,) = owed(samples()["VoteCast"][0], ticket)
    assert card.deadline == ticket.expires_at


def test_whoever_is_reminded_has_one_message_however_many_tickets_wait():
    event = on("t-1", nudge_ev.VotersReminded, number=1, people=(ANNA, BEN))
    assert owed(event, _ticket()) == (
        Owed(kind=OwedKind.REMIND, key=ANNA),
        Owed(kind=OwedKind.REMIND, key=BEN),
    )


@pytest.mark.parametrize("effect", [Effect.REQUIRE_APPROVAL, Effect.ALLOW])
def test_what_nobody_knows_the_end_of_is_watched_at_once(effect: Effect):
    lost = on("t-1", run_ev.ExecutionLost, run_id="run-1")
    messages = owed(lost, _ticket(S.UNKNOWN, ruling=ruling(effect)))
    (watch,) = (one for one in messages if one == WATCH)
    assert (watch.not_before, CARD in messages) == (None, True)


def _lost(*told: Reminded) -> Ticket:
    since = told[-1].at
    return _ticket(S.UNKNOWN, run=run(lease_until=T0), reminders=told, updated_at=since)


def _told(number: int, minutes: float, *people: PersonId) -> Reminded:
    return Reminded(number=number, at=T0 + timedelta(minutes=minutes), people=people)


def test_what_nobody_knows_is_told_to_each_person_in_one_message_for_a_while():
    event = on("t-1", nudge_ev.ResolversReminded, number=1, people=(ANNA, BEN))
    for minutes, whole in ((0, 5), (0.1, 5), (4.9, 5), (5, 10)):
        messages = owed(event, _lost(_told(1, minutes, ANNA, BEN)))
        people = [one for one in messages if one.kind is OwedKind.REMIND_UNKNOWN]
        assert [one.key for one in people] == [ANNA, BEN]
        assert {one.not_before for one in people} == {T0 + timedelta(minutes=whole)}


def test_the_channel_is_told_once_at_each_moment_whoever_is_awake():
    channel = Owed(kind=OwedKind.TELL_UNKNOWN, key=TENANT)
    event = on("t-1", nudge_ev.ResolversReminded, number=2, people=())
    before = _told(1, 0, ANNA)
    assert owed(event, _lost(before, _told(2, 60))) == (channel,)
    assert channel not in owed(event, _lost(before, _told(2, 60), _told(2, 61, ANNA)))


def test_a_step_of_an_escalation_is_told_once_for_each_step():
    step = {"channel": "C1", "roles": (), "people": (ANNA,)}
    first = owed(on("t-1", nudge_ev.TicketEscalated, step=1, **step), _ticket())
    second = owed(on("t-1", nudge_ev.TicketEscalated, step=2, **step), _ticket())
    kinds = [one.kind for one in (*first, *second)]
    assert kinds.count(OwedKind.ESCALATE) == 2
    assert CARD in first
    reminded = Owed(kind=OwedKind.REMIND, key=ANNA)
    assert len({*first, *second}) == 4
    assert (reminded in first, reminded in second) == (True, True)
    nowhere = owed(
        on("t-1", nudge_ev.TicketEscalated, step=3, **{**step, "channel": ""}), _ticket()
    )
    assert {one.kind for one in nowhere} == {OwedKind.CARD, OwedKind.REMIND}


def test_an_expiry_is_told_to_everybody_who_answers_for_the_request_and_to_nobody_else():
    asked = ask(on_behalf_of=ANNA, owners=(BEN, ANNA))
    told = [
        one.key
        for one in owed(on("t-1", ev.TicketExpired), _ticket(S.EXPIRED, ask=asked))
        if one.kind is OwedKind.TELL_EXPIRED
    ]
    assert told == [f"t-1{STEP}{ANNA}", f"t-1{STEP}{BEN}"]
    nobody = _ticket(S.EXPIRED, ask=ask(on_behalf_of=None, owners=()))
    assert {one.kind for one in owed(on("t-1", ev.TicketExpired), nobody)} == {OwedKind.CARD}
