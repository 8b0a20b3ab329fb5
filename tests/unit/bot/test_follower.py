"""A sink misses nothing and repeats only what it was not sure of."""

import asyncio
from collections.abc import Sequence

import pytest

from bot.sinks.follower import Follower, Postponed
from governance.errors import Unavailable
from governance.ports import Logged
from storage.memory.ledger import MemoryLedger
from tests.support.build import FixedClock, opened
from tests.support.commits import append
from tests.support.failing import down


class Channel:
    """Takes so many records a time, or refuses."""

    def __init__(self, takes: int, *, refuses: int = 0) -> None:
        self.takes = takes
        self.refuses = refuses
        self.seen: list[int] = []

    async def emit(self, records: Sequence[Logged]) -> int:
        if self.refuses:
            self.refuses -= 1
            raise Postponed("not now")
        taken = [record.seq for record in records[: self.takes]]
        self.seen += taken
        return taken[-1]


async def filled() -> MemoryLedger:
    ledger = MemoryLedger(FixedClock())
    await append(ledger, *(opened(f"t-{number}") for number in range(7)))
    return ledger


def follower(ledger: MemoryLedger, channel: Channel) -> Follower:
    return Follower(name="sink", reader=ledger, outbox=ledger, emit=channel.emit, batch=5)


async def test_every_record_goes_out_once_and_in_order() -> None:
    ledger, channel = await filled(), Channel(takes=3)
    sink = follower(ledger, channel)
    while await sink.step():
        pass
    assert channel.seen == list(range(1, 8))


async def test_the_cursor_stays_where_delivery_was_certain() -> None:
    ledger, channel = await filled(), Channel(takes=3, refuses=1)
    sink = follower(ledger, channel)
    with pytest.raises(Postponed):
        await sink.step()
    assert await ledger.cursor("sink") == 0
    assert await sink.step() == 3
    assert await ledger.cursor("sink") == 3


async def test_a_new_process_goes_on_where_the_old_one_was() -> None:
    ledger, first, second = await filled(), Channel(takes=5), Channel(takes=5)
    await follower(ledger, first).step()
    await follower(ledger, second).step()
    assert second.seen == [6, 7]


async def test_what_went_out_while_nothing_could_be_noted_goes_out_once() -> None:
    ledger, channel = await filled(), Channel(takes=3)
    sink = follower(ledger, channel)
    with down(ledger):
        for _ in range(5):
            with pytest.raises(Unavailable):
                await sink.step()
    assert channel.seen == [1, 2, 3]
    assert await ledger.cursor("sink") == 0
    while await sink.step():
        pass
    assert channel.seen == list(range(1, 8))
    assert await ledger.cursor("sink") == 7


async def test_where_another_process_went_on_meanwhile_it_is_not_taken_back() -> None:
    ledger, first, second = await filled(), Channel(takes=3), Channel(takes=5)
    sink = follower(ledger, first)
    with down(ledger), pytest.raises(Unavailable):
        await sink.step()
    await follower(ledger, second).step()
    assert await sink.step() == 2
    assert first.seen == [1, 2, 3, 6, 7]


async def test_a_sink_that_cannot_note_anything_is_one_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ledger, channel = await filled(), Channel(takes=7)
    tries, enough = iter(range(3)), asyncio.Event()

    async def leads() -> bool:
        if next(tries, 2) == 2:
            enough.set()
        return True

    sink = Follower(
        name="sink",
        reader=ledger,
        outbox=ledger,
        emit=channel.emit,
        pause_s=0.001,
        leads=leads,
    )
    with down(ledger):
        sink.start()
        await asyncio.wait_for(enough.wait(), 5)
        await sink.stop()
    assert caplog.messages == ["sink sink waits: ledger_unavailable"]
