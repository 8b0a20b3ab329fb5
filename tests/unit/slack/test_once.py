"""A request is acted on once, and not at all where it cannot be known to be the first."""

import json
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.slack.guard import MAX_AGE_S
from bot.slack.once import Once
from governance.errors import Code, Unavailable
from storage.memory import MemoryLedger
from tests.support.build import FixedClock

CLICK = {"type": "block_actions", "trigger_id": "1.2.abc", "actions": [{"action_id": "x"}]}


class Stuck:
    """A ledger that cannot be written."""

    async def take(self, key: str, *, at: datetime, until: datetime) -> bool:
        raise Unavailable(Code.LEDGER_UNAVAILABLE, "not now")


async def test_two_processes_on_one_ledger_act_once_on_one_request() -> None:
    clock = FixedClock()
    ledger = MemoryLedger(clock)
    one, other = (Once(requests=ledger, clock=clock) for _ in range(2))
    assert await one.is_first(CLICK)
    again: Any = json.loads(json.dumps(dict(reversed(CLICK.items()))))
    assert not await other.is_first(again)
    assert await other.is_first({**CLICK, "trigger_id": "1.2.abd"})


async def test_it_is_remembered_for_as_long_as_any_signature_is_good() -> None:
    clock = FixedClock()
    once = Once(requests=MemoryLedger(clock), clock=clock)
    assert await once.is_first(CLICK)
    clock.pass_(2 * MAX_AGE_S - 1)  # signed 300 s ahead of our clock
    assert not await once.is_first(CLICK)
    clock.pass_(timedelta(seconds=2).total_seconds())
    assert await once.is_first(CLICK)


async def test_what_cannot_be_known_to_be_the_first_is_refused() -> None:
    once = Once(requests=Stuck(), clock=FixedClock())
    with pytest.raises(Unavailable, match="not now"):
        await once.is_first(CLICK)


async def test_without_a_ledger_each_process_has_its_own_memory_alone() -> None:
    once = Once(requests=None, clock=FixedClock())
    assert await once.is_first(CLICK)
