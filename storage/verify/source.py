"""Where the verifier reads from: one small protocol, a SQLite file, and an export.

Lives here: raw rows, read at one moment. Must not live here: any judgement but that something
cannot be read. Law: a source tells what is stored, never what it means; another engine is verified
by another source and by no other change.
"""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol
from urllib.parse import quote

from storage.verify.chain import COLUMNS, GENESIS, Problem, Raw
from storage.verify.form import Json
from storage.verify.guards import damage, guards
from storage.verify.heads import SQL as HEADS

_RECORD = frozenset(("seq", "hash", "body"))
_HEAD = ("seq", "origin", "key_id", "value")
_KINDS = (("seq", int, "a whole number"), ("hash", str, "text"), ("body", bytes, "bytes"))
_HEAD_LINE = b'{"head": '
_TAIL_BYTES = 4_096
_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)


class Source(Protocol):
    """Records, and the tables beside them if there are any."""

    unreadable: tuple[type[Exception], ...]
    """What reading may raise; it becomes a problem."""
    has_tables: bool
    """Whether projections stand beside the records."""

    def attach(self, scratch: sqlite3.Connection) -> int:
        """Begin at one moment; how many records there are about (0: not known).

        With tables: every table of the ledger but the log itself is to be found in ``scratch`` as
        ``db.name`` from now on: attached, or copied into a database of that name.
        """
        ...

    def records(self, after: int = 0, previous: str = GENESIS) -> Iterator[Raw | Problem]:
        """Every record after a number (and its hash) in order, and what is no record at all."""
        ...

    def signed_heads(self, after: int = 0) -> Iterator[tuple[object, ...]]:
        """Record number, origin, key id and signature of every signed head after it, in order."""
        ...

    def held(self, upto: int) -> int:
        """How many records up to a number there are."""
        ...

    def guards(self) -> Iterator[Problem]:
        """What no longer protects the log or hides rows; nothing where there are no tables."""
        ...


class SqliteSource:
    """A ledger's file, which others may be writing."""

    unreadable: tuple[type[Exception], ...] = (sqlite3.Error, UnicodeDecodeError)
    """The latter: an error of SQLite that names what is damaged and is no text any more."""
    has_tables = True

    def __init__(self, path: Path) -> None:
        self._path = path
        self._scratch: sqlite3.Connection | None = None

    def attach(self, scratch: sqlite3.Connection) -> int:
        """See ``Source``: one transaction reads the records and the tables."""
        scratch.execute("COMMIT")
        scratch.execute("ATTACH ? AS db", (f"file:{quote(str(self._path.absolute()))}?mode=ro",))
        scratch.execute("BEGIN")
        self._scratch = scratch
        (total,) = scratch.execute("SELECT count(*) FROM db.events").fetchone()
        return int(total)

    def records(self, after: int = 0, previous: str = GENESIS) -> Iterator[Raw | Problem]:
        """See ``Source``."""
        if self._scratch is None:
            raise ValueError("attach comes first")
        some = f" WHERE seq > {after:d}" if after else ""
        sql = f"SELECT seq, hash, body, {', '.join(COLUMNS)} FROM db.events{some} ORDER BY seq"  # noqa: S608  # a number
        for row in self._scratch.execute(sql):
            yield record(row)

    def signed_heads(self, after: int = 0) -> Iterator[tuple[object, ...]]:
        """See ``Source``."""
        return iter(()) if self._scratch is None else later(self._scratch.execute(HEADS), after)

    def held(self, upto: int) -> int:
        """See ``Source``."""
        if self._scratch is None:
            return 0
        sql = "SELECT count(*) FROM db.events WHERE seq <= ?"
        return int(self._scratch.execute(sql, (upto,)).fetchone()[0])

    def guards(self) -> Iterator[Problem]:
        """See ``Source``."""
        if self._scratch is not None:
            yield from guards(self._scratch)
            yield from damage(self._scratch)


def record(row: tuple[Json, ...]) -> Raw | Problem:
    """The record in a row of a table: number, hash, body and columns; or why it holds none."""
    seq, hash_, body = row[:3]
    if type(body) is bytes and type(hash_) is str and type(seq) is int:
        return Raw(seq, hash_, body, row[3:])
    return _unlike(row[:3])


def _unlike(row: Sequence[Json]) -> Problem:
    wrong = (one for one, value in zip(_KINDS, row, strict=True) if type(value) is not one[1])
    field, _, wanted = next(wrong)
    return Problem(
        seq=row[0] if type(row[0]) is int else 0,
        what="form",
        detail=f"its {field} is not {wanted}",
        table="events",
        row=str(row[0]),
        field=field,
    )


class ExportSource:
    """An export: a file or some, or a folder of segments that follow one another by name."""

    unreadable: tuple[type[Exception], ...] = (OSError,)
    has_tables = False

    def __init__(self, *paths: Path) -> None:
        self._paths = paths

    def files(self) -> Sequence[Path]:
        """The files in the order in which they are read."""
        if len(self._paths) == 1 and self._paths[0].is_dir():
            return sorted(self._paths[0].glob("*.jsonl"))
        return self._paths

    def attach(self, scratch: sqlite3.Connection) -> int:  # no tables
        """See ``Source``; the number is what the last file says of itself."""
        ends = [_tail(path) for path in self.files()]
        return ends[-1] if ends else 0

    def records(self, after: int = 0, previous: str = GENESIS) -> Iterator[Raw | Problem]:
        """See ``Source``; the first file begins there."""
        at = _At(after, previous)
        for path in self.files():
            with path.open("rb") as lines:
                yield from _file(path.name, lines, at)

    def signed_heads(self, after: int = 0) -> Iterator[tuple[object, ...]]:
        """See ``Source``; the files are read once more, so that nothing is kept."""
        for path in self.files():
            with path.open("rb") as lines:
                for line in lines:
                    head = _signed(line)
                    if head is not None:
                        yield from later((tuple(head[name] for name in _HEAD),), after)

    def held(self, upto: int) -> int:  # files say where they begin
        """See ``Source``."""
        return 0

    def guards(self) -> Iterator[Problem]:
        """None: a file guards nothing."""
        yield from ()


@dataclass(slots=True)
class _At:
    """How far an export was read; ``count`` records of the file that is read now."""

    seq: int = 0
    hash: str = GENESIS
    count: int = 0


def _file(name: str, lines: Iterator[bytes], at: _At) -> Iterator[Raw | Problem]:
    """The records of one file; a first and a last line say where it stands and that it is whole."""
    at.count = 0
    is_begun = is_ended = False
    number = 0
    for number, line in enumerate(lines, start=1):
        entry = _entry(line)
        raw = _raw(entry)
        if raw is not None:
            at.seq, at.hash, at.count = raw.seq, raw.hash, at.count + 1
            yield raw
        elif _signed(line) is not None:
            pass  # ``signed_heads`` reads it
        elif entry is not None and "export" in entry and number == 1:
            is_begun = True
            if entry != {"export": 1, "after": at.seq, "previous": at.hash}:
                detail = f"{name} does not continue record {at.seq} before it"
                yield _lie("segment", name, number, detail)
        elif entry is not None and "end" in entry and not is_ended:
            is_ended = True
            if entry != {"end": at.seq, "hash": at.hash, "events": at.count}:
                detail = f"{name} does not hold what its last line says"
                yield _lie("segment", name, number, detail)
        else:
            yield _lie("form", name, number, f"line {number} is not a record of an export")
        if is_ended and raw is not None:
            yield _lie("segment", name, number, f"{name} goes on after its last line")
    if not is_begun:
        yield _lie("segment", name, 1, f"{name} has no first line")
    if not is_ended:
        yield _lie("cut", name, number, f"{name} has no last line: it was cut")


def _signed(line: bytes) -> dict[str, Json] | None:
    """A signed head, if the line is one; nothing else begins as it does."""
    entry = _entry(line) if line.startswith(_HEAD_LINE) else None
    head = (entry or {}).get("head")
    is_head = isinstance(head, dict) and head.keys() == set(_HEAD)
    return head if is_head and entry is not None and len(entry) == 1 else None


def later(rows: Iterable[tuple[object, ...]], after: int) -> Iterator[tuple[object, ...]]:
    """Rows but those whose number is ``after`` or one before it; what is no number stays."""
    return (row for row in rows if not (after and isinstance(row[0], int) and row[0] <= after))


def _lie(what: str, name: str, number: int, detail: str) -> Problem:
    return Problem(seq=0, what=what, detail=detail, table=name, row=str(number))


def _entry(line: bytes) -> dict[str, Json] | None:
    """What a line says, if it says it in the one form in which an export is written."""
    try:
        entry = json.loads(line)
        if not isinstance(entry, dict) or _ENCODER.encode(entry).encode("utf-8") + b"\n" != line:
            return None
    except (ValueError, RecursionError):
        return None
    return entry


def _raw(entry: dict[str, Json] | None) -> Raw | None:
    if entry is None or entry.keys() != _RECORD:
        return None
    seq, hash_, body = entry["seq"], entry["hash"], entry["body"]
    if type(seq) is not int or type(hash_) is not str or type(body) is not str:
        return None
    try:
        return Raw(seq, hash_, body.encode("utf-8"))
    except UnicodeEncodeError:  # a lone surrogate
        return None


def _tail(path: Path) -> int:
    """How far a file goes by its own last line; 0 where it has none."""
    with path.open("rb") as lines:
        lines.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        entry = _entry(lines.read().rstrip(b"\n").rpartition(b"\n")[2] + b"\n")
    found = (entry or {}).get("end")
    return found if type(found) is int and found > 0 else 0
