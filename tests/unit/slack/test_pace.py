"""A call that Slack would refuse for its rate is never made twice over."""

import math

import pytest

from bot.slack.sending.pace import EPHEMERAL, PER_CHANNEL, POST, PUBLISH, RATES, UPDATE, Pace

A_MINUTE = {UPDATE: 50, PUBLISH: 100, EPHEMERAL: 100}


class Time:
    """A monotonic clock that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time() -> Time:
    return Time()


@pytest.fixture
def pace(time: Time) -> Pace:
    return Pace(time)


@pytest.mark.parametrize("method", sorted(A_MINUTE))
def test_no_window_of_a_minute_has_more_calls_than_slack_takes(
    pace: Pace, time: Time, method: str
) -> None:
    made: list[float] = []
    while time.now < 1_400:
        if pace.take(method) == 0:
            made.append(time.now)
        else:
            time.now += 0.05
    assert len(made) > 5 * 0.8 * A_MINUTE[method]
    for first in made:
        assert sum(first <= at < first + 60 for at in made) <= A_MINUTE[method]


def test_each_channel_has_a_bucket_of_its_own_and_other_methods_share_one(
    pace: Pace, time: Time
) -> None:
    assert set(PER_CHANNEL) == {POST}
    while pace.take(POST, "C1") == 0:
        pass
    assert pace.take(POST, "C2") == 0
    while pace.take(UPDATE, "C1") == 0:
        pass
    assert pace.take(UPDATE, "C2") > 0


def test_the_wait_that_is_told_is_exactly_long_enough(pace: Pace, time: Time) -> None:
    while (wait_s := pace.take(POST, "C1")) == 0:
        pass
    time.now += wait_s - 0.001
    assert pace.take(POST, "C1") > 0
    time.now += 0.002
    assert pace.take(POST, "C1") == 0


def test_after_a_429_nothing_is_said_there_until_slack_said_and_then_one_at_a_time(
    pace: Pace, time: Time
) -> None:
    assert pace.take(POST, "C1") == 0
    pace.refused(POST, "C1", 30)
    assert pace.wait_s(POST, "C1") == pytest.approx(30)
    assert pace.wait_s(POST, "C2") == 0
    time.now += 30
    assert pace.take(POST, "C1") == 0
    assert pace.take(POST, "C1") == pytest.approx(RATES[POST].every_s)
    time.now += 3_600  # and it saves nothing up any more
    assert pace.take(POST, "C1") == 0
    assert pace.take(POST, "C1") > 0


def test_a_narrow_bucket_counts_from_the_answer_as_slack_counts_arrivals(
    pace: Pace, time: Time
) -> None:
    pace.refused(POST, "C1", 1)
    time.now += 1
    assert pace.take(POST, "C1") == 0
    time.now += 5
    pace.spoken(POST, "C1")
    assert pace.wait_s(POST, "C1") == pytest.approx(RATES[POST].every_s)


def test_a_shorter_pause_does_not_open_what_a_longer_one_closed(pace: Pace) -> None:
    pace.refused(POST, "C1", 60)
    pace.refused(POST, "C1", 1)
    assert pace.wait_s(POST, "C1") == pytest.approx(60)


def test_a_channel_that_must_be_mended_is_closed_alone(pace: Pace, time: Time) -> None:
    pace.close(POST, "C1", 60)
    assert (pace.wait_s(POST, "C1"), pace.wait_s(POST, "C2")) == (60, 0)
    time.now += 60
    assert pace.take(POST, "C1") == 0
    assert pace.take(POST, "C1") > 0  # one call finds out whether it was mended


def test_an_app_that_must_be_mended_says_nothing_anywhere(pace: Pace, time: Time) -> None:
    pace.close_all(60)
    assert pace.take(POST, "C1") == pace.take("chat.getPermalink") == pace.paused_s() == 60
    time.now += 60
    assert pace.take("chat.getPermalink") == pace.paused_s() == 0


def test_methods_without_a_bucket_are_as_fast_as_they_like(pace: Pace) -> None:
    pace.refused("users.info", "", 60)
    assert [pace.take("users.info") for _ in range(500)] == [0] * 500


def test_channels_without_number_are_not_remembered_without_end(pace: Pace, time: Time) -> None:
    pace.refused(POST, "C-narrow", 1)
    for number in range(10_000):
        assert pace.take(POST, f"C{number}") == 0
    assert len(pace._buckets) <= 4_096  # what must not grow
    assert math.isfinite(pace.wait_s(POST, "C9999"))
