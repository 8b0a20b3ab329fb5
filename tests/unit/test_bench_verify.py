"""What the bench of verification measures is a lawful ledger, and all of it."""

import asyncio
from pathlib import Path

import pytest

from bench import verify as bench
from storage.verify.verifier import verify_database


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "placet.db"
    told = asyncio.run(bench._written(path, 1_000))
    assert told["appended"] == verify_database(path).size > 1_000
    return path


def test_the_ledger_that_is_measured_verifies(ledger: Path) -> None:
    report = verify_database(ledger)
    assert report.problems == ()
    assert report.counts.votes == report.counts.signatures > 0


@pytest.mark.parametrize("part", bench.PARTS)
def test_every_part_looks_at_all_of_it_and_finds_nothing_wrong(ledger: Path, part: str) -> None:
    measured = bench.measured(part, ledger, 0, 0)
    counts = verify_database(ledger).counts
    assert measured.items == (counts.votes if part == "signatures" else counts.events)
    assert measured.problems == 0


def test_a_broken_ledger_is_not_measured_as_a_whole_one(ledger: Path, tmp_path: Path) -> None:
    copy = tmp_path / "placet.db"
    copy.write_bytes(
        ledger.read_bytes().replace(b'"actor":"agent:deployer"', b'"actor":"agent:destroyer"'[:24])
    )
    assert bench.measured("chain", copy, 0, 0).problems > 0
