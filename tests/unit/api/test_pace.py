"""One credential's requests are bounded, and nobody else's by them."""

import pytest

from bot.api.pace import AT_ONCE, Pace
from bot.api.problems import HttpRefused

RATE = 4
BURST = RATE * AT_ONCE


class Time:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def time() -> Time:
    return Time()


def taken(pace: Pace, credential_id: str, most: int) -> int:
    """How many of ``most`` requests are let through."""
    for number in range(most):
        try:
            pace.take(credential_id)
        except HttpRefused:
            return number
    return most


def test_so_many_come_at_once_and_then_as_many_as_the_rate(time: Time):
    pace = Pace(RATE, time)
    assert taken(pace, "a", 2 * BURST) == BURST
    time.at += 1
    assert taken(pace, "a", 2 * BURST) == RATE
    time.at += 2 * AT_ONCE
    assert taken(pace, "a", 2 * BURST) == BURST  # a longer rest saves up no more


def test_whoever_keeps_to_the_rate_is_never_refused(time: Time):
    pace = Pace(RATE, time)
    for _ in range(10 * BURST):
        pace.take("a")
        time.at += 1 / RATE


def test_one_credential_takes_nothing_from_another(time: Time):
    pace = Pace(RATE, time)
    assert taken(pace, "a", 2 * BURST) == BURST
    assert taken(pace, "b", 2 * BURST) == BURST


def test_a_refused_request_is_not_counted_and_says_when_to_come_back(time: Time):
    pace = Pace(RATE, time)
    taken(pace, "a", BURST)
    for _ in range(100):
        with pytest.raises(HttpRefused) as refused:
            pace.take("a")
    problem = refused.value.problem
    assert (problem.status, problem.code, problem.retry_after_s) == (429, "too_many_requests", 1)
    time.at += problem.retry_after_s
    pace.take("a")


def test_without_a_rate_nothing_is_bounded(time: Time):
    assert taken(Pace(0, time), "a", 10_000) == 10_000
