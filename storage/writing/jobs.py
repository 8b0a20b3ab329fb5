"""What waits in the writer's queue.

Lives here: an item, and what its caller waits for. Must not live here: the queue, and
the transaction around a batch (``writer``). Law: an item may run more than once, and only
the run that was committed is answered; whoever waits is answered on their own loop.
"""

import asyncio
from collections.abc import Callable
from typing import Generic, Protocol, TypeVar, cast

from governance.errors import PlacetError
from governance.ports import Keys, Step
from storage.connection import Connection
from storage.writing.batch import Batch, Outcome

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)

Act = Callable[[Batch, Connection], Outcome[T]]
"""What one item does to the log inside the transaction; it may run more than once."""


def attempting(keys: Keys, step: Step[T]) -> Act[T]:
    """What a step does to the log."""
    return lambda batch, _: batch.attempt(keys, step)


class Waiter(Protocol[T_contra]):
    """Who waits for the answer: a future, or a place among many."""

    def done(self) -> bool:
        """Whether nobody waits any more."""
        ...

    def set_result(self, result: T_contra, /) -> None:
        """Answer."""
        ...


class Together(Generic[T]):
    """The one future of many items: their answers in order, once the last is there."""

    def __init__(self, count: int) -> None:
        self.future: asyncio.Future[list[T]] = asyncio.get_running_loop().create_future()
        self._answers: list[T | None] = [None] * count
        self._left = count

    def place(self, number: int) -> "Waiter[T]":
        """Where the answer of one item goes."""
        return _Place(self, number)

    def tell(self, number: int, answer: T) -> None:
        """One more is answered; each is once."""
        self._answers[number] = answer
        self._left -= 1
        if not self._left and not self.future.done():
            self.future.set_result(cast("list[T]", self._answers))


class _Place(Generic[T]):
    """One item's place."""

    __slots__ = ("_number", "_whole")

    def __init__(self, whole: Together[T], number: int) -> None:
        self._whole = whole
        self._number = number

    def done(self) -> bool:
        """Never before it is told."""
        return False

    def set_result(self, result: T, /) -> None:
        """Tell it."""
        self._whole.tell(self._number, result)


class _Item(Generic[T]):
    """One item in the queue, and who waits for it on which loop."""

    def __init__(self, waiter: Waiter[Outcome[T]]) -> None:
        self.loop = asyncio.get_running_loop()
        self._waiter = waiter

    def fail(self, error: PlacetError) -> Callable[[], None]:
        """The answer that it could not be done."""
        return lambda: self._answer(Outcome(reply=error))

    def _answer(self, outcome: Outcome[T]) -> None:
        if not self._waiter.done():
            self._waiter.set_result(outcome)


class Job(_Item[T]):
    """What looks at the log or adds to it; ``keys`` are what it will look at."""

    def __init__(self, act: Act[T], keys: Keys, waiter: Waiter[Outcome[T]]) -> None:
        super().__init__(waiter)
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

    def __init__(self, work: Callable[[Connection], T], waiter: Waiter[Outcome[T]]) -> None:
        super().__init__(waiter)
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
