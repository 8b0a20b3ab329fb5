"""The laws of what is counted of the log: every ledger tells the same of the same records."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance.policy.decision import Effect, TraceLine
from governance.statistics import COUNTED, Fact
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import Choice, TicketId
from storage.memory.facts import fact_of
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import AGENT, BEN, T0, TENANT, FixedClock
from tests.support.commits import append, whole

FIRED = (
    TraceLine(source="rule", id="deploys", verdict="require_approval", note="'quoted'"),
    TraceLine(source="rule", id="idle \u00e9\u4e2d", verdict="not counted"),
    TraceLine(source="tier", id="high", verdict="severity"),
    TraceLine(source="rule", id="all", verdict="allow"),
)
RULED = build.ruling(rule_ids=("deploys", 'say "hi"', "\u4e2d"))


def _flood(tenant: str = TENANT) -> ev.RefusalsCoalesced:
    return ev.RefusalsCoalesced(
        tenant=build.TenantId(tenant),
        agent=AGENT,
        effect=Effect.THROTTLE,
        rule_id="slow",
        count=41,
        first_at=T0,
        last_at=T0,
    )


async def _story(ledger: AnyLedger, clock: FixedClock) -> None:
    await append(ledger, build.opened("t-1", trace=FIRED, ruling=RULED), build.allowed("t-2"))
    clock.pass_(60)
    await append(ledger, build.cast("t-1"), replace(build.evaluated(), trace=FIRED))
    clock.pass_(60)
    against = {"person": BEN, "role": "security-admin", "weight": 3, "choice": Choice.REJECT}
    await append(ledger, build.cast("t-1", **against))
    told = build.on("t-1", ev.TicketRejected, person=BEN, cause="veto")
    other = build.ask(tenant=build.TenantId("umbrella"), idempotency_key="other")
    await append(ledger, told, _flood(), _flood("umbrella"), build.opened("t-9", ask=other))
    clock.pass_(60)
    await append(ledger, build.opened("t-3"), build.on("t-3", ev.TicketExpired))


async def _facts(ledger: AnyLedger, low: int = 0, high: int = 10_000) -> list[Fact]:
    return list(await ledger.facts(TENANT, low, high))


async def test_what_is_counted_is_what_the_records_say(
    ledger: AnyLedger, clock: FixedClock
) -> None:
    await _story(ledger, clock)
    ours = [one for one in await whole(ledger) if one.header.tenant == TENANT]
    told = [fact_of(one) for one in ours]
    facts = await _facts(ledger)
    assert facts == [fact for fact in told if fact is not None]
    assert facts[0] == Fact(
        seq=1,
        at=T0,
        type="TicketOpened",
        ticket_id="t-1",
        word=Effect.REQUIRE_APPROVAL.value,
        who="PENDING",
        tier="high",
        rules=RULED.rule_ids,
        fired=("deploys", "all"),
    )
    by_type = {fact.type: fact for fact in facts}
    assert by_type["DecisionEvaluated"].fired == ("deploys", "all")
    assert (by_type["VoteCast"].who, by_type["VoteCast"].word) == (BEN, Choice.REJECT.value)
    flood = by_type["RefusalsCoalesced"]
    assert (flood.word, flood.fired, flood.count) == (Effect.THROTTLE.value, ("slow",), 41)
    assert by_type["TicketExpired"].ticket_id == "t-3"


async def test_a_page_holds_the_records_between_two_numbers(
    ledger: AnyLedger, clock: FixedClock
) -> None:
    await _story(ledger, clock)
    every = await _facts(ledger)
    assert [fact.seq for fact in await _facts(ledger, 2, 4)] == [3, 4]
    assert await _facts(ledger, 4, 4) == []
    pages = [fact for low in range(0, 20, 3) for fact in await _facts(ledger, low, low + 3)]
    assert pages == every


@pytest.mark.parametrize(
    ("seconds", "seq"), [(-1, 0), (0, 0), (1, 2), (60, 2), (61, 4), (120, 4), (180, 9), (999, 11)]
)
async def test_the_first_record_of_a_window_is_found(
    ledger: AnyLedger, clock: FixedClock, seconds: int, seq: int
) -> None:
    assert await ledger.seq_before(T0 + timedelta(days=1)) == 0
    await _story(ledger, clock)
    assert await ledger.seq_before(T0 + timedelta(seconds=seconds)) == seq


async def test_every_type_that_is_counted_is_one_that_is_recorded() -> None:
    recorded = {type(event).__name__ for event, _ in build.samples().values()}
    assert recorded >= COUNTED


async def test_what_is_not_counted_is_not_read(ledger: AnyLedger) -> None:
    await append(ledger, build.opened("t-1"), build.on("t-1", run_ev.ExecutionCleared))
    assert [fact.type for fact in await _facts(ledger)] == ["TicketOpened"]
    assert list(await ledger.history(TicketId("t-1")))[-1].type == "ExecutionCleared"
