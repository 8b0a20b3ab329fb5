"""Whoever waits for one file's write lock is let in, however much another has to write."""

import fcntl
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from storage.sqlite.database import SqliteConnection, SqliteDatabase
from storage.sqlite.turns import Turns

_HELD_S = 0.004
_ENTRIES = 12
_MOST_TURNS = 25
"""Of the other, before one is let in; the lock alone lets it have hundreds."""


def _connect(path: Path, busy_timeout_s: float = 30.0) -> SqliteConnection:
    return SqliteDatabase(path=path).connect(busy_timeout_s=busy_timeout_s)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "placet.db"
    with closing(sqlite3.connect(found)) as connection:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("CREATE TABLE head (seq, hash, at, pending, tree, id)")
        connection.commit()
    return found


class _Busy:
    """A writer that begins anew right after each commit."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._is_over = threading.Event()
        self.turns = 0
        self.thread = threading.Thread(target=self._write)

    def _write(self) -> None:
        with closing(_connect(self._path)) as mine:
            while not self._is_over.is_set():
                mine.begin()
                mine.execute("INSERT INTO head (seq) VALUES (1)")
                time.sleep(_HELD_S)
                mine.commit()
                self.turns += 1

    def has_turn_after(self, turns: int) -> None:
        while self.turns <= turns:
            time.sleep(_HELD_S / 4)

    def end(self) -> None:
        self._is_over.set()
        self.thread.join()


@pytest.fixture
def busy(path: Path) -> Iterator[_Busy]:
    found = _Busy(path)
    found.thread.start()
    try:
        yield found
    finally:
        found.end()


def test_who_waits_is_let_in_within_a_few_turns_of_the_other(path: Path, busy: _Busy):
    passed_over = []
    with closing(_connect(path)) as mine:
        for _ in range(_ENTRIES):
            busy.has_turn_after(busy.turns)
            before = busy.turns
            mine.begin()
            passed_over.append(busy.turns - before)
            mine.commit()
    assert max(passed_over) <= _MOST_TURNS, passed_over


def test_who_waits_in_vain_is_told_that_the_file_is_locked(path: Path):
    with closing(_connect(path)) as holder, closing(_connect(path, 0.05)) as other:
        holder.begin()
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.begin()
        holder.commit()
        other.begin()  # it is of use again
        other.rollback()


def test_another_error_than_a_lock_is_told_at_once(path: Path):
    with closing(_connect(path)) as mine:
        mine.begin()
        with pytest.raises(sqlite3.OperationalError, match="within a transaction"):
            mine.begin()


def test_nobody_is_seen_who_does_not_wait(path: Path):
    mine, other = Turns(path), Turns(path)
    assert not mine.is_awaited
    with other.waiting():
        assert mine.is_awaited
    assert not mine.is_awaited


def test_who_is_gone_waits_no_more(path: Path):
    mine, other = Turns(path), Turns(path)
    with other.waiting():
        other.close()
        assert not mine.is_awaited
    mine.close()
    other.close()


def test_without_its_file_writing_goes_on(path: Path, tmp_path: Path):
    os.mkdir(tmp_path / "placet.db.turns")
    with closing(_connect(path)) as mine:
        assert not mine.turns.is_awaited
        with mine.turns.waiting():
            mine.begin()
        mine.commit()
        mine.begin()
        mine.rollback()


def test_another_that_stands_still_while_it_looks_stops_nobody(path: Path):
    with closing(_connect(path)) as holder, closing(_connect(path, 0.05)) as other:
        still = os.open(path.with_name("placet.db.turns"), os.O_RDWR)
        fcntl.flock(still, fcntl.LOCK_EX)  # as whoever looks holds it, for an instant
        holder.begin()
        ended = threading.Event()

        def wait_in_vain() -> None:
            with pytest.raises(sqlite3.OperationalError, match="locked"):
                other.begin()
            ended.set()

        waiting = threading.Thread(target=wait_in_vain, daemon=True)
        waiting.start()
        is_over = ended.wait(5)
        os.close(still)
        waiting.join()
        holder.commit()
        assert is_over
        other.begin()
        other.rollback()


def test_the_file_tells_nobody_else_anything(path: Path):
    Turns(path).close()
    found = path.with_name("placet.db.turns").stat()
    assert (found.st_mode & 0o777, found.st_size) == (0o600, 0)
