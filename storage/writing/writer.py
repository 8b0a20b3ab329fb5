"""The writer: one thread, one connection, and group commit.

Lives here: the bounded queue, the transaction around a batch, and what becomes of failures.
Must not live here: what a step means (``batch``), which rows it makes (``flush``).
Law: a caller is answered only after COMMIT; a poisoned item fails alone; when the database cannot
be written every caller is told so, nothing is dispatched, and the next batch tries anew on a new
connection; where nobody comes, it tries by itself. Nothing about the chain is kept between batches,
so writers in other processes are welcome; a batch that leaves the log alone does not hold them up.
Fails closed: an answer is never success unless COMMIT returned.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial
from queue import Empty, SimpleQueue
from typing import TypeVar

from governance.errors import Code, PlacetError, Unavailable
from governance.keys import HeadSigner
from governance.ports import Clock
from governance.sentences import Sentence
from storage.connection import Connection, Database, Trouble
from storage.errors import unavailable
from storage.writing.batch import Batch
from storage.writing.condition import Condition, kind_of, probe, unwritten
from storage.writing.flush import flush
from storage.writing.jobs import AnyJob
from storage.writing.source import RowSource, head_of

T = TypeVar("T")
_log = logging.getLogger("placet.ledger")

Growth = tuple[asyncio.AbstractEventLoop, Callable[[int], None]]
"""Who is told of the log's new size, on their own loop."""
TRIES = 5
"""How often a batch is begun again that got in another transaction's way."""


class Writer:
    """The thread that owns the writing connection."""

    def __init__(
        self,
        db: Database,
        clock: Clock,
        *,
        queue_limit: int,
        batch_limit: int,
        busy_timeout_s: float,
        on_commit: Callable[[], None],
        trusts_database_time: bool = True,
    ) -> None:
        """``on_commit`` is called on the writer's thread once the log has grown.

        ``trusts_database_time``: where the database has a time of its own, it counts.
        """
        self._db = db
        self._clock = clock
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._busy_timeout_s = busy_timeout_s
        self._on_commit = on_commit
        self.condition = Condition()
        self.heads: HeadSigner | None = None
        """Who signs the head of each batch; None: nobody here."""
        self._trusts_database_time = trusts_database_time
        self._queue: SimpleQueue[AnyJob | None] = SimpleQueue()
        self._connection: Connection | None = None
        self._thread = threading.Thread(target=self._work, name="placet-ledger", daemon=True)
        self._is_open = False
        self._is_last = False
        """Whether nothing comes after what was gathered."""
        self._growth: Growth | None = None

    def start(self, on_growth: Callable[[int], None]) -> None:
        """Open the database and begin to work.

        ``on_growth`` is told on the running loop how large the log is, before any caller is
        answered whose commit made it grow.

        Raises:
            Unavailable: ``ledger_unavailable``: it cannot be opened.
            InvalidInput: ``invalid_settings``: it would not keep what it acknowledges.
        """
        try:
            self._open()
        except PlacetError:
            raise
        except Exception as error:
            raise unwritten(error) from error
        self._growth = asyncio.get_running_loop(), on_growth
        self._is_open = True
        self._thread.start()

    def close(self) -> None:
        """Finish what is queued, then stop; blocks until the thread is gone."""
        self._is_open = False
        self._queue.put(None)
        if self._thread.ident is not None:
            self._thread.join()

    def submit(self, job: AnyJob, *, is_bounded: bool = True) -> None:
        """Queue ``job``; upkeep by our own few workers (``is_bounded`` False) is always taken.

        Raises:
            Unavailable: ``ledger_busy`` when the queue is full, ``ledger_unavailable`` when closed.
        """
        if not self._is_open:
            raise unavailable(Sentence("the ledger is closed"))
        if is_bounded and self._queue.qsize() >= self._queue_limit:
            raise Unavailable(
                Code.LEDGER_BUSY,
                Sentence("{count} requests wait for the ledger already", count=self._queue_limit),
            )
        self._queue.put(job)

    def _work(self) -> None:
        try:
            while not self._is_last and (first := self._next()) is not None:
                jobs = [first]
                self._gather(jobs)
                self._process(jobs, may_grow=True)
        finally:
            self._is_open = False
            self._disconnect()
            while not self._queue.empty():
                left = self._queue.get_nowait()
                if left is not None:
                    _send([left], [left.fail(unavailable(Sentence("the ledger is closed")))])

    def _next(self) -> AnyJob | None:
        """The next item; until one comes, a database that failed is tried again at times."""
        while True:
            try:
                return self._queue.get(timeout=self.condition.rest_s)
            except Empty:
                self._try_again()

    def _try_again(self) -> None:
        try:
            connection, _ = self._begun(lambda usable: usable.begin_chain())  # as a request
            probe(connection)
            connection.commit()
        except Exception as error:  # noqa: BLE001  # either driver's; the next trial may do better
            self._disconnect()
            self.condition.failed(0, unwritten(error).message)
        else:
            self.condition.wrote()

    def _gather(self, jobs: list[AnyJob]) -> None:
        """Add what waits already: the commit in progress was the window in which it gathered."""
        while not self._is_last and len(jobs) < self._batch_limit:
            try:
                job = self._queue.get_nowait()
            except Empty:
                return
            if job is None:
                self._is_last = True
            else:
                jobs.append(job)

    def _process(self, jobs: list[AnyJob], tries: int = TRIES, *, may_grow: bool = False) -> None:
        try:
            answers, grown_to = self._transact(jobs, may_grow=may_grow)
        except Exception as error:  # noqa: BLE001  # whatever one item broke must not reach others
            self._recover(jobs, error, tries - 1)
        else:
            if grown_to:  # only this wrote for certain: a claim that finds nothing would always do
                self.condition.wrote()
            heard = [] if self._growth is None or not grown_to else [(self._growth, grown_to)]
            _send(jobs, answers, heard)
            if grown_to:
                self._on_commit()
            if self._connection is not None:
                self._connection.tidy()

    def _recover(self, jobs: list[AnyJob], error: Exception, tries: int) -> None:
        trouble = self._db.trouble(error)
        if trouble is Trouble.DOWN:
            # The database itself: one by one would only wait for the same again and again.
            self._disconnect()
            _refuse(jobs, error, self.condition.failed)
            return
        self._roll_back()
        if trouble is Trouble.AGAIN and tries:
            self._process(jobs, tries)
        elif trouble is Trouble.ITEM and len(jobs) > 1:
            for job in jobs:
                self._process([job])
        else:
            _refuse(jobs, error, self.condition.spoiled)

    def _transact(
        self, jobs: list[AnyJob], *, may_grow: bool
    ) -> tuple[list[Callable[[], None]], int]:
        """Do all of ``jobs`` in one transaction; their answers, and the log's size if it grew.

        ``may_grow``: what came while others wrote is added to ``jobs``, and done with them.
        """
        if all(job.keys is None for job in jobs):
            connection, _ = self._begun(lambda usable: usable.begin())
            answers = [job.run(None, connection) for job in jobs]
            connection.commit()
            return answers, 0
        connection, (row, its_time) = self._begun(lambda usable: usable.begin_chain())
        if may_grow:
            self._gather(jobs)
        head = head_of(row)
        source = RowSource(connection)
        source.preload([job.keys for job in jobs if job.keys is not None])
        batch = Batch(source, head, self._now(its_time))
        answers = [job.run(batch, connection) for job in jobs]
        if self.heads is not None:
            batch.sign_head(self.heads)
        flush(connection, batch.changes, batch.at, due_at=batch.now)
        grown_to = batch.changes.head.seq if batch.changes.events else 0
        if grown_to:
            connection.announce(grown_to)
        connection.commit()
        return answers, grown_to

    def _now(self, its_time: datetime | None) -> datetime:
        is_its = its_time is not None and self._trusts_database_time
        return its_time if is_its and its_time is not None else self._clock.now()

    def _begun(self, begin: Callable[[Connection], T]) -> tuple[Connection, T]:
        """Begin; a connection that is found broken, with nothing done on it yet, is made anew."""
        if self._connection is not None:
            try:
                return self._connection, begin(self._connection)
            except Exception:
                if not self._connection.is_broken:
                    raise
                self._disconnect()
        connection = self._open()
        return connection, begin(connection)

    def _open(self) -> Connection:
        self._connection = self._db.connect(busy_timeout_s=self._busy_timeout_s)
        return self._connection

    def _roll_back(self) -> None:
        """Back to before the batch; a connection that cannot even do that is dropped."""
        if self._connection is None:
            return
        try:
            self._connection.rollback()
        except Exception:  # noqa: BLE001  # either driver's
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()  # rolls back what was open
        except Exception as error:  # noqa: BLE001  # either driver's
            _log.warning("a connection did not close", extra={"why": kind_of(error)})


def _refuse(jobs: Sequence[AnyJob], error: Exception, note: Callable[[int, str], None]) -> None:
    """Have it noted that ``jobs`` were not done, and then say so to their callers."""
    told = unwritten(error)
    note(len(jobs), told.message)
    _send(jobs, [job.fail(told) for job in jobs])


def _send(
    jobs: Sequence[AnyJob],
    answers: Sequence[Callable[[], None]],
    heard: Sequence[tuple[Growth, int]] = (),
) -> None:
    """Answer every caller on its own loop, with one wake-up for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
    for (loop, on_growth), size in heard:
        by_loop[loop] = [partial(on_growth, size)]
    for job, answer in zip(jobs, answers, strict=True):
        by_loop.setdefault(job.loop, []).append(answer)
    for loop, mine in by_loop.items():
        try:
            loop.call_soon_threadsafe(_call_all, mine)
        except RuntimeError:  # that loop is closed: nobody waits there any more
            _log.warning("a caller was gone before its answer", extra={"items": len(mine)})


def _call_all(answers: Sequence[Callable[[], None]]) -> None:
    for answer in answers:
        answer()
