"""Token buckets, in whole numbers.

Lives here: the arithmetic of one bucket. Must not live here: where its level is kept (the ledger)
or when a token is taken (when a decision is settled, never on re-evaluation).
Law: a bucket never holds more than its capacity, never goes back in time, and loses no fraction
of a token to rounding.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from governance.policy.decision import BucketDemand

_TOKEN = 1_000
"""Millitokens in one token."""
_SECOND_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bucket:
    """The level of one bucket, as of ``updated_at``."""

    tokens_milli: int
    updated_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Whether a token was there, the bucket afterwards, and else when one will be."""

    bucket: Bucket
    ok: bool
    retry_after_s: int = 0


def take(bucket: Bucket | None, demand: BucketDemand, at: datetime) -> Taken:
    """Take one token; a bucket that nobody used yet (None) is full."""
    level = _refilled(bucket, demand, at)
    if level.tokens_milli >= _TOKEN:
        left = Bucket(tokens_milli=level.tokens_milli - _TOKEN, updated_at=level.updated_at)
        return Taken(bucket=left, ok=True)
    # One millitoken comes back in refill_ms microseconds.
    due = level.updated_at + _us((_TOKEN - level.tokens_milli) * demand.refill_ms)
    wait_us = (due - at) // timedelta(microseconds=1)
    return Taken(bucket=level, ok=False, retry_after_s=max(1, -(-wait_us // _SECOND_US)))


def _refilled(bucket: Bucket | None, demand: BucketDemand, at: datetime) -> Bucket:
    full = demand.capacity * _TOKEN
    if bucket is None:
        return Bucket(tokens_milli=full, updated_at=at)
    elapsed_us = max(0, (at - bucket.updated_at) // timedelta(microseconds=1))
    gained = elapsed_us // demand.refill_ms
    if bucket.tokens_milli + gained >= full:
        return Bucket(tokens_milli=full, updated_at=max(at, bucket.updated_at))
    return Bucket(
        tokens_milli=bucket.tokens_milli + gained,
        updated_at=bucket.updated_at + _us(gained * demand.refill_ms),
    )


def _us(microseconds: int) -> timedelta:
    return timedelta(microseconds=microseconds)
