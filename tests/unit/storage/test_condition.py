"""What the writer remembers of its failures, and what it says of them."""

import logging

import pytest

from governance.sparing import SAY_S
from storage.writing.condition import PROBE_S, Condition

FULL = "the ledger could not be written (SQLITE_FULL)"


class Hand:
    """A monotonic clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
def hand() -> Hand:
    return Hand()


@pytest.fixture
def condition(hand: Hand) -> Condition:
    return Condition(monotonic=hand)


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    found = [record.getMessage() for record in caplog.records if record.name == "placet.ledger"]
    caplog.clear()
    return found


def test_what_was_never_refused_is_writable_and_is_not_tried(condition: Condition):
    assert condition.unwritable_s == 0
    assert condition.failed_commits == 0
    assert condition.rest_s is None


def test_the_first_failure_makes_it_unwritable_until_something_was_written(
    condition: Condition, hand: Hand
):
    condition.failed(3, FULL)
    assert condition.unwritable_s == 1
    assert condition.failed_commits == 1
    hand.at += 41.2
    condition.failed(1, FULL)
    assert condition.unwritable_s == 42
    assert condition.failed_commits == 2
    condition.wrote()
    assert condition.unwritable_s == 0
    assert condition.failed_commits == 2
    assert condition.rest_s is None


def test_it_is_tried_again_a_while_after_the_last_failure(condition: Condition, hand: Hand):
    condition.failed(1, FULL)
    assert condition.rest_s == PROBE_S
    hand.at += PROBE_S / 2
    assert condition.rest_s == PROBE_S / 2
    hand.at += PROBE_S
    assert condition.rest_s == 0
    condition.failed(0, FULL)
    assert condition.rest_s == PROBE_S


def test_a_trial_that_failed_is_nobodys_commit(condition: Condition):
    condition.failed(0, FULL)
    assert condition.failed_commits == 0
    assert condition.unwritable_s == 1


def test_an_hour_of_failures_is_a_line_a_minute_with_the_reason_and_one_when_it_is_over(
    condition: Condition, hand: Hand, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "placet.ledger")
    condition.failed(2, FULL)
    assert said(caplog) == [f"{FULL}: nothing is done until it can be; refused so far: 2"]
    for _ in range(3600):
        hand.at += 1
        condition.failed(5, FULL)
    lines = said(caplog)
    assert len(lines) == 3600 // SAY_S
    assert lines[0] == f"{FULL}: nothing is done until it can be; refused so far: 302"
    condition.wrote()
    assert said(caplog) == ["the ledger can be written again after 3600 s; refused: 18002"]
    condition.wrote()
    assert said(caplog) == []


def test_a_disk_that_comes_and_goes_every_second_does_not_fill_the_log(
    condition: Condition, hand: Hand, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO, "placet.ledger")
    for _ in range(600):
        condition.failed(1, FULL)
        hand.at += 0.5
        condition.wrote()
        hand.at += 0.5
    assert len(said(caplog)) == 2 * 600 // SAY_S
    assert condition.failed_commits == 600


def test_what_one_item_broke_is_a_failed_commit_and_says_nothing_of_the_ledger(
    condition: Condition, caplog: pytest.LogCaptureFixture
):
    condition.spoiled(1, "the ledger could not be written (IntegrityError)")
    assert condition.failed_commits == 1
    assert condition.unwritable_s == 0
    assert said(caplog) == ["the ledger could not be written (IntegrityError); items: 1"]
