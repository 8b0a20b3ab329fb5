"""Saying the same thing seldom.

Lives here: which of the many times that something happens it is said. Must not live here: what is
said, where, or a clock (it is given). Law: what goes on for an hour is a line a minute, and each
thing by itself.
"""

from collections.abc import Callable

SAY_S = 60
"""The same is said so often at most."""


class Sparing:
    """Of a few things, each known by its name, when they were said last."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._next: dict[str, float] = {}

    def may_say(self, what: str) -> bool:
        """Whether it is time to; then it is taken to be said."""
        now = self._monotonic()
        if now < self._next.get(what, now):
            return False
        self._next[what] = now + SAY_S
        return True
