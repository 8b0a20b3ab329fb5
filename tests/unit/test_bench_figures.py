"""The benchmark of figures counts what it wrote."""

import json
from pathlib import Path

import pytest

from bench.figures import measure


async def test_it_counts_every_decision_that_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await measure(tmp_path / "log.db", 3_000)
    told = capsys.readouterr().out
    assert " decisions: " in told
    counts = json.loads(told.splitlines()[-1])
    assert counts["events"] > counts["decisions"] > 0
    assert counts["longest_pause_ms"] >= 0
