"""A few kills under load; ``make torture`` runs the same with its full count."""

import pytest

from bench.kill import HARM, measure

pytestmark = [pytest.mark.slow, pytest.mark.sandbox, pytest.mark.xdist_group("kill")]


async def test_nothing_acknowledged_is_lost_and_nothing_runs_twice_when_processes_are_killed() -> (
    None
):
    counts = await measure(kills=4, seed=7)
    assert [counts[name] for name in HARM] == [0] * len(HARM), counts
    assert counts["acknowledged_jobs"] >= 1
    assert counts["executed"] >= 1
