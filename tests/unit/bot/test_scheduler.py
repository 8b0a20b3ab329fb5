"""The clock only builds commands, and distrusts itself."""

import pytest

from bot.scheduler import MAX_JUMP_S, JumpGuard, Sweeper, WallClock
from governance.outbox import OwedKind
from governance.policy.bundle import load
from governance.service import Service
from governance.tickets.ticket import TicketId, TicketState
from storage.memory import MemoryLedger
from tests.support import core
from tests.support.build import T0, TENANT, FixedClock, allowed, opened
from tests.support.commits import append


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
