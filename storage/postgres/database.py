"""PostgreSQL as a ledger's database: several processes, and several machines, on one log.

Lives here: what every connection must have set, and what the driver's errors mean. Must not live
here: SQL of the ledger. Law: an acknowledged commit survives power loss (fsync and
synchronous_commit are looked at on every new connection of the writer); whoever adds to the log
holds the row of its head; a commit that the server turned into a rollback is an error.
Source: postgresql.org/docs: runtime-config-wal, explicit-locking, transaction-iso, errcodes.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from psycopg import errors
from sqlalchemy import Connection as CoreConnection
from sqlalchemy import create_engine, event
from sqlalchemy.engine import Engine
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.engine.url import URL
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry, NullPool

from governance.errors import Code, InvalidInput, PlacetError
from storage.connection import (
    NUL,
    Leader,
    Points,
    Trouble,
    Wakes,
    in_style,
)
from storage.pool import Pool
from storage.postgres.connection import PostgresConnection
from storage.postgres.notices import NotifyWakes, SessionLeader

READERS = 8
"""Connections that read at the same time, of one process."""
STATEMENT_S = 30
_FETCHED = 2_000
STALLED_S = 15
"""A process that stops in the middle of a transaction holds the others up no longer than this."""
MIGRATING = 0x706C61636574
"""The advisory lock of whoever migrates."""
_STYLE = psycopg.paramstyle
_LINK: Mapping[str, object] = {
    "application_name": "placet",
    "target_session_attrs": "read-write",
    "connect_timeout": 5,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
}
_SET_UP = """SELECT set_config('lock_timeout', %s, false),
    set_config('statement_timeout', %s, false),
    set_config('idle_in_transaction_session_timeout', %s, false),
    set_config('synchronous_commit', CASE current_setting('synchronous_commit')
        WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false)"""
_PROMISES = """SELECT current_setting('synchronous_commit'), current_setting('fsync'),
    current_setting('server_encoding')"""


class ServerPoints:
    """The same reads over a pool: the loop never waits for the network."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def value(self, sql: str, *keys: str) -> bytes | None:
        """See ``connection.Points``."""
        if any(NUL in key for key in keys):
            return None
        found = await self.rows(sql, *keys)
        body: bytes | None = found[0][0] if found else None
        return body

    async def rows(self, sql: str, *values: str | int) -> Sequence[Sequence[Any]]:
        """See ``connection.Points``."""
        async with self._pool.reading(is_alone=True) as connection:
            return (await connection.exec_driver_sql(in_style(sql, _STYLE), values)).all()

    def close(self) -> None:
        """Nothing: the pool is another's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """Where a ledger's server is."""

    parts: URL = field(repr=False)
    token: str = field(default_factory=lambda: secrets.token_hex(4))
    """Names this process among those that are woken."""

    @property
    def name(self) -> str:
        """Host, port and database; passwords may also hide in a URL's query."""
        host = self.parts.host or self.parts.query.get("host") or ""
        where = host if isinstance(host, str) else ",".join(host)
        port = f":{self.parts.port}" if self.parts.port else ""
        return f"postgresql://{where}{port}/{self.parts.database or ''}"

    @property
    def link(self) -> dict[str, Any]:
        """How the driver connects; what the URL says counts."""
        _, named = self.parts.get_dialect()().create_connect_args(self.parts)
        return {**_LINK, **named}

    def connect(self, *, busy_timeout_s: float) -> PostgresConnection:
        """See ``connection.Database``; so are the other methods.

        Raises:
            InvalidInput: ``invalid_settings``: the server would not keep what it acknowledges.
            psycopg.Error: it cannot be reached.
        """
        raw = psycopg.connect(**self.link, autocommit=True)
        try:
            waits = (busy_timeout_s, STATEMENT_S, STALLED_S)
            raw.execute(_SET_UP, [f"{max(1, int(seconds * 1000))}" for seconds in waits])
            _hold_to(raw.execute(_PROMISES).fetchone())
        except BaseException:
            raw.close()
            raise
        return PostgresConnection(raw, self.token)

    def trouble(self, error: Exception) -> Trouble:
        if isinstance(error, errors.SerializationFailure | errors.DeadlockDetected):
            return Trouble.AGAIN
        # InternalError: a server that became a standby, or a transaction that is lost already.
        # NotSupportedError: a statement that was prepared before somebody migrated.
        is_down = isinstance(
            error,
            psycopg.OperationalError
            | psycopg.InterfaceError
            | psycopg.InternalError
            | psycopg.NotSupportedError
            | PlacetError,
        )
        return Trouble.DOWN if is_down else Trouble.ITEM

    def reading_engine(self) -> AsyncEngine:
        engine = create_async_engine(
            self.parts,
            connect_args=self.link,
            isolation_level="REPEATABLE READ",
            pool_size=READERS,
            max_overflow=0,
            pool_timeout=30,
            pool_pre_ping=True,
            hide_parameters=True,
        )
        event.listen(engine.sync_engine, "connect", _prepare_reader)
        return engine

    def points(self, pool: Pool) -> Points:
        return ServerPoints(pool)

    def wakes(self) -> Wakes:
        return NotifyWakes(self.link, self.token)

    @property
    def is_there(self) -> bool:
        return True

    @contextmanager
    def moment(self) -> Iterator[Callable[[str], Iterator[Sequence[Any]]]]:
        with psycopg.connect(**self.link) as connection:
            connection.read_only = True
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            yield partial(_streamed, connection)

    def leader(self) -> Leader:
        return SessionLeader(self.link)

    def prepare(self) -> None:
        """Nothing: people make databases."""

    def migrating_engine(self) -> Engine:
        engine = create_engine(
            self.parts, connect_args=self.link, poolclass=NullPool, hide_parameters=True
        )
        event.listen(engine, "begin", _lock_schema)
        return engine


def _streamed(
    connection: psycopg.Connection[tuple[Any, ...]], sql: str
) -> Iterator[tuple[Any, ...]]:
    """Rows by way of a cursor on the server: none is fetched before it is wanted."""
    with connection.cursor(f"c{secrets.token_hex(4)}") as cursor:
        cursor.itersize = _FETCHED
        cursor.execute(sql.encode())
        yield from cursor


def _hold_to(promises: tuple[Any, ...] | None) -> None:
    synchronous, fsync, encoding = promises or ("", "", "")
    wrong = [
        f"{name} is {value}"
        for name, value, good in (
            ("synchronous_commit", synchronous, ("on", "remote_apply")),
            ("fsync", fsync, ("on",)),
            ("server_encoding", encoding, ("UTF8",)),
        )
        if value not in good
    ]
    if wrong:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            f"the database would not keep what it acknowledges: {', '.join(wrong)}",
        )


def _lock_schema(connection: CoreConnection) -> None:
    connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATING})")


def _prepare_reader(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    cursor = connection.cursor()
    cursor.execute(
        "SELECT set_config('default_transaction_read_only', 'on', false),"
        f" set_config('statement_timeout', '{STATEMENT_S * 1000}', false)"
    )
    cursor.close()
    connection.commit()
