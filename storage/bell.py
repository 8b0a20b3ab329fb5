"""A bell on one event loop: rung when the log has grown.

Lives here: waiting for a number to grow, without polling inside one process. Must not live here:
how another process's commits become known (``sqlite.wakes``).
Law: a ring between looking and waiting is never lost: waiters wait for a number, not for a ring.
"""

import asyncio


class Bell:
    """The newest size known to this process, and whoever waits for it to grow."""

    def __init__(self) -> None:
        self._size = 0
        self._waiting: set[asyncio.Future[None]] = set()
        self._waiters = 0

    @property
    def size(self) -> int:
        """The newest size known."""
        return self._size

    @property
    def is_awaited(self) -> bool:
        """Whether anybody waits."""
        return self._waiters > 0

    def ring(self, size: int) -> None:
        """Say how large the log is; wakes everybody if it grew. On the loop's thread only."""
        if size <= self._size:
            return
        self._size = size
        waiting, self._waiting = self._waiting, set()
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def wait(self, after: int, timeout_s: float) -> int:
        """The size once it is past ``after``, or when the time is over."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        self._waiters += 1
        try:
            while self._size <= after and (left := deadline - loop.time()) > 0:
                await self._next(left)
        finally:
            self._waiters -= 1
        return self._size

    async def _next(self, timeout_s: float) -> None:
        """Wait for one ring, or until the time is over."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            async with asyncio.timeout(timeout_s):
                await future
        except TimeoutError:
            return
        finally:
            self._waiting.discard(future)
