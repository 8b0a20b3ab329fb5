"""A process that seals is killed at any step, and the log and the next seal are whole."""

import asyncio
import json
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from storage.ledger import SqliteLedger
from storage.verify.segments import Shelf
from storage.verify.verifier import verify_database, verify_export
from tests.support.build import FixedClock
from tests.support.sealing import checkpoint, seal
from tests.unit.storage import story


async def _told(url: str) -> int:
    async with SqliteLedger(url, FixedClock()) as ledger:
        await story.tell(ledger)
        return await checkpoint(ledger)


async def _sealed(url: str, folder: Path) -> tuple[int, int]:
    """Where the newest seal ends, before and after sealing once more."""
    async with SqliteLedger(url, FixedClock()) as ledger:
        before = (await ledger.control()).sealed
        await seal(ledger, url, folder)
        after = (await ledger.control()).sealed
        return (before.last if before else 0), (after.last if after else 0)


@pytest.mark.parametrize("step", range(1, 7))
def test_killed_at_any_step_either_all_of_a_seal_is_there_or_none(
    path: Path, url: str, tmp_path: Path, step: int
):
    folder = tmp_path / "sealed"
    size = asyncio.run(_told(url))
    script = "tests.unit.storage.sealing_process"
    command = [sys.executable, "-m", script, url, str(folder), str(step)]
    ended = subprocess.run(command, check=False, timeout=60)  # our own
    assert ended.returncode == (0 if step == 6 else -signal.SIGKILL)
    assert verify_database(path, shelf=Shelf.of(folder), jobs=0).problems == ()
    assert asyncio.run(_sealed(url, folder)) == (size if step >= 5 else 0, size)
    report = verify_database(path, shelf=Shelf.of(folder), complete=True, jobs=0)
    assert (report.problems, report.seals) == ((), 1)
    start = folder / f"state-{size:012d}.ndjson"
    assert verify_database(path, start=start, jobs=0).problems == ()
    assert verify_export(folder, jobs=0).problems == ()


@pytest.mark.parametrize("sealed", [None, {"last": 1}])
def test_a_governing_state_that_says_another_seal_is_named(
    path: Path, url: str, tmp_path: Path, sealed: object
):
    asyncio.run(_told(url))
    asyncio.run(_sealed(url, tmp_path / "sealed"))
    with closing(sqlite3.connect(path)) as connection, connection:
        (before,) = connection.execute("SELECT body FROM control").fetchone()
        body = json.loads(before)
        body["sealed"] = sealed
        connection.execute("UPDATE control SET body = ?", (json.dumps(body).encode(),))
    (problem,) = verify_database(path, jobs=0).problems
    assert (problem.what, problem.field) == ("control", "sealed")
