"""Reads of one row by its key, or of a page along an index, on the caller's own thread.

Lives here: one read-only connection of the event loop's thread. Must not live here: anything that
scans, sorts or counts (``queries`` has connections in threads for that).
Law: a reader of a write-ahead log never waits for the writer, so such a read takes microseconds,
while handing it to a thread and back costs several times as much, of the loop's time too. Where a
network lies between (PostgreSQL), nothing here is used: the loop must not wait for that.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

from governance.sentences import Sentence
from storage.errors import unavailable

_BUSY_S = 0.05
_CACHE = "PRAGMA cache_size=-16384"


class FilePoints:
    """A connection that is opened at its first use and again after a failure."""

    def __init__(self, uri: str, check_file: Callable[[], None]) -> None:
        self._uri = uri
        self._check_file = check_file
        self._connection: sqlite3.Connection | None = None
        self._is_closed = False

    async def value(self, sql: str, *keys: str) -> bytes | None:
        """See ``connection.Points``; it never waits."""
        found = self._found(sql, keys)
        body: bytes | None = found[0][0] if found else None
        return body

    async def rows(self, sql: str, *values: str | int) -> Sequence[Sequence[Any]]:
        """See ``connection.Points``; others have their turn before the next page."""
        found = self._found(sql, values)
        await asyncio.sleep(0)
        return found

    def _found(self, sql: str, values: Sequence[str | int]) -> Sequence[Sequence[Any]]:
        if self._is_closed:
            raise unavailable("the ledger is closed")
        try:
            self._check_file()
            return self._open().execute(sql, values).fetchall()
        except sqlite3.Error as error:
            self._let_go()
            raise unavailable(
                Sentence("the ledger could not be read ({error})", error=type(error).__name__)
            ) from error

    def close(self) -> None:
        """Let go of the file for good."""
        self._is_closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(
                self._uri, uri=True, isolation_level=None, timeout=_BUSY_S
            )
            for pragma in ("PRAGMA query_only=ON", _CACHE):
                self._connection.execute(pragma)
        return self._connection
