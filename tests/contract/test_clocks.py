"""A clock that is set back puts off nothing that is owed."""

from datetime import timedelta

from governance.outbox import LONGEST_WAIT_S, Owed, OwedKind
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import T0, FixedClock
from tests.support.commits import append

CARD = Owed(kind=OwedKind.CARD, key="t-1")
CLEAR = Owed(kind=OwedKind.CLEAR, key="t-2")
WATCH = Owed(kind=OwedKind.WATCH, key="t-1")


async def owed_at(ledger: AnyLedger, clock: FixedClock) -> list[Owed]:
    claimed = await ledger.claim(list(OwedKind), at=clock.now(), lease_s=15, limit=10)
    return [one.owed for one in claimed]


async def test_what_an_event_owes_is_due_by_the_clock_although_the_log_is_ahead(
    ledger: AnyLedger, clock: FixedClock
):
    clock.pass_(1800)
    await append(ledger, build.opened("t-1"))
    assert await owed_at(ledger, clock) == [CARD]
    clock.pass_(-1800)
    await append(ledger, build.allowed("t-2"))
    assert await owed_at(ledger, clock) == [CLEAR]


async def test_what_was_owed_or_held_by_a_clock_far_ahead_is_due(
    ledger: AnyLedger, clock: FixedClock
):
    clock.pass_(LONGEST_WAIT_S + 60)
    await append(ledger, build.opened("t-1"), build.allowed("t-2"))
    held = await ledger.claim([OwedKind.CARD], at=clock.now(), lease_s=15, limit=10)
    assert [one.owed for one in held] == [CARD]
    clock.at = T0
    assert set(await owed_at(ledger, clock)) == {CARD, CLEAR, WATCH}


async def test_what_is_put_off_for_as_long_as_may_be_waits(ledger: AnyLedger, clock: FixedClock):
    await ledger.owe(CARD, at=T0 + timedelta(seconds=LONGEST_WAIT_S))
    assert await owed_at(ledger, clock) == []
    clock.pass_(LONGEST_WAIT_S)
    assert await owed_at(ledger, clock) == [CARD]
