"""The fault scripts in small, and the broken builds that they must catch."""

from collections.abc import Iterator

import pytest

from bench import disk_faults, disk_full, kill_writes, power_loss
from bench.fault_breaks import Break
from bench.fault_harness import Bench, Tally, opened
from bench.shim import is_buildable

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("faults")]


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    if not is_buildable():
        pytest.skip("needs gcc")
    with opened(FAULT_BATCHES="5") as made:
        yield made


@pytest.mark.parametrize("story", ["approve", "freeze"])
def test_a_kill_at_any_write_loses_nothing_and_runs_nothing_twice_or_unapproved(
    bench: Bench, story: str
) -> None:
    tally = Tally()
    kill_writes.kill_everywhere(bench, story, tally, step=61)
    assert not tally.harms, tally.seen
    assert tally.counts["points"] >= 4
    assert tally.counts["acknowledged"] > 0


@pytest.mark.parametrize(
    ("broken", "harm", "first", "step"),
    [
        (Break.LATE_START, "twice", 100, 9),
        (Break.EARLY_ANSWER, "lost", 40, 40),
        (Break.NO_QUORUM, "unapproved", 90, 90),
    ],
)
def test_a_broken_build_is_caught_by_kills(
    bench: Bench, broken: Break, harm: str, first: int, step: int
) -> None:
    tally = Tally()
    kill_writes.kill_everywhere(bench, "allow", tally, step=step, first=first, broken=broken)
    assert tally.counts[harm] > 0


def test_a_disk_error_at_any_write_is_survived_without_a_restart(bench: Bench) -> None:
    tally = Tally()
    disk_faults.fail_everywhere(bench, "allow", tally, step=83, first=30)
    assert not tally.harms, tally.seen
    assert tally.counts["points"] >= 8
    assert tally.counts["went_on"] > 0


def test_a_build_that_answers_before_the_commit_is_caught_by_disk_errors(bench: Bench) -> None:
    tally = Tally()
    disk_faults.fail_everywhere(bench, "allow", tally, step=70, first=70, broken=Break.EARLY_ANSWER)
    assert tally.counts["lost"] > 0


def test_a_power_cut_loses_nothing_that_was_acknowledged(bench: Bench) -> None:
    tally = Tally()
    power_loss.cut_often(bench, "many", range(6), tally)
    power_loss.cut_often(bench, "approve", range(6, 12), tally)
    assert not tally.harms, tally.seen
    assert tally.counts["cuts"] == tally.counts["starts_again"] == 12
    assert tally.counts["copied_back"] > 0  # the WAL was copied back at least once


def test_a_build_that_does_not_wait_for_the_disk_is_caught_by_power_cuts(bench: Bench) -> None:
    tally = Tally()
    power_loss.cut_often(bench, "many", range(8), tally, broken=Break.NORMAL_SYNC)
    assert tally.counts["lost"] > 0


def test_a_disk_that_is_really_full_is_survived_without_a_restart() -> None:
    if not is_buildable() or not disk_full.is_runnable():
        pytest.skip("needs gcc and a working bubblewrap")
    counts = disk_full.measure(step_bytes=200 * 1024)
    assert counts["harms"] == 0, counts
    assert counts["levels"] == 4
    assert counts["refused"] != 0
