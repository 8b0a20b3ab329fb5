"""A process that detaches is killed at any step: all of it has left, or nothing."""

import asyncio
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from bot.sinks.follower import Follower
from governance.errors import Code, Refused
from governance.ports import Logged
from storage.ledger import SqliteLedger
from storage.verify import segments as verify_segments
from storage.verify.verifier import verify_database
from tests.support.build import FixedClock
from tests.support.past import Past, begin, filled


async def _sealed(url: str, folder: Path) -> int:
    async with SqliteLedger(url, FixedClock()) as ledger:
        await begin(ledger)
        await filled(ledger, 300)
        past = Past(ledger=ledger, url=url, clock=FixedClock(), folder=folder)
        (end,) = await past.sealed("t-1")
        return end


async def _detached(url: str, folder: Path) -> int:
    clock = FixedClock()
    async with SqliteLedger(url, clock) as ledger:
        past = Past(ledger=ledger, url=url, clock=clock, folder=folder)
        await past.aged()
        return await past.detach()


@pytest.mark.parametrize("step", range(1, 7))
def test_killed_at_any_step_either_all_of_a_segment_has_left_or_nothing(
    path: Path, url: str, tmp_path: Path, step: int
):
    folder = tmp_path / "sealed"
    end = asyncio.run(_sealed(url, folder))
    command = [sys.executable, "-m", "tests.unit.storage.detaching_process", url, str(folder)]
    ended = subprocess.run([*command, str(step)], check=False, timeout=60)  # our own
    assert ended.returncode == (0 if step == 6 else -signal.SIGKILL)
    has_left = step >= 5
    with closing(sqlite3.connect(path)) as connection:
        (oldest,) = connection.execute("SELECT min(seq) FROM events").fetchone()
        (told,) = connection.execute("SELECT count(*) FROM detached").fetchone()
    assert (oldest, told) == ((end + 1, 1) if has_left else (1, 0))
    shelf = verify_segments.Shelf.of(folder)
    assert verify_database(path, shelf=shelf, complete=True, jobs=0).problems == ()
    assert asyncio.run(_detached(url, folder)) == (0 if has_left else end)
    assert verify_database(path, shelf=shelf, complete=True, jobs=0).problems == ()
    assert verify_database(path, states=folder, jobs=0).problems == ()


async def test_whoever_begins_to_follow_is_told_from_where_on(
    path: Path, url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    folder = tmp_path / "sealed"
    await _sealed(url, folder)
    end = await _detached(url, folder)
    async with SqliteLedger(url, FixedClock()) as ledger:
        seen: list[int] = []

        async def emit(records: list[Logged]) -> int:
            seen.extend(record.seq for record in records)
            return seen[-1]

        sink = Follower(name="new", reader=ledger, outbox=ledger, emit=emit)  # type: ignore[arg-type]
        assert (await sink.step(), await ledger.cursor("new")) == (0, end)
        assert f"does not get events 1 to {end}" in caplog.text
        while await sink.step():
            pass
        assert seen == list(range(end + 1, (await ledger.head())[0] + 1))


async def test_a_follower_hides_no_other_refusal(url: str):
    class Refusing:
        async def cursor(self, _: str) -> int:
            return 0

        async def records(self, _after: int, _limit: int) -> list[Logged]:
            raise Refused(Code.WRONG_STATE, "no")

    refusing = Refusing()
    sink = Follower(name="x", reader=refusing, outbox=refusing, emit=None)  # type: ignore[arg-type]
    with pytest.raises(Refused, match="no"):
        await sink.step()
