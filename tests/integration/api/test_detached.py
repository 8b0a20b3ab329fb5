"""What is asked of events that have left the database is answered 410, and never in part."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace

import pytest

from governance.control import Control
from governance.ports import Logged
from governance.principal import Scope
from governance.segments import Detached
from governance.tickets.ticket import TicketId
from storage.memory.ledger import MemoryLedger
from storage.retention.past import gone
from tests.integration.api.world import World, running
from tests.support.build import FixedClock

UPTO = 99


class Left(MemoryLedger):
    """A ledger whose events so far have left at some moment, and that answers as a durable one."""

    def __init__(self, clock: FixedClock) -> None:
        super().__init__(clock)
        self.upto = 0

    async def history(self, ticket_id: TicketId) -> Sequence[Logged]:
        """Of a ticket that was born before."""
        self._hold(ticket_id)
        return await super().history(ticket_id)

    async def timeline(self, trace_id: str) -> Sequence[Logged]:
        """Of a trace whose first ticket was born before."""
        found = await super().timeline(trace_id)
        if found:
            self._hold(trace_id)
        return found

    async def records(self, after_seq: int, limit: int) -> Sequence[Logged]:
        """None of them is there."""
        self._hold(f"event {after_seq + 1}")
        return await super().records(after_seq, limit)

    async def control(self) -> Control:
        """With what left."""
        found = await super().control()
        left = Detached(last=self.upto, head="", state="") if self.upto else None
        return replace(found, detached=left)

    def _hold(self, what: str) -> None:
        if self.upto:
            raise gone(self.upto, what)


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(over=Left) as made:
        yield made


async def _left(world: World) -> str:
    """A job whose events have left."""
    job = await world.job(trace_id="story-1")
    await world.checkpoint()
    assert (await world.get(f"jobs/{job}/receipt")).status == 200
    assert isinstance(world.ledger, Left)
    world.ledger.upto = UPTO
    return job


@pytest.mark.parametrize("path", ["jobs/{job}/receipt", "jobs/{job}", "traces/story-1"])
async def test_a_read_of_what_has_left_is_410_and_says_up_to_where(world: World, path: str):
    job = await _left(world)
    told = await world.get(path.format(job=job))
    assert (told.status, told["code"]) == (410, "detached")
    assert str(UPTO) in told.text


async def test_a_receipt_of_an_event_that_has_left_is_410(world: World):
    await _left(world)
    await world.issue("reads", Scope.READ)
    told = await world.get("audit/receipts/1", "reads")
    assert (told.status, told["code"]) == (410, "detached")


async def test_a_trace_that_nobody_heard_of_may_be_an_older_one(world: World):
    assert (await world.get("traces/unheard")).status == 404
    await _left(world)
    told = await world.get("traces/unheard")
    assert told.status == 404
    assert f"after {UPTO}; older ones are detached" in told.text
