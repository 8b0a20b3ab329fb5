"""One heartbeat for everything that changes: what is in flight, and who waits to hear.

Lives here: a revision counter, waiting for it, counting work in flight.
Not here: what changed. Law: nobody polls the state; whoever changes it touches the pulse.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager


class Pulse:
    """A revision that rises with every change, and a count of work in flight."""

    def __init__(self) -> None:
        self.revision = 0
        self.in_flight = 0
        self._waiters: set[asyncio.Future[None]] = set()

    def touch(self) -> None:
        """Say that something changed."""
        self.revision += 1
        waiters, self._waiters = self._waiters, set()
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    @contextmanager
    def working(self) -> Iterator[None]:
        """Count a piece of work as in flight while the block runs."""
        self.in_flight += 1
        self.touch()
        try:
            yield
        finally:
            self.in_flight -= 1
            self.touch()

    async def beyond(self, revision: int) -> int:
        """Wait until the revision is higher than the one given, and return it."""
        while self.revision <= revision:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiters.add(waiter)
            try:
                await waiter
            finally:
                self._waiters.discard(waiter)
        return self.revision
