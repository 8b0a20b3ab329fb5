"""Lookups whose answers are believed for a while.

Lives here: what was found, how old it is, and the one lookup that is under way for a key.
Must not live here: what is looked up, or for how long it is believed (``identity``).
Law: a failure is never kept; an answer that was under way when its key was forgotten is not kept.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from governance.ports import Clock

K = TypeVar("K")
V = TypeVar("V")


class Lookups(Generic[K, V]):
    """Values with an age, one lookup at a time for each key; failures are not kept."""

    def __init__(self, clock: Clock, look_up: Callable[[K], Awaitable[V]]) -> None:
        self._clock = clock
        self._look_up = look_up
        self._kept: dict[K, tuple[datetime, V]] = {}
        self._pending: dict[K, asyncio.Future[V]] = {}

    async def get(self, key: K, *, ttl_s: int) -> V:
        """What was found no longer than ``ttl_s`` ago, else what is found now."""
        if self.is_fresh(key, ttl_s=ttl_s):
            return self._kept[key][1]
        pending = self._pending.get(key)
        if pending is None:
            pending = asyncio.ensure_future(self._look_up(key))
            self._pending[key] = pending
            pending.add_done_callback(lambda done: self._settle(key, done))
        return await asyncio.shield(pending)

    def is_fresh(self, key: K, *, ttl_s: int) -> bool:
        """Whether ``get`` would answer without looking anything up."""
        found = self._kept.get(key)
        return found is not None and self._clock.now() - found[0] < timedelta(seconds=ttl_s)

    def last(self, key: K) -> V | None:
        """What was found last, however old; None: nothing since it was forgotten."""
        found = self._kept.get(key)
        return None if found is None else found[1]

    def _settle(self, key: K, done: "asyncio.Future[V]") -> None:
        if self._pending.get(key) is not done:
            return  # forgotten while it was under way: its answer may be an old one
        del self._pending[key]
        if not done.cancelled() and done.exception() is None:
            self._kept[key] = (self._clock.now(), done.result())

    def forget(self, key: K) -> None:
        """Look ``key`` up anew next time."""
        self._kept.pop(key, None)
        self._pending.pop(key, None)

    def forget_where(self, is_gone: Callable[[V], bool]) -> None:
        """Look those keys up anew next time whose answer says so."""
        for key in [key for key, (_, found) in self._kept.items() if is_gone(found)]:
            del self._kept[key]

    def clear(self) -> None:
        """Look everything up anew next time."""
        self._kept.clear()
        self._pending.clear()
