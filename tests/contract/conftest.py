"""The ledgers that must keep one contract; PostgreSQL joins this list when it comes."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.ledger import SqliteLedger
from storage.memory import MemoryLedger
from tests.support.build import FixedClock

AnyLedger = MemoryLedger | SqliteLedger


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture(params=["memory", "sqlite"])
async def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FixedClock
) -> AsyncIterator[AnyLedger]:
    made: AnyLedger = (
        MemoryLedger(clock)
        if request.param == "memory"
        else SqliteLedger(f"sqlite:///{tmp_path}/placet.db", clock)
    )
    async with made:
        yield made
