"""A ledger -> another database, whole.

Lives here: copying every table of one moment in one transaction, and comparing both afterwards.
Must not live here: verification (the caller verifies the target before it is used).
Law: the target is empty before and whole afterwards, or empty still; bytes are copied as they are,
so that the log's hashes hold; a source that grew meanwhile is not left behind silently.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Table

from governance.audit import GENESIS
from governance.errors import Code, InvalidInput, PlacetError
from storage.connection import LOG_HEAD, Connection, Database
from storage.engine import database, is_current, migrate
from storage.errors import unavailable
from storage.schema.tables import detached, events, head, metadata
from storage.sqlite.database import SqliteDatabase

BATCH = 1_000
Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""
Read = Callable[[str], Iterator[Sequence[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """What was copied; ``rows`` by table, ``head`` as it is on both sides."""

    rows: dict[str, int]
    seq: int
    head: str


def copy(source: Database, target: Database, *, progress: Progress | None = None) -> Copied:
    """Copy ``source`` into ``target``, which has the schema and no record.

    Raises:
        InvalidInput: ``invalid_settings``: the target is not empty, either lacks a migration, or
            the source grew meanwhile; nothing was written.
        Exception: either driver's own; nothing was written.
    """
    for db in (source, target):
        _hold_current(db)
    tell = progress or (lambda _done, _total: None)
    with source.moment() as read, closing(target.connect(busy_timeout_s=5)) as into:
        row, _ = into.begin_chain()
        _hold_empty(into, row)
        counts = _counts(read)
        done, total = 0, sum(counts.values())
        for table in _tables():
            for some in _batches(read(_select(table))):
                into.executemany(_insert(table), some)
                done += len(some)
                tell(done, total)
        (found,) = read(LOG_HEAD)
        into.execute(
            "UPDATE head SET seq = ?, hash = ?, at = ?, pending = ?, tree = ? WHERE id = 1", found
        )
        _compare(into, counts, found)
        _hold_still(source, found[0])
        into.commit()
    return Copied(rows=counts, seq=found[0], head=found[1])


def _tables() -> list[Table]:
    """Every table but the head, whose row is there already; where the log begins, then the log."""
    others = (t for t in metadata.sorted_tables if t not in (detached, events, head))
    return [detached, events, *others]


def _names(table: Table) -> list[str]:
    return [column.name for column in table.columns]


def _select(table: Table) -> str:
    order = ", ".join(column.name for column in table.primary_key.columns)
    return f"SELECT {', '.join(_names(table))} FROM {table.name} ORDER BY {order}"  # noqa: S608  # the schema's names


def _insert(table: Table) -> str:
    names = _names(table)
    marks = ", ".join("?" * len(names))
    return f"INSERT INTO {table.name} ({', '.join(names)}) VALUES ({marks})"  # noqa: S608  # the schema's names


def _count(table: Table) -> str:
    return f"SELECT count(*) FROM {table.name}"  # noqa: S608  # the schema's names


def _counts(read: Read) -> dict[str, int]:
    return {table.name: int(next(read(_count(table)))[0]) for table in _tables()}


def _batches(rows: Iterable[Sequence[Any]]) -> Iterator[list[Sequence[Any]]]:
    left = iter(rows)
    while some := list(islice(left, BATCH)):
        yield some


def _hold_current(db: Database) -> None:
    if not db.is_there:
        raise unavailable(f"there is no ledger at {db.name}")
    engine = db.migrating_engine()
    try:
        with engine.connect() as connection:
            if not is_current(connection):
                raise _unfit(f"{db.name} lacks migrations: placet db migrate brings them")
    finally:
        engine.dispose()


def _hold_empty(into: Connection, row: Sequence[Any] | None) -> None:
    counts = {table.name: into.execute(_count(table)).fetchone()[0] for table in _tables()}
    full = [name for name, count in counts.items() if count]
    if full or row is None or tuple(row[:2]) != (0, GENESIS):
        raise _unfit(f"the target is not empty ({', '.join(full) or 'head'})")


def _compare(into: Connection, counts: dict[str, int], wanted: Sequence[Any]) -> None:
    for table in _tables():
        (count,) = into.execute(_count(table)).fetchone()
        if count != counts[table.name]:
            raise _unfit(f"{table.name} has {count} rows, the source {counts[table.name]}")
    if tuple(into.execute(LOG_HEAD).fetchone()) != tuple(wanted):
        raise _unfit("the head is not the source's")


def _hold_still(source: Database, seq: int) -> None:
    with source.moment() as read:
        (now,) = read("SELECT seq FROM head")
    if now[0] != seq:
        raise _unfit("the source grew while it was copied: stop every process that writes to it")


def _unfit(message: str) -> InvalidInput:
    return InvalidInput(Code.INVALID_SETTINGS, message)


@contextmanager
def as_file(url: str) -> Iterator[Path]:
    """The ledger as a SQLite file: its own, or a private copy of a server's, gone afterwards.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
        Unavailable: ``ledger_unavailable``: it is not there, or cannot be read.
    """
    db = database(url)
    if isinstance(db, SqliteDatabase):
        if not db.is_there:
            raise unavailable(f"there is no ledger at {db.name}")
        yield db.path
        return
    with TemporaryDirectory(prefix="placet-copy-") as folder:
        path = Path(folder) / "placet.db"
        migrate(f"sqlite:///{path}")
        copied(db, SqliteDatabase(path=path))
        yield path


def copied(source: Database, target: Database, *, progress: Progress | None = None) -> Copied:
    """``copy``, with a driver's errors in our words.

    Raises:
        InvalidInput: as ``copy``.
        Unavailable: ``ledger_unavailable``: either cannot be used now; nothing was written.
    """
    try:
        return copy(source, target, progress=progress)
    except PlacetError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise unavailable(f"{source.name} cannot be copied to {target.name} ({kind})") from error
