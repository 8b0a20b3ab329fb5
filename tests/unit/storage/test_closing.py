"""A ledger that is closed leaves nothing open, whoever still reads, and opens nothing any more."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from sqlalchemy import text

from governance.errors import Code, PlacetError
from governance.tickets.ticket import TicketId
from storage.ledger import SqlLedger
from tests.support.build import FixedClock
from tests.support.postgres import Postgres

Count = Callable[[], int]


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, Count]:
    """An address of an empty ledger, and how many hold it open."""
    if request.param == "file":
        return f"sqlite:///{tmp_path}/placet.db", lambda: open_files(tmp_path)
    server: Postgres = request.getfixturevalue("postgres")
    name = server.ready()
    counted = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{name}'"
    return server.url(name), lambda: int(server.execute(counted)[0][0])


def open_files(folder: Path) -> int:
    """How often this process has a file below ``folder`` open."""
    held = Path("/proc/self/fd")
    names = [os.readlink(one) for one in held.iterdir() if one.is_symlink()]
    return sum(name.startswith(f"{folder}/") for name in names)


async def none_left(count: Count) -> None:
    """A server notices an end a moment after it; a file descriptor is gone at once."""
    for _ in range(1_000):
        if not await asyncio.to_thread(count):
            return
        await asyncio.sleep(0.01)
    pytest.fail(f"{count()} are left open")


async def test_what_is_read_while_it_closes_is_read_to_its_end_and_then_let_go(
    place: tuple[str, Count], clock: FixedClock
):
    url, count = place
    ledger = await SqlLedger(url, clock).start()
    async with ledger._reading() as connection:
        await connection.execute(text("SELECT 1"))
        await ledger.close()
        assert await asyncio.to_thread(count) >= 1
        assert (await connection.execute(text("SELECT 2"))).scalar() == 2
    await none_left(count)


async def test_what_fails_while_it_closes_is_let_go_too(
    place: tuple[str, Count], clock: FixedClock
):
    url, count = place
    ledger = await SqlLedger(url, clock).start()

    async def fail() -> None:
        async with ledger._reading() as connection:
            await ledger.close()
            await connection.execute(text("SELECT * FROM nowhere"))

    with pytest.raises(PlacetError) as caught:
        await fail()
    assert caught.value.code is Code.LEDGER_UNAVAILABLE
    await none_left(count)


async def test_nothing_is_read_from_a_closed_ledger(place: tuple[str, Count], clock: FixedClock):
    url, count = place
    async with SqlLedger(url, clock) as ledger:
        assert await ledger.ticket(TicketId("t")) is None
    for asked in (ledger.head(), ledger.ticket(TicketId("t")), ledger.cursor("x")):
        with pytest.raises(PlacetError) as caught:
            await asked
        assert caught.value.code is Code.LEDGER_UNAVAILABLE
    await none_left(count)


async def test_nobody_leads_by_a_closed_ledger(place: tuple[str, Count], clock: FixedClock):
    url, count = place
    async with SqlLedger(url, clock) as ledger:
        asked = [asyncio.create_task(ledger.leads("audit")) for _ in range(3)]
        await asyncio.sleep(0)
    await asyncio.gather(*asked)
    assert not await ledger.leads("audit")
    await none_left(count)
