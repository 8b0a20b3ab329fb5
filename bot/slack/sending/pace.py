"""How fast we may speak: token buckets per method and channel, as Slack counts.

Lives here: the buckets, what a 429 does to one, and how long one must wait. Must not live here:
who waits, or for what. Law: a call that a bucket has no token for is never made; after a 429 its
bucket is closed for as long as Slack said, and is narrower from then on, so that a second one
does not come.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

POST = "chat.postMessage"
UPDATE = "chat.update"
EPHEMERAL = "chat.postEphemeral"
PUBLISH = "views.publish"
PERMALINK = "chat.getPermalink"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """``burst`` tokens at most, one more every ``every_s``; ``narrow`` after the first 429."""

    burst: int
    every_s: float
    narrow: int = 1


RATES = {
    POST: Rate(burst=4, every_s=1.1),
    UPDATE: Rate(burst=10, every_s=1.5),
    EPHEMERAL: Rate(burst=20, every_s=0.8),
    PUBLISH: Rate(burst=20, every_s=0.8),
}
"""Below Slack's limits in every window of a minute: 50 updates, 100 of the last two; posts are
counted for each channel, one a second with short bursts."""
PER_CHANNEL = frozenset({POST})
_MAX_BUCKETS = 4_096
"""Channels that are remembered; those that are full again are forgotten first."""


@dataclass(slots=True, kw_only=True)
class _Bucket:
    rate: Rate
    tokens: float
    at: float
    closed_until: float = 0.0
    is_narrow: bool = False

    @property
    def burst(self) -> int:
        return self.rate.narrow if self.is_narrow else self.rate.burst

    def fill(self, now: float) -> None:
        # Tokens come back only while it is open: what was closed for a minute begins with one.
        start = max(self.at, min(self.closed_until, now))
        self.tokens = min(float(self.burst), self.tokens + (now - start) / self.rate.every_s)
        self.at = now


class Pace:
    """The buckets of one process, which alone speaks in the channels that it leads."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._buckets: dict[tuple[str, str], _Bucket] = {}
        self._closed_until = 0.0

    def wait_s(self, method: str, channel: str = "") -> float:
        """Seconds until a call may be made; 0 where it may be made now."""
        if (paused_s := self.paused_s()) > 0:
            return paused_s
        now = self._monotonic()
        if method not in RATES:
            return 0.0
        bucket = self._bucket(method, channel, now)
        if now < bucket.closed_until:
            return bucket.closed_until - now
        bucket.fill(now)
        return 0.0 if bucket.tokens >= 1 else (1 - bucket.tokens) * bucket.rate.every_s

    def paused_s(self) -> float:
        """Seconds until anything may be said at all; 0: now."""
        return max(0.0, self._closed_until - self._monotonic())

    def take(self, method: str, channel: str = "") -> float:
        """Take a token for a call that is made now: 0; without one, the seconds to wait."""
        wait = self.wait_s(method, channel)
        if wait == 0 and method in RATES:
            self._buckets[self._key(method, channel)].tokens -= 1
        return wait

    def spoken(self, method: str, channel: str = "") -> None:
        """A call was answered: the next token of a narrow bucket is counted from here.

        Slack counts arrivals; two calls that left a second apart may arrive closer.
        """
        bucket = self._buckets.get(self._key(method, channel))
        if bucket is not None and bucket.burst == 1:
            bucket.tokens, bucket.at = min(bucket.tokens, 0.0), self._monotonic()

    def refused(self, method: str, channel: str, retry_after_s: float) -> None:
        """Slack answered 429: closed until then, narrow from then on."""
        if method not in RATES:
            return
        now = self._monotonic()
        bucket = self._bucket(method, channel, now)
        bucket.is_narrow = True
        bucket.closed_until = max(bucket.closed_until, now + retry_after_s)
        # One token the moment it opens, and none that was saved up before.
        bucket.tokens, bucket.at = 1.0, bucket.closed_until

    def close(self, method: str, channel: str, for_s: float) -> None:
        """Nothing there for so long: somebody must mend the channel first."""
        now = self._monotonic()
        bucket = self._bucket(method, channel, now)
        bucket.closed_until = max(bucket.closed_until, now + for_s)
        bucket.tokens, bucket.at = 1.0, bucket.closed_until

    def close_all(self, for_s: float) -> None:
        """Nothing anywhere for so long: somebody must mend the app first."""
        self._closed_until = max(self._closed_until, self._monotonic() + for_s)

    def _bucket(self, method: str, channel: str, now: float) -> _Bucket:
        key = self._key(method, channel)
        bucket = self._buckets.get(key)
        if bucket is None:
            if len(self._buckets) >= _MAX_BUCKETS:
                self._forget(now)
            rate = RATES[method]
            bucket = _Bucket(rate=rate, tokens=float(rate.burst), at=now)
            self._buckets[key] = bucket
        return bucket

    def _forget(self, now: float) -> None:
        """Let go of buckets that would be full, and so are as if they were new."""
        for key, bucket in list(self._buckets.items()):
            bucket.fill(max(now, bucket.at))
            if bucket.tokens >= bucket.rate.burst and not bucket.is_narrow:
                del self._buckets[key]
        while len(self._buckets) >= _MAX_BUCKETS:
            del self._buckets[next(iter(self._buckets))]

    @staticmethod
    def _key(method: str, channel: str) -> tuple[str, str]:
        return method, channel if method in PER_CHANNEL else ""
