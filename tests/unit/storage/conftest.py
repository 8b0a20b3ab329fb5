"""A SQLite ledger in a folder of its own."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from storage.ledger import SqliteLedger
from tests.support.build import FixedClock


@pytest.fixture
def clock() -> FixedClock:
    return FixedClock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "placet.db"


@pytest.fixture
def url(path: Path) -> str:
    return f"sqlite:///{path}"


@pytest.fixture
async def ledger(url: str, clock: FixedClock) -> AsyncIterator[SqliteLedger]:
    async with SqliteLedger(url, clock) as made:
        yield made
