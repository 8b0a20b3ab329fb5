"""Slack's rate limits, off unless switched on.

Lives here: the tiers and the sliding windows. Not here: faults that pretend to be rate limits.
Law: a refused call consumes nothing.
"""

from __future__ import annotations

import math
from collections import defaultdict, deque
from datetime import datetime, timedelta

from bot.emulator.values import Clock

TIERS: dict[int, int] = {1: 1, 2: 20, 3: 50, 4: 100}
_MINUTE = timedelta(minutes=1)
_SECOND = timedelta(seconds=1)


class RateLimiter:
    """Counts calls per method and minute, and posts per channel and second."""

    def __init__(self, clock: Clock, *, is_on: bool) -> None:
        self.is_on = is_on
        self._clock = clock
        self._calls: dict[str, deque[datetime]] = defaultdict(deque)

    def wait_s(self, method: str, tier: int, channel: str = "") -> int:
        """Count a call; return 0, or the seconds after which Slack would take it."""
        if not self.is_on:
            return 0
        limits = [(method, TIERS[tier], _MINUTE)]
        if method == "chat.postMessage":
            limits = [(f"{method} {channel}", 1, _SECOND)]
        now = self._clock()
        for key, most, window in limits:
            calls = self._calls[key]
            while calls and now - calls[0] >= window:
                calls.popleft()
            if len(calls) >= most:
                return max(1, math.ceil((window - (now - calls[0])).total_seconds()))
        for key, _, _ in limits:
            self._calls[key].append(now)
        return 0
