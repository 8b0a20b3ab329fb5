"""Several processes on one file: one chain, and wakes between them."""

import asyncio
import subprocess
import sys
from pathlib import Path

import pytest

from governance.audit import GENESIS, hash_of
from storage.engine import migrate
from storage.ledger import SqliteLedger
from storage.verify.verifier import verify_database
from tests.support import build
from tests.support.build import FixedClock
from tests.support.commits import append, whole

ROOT = Path(__file__).parents[3]


def writer(url: str, name: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.unit.storage.writer_process", url, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT)


async def test_two_writer_processes_grow_one_chain(url: str, path: Path, clock: FixedClock):
    migrate(url)
    processes = [writer(url, name, 300) for name in ("left", "right")]
    assert [await asyncio.to_thread(process.wait, 120) for process in processes] == [0, 0]
    async with SqliteLedger(url, clock) as ledger:
        records = await whole(ledger)
    assert [record.seq for record in records] == list(range(1, 601))
    sides = [record.header.ticket_id.split("-")[0] for record in records]
    assert sorted(sides) == ["left"] * 300 + ["right"] * 300
    hashes = [GENESIS, *(record.hash for record in records)]
    assert all(hash_of(record.encoded) == record.hash for record in records)
    assert all(f'"previous":"{hashes[n]}"'.encode() in r.encoded for n, r in enumerate(records))
    assert verify_database(path).problems == ()


async def test_another_process_wakes_who_waits(url: str, clock: FixedClock):
    async with SqliteLedger(url, clock) as ledger:
        waiting = asyncio.create_task(ledger.changed(0, 60))
        process = writer(url, "other", 1)
        assert await waiting == 1
        assert await asyncio.to_thread(process.wait, 60) == 0


async def test_a_wake_arrives_without_waiting_for_the_poll(
    url: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.ledger.POLL_S", 3600)
    async with SqliteLedger(url, clock) as ledger, SqliteLedger(url, clock) as other:
        waiting = asyncio.create_task(ledger.changed(0, 60))
        await asyncio.to_thread(lambda: None)
        await append(other, build.evaluated())
        assert await waiting == 1


async def test_without_a_socket_the_poll_finds_it(url: str, path: Path, clock: FixedClock):
    path.with_name("placet.db.wake").write_text("in the way")
    async with SqliteLedger(url, clock) as ledger, SqliteLedger(url, clock) as other:
        waiting = asyncio.create_task(ledger.changed(0, 60))
        await append(other, build.evaluated())
        assert await waiting == 1


async def test_the_name_of_a_dead_process_is_swept_away(url: str, path: Path, clock: FixedClock):
    async with SqliteLedger(url, clock) as dead:
        async with SqliteLedger(url, clock) as ledger:
            folder = path.with_name("placet.db.wake")
            assert len(list(folder.iterdir())) == 2
            assert dead._wakes._socket is not None
            asyncio.get_running_loop().remove_reader(dead._wakes._socket)
            dead._wakes._socket.close()
            dead._wakes._socket = None
            await append(ledger, build.evaluated())
        # It took its own name away when it ended, and before that the other's.
        assert list(folder.iterdir()) == []
