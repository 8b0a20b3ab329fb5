"""What waits in the writer's queue.

Lives here: an item, and the future that its caller waits for. Must not live here: the queue, and
the transaction around a batch (``storage.writer``). Law: an item may run more than once, and only
the run that was committed is answered; whoever waits is answered on their own loop.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from governance.errors import PlacetError
from governance.ports import Keys
from storage.batch import Batch, Outcome
from storage.connection import Connection

T = TypeVar("T")

Act = Callable[[Batch, Connection], Outcome[T]]
"""What one item does to the log inside the transaction; it may run more than once."""


class _Item(Generic[T]):
    """One item in the queue and the future that its caller waits for."""

    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[Outcome[T]] = self.loop.create_future()

    def fail(self, error: PlacetError) -> Callable[[], None]:
        """The answer that it could not be done."""
        return lambda: self._answer(Outcome(reply=error))

    def _answer(self, outcome: Outcome[T]) -> None:
        if not self.future.done():
            self.future.set_result(outcome)


class Job(_Item[T]):
    """What looks at the log or adds to it; ``keys`` are what it will look at."""

    def __init__(self, act: Act[T], keys: Keys) -> None:
        super().__init__()
        self.act = act
        self.keys: Keys | None = keys

    def run(self, batch: Batch | None, connection: Connection) -> Callable[[], None]:
        """Do it; what comes back answers the caller, on the caller's loop."""
        if batch is None:
            raise ValueError("a step without the log")
        outcome = self.act(batch, connection)
        return lambda: self._answer(outcome)


class Upkeep(_Item[T]):
    """What leaves the log alone."""

    keys: Keys | None = None

    def __init__(self, work: Callable[[Connection], T]) -> None:
        super().__init__()
        self.work = work

    def run(self, _: Batch | None, connection: Connection) -> Callable[[], None]:
        """As of a ``Job``."""
        outcome = Outcome(reply=self.work(connection))
        return lambda: self._answer(outcome)


class AnyJob(Protocol):
    """An item whatever its reply; without ``keys`` it leaves the log alone."""

    keys: Keys | None
    loop: asyncio.AbstractEventLoop

    def run(self, batch: Batch | None, connection: Connection) -> Callable[[], None]:
        """See ``Job``."""
        ...

    def fail(self, error: PlacetError) -> Callable[[], None]:
        """See ``Job``."""
        ...
