"""A sink misses nothing and repeats only what it was not sure of."""

from collections.abc import Sequence

import pytest

from bot.sinks.follower import Follower, Postponed
from governance.ports import Logged
from storage.memory.ledger import MemoryLedger
from tests.support.build import FixedClock, opened
from tests.support.commits import append


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
