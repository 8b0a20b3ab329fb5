"""Commands that run until they are stopped, in this process."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from bot.cli.serve import until_stopped
from bot.replies import Exit
from tests.unit.cli.conftest import Placet


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_the_first_signal_ends_the_work_in_hand(number: signal.Signals) -> None:
    told: list[str] = []

    @asynccontextmanager
    async def context() -> AsyncIterator[str]:
        yield "ready"
        told.append("drained")

    def announce(what: str) -> None:
        told.append(what)
        os.kill(os.getpid(), number)

    await asyncio.wait_for(until_stopped(context(), announce), 10)
    assert told == ["ready", "drained"]


async def test_a_signal_during_the_start_ends_it_after_the_start() -> None:
    told: list[str] = []

    @asynccontextmanager
    async def context() -> AsyncIterator[str]:
        os.kill(os.getpid(), signal.SIGTERM)
        yield "ready"

    await asyncio.wait_for(until_stopped(context(), told.append), 10)
    assert told == ["ready"]


async def test_after_the_first_signal_a_second_has_its_usual_effect() -> None:
    loop = asyncio.get_running_loop()

    @asynccontextmanager
    async def context() -> AsyncIterator[str]:
        yield "ready"
        assert not loop.remove_signal_handler(signal.SIGTERM)

    def announce(_: str) -> None:
        os.kill(os.getpid(), signal.SIGTERM)

    await asyncio.wait_for(until_stopped(context(), announce), 10)


@pytest.mark.parametrize("command", ["serve", "executor"])
def test_settings_that_are_wrong_start_nothing(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, command: str
) -> None:
    monkeypatch.setenv("PLACET_PORT", "much")
    answer = placet(command, "--json")
    assert answer.code == Exit.PROBLEM
    assert answer.json["error"]["code"] == "invalid_settings"
    assert list(tmp_path.iterdir()) == []
