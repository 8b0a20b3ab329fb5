"""The log as text: records, one a line, between a first and a last line that say which.

Lives here: writing that text, whole or segment by segment. Must not live here: contents, which stay
behind, and verification. Law: ``body`` is the very text that was hashed; nothing is re-encoded on
the way; what has no last line was cut.

A file: ``{"export": 1, "after": seq, "previous": hash}``, then ``{"seq", "hash", "body"}`` for each
record and after it ``{"head": {"seq", "origin", "key_id", "value"}}`` where the log's head was
signed there, then ``{"end": seq, "hash": hash, "events": count}``. Public keys, votes' signatures
and checkpoints are records; so an export and the keys and checkpoints kept elsewhere are enough.
"""

import json
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TextIO

from governance.audit import GENESIS
from storage.sqlite.database import SqliteDatabase

VERSION = 1
SEGMENT_EVENTS = 100_000
_TAIL_BYTES = 4_096
_EVERY = 2_000

Row = tuple[int, str, bytes, str | None, str | None, str | None]
"""Sequence number, hash and bytes of a record; origin, key and signature of a head signed there."""
Stray = tuple[int, str, str, str]
"""A signed head without its record: somebody removed that, and the export does not hide it."""
Progress = Callable[[int, int], None]
"""Called now and then with records done and records in all (0: not known)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Where an export stands: the last record's number and hash, and how many it holds."""

    seq: int = 0
    hash: str = GENESIS
    events: int = 0


class NotThisLog(Exception):
    """A folder holds segments that do not continue into this log."""


def export(
    database: Path, out: TextIO, *, after_seq: int = 0, progress: Progress | None = None
) -> int:
    """Write every record after ``after_seq`` to ``out``; how many there were.

    Raises:
        sqlite3.Error: the database cannot be read.
        NotThisLog: there is no record ``after_seq``.
    """
    with closing(_open(database)) as connection:
        after = after_seq or _detached(connection)[0]
        begin = End(seq=after, hash=_hash_at(connection, after))
        rows, strays = _rows(connection, begin.seq), _strays(connection)
        return _write(rows, strays, out, begin, _teller(connection, progress)).events


def export_segments(
    database: Path,
    folder: Path,
    *,
    events: int = SEGMENT_EVENTS,
    progress: Progress | None = None,
) -> int:
    """Write what ``folder`` lacks, ``events`` records a file; how many records it gained.

    A file has its name once it is whole and on the disk; what an interrupted run left is replaced.

    Raises:
        sqlite3.Error: the database cannot be read.
        OSError: the folder cannot be written.
        NotThisLog: the folder holds something else.
    """
    last = standing(folder)
    gained = 0
    with closing(_open(database)) as connection:
        upto, hash_ = _detached(connection)
        if not last.seq and upto:
            last = End(seq=upto, hash=hash_)
        if _hash_at(connection, last.seq) != last.hash:
            raise NotThisLog(f"record {last.seq} of {folder} is another one in this log")
        tell, rows = _teller(connection, progress), _rows(connection, last.seq)
        for first in rows:
            path = folder / f"log-{first[0]:012d}.jsonl"
            aside = path.with_suffix(".part")
            begin = End(seq=last.seq, hash=last.hash)
            with os.fdopen(
                os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
            ) as out:
                some = islice(chain((first,), rows), events)
                last = _write(some, iter(()), out, begin, tell)
                out.flush()
                os.fsync(out.fileno())
            aside.replace(path)
            gained += last.events
    return gained


def standing(folder: Path) -> End:
    """Where the segments of ``folder`` end, by the last line of the last of them.

    Raises:
        OSError: it cannot be read.
        NotThisLog: its last segment has no end.
    """
    files = sorted(folder.glob("log-*.jsonl"))
    if not files:
        return End()
    with files[-1].open("rb") as lines:
        lines.seek(max(0, files[-1].stat().st_size - _TAIL_BYTES))
        line = lines.read().rstrip(b"\n").rpartition(b"\n")[2]
    try:
        found = json.loads(line)
        return End(seq=int(found["end"]), hash=str(found["hash"]), events=int(found["events"]))
    except (ValueError, KeyError, TypeError) as error:
        raise NotThisLog(f"{files[-1]} has no last line") from error


def write_records(rows: Iterator[Row], out: TextIO, begin: End) -> End:
    """Write these records, which follow ``begin``, as one file of an export."""
    return _write(rows, iter(()), out, begin, lambda _: None)


def _write(
    rows: Iterator[Row],
    strays: Iterator[Stray],
    out: TextIO,
    begin: End,
    tell: Callable[[int], None],
) -> End:
    last = begin
    count = 0
    out.write(_line({"export": VERSION, "after": begin.seq, "previous": begin.hash}))
    for seq, hash_, body, *head in rows:
        out.write(_line({"seq": seq, "hash": hash_, "body": body.decode("utf-8")}))
        if head[0] is not None:
            out.write(_head(seq, *head))
        count += 1
        last = End(seq=seq, hash=hash_, events=count)
        if count % _EVERY == 0:
            tell(seq)
    out.writelines(_head(*stray) for stray in strays)
    out.write(_line({"end": last.seq, "hash": last.hash, "events": count}))
    tell(last.seq)
    return last


def _line(entry: dict[str, object]) -> str:
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _head(seq: int, origin: object, key_id: object, value: object) -> str:
    return _line({"head": {"seq": seq, "origin": origin, "key_id": key_id, "value": value}})


def _open(database: Path) -> sqlite3.Connection:
    """A connection that sees one moment."""
    uri = SqliteDatabase(path=database.absolute()).uri("ro")
    connection = sqlite3.connect(uri, uri=True, isolation_level=None)
    connection.execute("BEGIN")
    return connection


def _rows(connection: sqlite3.Connection, after_seq: int) -> Iterator[Row]:
    head = "h.origin, h.key_id, h.value FROM events e LEFT JOIN head_signatures h ON h.seq = e.seq"
    if not _has_heads(connection):
        head = "NULL, NULL, NULL FROM events e"
    sql = f"SELECT e.seq, e.hash, e.body, {head} WHERE e.seq > ? ORDER BY e.seq"  # constants
    return connection.execute(sql, (after_seq,))


def _strays(connection: sqlite3.Connection) -> Iterator[Stray]:
    if not _has_heads(connection):
        return iter(())
    return connection.execute(
        """SELECT seq, origin, key_id, value FROM head_signatures
        WHERE seq > ? AND seq NOT IN (SELECT seq FROM events) ORDER BY seq""",
        _detached(connection)[:1],
    )


def _detached(connection: sqlite3.Connection) -> tuple[int, str]:
    """Number and hash of the last record that is detached; 0: none is."""
    if not _has(connection, "detached"):
        return 0, GENESIS
    row = connection.execute("SELECT last, head FROM detached ORDER BY last DESC LIMIT 1")
    found = row.fetchone()
    return (int(found[0]), str(found[1])) if found else (0, GENESIS)


def _has_heads(connection: sqlite3.Connection) -> bool:
    return _has(connection, "head_signatures")


def _has(connection: sqlite3.Connection, table: str) -> bool:
    """Not so in a database that an earlier version left and no newer one has opened."""
    sql = "SELECT 1 FROM sqlite_master WHERE name = ?"
    return connection.execute(sql, (table,)).fetchone() is not None


def _teller(connection: sqlite3.Connection, progress: Progress | None) -> Callable[[int], None]:
    if progress is None:
        return lambda _: None
    (total,) = connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()
    return lambda done: progress(done, int(total))


def _hash_at(connection: sqlite3.Connection, seq: int) -> str:
    if seq == 0:
        return GENESIS
    upto, hash_ = _detached(connection)
    if seq == upto:
        return hash_
    row = connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
    if row is None and seq < upto:
        raise NotThisLog(f"record {seq + 1} is detached: put the files of its segment there first")
    if row is None:
        raise NotThisLog(f"this log has no record {seq}")
    return str(row[0])
