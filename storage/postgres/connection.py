"""The writer's connection to PostgreSQL.

Lives here: transactions in the words of ``connection``. Must not live here: how it is
reached, and what errors mean (``database``). Law: whoever adds to the log holds the row of
its head, and reads the time after that; a commit that the server turned into a rollback is an
error.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg

from storage.connection import LOG_HEAD, Dialect, Rows, in_style
from storage.postgres.notices import CHANNEL

_STYLE = psycopg.paramstyle
_POSTGRES = Dialect(skip_locked=" FOR UPDATE SKIP LOCKED", rows_at_once=1)
_BEGIN = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE"
# The time is its own statement: the one that waits for the lock began before it had it.
_BEGIN_CHAIN = f"{_BEGIN}; {LOG_HEAD} FOR UPDATE; SELECT clock_timestamp()"


class PostgresConnection:
    """The writer's connection."""

    dialect = _POSTGRES

    def __init__(self, raw: psycopg.Connection[tuple[Any, ...]], token: str) -> None:
        self.raw = raw
        self._token = token
        self._notice = ""

    @property
    def is_broken(self) -> bool:
        """Whether the server, or the way to it, has gone."""
        return self.raw.closed

    def begin_chain(self) -> tuple[Sequence[Any] | None, datetime | None]:
        """Begin with the head's row lock; what is read after it is as the last commit left it."""
        cursor = self.raw.execute(_BEGIN_CHAIN)
        cursor.nextset()
        head = cursor.fetchone()
        cursor.nextset()
        (now,) = cursor.fetchone() or (None,)
        return head, now.astimezone(UTC) if now is not None else None

    def begin(self) -> None:
        """Begin without it."""
        self.raw.execute(_BEGIN)

    def execute(self, sql: str, values: Sequence[Any] = (), /) -> Rows:
        """See ``connection.Connection``."""
        return self.raw.execute(in_style(sql, _STYLE), values or None)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]], /) -> Rows:
        """See ``connection.Connection``."""
        cursor = self.raw.cursor()
        cursor.executemany(in_style(sql, _STYLE), rows)
        return cursor

    def tidy(self) -> None:
        """Nothing: the server does."""

    def announce(self, size: int) -> None:
        """With the commit, and only with it."""
        self._notice = f"SELECT pg_notify('{CHANNEL}', '{self._token} {size:d}'); "

    def commit(self) -> None:
        """Make it durable.

        Raises:
            psycopg.InternalError: the server rolled back instead, as a statement had failed.
        """
        notice, self._notice = self._notice, ""
        cursor = self.raw.execute(notice + "COMMIT")
        while cursor.nextset():
            pass
        if cursor.statusmessage != "COMMIT":
            raise psycopg.InternalError("the transaction was rolled back")

    def rollback(self) -> None:
        """Undo it."""
        self._notice = ""
        if self.raw.info.transaction_status is not psycopg.pq.TransactionStatus.IDLE:
            self.raw.execute("ROLLBACK")

    def close(self) -> None:
        """Let go; the server undoes what was not committed."""
        self.raw.close()
