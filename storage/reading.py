"""One read of the database at a time, each at one moment.

Lives here: the shortest ways to rows and to a value. Must not live here: what is read.
Law: nothing here writes.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row, Select

from storage.connection import Points
from storage.pool import Pool


class Reading:
    """Reads over one pool, and quick ones beside it."""

    def __init__(self, pool: Pool, points: Points) -> None:
        self._reading = pool.reading
        self._points = points

    async def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        async with self._reading() as connection:
            rows: Sequence[Row[Any]] = (await connection.execute(query)).all()
            return rows

    async def _value(self, query: Select[Any]) -> Any:  # noqa: ANN401  # a column of any type
        rows = await self._rows(query)
        return rows[0][0] if rows else None
