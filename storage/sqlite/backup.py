"""Copies of a SQLite ledger's file, made while it is written, and put back.

Lives here: the online backup and its restoration. Must not live here: servers (their own tools
copy them), texts. Law: a copy has its name once it is whole, looked through and on the disk;
nothing that is there is ever overwritten.
Source: sqlite.org/backup.html.
"""

import os
import sqlite3
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from storage.sqlite.database import SqliteDatabase


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """Where the log of a copy ends, and how large its file is."""

    size: int
    head: str
    file_bytes: int


class NotCopied(Exception):
    """It was not done, and why; nothing was left behind."""


def back_up(database: Path, to: Path) -> Copied:
    """Copy a ledger as it is at one moment; whoever writes meanwhile is not held up.

    Raises:
        NotCopied: it is there already, or the copy is damaged.
        sqlite3.Error, OSError: it cannot be read or written.
    """
    return _made(database, to)


def restore(backup: Path, to: Path) -> Copied:
    """Make a ledger of a backup, where there is none.

    Raises:
        NotCopied: a ledger is there, or what it left, or the backup is damaged or none.
        sqlite3.Error, OSError: it cannot be read or written.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    return _made(backup, to)


def _made(source: Path, to: Path) -> Copied:
    for name in (to, *_companions(to)):
        if name.exists():
            raise NotCopied(f"{name} is there already")
    aside = to.with_name(f"{to.name}.part")
    _remove(aside)
    try:
        os.close(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        with (
            closing(sqlite3.connect(_uri(source, "ro"), uri=True)) as origin,
            closing(sqlite3.connect(_uri(aside, "rw"), uri=True)) as copy,
        ):
            # All at once is one moment: page by page it would begin anew with each commit.
            origin.backup(copy)
        found = _looked_through(aside)
        _sync(aside)
        os.link(aside, to)  # refuses a name that came to be there meanwhile
        _sync(to.parent)
    except FileExistsError as error:
        raise NotCopied(f"{to} is there already") from error
    finally:
        _remove(aside)
    return found


def _looked_through(path: Path) -> Copied:
    # Immutable: looking must leave no companion beside the copy.
    with closing(sqlite3.connect(f"{_uri(path, 'ro')}&immutable=1", uri=True)) as connection:
        (verdict,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if verdict != "ok":
            raise NotCopied(f"it is damaged: {verdict}")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE name = 'head'")
        if tables.fetchone() is None:
            raise NotCopied("it is no ledger")
        row = connection.execute("SELECT seq, hash FROM head WHERE id = 1").fetchone()
        last = connection.execute("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1")
        size, head = row or (0, "")
        if size and last.fetchone() != (size, head):
            raise NotCopied("its head is not its last record")
    return Copied(size=size, head=head, file_bytes=path.stat().st_size)


def _uri(path: Path, mode: str) -> str:
    return SqliteDatabase(path=path.absolute()).uri(mode)


def _companions(path: Path) -> tuple[Path, ...]:
    return tuple(path.with_name(path.name + end) for end in ("-wal", "-shm", "-journal"))


def _remove(aside: Path) -> None:
    for name in (aside, *_companions(aside)):
        with suppress(FileNotFoundError):
            name.unlink()


def _sync(path: Path) -> None:
    held = os.open(path, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)
