"""The ledger on SQLite: Ledger, Reader and Outbox over one file, shared with other processes.

Lives here: the object that the composition roots hold, and what wakes whom. Must not live here:
SQL. Law: every write goes through the one writer thread; the event loop never waits for the disk.
"""

import asyncio
import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from sqlalchemy.exc import DBAPIError

from governance.errors import Unavailable
from governance.outbox import Claimed, Owed, OwedKind, Place
from governance.ports import Clock, Committed, Keys, Step
from governance.tickets.ticket import TicketId
from storage import outbox
from storage.batch import Batch, Outcome, raised, unavailable
from storage.bell import Bell
from storage.engine import database, migrate, reading_engine
from storage.points import Points
from storage.queries import Queries
from storage.wakes import POLL_S, Wakes
from storage.writer import Job, Writer

T = TypeVar("T")


class SqliteLedger(Queries):
    """One file's ledger; start it on the loop that uses it, and close it there."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        queue_limit: int = 4096,
        batch_limit: int = 256,
        busy_timeout_s: float = 5.0,
    ) -> None:
        """``queue_limit`` requests may wait; one transaction takes ``batch_limit`` of them.

        Raises:
            InvalidInput: ``invalid_settings``: the URL is not ``sqlite:///path``.
        """
        self._url = url
        self._db = database(url)
        self._reading_engine = reading_engine(self._db)
        self._points = Points(self._db)
        super().__init__(self._reading_engine, self._points)
        self._bell = Bell()
        self._wakes = Wakes(self._db.path)
        self._writer = Writer(
            self._db,
            clock,
            queue_limit=queue_limit,
            batch_limit=batch_limit,
            busy_timeout_s=busy_timeout_s,
            on_commit=self._committed,
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.Task[None] | None = None
        self._hint = asyncio.Event()

    async def start(self) -> Self:
        """Migrate the file (creating it where there is none), open it and begin to work.

        Raises:
            Unavailable: ``ledger_unavailable``: the file cannot be opened or migrated.
        """
        self._loop = asyncio.get_running_loop()
        try:
            await asyncio.to_thread(migrate, self._url)
        except (OSError, DBAPIError) as error:
            why = type(error).__name__
            raise unavailable(f"the database cannot be opened ({why})") from error
        self._writer.start()
        self._wakes.start(self._hint.set)
        size, _ = await self.head()
        self._bell.ring(size)
        return self

    async def close(self) -> None:
        """Finish what is queued, then let go of the file."""
        await asyncio.to_thread(self._writer.close)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        self._wakes.close()
        self._points.close()
        await self._reading_engine.dispose()

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def commit(self, keys: Keys, step: Step[T]) -> Committed[T]:
        """See ``governance.ports.Ledger``; a cancelled caller's step may still be committed."""

        def act(batch: Batch, _: sqlite3.Connection) -> Outcome[T]:
            return batch.attempt(keys, step)

        job = Job(act, keys)
        self._writer.submit(job)
        outcome = await job.future
        return Committed(reply=raised(outcome), seqs=outcome.seqs)

    async def changed(self, after_seq: int, timeout_s: float) -> int:
        """See ``governance.ports.Reader``: own commits at once, others by wake or poll."""
        size, _ = await self.head()
        self._bell.ring(size)
        if self._bell.size > after_seq:
            return self._bell.size
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_others())
        return await self._bell.wait(after_seq, timeout_s)

    async def claim(
        self, kinds: Sequence[OwedKind], *, at: datetime, lease_s: int, limit: int
    ) -> Sequence[Claimed]:
        """See ``governance.outbox.Outbox``; so are the other methods."""
        if not kinds or limit < 1:
            return ()
        return await self._upkeep(
            partial(outbox.claim, kinds=kinds, at=at, lease_s=lease_s, limit=limit)
        )

    async def done(self, claimed: Claimed) -> None:
        await self._upkeep(partial(outbox.done, claimed=claimed))

    async def retry(self, claimed: Claimed, *, at: datetime, error: str) -> None:
        await self._upkeep(partial(outbox.retry, claimed=claimed, at=at, error=error))

    async def bury(self, claimed: Claimed, *, error: str) -> None:
        await self._upkeep(partial(outbox.bury, claimed=claimed, error=error))

    async def owe(self, owed: Owed, *, at: datetime) -> None:
        await self._upkeep(partial(outbox.owe, owed=owed, at=at))

    async def advance(self, name: str, seq: int) -> None:
        await self._upkeep(partial(outbox.advance, name=name, seq=seq))

    async def put_place(self, ticket_id: TicketId, place: Place) -> None:
        await self._upkeep(partial(outbox.put_place, ticket_id=ticket_id, place=place))

    async def erase_content(self, digest: str) -> None:
        """Forget content for good; the log keeps its digest."""

        def act(batch: Batch, connection: sqlite3.Connection) -> Outcome[None]:
            outbox.erase_content(connection, digest, at=batch.at)
            return Outcome(reply=None)

        await self._done(Job(act))

    async def _upkeep(self, work: Callable[[sqlite3.Connection], T]) -> T:
        """Run ``work`` inside the writer's next transaction."""

        def act(_: Batch, connection: sqlite3.Connection) -> Outcome[T]:
            return Outcome(reply=work(connection))

        return await self._done(Job(act))

    async def _done(self, job: Job[T]) -> T:
        self._writer.submit(job, is_bounded=False)
        return raised(await job.future)

    def _committed(self, size: int) -> None:
        """On the writer's thread, after COMMIT."""
        self._wakes.wake_others()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._bell.ring, size)

    async def _watch_others(self) -> None:
        """Look for other processes' commits while anybody waits: one poll for all who wait."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_S):
                    await self._hint.wait()
            self._hint.clear()
            if not self._bell.is_awaited:
                return
            with contextlib.suppress(Unavailable):  # the next poll tries again
                size, _ = await self.head()
                self._bell.ring(size)
