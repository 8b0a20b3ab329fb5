"""A database from its URL: connections with their pragmas, and migrations.

Lives here: what every connection to a ledger's file must have set. Must not live here: SQL of the
ledger. Law: an acknowledged commit survives power loss (WAL with synchronous=FULL); a file that is
gone is an error, never silently a new and empty log.
Source: sqlite.org/pragma.html, sqlite.org/wal.html.
"""

import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.engine.url import make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from governance.errors import Code, InvalidInput

READERS = 4
"""Connections that read at the same time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Database:
    """Where a ledger's file is."""

    path: Path

    @property
    def url(self) -> str:
        """As SQLAlchemy writes it."""
        return f"sqlite:///{self.path}"

    def uri(self, mode: str) -> str:
        """As SQLite opens it: ``mode`` is ro, rw or rwc."""
        return f"file:{quote(str(self.path))}?mode={mode}"


def database(url: str) -> Database:
    """The database that ``sqlite:///path`` names.

    Raises:
        InvalidInput: ``invalid_settings``: another engine, or no file.
    """
    try:
        parts = make_url(url)
    except ArgumentError as error:
        raise InvalidInput(Code.INVALID_SETTINGS, "the database URL is malformed") from error
    if parts.get_backend_name() != "sqlite" or parts.database in (None, "", ":memory:"):
        raise InvalidInput(
            Code.INVALID_SETTINGS, "the database URL must be sqlite:///path with a file's path"
        )
    return Database(path=Path(str(parts.database)).absolute())


def connect(db: Database, *, busy_timeout_s: float) -> sqlite3.Connection:
    """The writer's connection; transactions are begun and ended by hand.

    Raises:
        sqlite3.OperationalError: the file is gone or cannot be opened.
    """
    connection = sqlite3.connect(
        db.uri("rw"),
        uri=True,
        isolation_level=None,
        timeout=busy_timeout_s,
        check_same_thread=False,
        cached_statements=256,
    )
    try:
        for pragma in _pragmas():
            connection.execute(pragma)
    except BaseException:
        connection.close()
        raise
    return connection


def reading_engine(db: Database) -> AsyncEngine:
    """Asynchronous connections that cannot write."""
    engine = create_async_engine(
        f"sqlite+aiosqlite:///{db.uri('rw')}&uri=true",
        pool_size=READERS,
        max_overflow=0,
        pool_timeout=30,
    )
    event.listen(engine.sync_engine, "connect", _prepare_reader)
    return engine


def migrating_engine(db: Database) -> Engine:
    """A plain engine for migrations; it creates the file."""
    engine = create_engine(db.url)
    event.listen(engine, "connect", _prepare_writer)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def migrate(url: str) -> None:
    """Bring the database to the newest schema, creating it where there is none.

    Raises:
        InvalidInput: ``invalid_settings``: see ``database``.
    """
    db = database(url)
    db.path.parent.mkdir(parents=True, exist_ok=True)
    # It holds arguments and outputs: nobody else's business. Its companions take its mode over.
    os.close(os.open(db.path, os.O_RDONLY | os.O_CREAT, 0o600))
    engine = migrating_engine(db)
    try:
        with engine.begin() as connection:
            upgrade(connection)
    finally:
        engine.dispose()


def upgrade(connection: Connection) -> None:
    """Run every migration that ``connection``'s database lacks."""
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def _pragmas() -> tuple[str, ...]:
    return (
        "PRAGMA journal_mode=WAL",
        "PRAGMA synchronous=FULL",
        "PRAGMA foreign_keys=ON",
        "PRAGMA recursive_triggers=ON",
        "PRAGMA journal_size_limit=67108864",
        "PRAGMA cache_size=-65536",
        "PRAGMA temp_store=MEMORY",
    )


def _run(connection: DBAPIConnection, statements: tuple[str, ...]) -> None:
    cursor = connection.cursor()
    for statement in statements:
        cursor.execute(statement)
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    # The driver would leave schema changes outside any transaction.
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _prepare_writer(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    connection.isolation_level = None
    _run(connection, ("PRAGMA busy_timeout=5000", *_pragmas()))


def _prepare_reader(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    _run(connection, ("PRAGMA busy_timeout=5000", "PRAGMA query_only=ON"))
