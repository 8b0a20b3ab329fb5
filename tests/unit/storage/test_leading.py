"""Of several processes one leads, and another does once it is gone."""

from pathlib import Path

import pytest

from storage.engine import database
from storage.ledger import SqlLedger
from tests.support.build import FixedClock
from tests.support.postgres import Postgres


@pytest.fixture(params=["file", "server"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "file":
        return f"sqlite:///{tmp_path}/placet.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.url(server.ready())


async def test_one_leads_until_it_ends(place: str):
    first, second = database(place).leader(), database(place).leader()
    assert [await first.leads("audit"), await second.leads("audit")] == [True, False]
    assert [await second.leads("checkpoint"), await first.leads("checkpoint")] == [True, False]
    assert [await first.leads("audit"), await second.leads("audit")] == [True, False]
    await first.close()
    assert await second.leads("audit")
    await second.close()


async def test_a_ledger_gives_its_lead_up_when_it_closes(place: str, clock: FixedClock):
    async with SqlLedger(place, clock) as first:
        assert await first.leads("audit")
        async with SqlLedger(place, clock) as second:
            assert not await second.leads("audit")
    async with SqlLedger(place, clock) as third:
        assert await third.leads("audit")


async def test_whoever_lost_the_server_does_not_lead(postgres: Postgres):
    url = postgres.url(postgres.ready())
    first, second = database(url).leader(), database(url).leader()
    assert await first.leads("audit")
    held = "SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted"
    postgres.execute(f"SELECT pg_terminate_backend(({held}), 5000)")
    assert await second.leads("audit")
    assert not await first.leads("audit")
    assert not await first.leads("audit")
    await second.close()
    assert await first.leads("audit")
    await first.close()
