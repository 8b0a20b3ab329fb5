"""The steps that the writer runs: every guard is judged on the state inside the transaction."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance import control as ctl
from governance import steps
from governance.action import Dispatch
from governance.canonical import digest
from governance.control import EVERYONE, Control
from governance.digests import content_digest, request_digest
from governance.errors import Code, PlacetError, Refused
from governance.policy.decision import BucketDemand, Effect
from governance.policy.throttle import Bucket
from governance.ports import Remembered, Result, State
from governance.principal import TenantId
from governance.submission import Submission
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets.ticket import TicketId, TicketState
from tests.support.build import AGENT, ANNA, T0, TENANT, public_key
from tests.support.core import (
    ADMIN,
    OPERATOR,
    PEOPLE,
    TICKET,
    agent,
    approved,
    ballot,
    born,
    decision,
    redeeming,
    request,
)

KEYS = {
    f"key:{role}": public_key(f"key:{role}", purpose=f"vote:{role}") for role in (OPERATOR, ADMIN)
}
ACTIVE = Control(snapshot="s-1", keys=KEYS)
DEMAND = BucketDemand(key="b-1", rule_id="slow", capacity=2, refill_ms=1_000)
OTHER_DEMAND = replace(DEMAND, key="b-2", rule_id="slower")


def _state(**changes: object) -> State:
    return replace(State(at=T0, control=ACTIVE), **changes)


def _frozen(target: str) -> Control:
    entry = ctl.Frozen(target=target, by=ANNA, at=T0)
    return replace(ACTIVE, frozen={target: entry})


def _given(**changes: object) -> Submission:
    body = b"{}"
    base = Submission(
        ticket_id=TICKET,
        request=request(),
        agent=agent(),
        decision=decision(),
        content=body,
        content_digest=content_digest(body),
        eligible=PEOPLE,
        max_pending=10,
    )
    return replace(base, **changes)


def _submit(state: State, given: Submission) -> Result[steps.Submitted]:
    return steps.submit(state, given, request_digest(given.request))


def _code(result: Result[object]) -> Code | None:
    return result.reply.code if isinstance(result.reply, PlacetError) else None


def _names(result: Result[object]) -> list[str]:
    return [type(event).__name__ for event in result.events]


# Submitting


def test_a_request_opens_its_ticket_and_keeps_its_content():
    result = _submit(_state(), _given())
    assert _names(result) == ["TicketOpened"]
    assert result.contents == {content_digest(b"{}"): b"{}"}
    assert isinstance(result.reply, steps.Submitted)
    assert result.reply.effect is Effect.REQUIRE_APPROVAL
    assert (result.reply.ticket_id, result.reply.is_repeat) == (TICKET, False)
    assert result.reply.ticket
    assert result.reply.ticket.state is TicketState.PENDING
    assert result.reply.ticket.created_at == T0
    assert result.reply.reason == "writes to prod"


def _known(fingerprint: str) -> State:
    remembered = Remembered(request_digest=fingerprint, ticket_id=TicketId("t-0"))
    return _state(idempotency={(TENANT, AGENT, "key-1"): remembered}, control=_frozen(AGENT))


def test_a_repeated_idempotency_key_finds_the_first_ticket_whatever_is_frozen_since():
    result = _submit(_known(request_digest(request())), _given())
    assert isinstance(result.reply, steps.Submitted)
    assert (result.reply.ticket_id, result.reply.is_repeat) == ("t-0", True)
    assert (result.events, result.contents) == ((), {})


def test_the_same_idempotency_key_for_another_request_is_a_conflict():
    result = _submit(_known(digest("request", {})), _given())
    assert (_code(result), result.events) == (Code.IDEMPOTENCY_CONFLICT, ())


def test_an_idempotency_key_belongs_to_its_tenant_and_agent():
    given = _given()
    assert given.idempotency == (TENANT, AGENT, "key-1")
    others = {(TenantId("other"), AGENT, "key-1"), (TENANT, "other", "key-1")}
    remembered = Remembered(request_digest="x", ticket_id=TicketId("t-0"))
    result = _submit(_state(idempotency=dict.fromkeys(others, remembered)), given)
    assert _names(result) == ["TicketOpened"]


@pytest.mark.parametrize("submit", [_submit, steps.evaluate])
def test_a_decision_under_another_bundle_than_the_active_one_is_not_recorded(submit):  # noqa: ANN001
    for control in (Control(), Control(snapshot="s-2")):
        result = submit(_state(control=control), _given())
        assert (_code(result), result.events) == (Code.SNAPSHOT_CHANGED, ())


@pytest.mark.parametrize("submit", [_submit, steps.evaluate])
@pytest.mark.parametrize("target", [AGENT, EVERYONE])
def test_a_frozen_agent_submits_and_evaluates_nothing(submit, target: str):  # noqa: ANN001
    result = submit(_state(control=_frozen(target)), _given())
    assert (_code(result), result.events) == (Code.FROZEN, ())
    result = submit(_state(control=_frozen("another")), _given())
    assert _code(result) is None


def test_a_full_queue_of_one_agent_refuses_that_agent():
    given = _given(max_pending_per_agent=3)
    mine, other = (TENANT, AGENT), (TENANT, "other")
    result = _submit(_state(pending=4, pending_of={mine: 3}), given)
    assert (_code(result), result.events) == (Code.QUEUE_FULL, ())
    assert isinstance(result.reply, Refused)
    assert result.reply.message == f"3 tickets of agent {AGENT} wait already, at most 3"
    assert _names(_submit(_state(pending=4, pending_of={mine: 2, other: 9}), given)) == [
        "TicketOpened"
    ]
    for effect in (Effect.ALLOW, Effect.DENY):
        free = _given(max_pending_per_agent=3, decision=decision(effect, requirement=None))
        assert _names(_submit(_state(pending=4, pending_of={mine: 3}), free)) == ["TicketOpened"]


def test_an_agent_whose_tickets_were_not_counted_may_have_them_all():
    given = _given(max_pending_per_agent=3)
    assert _code(_submit(_state(pending=3), given)) is Code.QUEUE_FULL
    assert _code(_submit(_state(pending=2), given)) is None


def test_a_full_queue_names_the_tenant():
    result = _submit(_state(pending=10, pending_of={(TENANT, AGENT): 0}), _given())
    assert isinstance(result.reply, Refused)
    assert result.reply.message == f"10 tickets of tenant {TENANT} wait already, at most 10"


def test_the_last_tenth_of_a_queue_is_for_agents_of_which_none_waits():
    waiting, new = {(TENANT, AGENT): 1}, {(TENANT, AGENT): 0}
    given = _given(max_pending=30)
    assert _names(_submit(_state(pending=26, pending_of=waiting), given)) == ["TicketOpened"]
    for pending in (27, 29):
        result = _submit(_state(pending=pending, pending_of=waiting), given)
        assert (_code(result), result.events) == (Code.QUEUE_FULL, ())
        assert _names(_submit(_state(pending=pending, pending_of=new), given)) == ["TicketOpened"]
    assert isinstance(result.reply, Refused)
    assert result.reply.message == (
        f"29 tickets of tenant {TENANT} wait already, at most 30, "
        "and the last 3 are for agents of which none waits"
    )
    assert _code(_submit(_state(pending=30, pending_of=new), given)) is Code.QUEUE_FULL


def test_a_queue_too_short_for_a_tenth_keeps_no_place():
    given = _given(max_pending=9)
    state = _state(pending=8, pending_of={(TENANT, AGENT): 5})
    assert _names(_submit(state, given)) == ["TicketOpened"]


def test_a_full_queue_refuses_what_would_wait_and_nothing_else():
    full = _state(pending=10)
    result = _submit(full, _given())
    assert (_code(result), result.events) == (Code.QUEUE_FULL, ())
    assert _names(_submit(_state(pending=8), _given())) == ["TicketOpened"]
    for effect in (Effect.ALLOW, Effect.DENY):
        assert _names(_submit(full, _given(decision=decision(effect)))) == ["TicketOpened"]


def test_a_ticket_that_nobody_could_approve_is_recorded_and_refused():
    result = _submit(_state(), _given(eligible={}))
    assert (_code(result), _names(result)) == (Code.QUORUM_UNREACHABLE, ["TicketOpened"])


def test_a_life_out_of_range_leaves_no_trace():
    with pytest.raises(Refused) as caught:
        _submit(_state(), _given(request=request(ttl_s=0)))
    assert caught.value.code is Code.TTL_OUT_OF_RANGE


# Buckets


def _level(tokens_milli: int) -> Bucket:
    return Bucket(tokens_milli=tokens_milli, updated_at=T0)


def test_a_token_is_taken_from_each_bucket_and_recorded_with_the_birth():
    asked = decision(Effect.ALLOW, demands=(DEMAND, OTHER_DEMAND))
    result = _submit(_state(buckets={"b-1": _level(1_500)}), _given(decision=asked))
    (event,) = result.events
    assert isinstance(event, ev.TicketOpened)
    assert event.counters == (("b-1", 500, T0), ("b-2", 1_000, T0))


def test_an_empty_bucket_throttles_and_takes_nothing_from_the_others():
    asked = decision(demands=(OTHER_DEMAND, DEMAND))
    result = _submit(_state(buckets={"b-1": _level(999)}), _given(decision=asked))
    assert _names(result) == ["SubmissionThrottled"]
    (event,) = result.events
    assert isinstance(event, ev.SubmissionThrottled)
    assert (event.counters, event.retry_after_s) == ((), 1)
    assert (event.ruling.effect, event.ruling.rule_ids) == (Effect.THROTTLE, ("slow",))
    assert isinstance(result.reply, steps.Submitted)
    assert result.reply.effect is Effect.THROTTLE
    assert (result.reply.ticket_id, result.reply.ticket) == (None, None)
    assert result.reply.retry_after_s == 1
    assert result.reply.reason == "rule slow: too many of these now"
    assert result.contents == {}


@pytest.mark.parametrize("effect", [Effect.THROTTLE, Effect.DENY])
def test_what_is_refused_anyway_takes_no_token(effect: Effect):
    asked = decision(effect, demands=(DEMAND,), retry_after_s=7)
    settled = steps.settle(asked, _state(buckets={"b-1": _level(0)}))
    assert settled == steps.Settled(decision=asked, counters=(), retry_after_s=7)


def test_a_static_throttle_says_when_to_come_back():
    result = _submit(_state(), _given(decision=decision(Effect.THROTTLE, retry_after_s=7)))
    assert isinstance(result.reply, steps.Submitted)
    assert (_names(result), result.reply.retry_after_s) == (["SubmissionThrottled"], 7)


def test_an_evaluation_is_recorded_and_charged():
    asked = decision(Effect.ALLOW, demands=(DEMAND,))
    result = steps.evaluate(_state(), _given(decision=asked))
    (event,) = result.events
    assert isinstance(event, ev.DecisionEvaluated)
    assert event.counters == (("b-1", 1_000, T0),)
    assert isinstance(result.reply, steps.Settled)
    assert result.reply.decision is asked
    assert result.contents == {}


# Commands


def _handle(state: State, command: cmd.Command, tenant: TenantId = TENANT) -> Result[steps.Handled]:
    return steps.handle(state, command, tenant, {"digest": b"comment"})


def test_a_command_changes_its_ticket_and_keeps_its_texts():
    ticket = born()
    result = _handle(_state(tickets={TICKET: ticket}), ballot(ticket, ANNA))
    assert (_names(result), result.contents) == (["VoteCast"], {"digest": b"comment"})
    assert isinstance(result.reply, steps.Handled)
    assert result.reply.is_changed
    assert [vote.person for vote in result.reply.ticket.votes] == [ANNA]


def test_a_repeat_changes_nothing_and_keeps_nothing():
    ticket = approved()
    result = _handle(_state(tickets={TICKET: ticket}), ballot(ticket, ANNA))
    assert (result.events, result.contents) == ((), {})
    assert result.reply == steps.Handled(ticket=ticket, is_changed=False)


def test_a_refusal_is_answered_with_its_events():
    ticket = born()
    result = _handle(_state(tickets={TICKET: ticket}), ballot(ticket, ANNA, ADMIN))
    assert (_code(result), _names(result)) == (Code.WRONG_ROLE, ["VoteRefused"])


def test_a_ticket_of_another_tenant_does_not_exist():
    state = _state(tickets={TICKET: born()})
    expire = cmd.ExpireTicket(ticket_id=TICKET)
    for result in (_handle(state, expire, TenantId("other")), _handle(_state(), expire)):
        assert (_code(result), result.events) == (Code.NOT_FOUND, ())


def test_a_command_is_judged_at_event_time():
    state = _state(tickets={TICKET: born()}, at=T0 + timedelta(hours=1))
    assert _names(_handle(state, cmd.ExpireTicket(ticket_id=TICKET))) == ["TicketExpired"]


@pytest.mark.parametrize("target", [AGENT, EVERYONE])
def test_a_freeze_reaches_every_command_of_its_agent(target: str):
    state = _state(control=_frozen(target))
    waiting = replace(state, tickets={TICKET: born()})
    assert _code(_handle(waiting, ballot(born()))) is Code.FROZEN
    grant = approved(request=request(dispatch=Dispatch.RELEASE))
    ready = replace(state, tickets={TICKET: replace(grant, cleared_at=T0)})
    assert _code(_handle(ready, redeeming(grant))) is Code.FROZEN
    elsewhere = replace(ready, control=_frozen("another"))
    assert _names(_handle(elsewhere, redeeming(grant))) == ["GrantRedeemed"]


@pytest.mark.parametrize(
    "control",
    [
        Control(snapshot="s-1"),
        replace(ACTIVE, ended={"key:operator": ctl.KeyEnd(at=T0, reason="rotated")}),
        Control(snapshot="s-1", keys={"key:operator": public_key(purpose="vote:other")}),
    ],
    ids=["never registered", "ended", "for another role"],
)
def test_a_vote_whose_key_is_not_active_at_its_place_in_the_log_is_not_counted(control: Control):
    ticket = born()
    result = _handle(_state(tickets={TICKET: ticket}, control=control), ballot(ticket, ANNA))
    assert (_code(result), result.events, result.contents) == (Code.NOT_READY, (), {})
