"""Floods of refusals: the first of a window in full, the rest as one number, by every ledger."""

import asyncio
from datetime import timedelta

import pytest

from governance.errors import Code, Refused
from governance.policy.decision import Effect
from governance.ports import DueWork
from governance.tickets import events as ev
from storage import codec
from tests.contract.conftest import AnyLedger
from tests.contract.test_past import OTHER, Asker, policy, stop
from tests.support.build import AGENT, T0, FixedClock
from tests.support.commits import whole
from tests.support.core import agent, request

SLOW = {
    "id": "slow",
    "match": {"topics": ["job.slow"]},
    "decision": "throttle",
    "rate": {"per": "tenant", "count": 1, "window_s": 3600},
}


@pytest.fixture
def asker(ledger: AnyLedger, clock: FixedClock) -> Asker:
    return Asker(ledger, clock, policy(stop(topics=["job.never"]), SLOW))


async def names(ledger: AnyLedger) -> list[str]:
    return [record.type for record in await whole(ledger)]


async def told(ledger: AnyLedger) -> list[ev.RefusalsCoalesced]:
    found = [
        codec.event(record.type, record.version, record.payload) for record in await whole(ledger)
    ]
    return [event for event in found if isinstance(event, ev.RefusalsCoalesced)]


async def close(ledger: AnyLedger, asker: Asker, clock: FixedClock) -> DueWork:
    due = await ledger.due(clock.now(), clearance_age_s=3600, limit=10)
    await asker.service.close_floods(due.floods)
    return due


async def test_the_first_of_a_window_are_jobs_and_the_rest_one_number(
    ledger: AnyLedger, clock: FixedClock, asker: Asker
):
    first = [await asker.ask(topic="job.never") for _ in range(5)]
    assert all(one.ticket is not None and one.effect is Effect.DENY for one in first)
    clock.pass_(10)
    more = await asyncio.gather(*(asker.ask(topic="job.never") for _ in range(20)))
    clock.pass_(5)
    more.append(await asker.ask(topic="job.never"))
    for one in more:
        assert (one.effect, one.ticket_id, one.ticket) == (Effect.DENY, None, None)
        assert (one.reason, one.rule_id) == ("rule stop", "stop")
    assert await names(ledger) == ["TicketOpened"] * 5
    assert (await close(ledger, asker, clock)).floods == ()
    clock.pass_(45)
    assert len((await close(ledger, asker, clock)).floods) == 1
    (event,) = await told(ledger)
    assert (event.count, event.effect, event.rule_id) == (21, Effect.DENY, "stop")
    assert (event.agent, event.first_at) == (AGENT, T0 + timedelta(seconds=10))
    assert event.last_at == T0 + timedelta(seconds=15)
    assert (await close(ledger, asker, clock)).floods == ()
    assert len(await told(ledger)) == 1


async def test_the_next_refusal_closes_a_window_that_no_sweep_closed(
    ledger: AnyLedger, clock: FixedClock, asker: Asker
):
    for _ in range(8):
        await asker.ask(topic="job.never")
    clock.pass_(60)
    assert (await asker.ask(topic="job.never")).ticket is not None
    assert (await names(ledger))[5:] == ["RefusalsCoalesced", "TicketOpened"]
    (event,) = await told(ledger)
    assert event.count == 3


async def test_a_window_in_which_all_are_recorded_leaves_nothing_more(
    ledger: AnyLedger, clock: FixedClock, asker: Asker
):
    await asker.ask(topic="job.never")
    clock.pass_(60)
    assert len((await close(ledger, asker, clock)).floods) == 1
    assert await names(ledger) == ["TicketOpened"]
    assert (await close(ledger, asker, clock)).floods == ()


async def test_each_agent_effect_and_rule_has_a_window_of_its_own(ledger: AnyLedger, asker: Asker):
    for _ in range(6):
        await asker.ask(topic="job.never")
    assert (await asker.ask(topic="job.never")).ticket is None
    assert (await asker.ask(OTHER, topic="job.never")).ticket is not None
    assert (await asker.ask(topic="other.thing")).ticket is not None
    await asker.ask(topic="job.slow")
    throttled = [await asker.ask(topic="job.slow") for _ in range(9)]
    assert {one.effect for one in throttled} == {Effect.THROTTLE}
    assert all(one.retry_after_s > 3000 for one in throttled)
    assert (await names(ledger)).count("SubmissionThrottled") == 5


async def test_denied_evaluations_are_counted_too(
    ledger: AnyLedger, clock: FixedClock, asker: Asker
):
    asked = request(topic="job.never", tool="")
    effects = {(await asker.service.evaluate(asked, agent())).decision.effect for _ in range(12)}
    assert effects == {Effect.DENY}
    assert await names(ledger) == ["DecisionEvaluated"] * 5
    clock.pass_(60)
    await close(ledger, asker, clock)
    (event,) = await told(ledger)
    assert event.count == 7


async def test_what_nobody_could_approve_is_counted_by_its_code(
    ledger: AnyLedger, clock: FixedClock
):
    asker = Asker(ledger, clock, policy(stop("require_approval")))
    asker.directory.people = {}
    for _ in range(9):
        with pytest.raises(Refused) as caught:
            await asker.ask()
        assert caught.value.code is Code.QUORUM_UNREACHABLE
    assert await names(ledger) == ["TicketOpened"] * 5
    clock.pass_(60)
    await close(ledger, asker, clock)
    (event,) = await told(ledger)
    assert (event.rule_id, event.count) == ("quorum_unreachable", 4)


async def test_a_key_under_which_a_refusal_was_only_counted_is_free(
    ledger: AnyLedger, clock: FixedClock, asker: Asker
):
    recorded = await asker.ask(topic="job.never", key="first")
    for _ in range(4):
        await asker.ask(topic="job.never")
    counted = await asker.ask(topic="job.never", key="last")
    again = await asker.ask(topic="job.never", key="first")
    assert (again.is_repeat, again.ticket_id) == (True, recorded.ticket_id)
    clock.pass_(60)
    fresh = await asker.ask(topic="job.never", key="last")
    assert counted.ticket_id is None
    assert (fresh.is_repeat, fresh.ticket is not None) == (False, True)
