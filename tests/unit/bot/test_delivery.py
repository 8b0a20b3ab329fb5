"""The outbox is drained until each message is done or buried, and a bug in one stops no other."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from bot.delivery import (
    MAX_ATTEMPTS,
    Delivery,
    Lane,
    RetryLater,
    Undeliverable,
    Worker,
    owe_all_cards,
)
from governance.errors import Code, Refused, Unavailable
from governance.outbox import Claimed, Owed, OwedKind
from storage.memory.ledger import MemoryLedger
from tests.support.build import T0, FixedClock, opened
from tests.support.commits import append

CARD = Owed(kind=OwedKind.CARD, key="t-1")
OTHER = Owed(kind=OwedKind.CARD, key="t-2")


class Told:
    """A worker that answers as it is told, and remembers what it was asked."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.asked: list[str] = []

    async def work(self, key: str) -> None:
        self.asked.append(key)
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer


def delivery(
    ledger: MemoryLedger, clock: FixedClock, worker: Worker, kind: OwedKind = OwedKind.CARD
) -> Delivery:
    return Delivery(outbox=ledger, reader=ledger, clock=clock, workers={kind: worker})


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def ledger(clock: FixedClock) -> MemoryLedger:
    return MemoryLedger(clock)


async def test_an_outbox_that_cannot_be_worked_is_one_line_whatever_the_lanes(
    ledger: MemoryLedger, clock: FixedClock, caplog: pytest.LogCaptureFixture
) -> None:
    tried = {OwedKind.CARD: asyncio.Event(), OwedKind.CLEAR: asyncio.Event()}

    async def claim(kinds: Sequence[OwedKind], **_: object) -> Sequence[Claimed]:
        tried[kinds[0]].set()
        raise Unavailable(Code.LEDGER_UNAVAILABLE, "it could not be written")

    setattr(ledger, "claim", claim)  # noqa: B010  # the port of this one object
    worker = Told().work
    lanes = [Lane(kinds=(kind,)) for kind in tried]
    working = Delivery(
        outbox=ledger,
        reader=ledger,
        clock=clock,
        workers=dict.fromkeys(tried, worker),
        lanes=lanes,
    )
    working.start()
    await asyncio.gather(*(one.wait() for one in tried.values()))
    await asyncio.sleep(0)
    await working.stop()
    assert caplog.messages == ["the outbox cannot be worked: ledger_unavailable"]


async def test_a_message_is_worked_off_once(ledger: MemoryLedger, clock: FixedClock) -> None:
    told = Told()
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    assert await box.drain() == 1
    assert await box.drain() == 0
    assert told.asked == ["t-1"]
    assert box.is_idle


async def test_only_the_kinds_it_has_workers_for_are_taken(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    told = Told()
    await ledger.owe(CARD, at=T0)
    assert await delivery(ledger, clock, told.work, OwedKind.EXECUTE).drain() == 0


@pytest.mark.parametrize(
    ("error", "after_s"),
    [
        (RetryLater("429", after_s=7), 7),
        (Unavailable(Code.LEDGER_BUSY, "busy"), 1),
        (RuntimeError("a bug"), 1),
    ],
)
async def test_what_failed_is_tried_again_when_it_is_due(
    ledger: MemoryLedger, clock: FixedClock, error: Exception, after_s: int
) -> None:
    told = Told(error)
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    await box.drain()
    clock.pass_(after_s - 0.5)
    assert await box.drain() == 0
    clock.pass_(0.6)
    assert await box.drain() == 1
    assert told.asked == ["t-1", "t-1"]


async def test_a_bug_in_one_effect_stops_no_other(ledger: MemoryLedger, clock: FixedClock) -> None:
    told = Told(RuntimeError("a bug"), None)
    await ledger.owe(CARD, at=T0)
    await ledger.owe(OTHER, at=T0)
    await delivery(ledger, clock, told.work).drain()
    assert sorted(told.asked) == ["t-1", "t-2"]


async def test_what_people_must_mend_is_buried_where_they_see_it(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    await ledger.owe(CARD, at=T0)
    await delivery(ledger, clock, Told(Undeliverable("channel_not_found")).work).drain()
    assert list(await ledger.dead()) == [(CARD, "channel_not_found")]


async def test_what_never_succeeds_is_buried_in_the_end(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    told = Told(*[RetryLater("down")] * (MAX_ATTEMPTS + 5))
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    for _ in range(MAX_ATTEMPTS + 5):
        await box.drain()
        clock.pass_(3600)
    assert len(told.asked) == MAX_ATTEMPTS
    assert [owed for owed, _ in await ledger.dead()] == [CARD]


async def test_what_asks_for_patience_is_never_given_up(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    tries = 40 * MAX_ATTEMPTS
    told = Told(*[RetryLater("429", after_s=7)] * tries)
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    for _ in range(tries + 1):
        await box.drain()
        clock.pass_(7)
    assert len(told.asked) == tries + 1
    assert not await ledger.dead()


async def test_a_failure_after_much_patience_waits_no_longer_than_others(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    told = Told(*[RetryLater("429", after_s=1)] * 2_000, RetryLater("500"))
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    for _ in range(2_000):
        await box.drain()
        clock.pass_(1)
    await box.drain()  # would be a power of two with two thousand digits
    assert [owed for owed, _ in await ledger.dead()] == [CARD]


async def test_a_lane_that_must_wait_keeps_no_other_waiting(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    card, clear = Told(), Told()
    await ledger.owe(CARD, at=T0)
    await ledger.owe(Owed(kind=OwedKind.CLEAR, key="t-1"), at=T0)
    wait = [5.0]
    box = Delivery(
        outbox=ledger,
        reader=ledger,
        clock=clock,
        workers={OwedKind.CARD: card.work, OwedKind.CLEAR: clear.work},
        lanes=(Lane(kinds=(OwedKind.CARD,), wait_s=lambda: wait[0]),),
    )
    assert await box.drain() == 1
    assert (card.asked, clear.asked) == ([], ["t-1"])
    wait[0] = 0.0
    assert await box.drain() == 1
    assert card.asked == ["t-1"]


async def test_a_lane_takes_what_it_can_in_the_order_of_deadlines(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    told = Told()
    for key, minutes in (("late", 30), ("soon", 1), ("then", 9)):
        until = T0 + timedelta(minutes=minutes)
        await ledger.owe(Owed(kind=OwedKind.CARD, key=key, deadline=until), at=T0)
    lane = Lane(kinds=(OwedKind.CARD,), at_once=1)
    workers = {OwedKind.CARD: told.work}
    box = Delivery(outbox=ledger, reader=ledger, clock=clock, workers=workers, lanes=(lane,))
    while await box.drain():
        pass
    assert told.asked == ["soon", "then", "late"]


async def test_what_has_no_worker_here_is_left_to_others(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    await ledger.owe(Owed(kind=OwedKind.REMIND, key="p"), at=T0)
    lanes = (Lane(kinds=(OwedKind.REMIND, OwedKind.CARD)),)
    box = Delivery(
        outbox=ledger,
        reader=ledger,
        clock=clock,
        workers={OwedKind.CARD: Told().work},
        lanes=lanes,
    )
    assert await box.drain() == 0


async def test_a_lane_is_worked_only_by_who_leads(ledger: MemoryLedger, clock: FixedClock) -> None:
    told = Told()

    async def follows() -> bool:
        return False

    workers = {OwedKind.CARD: told.work}
    lane = Lane(kinds=(OwedKind.CARD,), leads=follows)
    await ledger.owe(CARD, at=T0)
    box = Delivery(outbox=ledger, reader=ledger, clock=clock, workers=workers, lanes=(lane,))
    box.start()
    for _ in range(50):
        await asyncio.sleep(0)
    await box.stop()
    assert told.asked == []


async def test_what_is_brought_forward_is_nobody_elses_meanwhile(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    told = Told()
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    drained: list[int] = []

    async def forward(key: str) -> None:
        drained.append(await box.drain())

    assert await box.expedite(CARD, forward)
    assert (drained, told.asked) == ([0], [])
    assert not await box.expedite(CARD, forward)
    assert await box.drain() == 0


async def test_what_could_not_be_brought_forward_goes_its_usual_way(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    told = Told()
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, told.work)
    assert await box.expedite(CARD, Told(RetryLater("not taken", after_s=0)).work)
    assert await box.drain() == 1
    assert told.asked == ["t-1"]


async def test_a_ticket_that_moved_on_owes_nothing(ledger: MemoryLedger, clock: FixedClock) -> None:
    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, Told(Refused(Code.WRONG_STATE, "moved on")).work)
    await box.drain()
    clock.pass_(3600)
    assert await box.drain() == 0
    assert list(await ledger.dead()) == []


async def test_what_is_owed_again_meanwhile_is_worked_off_again(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    asked: list[str] = []

    async def work(key: str) -> None:
        if not asked:
            await ledger.owe(CARD, at=clock.now())
        asked.append(key)

    await ledger.owe(CARD, at=T0)
    box = delivery(ledger, clock, work)
    while await box.drain():
        clock.at += timedelta(seconds=1)
    assert asked == ["t-1", "t-1"]


async def test_a_freeze_owes_the_card_of_every_live_ticket(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    await append(ledger, opened("t-1"), opened("t-2"))
    claimed: Sequence[object] = await ledger.claim(
        (OwedKind.CARD,), at=clock.now(), lease_s=5, limit=9
    )
    assert len(claimed) == 2
    await owe_all_cards(ledger, ledger, clock)
    clock.pass_(6)
    again = await ledger.claim((OwedKind.CARD,), at=clock.now(), lease_s=5, limit=9)
    assert {item.owed.key for item in again} == {"t-1", "t-2"}


async def test_however_many_wait_a_freeze_leaves_none_of_their_cards_out(
    ledger: MemoryLedger, clock: FixedClock
) -> None:
    names = {f"t-{number}" for number in range(250)}
    await append(ledger, *(opened(name) for name in sorted(names)))
    for held in await ledger.claim((OwedKind.CARD,), at=clock.now(), lease_s=5, limit=999):
        await ledger.done(held)
    await owe_all_cards(ledger, ledger, clock)
    owed = await ledger.claim((OwedKind.CARD,), at=clock.now(), lease_s=5, limit=999)
    assert {item.owed.key for item in owed} == names
