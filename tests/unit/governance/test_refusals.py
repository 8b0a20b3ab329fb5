"""Steps for refusals that come in floods, and decisions made on the past."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance import refusals, steps
from governance.action import ActionKind, Dispatch
from governance.control import Control
from governance.digests import content_digest, request_digest
from governance.errors import Code, Refused, Unavailable
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.facts import Deed, Past
from governance.policy.floods import Flood, flood_key
from governance.policy.model import Bundle
from governance.ports import Result, State
from governance.preparation import prepare
from governance.service import Service
from governance.submission import Submission
from governance.tickets import events as ev
from governance.tickets.ticket import TicketId
from storage.memory.ledger import MemoryLedger
from tests.support.build import AGENT, T0, TENANT, FixedClock
from tests.support.commits import whole
from tests.support.core import (
    ADMIN,
    PEOPLE,
    CountingIds,
    FakeDirectory,
    FakeSigner,
    agent,
    decision,
    request,
)

KEY = flood_key(TENANT, AGENT, Effect.DENY, "prod-writes")
LATER = T0 + timedelta(seconds=60)


def given(effect: Effect = Effect.DENY, **changes: object) -> Submission:
    base = Submission(
        ticket_id=TicketId("t-1"),
        request=request(),
        agent=agent(),
        decision=decision(effect, snapshot=""),
        content=b"{}",
        content_digest=content_digest(b"{}"),
        eligible=PEOPLE,
        max_pending=9,
        refusals_in_full=2,
    )
    return replace(base, **changes)


def flood(**changes: object) -> Flood:
    base = Flood(
        tenant=TENANT,
        agent=AGENT,
        effect=Effect.DENY,
        rule_id="prod-writes",
        ends_at=LATER,
        recorded=2,
        count=3,
        first_at=T0 + timedelta(seconds=1),
        last_at=T0 + timedelta(seconds=2),
    )
    return replace(base, **changes)


def state(*floods: Flood, at: object = T0, **changes: object) -> State:
    return State(  # type: ignore[arg-type]
        at=at, control=Control(), floods={item.key: item for item in floods}, **changes
    )


def submit(seen: State, asked: Submission) -> Result[steps.Submitted]:
    return steps.submit(seen, asked, request_digest(asked.request))


def names(result: Result[object]) -> list[str]:
    return [type(event).__name__ for event in result.events]


def test_a_denial_opens_a_window_and_stands_in_the_log():
    result = submit(state(), given())
    assert names(result) == ["TicketOpened"]
    assert result.floods[KEY] == flood(recorded=1, count=0, first_at=T0, last_at=T0)


def test_one_of_many_denials_is_answered_and_counted():
    result = submit(state(flood()), given())
    assert (result.events, result.contents) == ((), {})
    assert result.floods == {KEY: flood(count=4, last_at=T0)}
    assert result.reply == steps.Submitted(
        effect=Effect.DENY, ticket_id=None, reason="writes to prod", rule_id="prod-writes"
    )


def test_a_window_that_is_over_is_told_before_the_refusal_that_found_it():
    result = submit(state(flood(), at=LATER), given())
    assert names(result) == ["RefusalsCoalesced", "TicketOpened"]
    told = result.events[0]
    assert told == ev.RefusalsCoalesced(
        tenant=TENANT,
        agent=AGENT,
        effect=Effect.DENY,
        rule_id="prod-writes",
        count=3,
        first_at=T0 + timedelta(seconds=1),
        last_at=T0 + timedelta(seconds=2),
    )


def test_a_throttled_request_and_an_evaluation_are_counted_alike():
    slow = given(Effect.THROTTLE, decision=decision(Effect.THROTTLE, snapshot="", rule_ids=()))
    many = flood(effect=Effect.THROTTLE, rule_id="")
    for result in (submit(state(many), slow), steps.evaluate(state(many), slow)):
        assert result.events == ()
        assert result.floods == {many.key: replace(many, count=4, last_at=T0)}
    assert isinstance(submit(state(many), slow).reply, steps.Submitted)
    assert isinstance(steps.evaluate(state(many), slow).reply, steps.Settled)
    for result in (submit(state(), slow), steps.evaluate(state(), slow)):
        assert names(result) in (["SubmissionThrottled"], ["DecisionEvaluated"])


def test_what_nobody_could_approve_keeps_its_code_when_it_is_only_counted():
    unreachable = flood(effect=Effect.REQUIRE_APPROVAL, rule_id="quorum_unreachable")
    asked = given(Effect.REQUIRE_APPROVAL, eligible={})
    for seen in (state(), state(unreachable)):
        result = submit(seen, asked)
        assert isinstance(result.reply, Refused)
        assert result.reply.code is Code.QUORUM_UNREACHABLE
        assert list(result.floods) == [unreachable.key]
    assert result.events == ()


def test_a_sweep_tells_what_is_over_and_leaves_the_rest():
    over = flood()
    quiet = flood(rule_id="quiet", count=0)
    open_ = flood(rule_id="open", ends_at=LATER + timedelta(seconds=1))
    keys = (over.key, quiet.key, open_.key, "gone")
    result = refusals.close_floods(state(over, quiet, open_, at=LATER), keys)
    assert (result.reply, names(result)) == (2, ["RefusalsCoalesced"])
    assert result.floods == {over.key: None, quiet.key: None}


def test_a_constraint_names_a_refusal_that_no_rule_names():
    told = decision(Effect.DENY, rule_ids=(), constraint_ids=("C-1",))
    assert refusals.rule_of(told) == "C-1"
    assert refusals.rule_of(replace(told, constraint_ids=())) == ""


# Decisions on the past

BUNDLE = replace(
    load(
        {
            "version": "v1",
            "rules": [
                {"id": "work", "match": {"topics": ["job.*"]}, "decision": "allow"},
                {
                    "id": "again",
                    "match": {"after": [{"within": "1h"}]},
                    "decision": "require_approval",
                },
            ],
            "tiers": {"high": {"roles": {ADMIN: {"weight": 1, "min_required": 1}}}},
            "default_tier": "high",
        }
    ),
    snapshot="",
)
PLAIN = replace(load({"version": "v1", "rules": []}), snapshot="")
ASKED = request(tool="", action=ActionKind.READ, dispatch=Dispatch.RELEASE)
BEFORE = Deed(
    ticket_id="t-0",
    at=T0,
    agent=AGENT,
    trace_id="x",
    topic="job.x",
    tool="",
    action="read",
    target="",
    seq=7,
)


async def prepared(directory: FakeDirectory) -> Submission:
    return await prepare(
        ASKED,
        agent(),
        bundle=BUNDLE,
        clock=FixedClock(),
        directory=directory,
        ids=CountingIds(),
    )


async def test_a_decision_is_made_on_the_past_that_the_transaction_sees():
    asked = await prepared(FakeDirectory())
    assert asked.decision.effect is Effect.ALLOW
    for past, effect, deeds in ((Past(), Effect.ALLOW, 0), (Past(deeds=(BEFORE,)), None, 1)):
        result = submit(state(past=past), asked)
        assert isinstance(result.reply, steps.Submitted)
        assert result.reply.effect is (effect or Effect.REQUIRE_APPROVAL)
        (event,) = result.events
        assert isinstance(event, ev.TicketOpened)
        assert event.considered is not None
        assert (event.considered.agent_s, event.considered.deeds) == (3600, deeds)
    evaluated = steps.evaluate(state(past=Past(deeds=(BEFORE,))), asked)
    (event,) = evaluated.events
    assert isinstance(event, ev.DecisionEvaluated)
    assert (event.ruling.effect, event.action) == (Effect.REQUIRE_APPROVAL, "read")
    assert event.considered is not None


async def test_people_that_nobody_could_look_up_are_missed_only_where_they_are_asked():
    asked = await prepared(FakeDirectory(is_down=True))
    allowed = submit(state(), asked)
    assert isinstance(allowed.reply, steps.Submitted)
    assert allowed.reply.effect is Effect.ALLOW
    missed = submit(state(past=Past(deeds=(BEFORE,))), asked)
    assert isinstance(missed.reply, Unavailable)
    assert (missed.reply.code, missed.events) == (Code.IDENTITY_UNAVAILABLE, ())


@pytest.mark.parametrize(("bundle", "looks_back"), [(BUNDLE, True), (PLAIN, False)])
async def test_only_a_bundle_that_looks_back_is_decided_on_twice(bundle: object, looks_back: bool):
    asked = await prepare(
        ASKED,
        agent(),
        bundle=bundle,  # type: ignore[arg-type]
        clock=FixedClock(),
        directory=FakeDirectory(),
        ids=CountingIds(),
    )
    assert (asked.bundle is not None, asked.wanted is not None) == (looks_back, looks_back)


# Through the one door


def service(ledger: MemoryLedger, clock: FixedClock, bundle: Bundle) -> Service:
    return Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=FakeSigner(),
        directory=FakeDirectory(),
        ids=CountingIds(),
        bundle=bundle,
        tenant=TENANT,
    )


async def test_the_door_looks_the_past_up_only_where_rules_ask_about_it():
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    door = service(ledger, clock, BUNDLE)
    await door.submit(ASKED, agent())
    past = await door.past(ASKED, BUNDLE, at=clock.now())
    assert [deed.ticket_id for deed in past.deeds] == ["t-1"]
    assert await door.past(ASKED, PLAIN, at=clock.now()) == Past()


async def test_the_door_closes_windows_that_are_over():
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    door = service(ledger, clock, PLAIN)
    for number in range(7):
        await door.submit(replace(ASKED, idempotency_key=f"key-{number}"), agent())
    clock.pass_(60)
    due = await ledger.due(clock.now(), clearance_age_s=60, limit=9)
    assert await door.close_floods(due.floods) == 1
    (told,) = [r for r in await whole(ledger) if r.type == "RefusalsCoalesced"]
    assert isinstance(told.payload, dict)
    assert (told.payload["count"], told.payload["rule_id"]) == (2, "")
    assert await door.close_floods(due.floods) == 0
