"""Work that outlives the request it came with.

Lives here: a tracked set of tasks, waiting for one within a budget, draining on close.
Must not live here: what the work is. Law: no task is forgotten: each is awaited by somebody or
drained at shutdown, and what it raises is logged by type, never swallowed unseen.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")
_log = logging.getLogger("placet.slack")


class Background:
    """The tasks of one process's Slack side."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[Any]] = set()

    def start(self, work: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """Run ``work`` as a task of ours."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._finished)
        return task

    def _finished(self, task: "asyncio.Task[Any]") -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            _log.error("background work failed: %s", type(task.exception()).__name__)

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._tasks

    async def drain(self, within_s: float) -> None:
        """Let everything finish; what is not done in time is cancelled."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while self._tasks and loop.time() < until:
            await asyncio.wait(set(self._tasks), timeout=until - loop.time())
        for task in list(self._tasks):
            task.cancel()
        if self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)
