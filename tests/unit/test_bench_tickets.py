"""The benchmark of many tickets really has the tickets, and expires every one that is due."""

from pathlib import Path

from bench.tickets import measured
from tests.support.postgres import Postgres


async def test_the_benchmark_measures_what_it_says(tmp_path: Path):
    held(await measured(f"sqlite:///{tmp_path}/placet.db", tickets=600, runs=2))


async def test_the_benchmark_measures_a_server_as_well(postgres: Postgres):
    held(await measured(postgres.url(postgres.empty()), tickets=600, runs=2))


def held(told: dict[str, float]) -> None:
    """It really wrote the tickets, and every read and the sweep were timed."""
    assert (told["tickets"], told["pending"]) == (600, 60)
    for name in ("idle_sweep_ms", "inbox_ms", "inbox_of_agent_ms", "queue_ms", "expire_s"):
        assert told[name] > 0
