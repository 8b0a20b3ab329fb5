"""The ledgers that must keep one contract; memory, SQLite and PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.ledger import SqlLedger
from storage.memory.ledger import MemoryLedger
from tests.support.build import FixedClock
from tests.support.postgres import Postgres

AnyLedger = MemoryLedger | SqlLedger


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite", "postgres"])
async def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock
) -> AsyncIterator[AnyLedger]:
    made: AnyLedger
    match request.param:
        case "memory":
            made = MemoryLedger(clock)
        case "sqlite":
            made = SqlLedger(f"sqlite:///{tmp_path}/placet.db", clock)
        case _:
            server: Postgres = request.getfixturevalue("postgres")
            url = server.url(server.ready())
            made = SqlLedger(url, clock, trusts_database_time=False)
    async with made:
        yield made
