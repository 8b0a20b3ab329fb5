"""The durable ledger: Ledger, Reader and Outbox over one database, shared with other processes.

Lives here: the object that the composition roots hold, and what wakes whom. Must not live here:
SQL. Law: every write goes through the one writer thread; the event loop never waits for the disk.
"""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Self, TypeVar

from sqlalchemy.exc import DBAPIError

from governance import once
from governance.errors import PlacetError, Unavailable
from governance.keys import HeadSigner
from governance.outbox import Claimed, Owed, OwedKind, Place
from governance.ports import Clock, Committed, Keys, Step
from governance.replacing import replace
from governance.tickets.ticket import TicketId
from storage import outbox, taken
from storage.bell import Bell
from storage.connection import Connection
from storage.engine import database, migrate
from storage.errors import unavailable
from storage.pool import Pool
from storage.queries import Queries
from storage.retention import forgetting
from storage.sqlite.wakes import POLL_S
from storage.tree.tile_store import SqlTiles
from storage.writing.batch import Batch, Outcome, raised
from storage.writing.condition import probe
from storage.writing.jobs import Act, Job, Together, Upkeep, attempting
from storage.writing.writer import Writer

T = TypeVar("T")


class SqlLedger(Queries):
    """One database's ledger; start it on the loop that uses it, and close it there."""

    def __init__(
        self,
        url: str,
        clock: Clock,
        *,
        queue_limit: int = 4096,
        batch_limit: int = 256,
        busy_timeout_s: float = 5.0,
        trusts_database_time: bool = True,
    ) -> None:
        """``queue_limit`` requests may wait; one transaction takes ``batch_limit`` of them.

        PostgreSQL's time counts, not ``clock``, so that several machines agree, unless
        ``trusts_database_time`` is False.

        Raises:
            InvalidInput: ``invalid_settings``: neither ``sqlite:///path`` nor ``postgresql://...``.
        """
        self._url = url
        self._db = database(url)
        self._pool = Pool(self._db.reading_engine())
        self._points = self._db.points(self._pool)
        super().__init__(self._pool, self._points)
        self._bell = Bell()
        self._wakes = self._db.wakes()
        self._leader = self._db.leader()
        self._writer = Writer(
            self._db,
            clock,
            queue_limit=queue_limit,
            batch_limit=batch_limit,
            busy_timeout_s=busy_timeout_s,
            on_commit=self._wakes.wake_others,
            trusts_database_time=trusts_database_time,
        )
        self.condition = self._writer.condition
        """What the writer last saw of the database."""
        self._watch: asyncio.Task[None] | None = None
        self._hint = asyncio.Event()

    @property
    def name(self) -> str:
        """Which database it is, as people may see it: never with a password."""
        return self._db.name

    async def start(self) -> Self:
        """Migrate the database (making a file where there is none), open it and begin to work.

        Raises:
            Unavailable: ``ledger_unavailable``: it cannot be opened or migrated.
            InvalidInput: ``invalid_settings``: it would not keep what it acknowledges.
        """
        try:
            await asyncio.to_thread(migrate, self._url)
        except (OSError, DBAPIError) as error:
            why = type(error).__name__
            raise unavailable(f"the database cannot be opened ({why})") from error
        self._writer.start(self._bell.ring)
        self._wakes.start(self._hint.set)
        size, _ = await self.head()
        self._bell.ring(size)
        return self

    async def close(self) -> None:
        """Finish what is queued, then let go of the database."""
        await asyncio.to_thread(self._writer.close)
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
        await self._wakes.close()
        await self._leader.close()
        self._points.close()
        await self._pool.close()

    @property
    def tiles(self) -> SqlTiles:
        """What proofs are made from."""
        return SqlTiles(self._reading, self._upkeep)

    def sign_heads(self, signer: HeadSigner) -> None:
        """From the next batch on, have ``signer`` sign where the log ends, inside it."""
        self._writer.heads = signer

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def check_writable(self) -> None:
        """Whether a request's worth can be written now: a full disk may still take a statement.

        Raises:
            Unavailable: ``ledger_unavailable``: it cannot.
        """
        await self._upkeep(probe)

    async def leads(self, name: str) -> bool:
        """Whether this process does now what only one should; see ``connection.Leader``."""
        return await self._leader.leads(name)

    async def commit(self, keys: Keys, step: Step[T]) -> Committed[T]:
        """See ``governance.ports.Ledger``; a cancelled caller's step may still be committed."""
        request = once.untaken()
        if request is None:
            return _committed(await self._done(keys, attempting(keys, step)))
        async with request.turn:
            if request.is_taken:
                return _committed(await self._done(keys, attempting(keys, step)))
            outcome = await self._done(keys, _taking(request, attempting(keys, step)))
            request.is_taken = outcome.has_taken
        return _committed(outcome)

    async def _done(self, keys: Keys, act: Act[T]) -> Outcome[T]:
        future: asyncio.Future[Outcome[T]] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(act, keys, future))
        return await future

    async def commit_all(
        self, items: Sequence[tuple[Keys, Step[T]]]
    ) -> Sequence[Committed[T] | PlacetError]:
        """See ``governance.ports.Ledger``: one wake-up, however many there are."""
        if not items:
            return ()
        together: Together[Outcome[T]] = Together(len(items))
        for number, (keys, step) in enumerate(items):
            place = together.place(number)
            try:
                self._writer.submit(Job(attempting(keys, step), keys, place))
            except Unavailable as error:
                place.set_result(Outcome(reply=error))
        return [
            outcome.reply if isinstance(outcome.reply, PlacetError) else _committed(outcome)
            for outcome in await together.future
        ]

    async def changed(self, after_seq: int, timeout_s: float) -> int:
        """See ``governance.ports.Reader``: own commits at once, others by wake or poll."""
        if self._bell.size > after_seq:  # as our own commits say already
            await asyncio.sleep(0)  # who asks in a loop must not keep the loop to itself
            return self._bell.size
        size, _ = await self.head()
        self._bell.ring(size)
        if self._bell.size > after_seq:
            return self._bell.size
        if self._watch is None or self._watch.done():
            self._watch = asyncio.create_task(self._watch_others())
        return await self._bell.wait(after_seq, timeout_s)

    async def claim(
        self,
        kinds: Sequence[OwedKind],
        *,
        at: datetime,
        lease_s: int,
        limit: int,
        is_placed: bool | None = None,
        key: str | None = None,
    ) -> Sequence[Claimed]:
        """See ``governance.outbox.Outbox``; so are the other methods."""
        if not kinds or limit < 1:
            return ()
        work = partial(
            outbox.claim,
            kinds=kinds,
            at=at,
            lease_s=lease_s,
            limit=limit,
            is_placed=is_placed,
            key=key,
        )
        return await self._upkeep(work)

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

    async def lose_place(
        self, ticket_id: TicketId, lost: Place, owed: Owed, *, at: datetime
    ) -> None:
        await self._upkeep(
            partial(outbox.lose_place, ticket_id=ticket_id, lost=lost, owed=owed, at=at)
        )

    async def take(self, key: str, *, at: datetime, until: datetime) -> bool:
        """Whether nobody has taken this request yet; see ``taken``.

        Raises:
            Unavailable: ``ledger_unavailable``: it cannot be known.
        """
        return await self._upkeep(partial(taken.take, key=key, at=at, until=until))

    async def forget_keys(self, limit: int) -> int:
        """Forget idempotency keys whose time is over, at most ``limit``; how many were.

        Raises:
            Unavailable: ``ledger_unavailable``: none were.
        """

        def act(batch: Batch, connection: Connection) -> Outcome[int]:
            gone = forgetting.forget_keys(connection, passed=batch.passed, limit=limit)
            return Outcome(reply=gone)

        future: asyncio.Future[Outcome[int]] = asyncio.get_running_loop().create_future()
        self._writer.submit(Job(act, Keys(), future), is_bounded=False)
        return raised(await future)

    async def _upkeep(self, work: Callable[[Connection], T]) -> T:
        """Run ``work`` inside the writer's next transaction."""
        future: asyncio.Future[Outcome[T]] = asyncio.get_running_loop().create_future()
        self._writer.submit(Upkeep(work, future), is_bounded=False)
        return raised(await future)

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


def _taking(request: once.Request, act: Act[T]) -> Act[T]:
    def take_and_act(batch: Batch, connection: Connection) -> Outcome[T]:
        if not taken.take(connection, request.key, at=request.at, until=request.until):
            return Outcome(reply=once.RepeatedError())
        return replace(act(batch, connection), has_taken=True)

    return take_and_act


def _committed(outcome: Outcome[T]) -> Committed[T]:
    return Committed(reply=raised(outcome), seqs=outcome.seqs)


SqliteLedger = SqlLedger
