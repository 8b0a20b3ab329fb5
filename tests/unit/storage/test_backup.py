"""A copy made while somebody writes is whole, and nothing that is there is overwritten."""

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from governance.digests import content_digest
from governance.ports import Keys, Result
from storage.ledger import SqliteLedger
from storage.sqlite import backup
from storage.sqlite.backup import NotCopied
from storage.verify.verifier import verify_database
from tests.support import build
from tests.support.build import FixedClock
from tests.support.commits import append, erase


async def fill(ledger: SqliteLedger, first: int, count: int) -> None:
    for number in range(first, first + count):
        await append(ledger, build.opened(f"t-{number}"))


async def test_a_copy_made_while_the_ledger_is_written_is_a_whole_ledger(
    ledger: SqliteLedger, path: Path, tmp_path: Path, clock: FixedClock
):
    await fill(ledger, 0, 20)
    to = tmp_path / "copy.db"
    writing = asyncio.create_task(fill(ledger, 20, 200))
    made = await asyncio.to_thread(backup.back_up, path, to)
    await writing
    assert 20 <= made.size <= 220
    assert to.stat().st_mode & 0o777 == 0o600
    assert made.file_bytes == to.stat().st_size
    report = verify_database(to)
    assert (report.size, report.head) == (made.size, made.head)
    assert left_aside(tmp_path) == []
    async with SqliteLedger(f"sqlite:///{to}", clock) as copy:
        assert await copy.head() == (made.size, made.head)


async def test_a_restored_ledger_is_the_one_that_was_copied(
    ledger: SqliteLedger, path: Path, tmp_path: Path, clock: FixedClock
):
    await fill(ledger, 0, 3)
    made = backup.back_up(path, tmp_path / "copy.db")
    to = tmp_path / "new" / "placet.db"
    assert backup.restore(tmp_path / "copy.db", to) == made
    async with SqliteLedger(f"sqlite:///{to}", clock) as restored:
        assert await restored.head() == await ledger.head()
        await fill(restored, 3, 1)
        assert (await restored.head())[0] == 4


def left_aside(folder: Path) -> list[str]:
    return [item.name for item in folder.iterdir() if "part" in item.name]


def empty_page(path: Path, page: int, size: int) -> None:
    raw = bytearray(path.read_bytes())
    raw[page * size : (page + 1) * size] = bytes(size)
    path.write_bytes(raw)


@pytest.mark.parametrize("name", ["placet.db", "placet.db-wal", "placet.db-shm"])
async def test_nothing_that_is_there_is_overwritten(
    ledger: SqliteLedger, path: Path, tmp_path: Path, name: str
):
    await fill(ledger, 0, 1)
    old = tmp_path / "there" / name
    old.parent.mkdir()
    old.write_text("mine")
    with pytest.raises(NotCopied, match="is there already"):
        backup.restore(path, tmp_path / "there" / "placet.db")
    assert old.read_text() == "mine"
    assert [item.name for item in old.parent.iterdir()] == [name]


def test_what_is_no_ledger_or_damaged_is_not_restored(tmp_path: Path):
    other = tmp_path / "other.db"
    with closing(sqlite3.connect(other)) as connection:
        connection.execute("CREATE TABLE notes (text)")
    text = tmp_path / "text.db"
    text.write_text("no database at all\n" * 100)
    with pytest.raises(NotCopied, match="no ledger"):
        backup.restore(other, tmp_path / "a.db")
    with pytest.raises(sqlite3.DatabaseError):
        backup.restore(text, tmp_path / "b.db")
    with pytest.raises(sqlite3.OperationalError):
        backup.restore(tmp_path / "none.db", tmp_path / "c.db")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["other.db", "text.db"]


async def test_a_copy_whose_head_is_not_its_last_record_is_refused(
    ledger: SqliteLedger, path: Path, tmp_path: Path
):
    await fill(ledger, 0, 2)
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("UPDATE head SET seq = 1")
        connection.commit()
    with pytest.raises(NotCopied, match="head"):
        backup.back_up(path, tmp_path / "copy.db")


async def test_a_damaged_page_is_found_before_the_copy_has_its_name(
    ledger: SqliteLedger, path: Path, tmp_path: Path
):
    await fill(ledger, 0, 60)
    await ledger.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        sql = "SELECT rootpage FROM sqlite_master WHERE name = 'ix_tickets_state'"
        (page,) = connection.execute(sql).fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    empty_page(path, page - 1, size)
    with pytest.raises((NotCopied, sqlite3.DatabaseError)):
        backup.back_up(path, tmp_path / "copy.db")
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.parametrize("length", [1, 40, 40_000])
async def test_the_bytes_of_an_erased_content_are_not_left_in_the_file(
    ledger: SqliteLedger, path: Path, length: int
):
    body = b"the-iban-of-somebody " * length
    digest = content_digest(body)
    result = Result(reply=None, events=(build.opened(),), contents={digest: body})
    await ledger.commit(Keys(), lambda _: result)
    assert b"the-iban-of-somebody" in settled(path)
    await erase(ledger, digest)
    assert b"the-iban-of-somebody" not in settled(path)


def settled(path: Path) -> bytes:
    """The file's bytes once the write-ahead log is emptied into it."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
    return path.read_bytes()
