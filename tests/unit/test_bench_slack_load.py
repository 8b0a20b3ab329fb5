"""The benchmark of a full workspace really floods it, and judges what it says."""

import pytest

from bench.slack_load import held, measured


@pytest.mark.slow
async def test_the_benchmark_floods_a_workspace_that_counts():
    told = await measured(tickets=40, watch_s=5)
    assert told["tickets"] == 40
    assert 2 <= told["cards_posted"] < 40
    assert told["cards_posted"] + told["cards_waiting"] == 40
    assert told["limited"].get("chat.postMessage C0CARDS") == 1
    assert told["clicks"] >= told["cards_posted"]
    assert held(told, slow_ok=True)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("most_429_in_a_bucket", 2),
        ("out_of_turn", 1),
        ("wrong_verdicts", 1),
        ("other_answers", 1),
        ("click_to_ack_p99_ms", 100.1),
    ],
)
def test_one_thing_that_does_not_hold_fails_it(name: str, value: float):
    good = {
        "most_429_in_a_bucket": 1,
        "out_of_turn": 0,
        "wrong_verdicts": 0,
        "other_answers": 0,
        "click_to_ack_p99_ms": 99.0,
    }
    assert held(good, slow_ok=False)
    assert not held({**good, name: value}, slow_ok=False)
