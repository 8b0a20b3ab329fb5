"""A request is acted on once, and what it changed is committed with its taking or not at all."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.slack.guard import MAX_AGE_S
from bot.slack.once import Once
from governance.errors import Code, Refused, Unavailable
from governance.ports import Keys, Result, State
from storage.memory.ledger import MemoryLedger
from tests.support.build import FixedClock

CLICK = {"type": "block_actions", "trigger_id": "1.2.abc", "actions": [{"action_id": "x"}]}


class Stuck:
    """A ledger that cannot be written."""

    async def take(self, key: str, *, at: datetime, until: datetime) -> bool:
        raise Unavailable(Code.LEDGER_UNAVAILABLE, "not now")


def _deed(ledger: MemoryLedger) -> Callable[[], Awaitable[str]]:
    """What commits something and tells that it was done."""

    def step(_: State) -> Result[str]:
        return Result(reply="done")

    async def work() -> str:
        return (await ledger.commit(Keys(), step)).reply

    return work


async def test_two_processes_on_one_ledger_act_once_on_one_request() -> None:
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    one, other = (Once(requests=ledger, clock=clock) for _ in range(2))
    assert await one.act(CLICK, _deed(ledger), repeated="again") == "done"
    again: Any = json.loads(json.dumps(dict(reversed(CLICK.items()))))
    assert await other.act(again, _deed(ledger), repeated="again") == "again"
    later = {**CLICK, "trigger_id": "1.2.abd"}
    assert await other.act(later, _deed(ledger), repeated="again") == "done"


async def test_it_is_remembered_for_as_long_as_any_signature_is_good() -> None:
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    once = Once(requests=ledger, clock=clock)
    assert await once.act(CLICK, _deed(ledger), repeated="again") == "done"
    clock.pass_(2 * MAX_AGE_S - 1)  # signed 300 s ahead of our clock
    assert await once.act(CLICK, _deed(ledger), repeated="again") == "again"
    clock.pass_(timedelta(seconds=2).total_seconds())
    assert await once.act(CLICK, _deed(ledger), repeated="again") == "done"


async def test_what_was_refused_before_anything_was_committed_does_not_come_back() -> None:
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    one, other = (Once(requests=ledger, clock=clock) for _ in range(2))

    async def refused() -> str:
        raise Refused(Code.WRONG_ROLE, "no role of yours")

    with pytest.raises(Refused, match="no role"):
        await one.act(CLICK, refused, repeated="again")
    assert await other.act(CLICK, _deed(ledger), repeated="again") == "again"


async def test_what_changed_nothing_is_answered_where_the_ledger_cannot_be_written() -> None:
    async def look() -> str:
        return "seen"

    assert await Once(requests=Stuck(), clock=FixedClock()).act(CLICK, look, repeated="") == "seen"


async def test_what_a_request_started_may_commit_when_that_request_is_over() -> None:
    clock = FixedClock()
    ledger, is_over = MemoryLedger(clock), asyncio.Event()
    started: list[asyncio.Task[str]] = []

    async def later() -> str:
        await is_over.wait()
        return await _deed(ledger)()

    async def start() -> str:
        started.append(asyncio.create_task(later()))
        return "started"

    once = Once(requests=ledger, clock=clock)
    assert await once.act(CLICK, start, repeated="again") == "started"
    is_over.set()
    assert await started[0] == "done"


async def test_without_a_ledger_each_process_has_its_own_memory_alone() -> None:
    ledger = MemoryLedger(FixedClock())
    once = Once(requests=None, clock=FixedClock())
    for _ in range(2):
        assert await once.act(CLICK, _deed(ledger), repeated="again") == "done"
