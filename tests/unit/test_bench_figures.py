"""The benchmark of figures counts what it wrote."""

from pathlib import Path

import pytest

from bench.figures import measure


async def test_it_counts_every_decision_that_it_wrote(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await measure(tmp_path / "log.db", 3_000)
    told = capsys.readouterr().out
    assert " decisions: " in told
    assert "longest pause" in told
