"""The connections that reads use.

Lives here: lending them, and what their failures are in our words. Must not live here: what is
read, and the writer's own connection.
Law: once a pool is closed it lends nothing and none of its connections stays open; what was lent
by then is closed when it comes back (SQLAlchemy alone would put it aside, open).
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from governance.sentences import Sentence
from storage.errors import unavailable


class Pool:
    """Connections of ``engine`` for one read at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self.engine = engine
        self._at_once = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._is_closed = False

    @asynccontextmanager
    async def reading(self, *, is_alone: bool = False) -> AsyncIterator[AsyncConnection]:
        """A connection whose reads see one moment; for one statement that ``is_alone``, without a
        transaction around it.

        Raises:
            Unavailable: ``ledger_unavailable``: it cannot be read, or the ledger is closed.
        """
        if self._is_closed:
            raise unavailable("the ledger is closed")
        engine = self._at_once if is_alone else self.engine
        try:
            async with engine.connect() as connection:
                try:
                    yield connection
                finally:
                    if self._is_closed:
                        await connection.invalidate()
        except (DBAPIError, PoolTimeout) as error:
            raise unavailable(
                Sentence("the ledger could not be read ({error})", error=type(error).__name__)
            ) from error

    async def close(self) -> None:
        """Lend no more, and close what is not lent."""
        self._is_closed = True
        await self.engine.dispose()
