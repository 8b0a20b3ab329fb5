"""The writer: one thread, one connection, and group commit.

Lives here: the bounded queue, the transaction around a batch, and what becomes of failures.
Must not live here: what a step means (``storage.batch``), which rows it makes (``storage.flush``).
Law: a caller is answered only after COMMIT; a poisoned item fails alone; when the file cannot be
written every caller is told so, nothing is dispatched, and the next batch tries anew on a new
connection. Nothing about the chain is kept between batches, so writers in other processes are
welcome. Fails closed: an answer is never success unless COMMIT returned.
"""

import asyncio
import logging
import sqlite3
import threading
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from typing import Generic, Protocol, TypeVar

from governance.errors import Code, PlacetError, Unavailable
from governance.ports import Clock, Keys
from storage.batch import Batch, Outcome, unavailable
from storage.engine import Database, connect
from storage.flush import flush
from storage.source import SqliteSource, read_head

T = TypeVar("T")
_log = logging.getLogger("placet.ledger")

Act = Callable[[Batch, sqlite3.Connection], Outcome[T]]
"""What one item does inside the transaction; it may run more than once."""


class Job(Generic[T]):
    """One item in the queue and the future that its caller waits for."""

    def __init__(self, act: Act[T], keys: Keys | None = None) -> None:
        self.act = act
        self.keys = keys
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Outcome[T]] = self.loop.create_future()

    def run(self, batch: Batch, connection: sqlite3.Connection) -> Callable[[], None]:
        """Do it; what comes back answers the caller, on the caller's loop."""
        outcome = self.act(batch, connection)
        return lambda: self._answer(outcome)

    def fail(self, error: PlacetError) -> Callable[[], None]:
        """The answer that it could not be done."""
        return lambda: self._answer(Outcome(reply=error))

    def _answer(self, outcome: Outcome[T]) -> None:
        if not self.future.done():
            self.future.set_result(outcome)


class AnyJob(Protocol):
    """A job whatever its reply."""

    keys: Keys | None
    loop: asyncio.AbstractEventLoop

    def run(self, batch: Batch, connection: sqlite3.Connection) -> Callable[[], None]:
        """See ``Job``."""
        ...

    def fail(self, error: PlacetError) -> Callable[[], None]:
        """See ``Job``."""
        ...


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
        on_commit: Callable[[int], None],
    ) -> None:
        self._db = db
        self._clock = clock
        self._queue_limit = queue_limit
        self._batch_limit = batch_limit
        self._busy_timeout_s = busy_timeout_s
        self._on_commit = on_commit
        self._queue: SimpleQueue[AnyJob | None] = SimpleQueue()
        self._connection: sqlite3.Connection | None = None
        self._thread = threading.Thread(target=self._work, name="placet-ledger", daemon=True)
        self._is_open = False

    def start(self) -> None:
        """Open the file and begin to work.

        Raises:
            Unavailable: ``ledger_unavailable``: the file cannot be opened.
        """
        try:
            self._open()
        except sqlite3.Error as error:
            raise _of_file(error) from error
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
            raise unavailable("the ledger is closed")
        if is_bounded and self._queue.qsize() >= self._queue_limit:
            raise Unavailable(
                Code.LEDGER_BUSY, f"{self._queue_limit} requests wait for the ledger already"
            )
        self._queue.put(job)

    def _work(self) -> None:
        try:
            while (first := self._queue.get()) is not None:
                jobs, is_last = self._drain(first)
                self._process(jobs)
                if is_last:
                    break
        finally:
            self._is_open = False
            self._disconnect()
            while not self._queue.empty():
                left = self._queue.get_nowait()
                if left is not None:
                    self._fail_all([left], unavailable("the ledger is closed"))

    def _drain(self, first: AnyJob) -> tuple[list[AnyJob], bool]:
        """What waits already: the commit in progress was the window in which it gathered."""
        jobs = [first]
        while len(jobs) < self._batch_limit:
            try:
                job = self._queue.get_nowait()
            except Empty:
                break
            if job is None:
                return jobs, True
            jobs.append(job)
        return jobs, False

    def _process(self, jobs: Sequence[AnyJob]) -> None:
        try:
            answers, grown_to = self._transact(jobs)
        except sqlite3.OperationalError as error:
            # The file itself: one by one would only wait for the same lock again and again.
            self._disconnect()
            self._fail_all(jobs, error)
        except Exception as error:  # noqa: BLE001  # whatever one item broke must not reach others
            self._roll_back()
            if len(jobs) > 1:
                for job in jobs:
                    self._process([job])
            else:
                self._fail_all(jobs, error)
        else:
            if grown_to:
                self._on_commit(grown_to)
            _send(jobs, answers)

    def _transact(self, jobs: Sequence[AnyJob]) -> tuple[list[Callable[[], None]], int]:
        """Do all of ``jobs`` in one transaction; their answers, and the log's size if it grew."""
        connection = self._connection or self._open()
        connection.execute("BEGIN IMMEDIATE")
        head = read_head(connection)
        source = SqliteSource(connection)
        source.preload(job.keys for job in jobs if job.keys is not None)
        batch = Batch(source, head, self._clock.now())
        answers = [job.run(batch, connection) for job in jobs]
        flush(connection, batch.changes, batch.at)
        connection.execute("COMMIT")
        return answers, batch.changes.head.seq if batch.changes.events else 0

    def _fail_all(self, jobs: Sequence[AnyJob], error: Exception) -> None:
        told = error if isinstance(error, Unavailable) else _of_file(error)
        _log.error("the ledger did not commit", extra={"items": len(jobs), "why": told.message})
        _send(jobs, [job.fail(told) for job in jobs])

    def _open(self) -> sqlite3.Connection:
        self._connection = connect(self._db, busy_timeout_s=self._busy_timeout_s)
        return self._connection

    def _roll_back(self) -> None:
        """Back to before the batch; a connection that cannot even do that is dropped."""
        if self._connection is None:
            return
        try:
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
        except sqlite3.Error:
            self._disconnect()

    def _disconnect(self) -> None:
        connection, self._connection = self._connection, None
        if connection is None:
            return
        try:
            connection.close()  # rolls back what was open
        except sqlite3.Error as error:
            _log.warning("a connection did not close", extra={"why": _name(error)})


def _send(jobs: Sequence[AnyJob], answers: Sequence[Callable[[], None]]) -> None:
    """Answer every caller on its own loop, with one wake-up for each loop."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Callable[[], None]]] = {}
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


def _of_file(error: Exception) -> Unavailable:
    return unavailable(f"the ledger could not be written ({_name(error)})")


def _name(error: Exception) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))
