from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from governance.policy.decision import BucketDemand
from governance.policy.index import Rate
from governance.policy.throttle import Bucket, take
from tests.unit.policy.asking import AT

THREE = BucketDemand(key="k", rule_id="r", capacity=3, refill_ms=20_000)


def test_an_unused_bucket_is_full_and_gives_its_capacity():
    bucket, answers = None, []
    for _ in range(4):
        taken = take(bucket, THREE, AT)
        bucket = taken.bucket
        answers.append(taken.ok)
    assert answers == [True, True, True, False]


def test_an_empty_bucket_says_when_a_token_is_due_and_keeps_its_word():
    empty = Bucket(tokens_milli=0, updated_at=AT)
    later = AT + timedelta(seconds=4, milliseconds=500)
    refused = take(empty, THREE, later)
    assert (refused.ok, refused.retry_after_s) == (False, 16)
    assert take(refused.bucket, THREE, later + timedelta(seconds=16)).ok


def test_a_wait_is_at_least_one_second():
    nearly = Bucket(tokens_milli=999, updated_at=AT)
    assert take(nearly, THREE, AT).retry_after_s == 1


def test_a_clock_that_jumps_back_gives_nothing_and_takes_nothing():
    empty = Bucket(tokens_milli=0, updated_at=AT)
    before = take(empty, THREE, AT - timedelta(days=1))
    assert not before.ok
    assert before.bucket.updated_at == AT


def test_a_bucket_shrinks_with_its_rule():
    rich = Bucket(tokens_milli=9_000, updated_at=AT)
    assert take(rich, THREE, AT).bucket.tokens_milli == 2_000


def test_a_rate_never_refills_faster_than_written():
    assert Rate(per="agent", count=3, window_s=60).refill_ms == 20_000
    assert Rate(per="agent", count=7, window_s=1).refill_ms == 143


@given(
    capacity=st.integers(1, 50),
    refill_ms=st.integers(1, 100_000),
    steps=st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=60),
)
def test_no_window_ever_gives_more_than_capacity_and_refill(
    capacity: int, refill_ms: int, steps: list[int]
):
    demand = BucketDemand(key="k", rule_id="r", capacity=capacity, refill_ms=refill_ms)
    bucket, at, first, last, granted = None, AT, AT, AT, 0
    for step in steps:
        at += timedelta(microseconds=step)
        taken = take(bucket, demand, at)
        if bucket is not None:
            assert taken.bucket.updated_at >= bucket.updated_at
        else:
            first = at
        last = max(last, at)
        assert 0 <= taken.bucket.tokens_milli <= capacity * 1_000
        assert taken.ok is (taken.retry_after_s == 0)
        granted += taken.ok
        bucket = taken.bucket
    passed_us = max(0, (last - first) // timedelta(microseconds=1))
    assert granted <= capacity + passed_us // (refill_ms * 1_000)


@given(st.lists(st.integers(1, 30_000), min_size=1, max_size=50))
def test_looking_often_loses_no_fraction_of_a_token(gaps_ms: list[int]):
    often, at = Bucket(tokens_milli=0, updated_at=AT), AT
    whole = BucketDemand(key="k", rule_id="r", capacity=10**6, refill_ms=7_777)
    taken = 0
    for gap in gaps_ms:
        at += timedelta(milliseconds=gap)
        step = take(often, whole, at)
        often, taken = step.bucket, taken + step.ok
    once = take(Bucket(tokens_milli=0, updated_at=AT), whole, at)
    assert often.tokens_milli + taken * 1_000 == once.bucket.tokens_milli + once.ok * 1_000
