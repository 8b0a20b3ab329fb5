"""What a server that is away for an hour is said of, beside the ledger's own line."""

import asyncio
from collections.abc import Callable

import psycopg
import pytest

from storage.postgres import notices
from storage.postgres.notices import NotifyWakes, SessionLeader


class Deaf(NotifyWakes):
    """It never gets a connection."""

    def __init__(self) -> None:
        super().__init__({}, "token")
        self.tries = 0
        self.enough = asyncio.Event()

    async def _listen(self, on_wake: Callable[[], None]) -> None:
        self.tries += 1
        if self.tries == 4:
            self.enough.set()
        raise psycopg.OperationalError


async def test_who_cannot_listen_says_so_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(notices, "_RETRY_S", 0.001)
    wakes = Deaf()
    wakes.start(lambda: None)
    await asyncio.wait_for(wakes.enough.wait(), 5)
    await wakes.close()
    assert caplog.messages == ["no notices: polling only"]


async def test_who_cannot_ask_who_leads_does_not_lead_and_says_so_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    leader = SessionLeader({"host": "/nowhere", "connect_timeout": 1})
    assert [await leader.leads(name) for name in ("a", "b", "a")] == [False] * 3
    await leader.close()
    assert caplog.messages == ["no word on who leads"]
