"""Idempotency keys are kept for their ticket's life and 30 days more, never shorter."""

from dataclasses import replace
from datetime import timedelta

from governance.idempotency import KEPT_FOR
from governance.policy.decision import Effect
from governance.ports import Keys, Remembered, Result, State
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import TicketId, TicketState
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import FixedClock
from tests.support.commits import append

NEARLY = KEPT_FOR - timedelta(seconds=1)


def born(name: str, key: str, **changes: object) -> ev.TicketOpened:
    return build.opened(name, ask=build.ask(idempotency_key=key), **changes)


def cancelled(name: str) -> ev.TicketCancelled:
    event: ev.TicketCancelled = build.on(name, ev.TicketCancelled, actor="agent:deployer")
    return event


async def used_for(ledger: AnyLedger, key: str) -> str | None:
    whose = (build.TENANT, build.AGENT, key)

    def step(state: State) -> Result[Remembered | None]:
        return Result(reply=state.idempotency.get(whose))

    found = (await ledger.commit(Keys(idempotency=(whose,)), step)).reply
    return None if found is None else found.ticket_id


async def test_a_key_is_forgotten_thirty_days_after_its_ticket_ended_and_not_before(
    ledger: AnyLedger, clock: FixedClock
):
    await append(ledger, born("t-1", "k"))
    await append(ledger, cancelled("t-1"))
    clock.pass_(NEARLY.total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 0
    assert await used_for(ledger, "k") == "t-1"
    clock.pass_(1)
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 1
    assert await used_for(ledger, "k") is None
    assert await ledger.forget_keys(9) == 0


async def test_a_key_whose_ticket_lives_is_never_forgotten(ledger: AnyLedger, clock: FixedClock):
    far = clock.now() + timedelta(days=900)
    await append(ledger, born("t-wait", "k-1", expires_at=far))
    await append(ledger, build.allowed("t-run", ask=build.ask(idempotency_key="k-2")))
    await append(ledger, build.started("t-run"))
    await append(ledger, build.on("t-run", run_ev.ExecutionLost, run_id="run-1"))
    clock.pass_(timedelta(days=400).total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 0
    assert [await used_for(ledger, key) for key in ("k-1", "k-2")] == ["t-wait", "t-run"]


async def test_the_time_of_a_key_begins_with_its_ticket_s_end(ledger: AnyLedger, clock: FixedClock):
    await append(ledger, born("t-1", "k", expires_at=clock.now() + timedelta(days=2)))
    clock.pass_(timedelta(days=1).total_seconds())
    await append(ledger, cancelled("t-1"))
    clock.pass_(NEARLY.total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 0


async def test_a_forgotten_key_may_be_used_anew_and_is_kept_again(
    ledger: AnyLedger, clock: FixedClock
):
    denied = replace(born("t-1", "k", ruling=build.ruling(Effect.DENY)), state=TicketState.DENIED)
    await append(ledger, denied)
    clock.pass_(KEPT_FOR.total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 1
    await append(ledger, born("t-2", "k", expires_at=clock.now() + timedelta(hours=1)))
    assert await used_for(ledger, "k") == "t-2"
    clock.pass_(KEPT_FOR.total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 0
    assert (await ledger.ticket(TicketId("t-1"))) is not None


async def test_a_clock_that_runs_ahead_of_the_log_forgets_nothing(
    ledger: AnyLedger, clock: FixedClock
):
    await append(ledger, born("t-1", "k"))
    await append(ledger, cancelled("t-1"))
    clock.pass_(2 * KEPT_FOR.total_seconds())
    assert await ledger.forget_keys(9) == 0  # the log has not seen that time


async def test_a_log_that_was_written_by_a_clock_ahead_forgets_nothing_once_it_is_back(
    ledger: AnyLedger, clock: FixedClock
):
    await append(ledger, born("t-1", "k"))
    await append(ledger, cancelled("t-1"))
    clock.pass_(2 * KEPT_FOR.total_seconds())
    await append(ledger, build.evaluated())
    clock.pass_(-2 * KEPT_FOR.total_seconds())
    assert await ledger.forget_keys(9) == 0
    assert await used_for(ledger, "k") == "t-1"


async def test_keys_are_forgotten_in_batches_longest_over_first(
    ledger: AnyLedger, clock: FixedClock
):
    for number in range(5):
        await append(ledger, born(f"t-{number}", f"k-{number}"))
        await append(ledger, cancelled(f"t-{number}"))
        clock.pass_(1)
    clock.pass_(KEPT_FOR.total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(2) == 2
    left = [await used_for(ledger, f"k-{number}") for number in range(5)]
    assert left == [None, None, "t-2", "t-3", "t-4"]
    assert [await ledger.forget_keys(2) for _ in range(3)] == [2, 1, 0]


async def test_a_key_is_forgotten_by_its_own_agent_s_ticket_alone(
    ledger: AnyLedger, clock: FixedClock
):
    other = build.ask(idempotency_key="k", agent=build.AgentId("other"))
    await append(ledger, born("t-1", "k"))
    await append(
        ledger, build.opened("t-2", ask=other, expires_at=clock.now() + timedelta(days=99))
    )
    await append(ledger, cancelled("t-1"))
    clock.pass_(KEPT_FOR.total_seconds())
    await append(ledger, build.evaluated())
    assert await ledger.forget_keys(9) == 1
    whose = (build.TENANT, build.AgentId("other"), "k")
    found = await ledger.commit(
        Keys(idempotency=(whose,)), lambda state: Result(reply=state.idempotency[whose])
    )
    assert found.reply.ticket_id == "t-2"
