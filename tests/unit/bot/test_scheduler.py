"""The clock only builds commands, and distrusts itself."""

import asyncio

import pytest
from apscheduler.events import EVENT_JOB_MAX_INSTANCES

from bot.forgetting import forget_keys
from bot.scheduler import BATCH, MAX_JUMP_S, JumpGuard, Sweeper, Ticker, WallClock
from governance.errors import Code, Unavailable
from governance.idempotency import KEPT_FOR
from governance.outbox import OwedKind
from governance.policy.bundle import load
from governance.ports import TicketQuery
from governance.service import Service
from governance.tickets.events import TicketExpired
from governance.tickets.ticket import TicketId, TicketState
from storage.memory.ledger import MemoryLedger
from tests.support import core
from tests.support.build import T0, TENANT, FixedClock, allowed, evaluated, on, opened
from tests.support.commits import append
from tests.support.failing import down


class Steady:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def ledger(clock: FixedClock) -> MemoryLedger:
    return MemoryLedger(clock)


def sweeper(ledger: MemoryLedger, clock: FixedClock, steady: Steady) -> Sweeper:
    service = Service(
        ledger=ledger,
        reader=ledger,
        clock=clock,
        signer=core.FakeSigner(),
        directory=core.FakeDirectory(),
        ids=core.CountingIds(),
        bundle=load({"version": "v1", "name": "sweep", "rules": []}),
        tenant=TENANT,
    )
    return Sweeper(
        service=service,
        reader=ledger,
        outbox=ledger,
        clock=clock,
        guard=JumpGuard(clock, monotonic=steady),
    )


def pass_(clock: FixedClock, steady: Steady, seconds: float) -> None:
    clock.pass_(seconds)
    steady.at += seconds


async def test_nothing_expires_before_its_time_and_everything_after(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    event = opened("t-1")
    await append(ledger, event)
    left = (event.expires_at - clock.now()).total_seconds()
    pass_(clock, steady, left - 1)
    await sweep.sweep()
    ticket = await ledger.ticket(TicketId("t-1"))
    assert ticket is not None
    assert ticket.state is TicketState.PENDING
    pass_(clock, steady, 1)
    await sweep.sweep()
    ticket = await ledger.ticket(TicketId("t-1"))
    assert ticket is not None
    assert ticket.state is TicketState.EXPIRED


async def test_a_clock_that_jumps_ahead_stops_the_sweeps(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    await append(ledger, opened("t-1"))
    clock.pass_(48 * 3600)  # the wall clock only
    assert await sweep.sweep() == 0
    steady.at += 3600
    assert await sweep.sweep() == 0
    ticket = await ledger.ticket(TicketId("t-1"))
    assert ticket is not None
    assert ticket.state is TicketState.PENDING


async def test_sweeps_go_on_once_the_clock_is_back(ledger: MemoryLedger, clock: FixedClock) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    event = opened("t-1")
    await append(ledger, event)
    clock.pass_(48 * 3600)
    assert await sweep.sweep() == 0
    clock.pass_(-48 * 3600)
    pass_(clock, steady, (event.expires_at - clock.now()).total_seconds())
    assert await sweep.sweep() > 0
    ticket = await ledger.ticket(TicketId("t-1"))
    assert ticket is not None
    assert ticket.state is TicketState.EXPIRED


async def test_one_sweep_expires_more_than_one_batch(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    await append(ledger, *(opened(f"t-{number}") for number in range(2 * BATCH + 1)))
    pass_(clock, steady, 3600)
    assert await sweep.sweep() == 2 * BATCH + 1
    expired = TicketQuery(states=(TicketState.EXPIRED,), limit=3 * BATCH)
    assert len(await ledger.tickets(expired)) == 2 * BATCH + 1
    assert await sweep.sweep() == 0


async def test_a_sweep_that_gets_nothing_done_does_not_try_again_and_again(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    await append(ledger, *(opened(f"t-{number}") for number in range(BATCH)))
    pass_(clock, steady, 3600)
    with down(ledger):
        assert await sweep.sweep() == BATCH
    assert await sweep.sweep() == BATCH


async def test_sweeps_without_a_log_are_one_line_however_many_tickets_are_due(
    ledger: MemoryLedger, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    await append(ledger, *(opened(f"t-{number}") for number in range(7)))
    pass_(clock, steady, 3600)
    with down(ledger):
        for _ in range(5):
            await sweep.sweep()
    (line,) = caplog.messages
    assert line == "sweep: 7 were not done, such as that of t-0: ledger_unavailable"


async def test_a_tick_that_fails_again_and_again_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    turns, enough = iter(range(3)), asyncio.Event()

    async def work() -> None:
        if next(turns) == 2:
            enough.set()
        raise Unavailable(Code.LEDGER_UNAVAILABLE, "it could not be written")

    ticker = Ticker()
    ticker.every(0.01, "checkpoint", work, at_once=True)
    ticker.start()
    try:
        await asyncio.wait_for(enough.wait(), 5)
    finally:
        ticker.stop()
    lines = [one.message for one in caplog.records if one.name == "bot.scheduler"]
    assert lines == ["checkpoint: it could not be written (ledger_unavailable)"]


async def test_what_is_over_is_not_marked_as_overdue_as_well(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    await append(ledger, opened("t-1"))
    pass_(clock, steady, 3600)
    assert await sweep.sweep() == 1
    told = [record.type for record in await ledger.history(TicketId("t-1"))]
    assert told == ["TicketOpened", "TicketExpired"]


async def test_keys_are_forgotten_batch_by_batch_and_not_while_the_clock_is_ahead(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    guard = JumpGuard(clock, monotonic=steady)
    count = 2 * BATCH + 1
    for number in range(count):
        await append(ledger, opened(f"t-{number}"), on(f"t-{number}", TicketExpired))
    clock.pass_(KEPT_FOR.total_seconds() + 3600)
    await append(ledger, evaluated())
    assert await forget_keys(ledger, guard) == 0
    steady.at += KEPT_FOR.total_seconds() + 3600
    assert await forget_keys(ledger, guard) == count
    assert await forget_keys(ledger, guard) == 0


def test_a_clock_that_runs_ahead_by_small_jumps_is_noticed(clock: FixedClock) -> None:
    steady = Steady()
    guard = JumpGuard(clock, monotonic=steady)
    for _ in range(4):
        clock.pass_(MAX_JUMP_S / 4)
        pass_(clock, steady, 3600)
        assert guard.check()
    clock.pass_(1)
    assert not guard.check()


def test_a_clock_that_went_back_and_returned_is_not_ahead(clock: FixedClock) -> None:
    steady = Steady()
    guard = JumpGuard(clock, monotonic=steady)
    clock.pass_(-7200)
    assert guard.check()
    clock.pass_(7200)
    assert guard.check()


async def test_a_clock_that_is_set_back_puts_off_no_tick(clock: FixedClock) -> None:
    steady, done = Steady(), asyncio.Event()

    async def work() -> None:
        done.set()

    ticker = Ticker(clock, steady, look_s=0.01)
    ticker.every(3600, "work", work)  # as if its next turn were an hour too late
    ticker.start()
    try:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(done.wait(), 0.05)  # small steps are none
        clock.pass_(-3600)
        await asyncio.wait_for(done.wait(), 5)
    finally:
        ticker.stop()


async def test_turns_that_are_skipped_while_one_lasts_are_no_lines(
    caplog: pytest.LogCaptureFixture,
) -> None:
    skipped = asyncio.Event()

    async def work() -> None:
        await asyncio.Event().wait()

    ticker = Ticker()
    ticker.every(0.01, "work", work, at_once=True)
    ticker._scheduler.add_listener(lambda _: skipped.set(), EVENT_JOB_MAX_INSTANCES)
    ticker.start()
    try:
        await asyncio.wait_for(skipped.wait(), 5)
    finally:
        ticker.stop()
    assert caplog.messages == []


async def test_a_turn_that_a_stop_cuts_short_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    begun, ended = asyncio.Event(), asyncio.Event()

    async def work() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    ticker = Ticker()
    ticker.every(3600, "work", work, at_once=True)
    ticker.start()
    await asyncio.wait_for(begun.wait(), 5)
    ticker.stop()
    await asyncio.wait_for(ended.wait(), 5)
    await asyncio.sleep(0)
    assert not [one for one in caplog.records if one.levelname in {"ERROR", "WARNING"}]


def test_a_small_correction_of_the_clock_is_no_jump(clock: FixedClock) -> None:
    steady = Steady()
    guard = JumpGuard(clock, monotonic=steady)
    pass_(clock, steady, 1)
    clock.pass_(MAX_JUMP_S - 1)
    assert guard.check()
    clock.pass_(-MAX_JUMP_S)
    assert guard.check()
    assert not guard.has_jumped


async def test_an_approved_action_that_did_not_start_is_confirmed_anew(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    steady = Steady()
    sweep = sweeper(ledger, clock, steady)
    await append(ledger, allowed("t-1"))
    for claimed in await ledger.claim((OwedKind.CLEAR,), at=clock.now(), lease_s=5, limit=5):
        await ledger.done(claimed)
    pass_(clock, steady, 200)
    await sweep.sweep()
    owed = await ledger.claim((OwedKind.CLEAR,), at=clock.now(), lease_s=5, limit=5)
    assert [item.owed.key for item in owed] == ["t-1"]


def test_the_wall_clock_is_aware_and_in_utc() -> None:
    now = WallClock().now()
    assert now.utcoffset() is not None
    assert now > T0
