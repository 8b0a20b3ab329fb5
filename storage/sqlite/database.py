"""SQLite as a ledger's database: one file beside the process.

Lives here: what every connection to the file must have set, and what its errors mean. Must not
live here: SQL of the ledger. Law: an acknowledged commit survives power loss (WAL with
synchronous=FULL); a file that is gone is an error, never silently a new and empty log.
Source: sqlite.org/pragma.html, sqlite.org/wal.html.
"""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection as CoreConnection
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from storage.connection import LOG_HEAD, Dialect, Leader, Points, Trouble, Wakes
from storage.pool import Pool
from storage.sqlite.leading import FileLeader
from storage.sqlite.points import FilePoints
from storage.sqlite.same_file import SameFile
from storage.sqlite.turns import ASK_AGAIN_S, COURTESY_S, Turns
from storage.sqlite.wakes import SocketWakes

READERS = 4
"""Connections that read at the same time."""
TIDY_AFTER = 1500
"""Rows changed, until they are brought into the file: those of some 250 decisions."""
_SQLITE = Dialect(skip_locked="", rows_at_once=16)
"""A writer has the whole file to itself."""


class SqliteConnection(sqlite3.Connection):
    """The writer's connection: the driver's own, with our words for transactions."""

    dialect = _SQLITE
    is_broken = False
    check_file: Callable[[], None]
    turns: Turns
    busy_timeout_s: float
    _tidied = 0
    """How many rows had been changed when it last was."""
    _is_last = False
    """Whether it had the lock already, so that it is others' turn."""

    def begin_chain(self) -> tuple[Sequence[Any] | None, datetime | None]:
        """Begin with the file's write lock."""
        self.begin()
        row: Sequence[Any] | None = self.execute(LOG_HEAD).fetchone()
        return row, None

    def begin(self) -> None:
        """The same lock: there is but one."""
        if self._is_last and self.turns.is_awaited:
            time.sleep(COURTESY_S)
        try:
            self.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError as error:
            if not _is_busy(error):
                raise
            self._wait_and_begin()
        self._is_last = True

    def _wait_and_begin(self) -> None:
        patience_ends = time.monotonic() + self.busy_timeout_s
        with self.turns.waiting():
            while True:
                time.sleep(ASK_AGAIN_S)
                try:
                    self.execute("BEGIN IMMEDIATE")
                except sqlite3.OperationalError as error:
                    if not _is_busy(error) or time.monotonic() > patience_ends:
                        raise
                else:
                    return

    def close(self) -> None:
        """Let go of the file, and of the place among those who write to it."""
        self.turns.close()
        super().close()

    def announce(self, size: int) -> None:
        """Nothing: a socket tells the others, once it is committed."""

    def tidy(self) -> None:
        """Bring what was committed into the file, at times: no commit waits for it, and no lock."""
        if self.total_changes - self._tidied < TIDY_AFTER:
            return
        self._tidied = self.total_changes
        with suppress(sqlite3.Error):  # it is durable without; the next commit finds out
            self.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()

    def commit(self) -> None:
        """Make it durable, in the file that the others open by its name."""
        self.check_file()
        super().commit()


@dataclass(frozen=True, slots=True, kw_only=True)
class SqliteDatabase:
    """Where a ledger's file is."""

    path: Path
    same: SameFile = field(default_factory=SameFile, init=False, repr=False, compare=False)

    @property
    def name(self) -> str:
        """The file."""
        return str(self.path)

    @property
    def url(self) -> str:
        """As SQLAlchemy writes it."""
        return f"sqlite:///{self.path}"

    def uri(self, mode: str) -> str:
        """As SQLite opens it: ``mode`` is ro, rw or rwc."""
        return f"file:{quote(str(self.path))}?mode={mode}"

    def connect(self, *, busy_timeout_s: float) -> SqliteConnection:
        """See ``connection.Database``; so are the other methods.

        Raises:
            sqlite3.OperationalError: the file is gone or cannot be opened.
        """
        connection = sqlite3.connect(
            self.uri("rw"),
            uri=True,
            isolation_level=None,
            timeout=busy_timeout_s,
            check_same_thread=False,
            cached_statements=256,
            factory=SqliteConnection,
        )
        connection.check_file = self.check_file
        connection.busy_timeout_s = busy_timeout_s
        connection.turns = Turns(self.path)
        try:
            self.check_file()
            for pragma in _pragmas():
                connection.execute(pragma)
            connection.execute("PRAGMA busy_timeout=0")  # from here on it waits by itself
        except BaseException:
            connection.close()
            raise
        return connection

    def check_file(self) -> None:
        """Whether the file is still there, and the same.

        Raises:
            sqlite3.OperationalError: it is not.
        """
        self.same.check(self.path)

    def trouble(self, error: Exception) -> Trouble:
        return Trouble.DOWN if isinstance(error, sqlite3.OperationalError) else Trouble.ITEM

    def reading_engine(self) -> AsyncEngine:
        engine = create_async_engine(
            f"sqlite+aiosqlite:///{self.uri('rw')}&uri=true",
            pool_size=READERS,
            max_overflow=0,
            pool_timeout=30,
            # Reading begins no transaction that could be undone: each undoing goes to a thread.
            isolation_level="AUTOCOMMIT",
            skip_autocommit_rollback=True,
            pool_reset_on_return=None,
        )
        event.listen(engine.sync_engine, "connect", _prepare_reader)
        return engine

    def points(self, _: Pool) -> Points:
        return FilePoints(self.uri("rw"), self.check_file)

    def wakes(self) -> Wakes:
        return SocketWakes(self.path)

    @property
    def is_there(self) -> bool:
        return self.path.is_file()

    @contextmanager
    def moment(self) -> Iterator[Callable[[str], Iterator[Sequence[Any]]]]:
        with closing(sqlite3.connect(self.uri("ro"), uri=True, isolation_level=None)) as connection:
            connection.execute("BEGIN")
            yield lambda sql: iter(connection.execute(sql))

    def leader(self) -> Leader:
        return FileLeader(self.path)

    def prepare(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # It holds arguments and outputs: nobody else's business. Its companions take its mode over.
        os.close(os.open(self.path, os.O_RDONLY | os.O_CREAT, 0o600))

    def migrating_engine(self) -> Engine:
        engine = create_engine(self.url)
        event.listen(engine, "connect", _prepare_writer)
        event.listen(engine, "begin", _begin_immediate)
        return engine


def _is_busy(error: sqlite3.OperationalError) -> bool:
    """Another has the lock; the code's low byte says so, whatever it waits for."""
    return error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY


def _pragmas() -> tuple[str, ...]:
    return (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA recursive_triggers=ON",
        "PRAGMA journal_size_limit=67108864",
        "PRAGMA wal_autocheckpoint=4000",  # pages; nearly all of it is done outside commits
        "PRAGMA cache_size=-65536",
        "PRAGMA temp_store=MEMORY",
        "PRAGMA secure_delete=ON",
    )


def _run(connection: DBAPIConnection, statements: tuple[str, ...]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _begin_immediate(connection: CoreConnection) -> None:
    # The driver would leave schema changes outside any transaction.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_writer(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    _run(connection, ("PRAGMA busy_timeout=5000", *_pragmas()))


def _prepare_reader(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _run(connection, ("PRAGMA busy_timeout=5000", "PRAGMA query_only=ON"))
