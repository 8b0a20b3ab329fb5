"""A clock that jumps: nothing is revived, nothing is swept on its word, nothing stands still."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.faults.conftest import Opener, Shop, printed

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]
HOUR_S = 3600
JUMPS = 12


class Clock:
    """The wall clock of one process, moved by a number of seconds; its monotonic one is true."""

    def __init__(self, folder: Path, library: Path) -> None:
        self._file = folder / "offset"
        self.environment = {
            "LD_PRELOAD": str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._file),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, ahead_s: int) -> None:
        aside = self._file.with_suffix(".new")
        aside.write_text(f"{ahead_s:+d}\n")
        aside.replace(self._file)


@pytest.fixture
def clock(tmp_path: Path, faketime: Path) -> Clock:
    return Clock(tmp_path, faketime)


def events_of(shop: Shop, kind: str, ticket: str | None = None) -> int:
    sql = "SELECT count(*) FROM events WHERE type = ? AND (? IS NULL OR ticket_id = ?)"
    with closing(sqlite3.connect(shop.database)) as connection:
        return int(connection.execute(sql, (kind, ticket, ticket)).fetchone()[0])


async def comes(shop: Shop, kind: str, ticket: str | None = None, *, more_than: int = 0) -> None:
    """Wait for an event that a tick or the outbox brings."""

    async def is_there() -> bool:
        return events_of(shop, kind, ticket) > more_than

    await shop.until(is_there, kind)


async def asked(shop: Shop, tool: str = "mark.asked", **more: object) -> str:
    status, answer = await shop.ask(tool, **more)
    assert status == 200, printed(answer)
    return str(answer["job_id"])


async def test_a_clock_that_goes_back_revives_no_ticket_and_puts_off_no_work(
    shop: Opener, clock: Clock
) -> None:
    async with shop(**clock.environment) as open_shop:
        ticket = await asked(open_shop, ttl_seconds=60)
        clock.set(90)
        await comes(open_shop, "TicketExpired", ticket)
        clock.set(-HOUR_S // 2)
        status, answer = await open_shop.call(
            "ada", "POST", f"/api/v1/approvals/{ticket}/approve", {}
        )
        assert status == 409, printed(answer)
        _, job = await open_shop.call("agent", "GET", f"/api/v1/jobs/{ticket}")
        assert job["ticket_state"] == "EXPIRED"
        # The log is half an hour ahead now; what is owed and what ticks goes on all the same.
        signed = events_of(open_shop, "CheckpointSigned")
        allowed = await asked(open_shop, "mark.allowed", dispatch="execute")
        await comes(open_shop, "ExecutionCleared", allowed)
        await comes(open_shop, "CheckpointSigned", more_than=signed)
    open_shop.nothing_is_lost()


async def test_a_clock_that_goes_ahead_stops_the_sweeps_until_it_is_back(
    shop: Opener, clock: Clock
) -> None:
    async with shop(**clock.environment) as open_shop:
        ticket = await asked(open_shop, ttl_seconds=60)

        async def is_alarmed() -> bool:
            status, answer = await open_shop.call("agent", "GET", "/readyz")
            return status == 503 and "the clock jumped ahead" in answer["reasons"]

        async def is_calm() -> bool:
            return not await is_alarmed()

        clock.set(HOUR_S)
        await open_shop.until(is_alarmed, "an alarm")
        signed = events_of(open_shop, "CheckpointSigned")
        await comes(open_shop, "CheckpointSigned", more_than=signed + 1)  # two ticks later
        assert events_of(open_shop, "TicketExpired", ticket) == 0
        clock.set(0)
        await open_shop.until(is_calm, "the end of the alarm")
        await asked(open_shop)
    open_shop.nothing_is_lost()


async def test_many_jumps_to_and_fro_lose_nothing_and_revive_nothing(
    shop: Opener, clock: Clock
) -> None:
    dice = random.Random(5)  # noqa: S311  # jumps, not secrets
    expired: list[str] = []
    async with shop(**clock.environment) as open_shop:
        for jump in range(JUMPS):
            ticket = await asked(open_shop, ttl_seconds=60)
            # A log that is ahead of the clock may find a new ticket's end in its own past.
            ahead_s = dice.randint(90, 290) if jump % 2 else -dice.randint(1, 2 * HOUR_S)
            clock.set(ahead_s)
            status, answer = await open_shop.call(
                "ada", "POST", f"/api/v1/approvals/{ticket}/approve", {}
            )
            assert status in (200, 409), printed(answer)
            if status == 409:
                expired.append(ticket)
            for old in expired:
                path = f"/api/v1/approvals/{old}/approve"
                status, answer = await open_shop.call("bob", "POST", path, {})
                assert status == 409, printed(answer)
    assert expired
    open_shop.nothing_is_lost()
