"""One read of the database at a time, each at one moment.

Lives here: a connection for a read, and its failure in our words. Must not live here: what is read.
Law: nothing here writes; an engine that cannot be read is ``ledger_unavailable``.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from sqlalchemy import Row, Select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governance.sentences import Sentence
from storage.batch import unavailable


class Reading:
    """Reads over one engine."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine

    @asynccontextmanager
    async def _reading(self) -> AsyncIterator[AsyncConnection]:
        try:
            async with self._engine.connect() as connection:
                yield connection
        except (DBAPIError, PoolTimeout) as error:
            raise unavailable(
                Sentence("the ledger could not be read ({error})", error=type(error).__name__)
            ) from error

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._reading() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    async def _value(self, query: Select[Any]) -> Any:  # noqa: ANN401  # a column of any type
        rows = await self._rows(query)
        return rows[0][0] if rows else None
