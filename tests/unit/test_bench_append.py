"""What the benchmark of appending writes is a log, all of it, and durable."""

from pathlib import Path

from bench import append as bench
from storage.verify.chain import Problem, Raw, Stretch, look
from storage.verify.facts import Facts
from storage.verify.form import Forms
from storage.verify.source import SqliteSource


def test_what_is_appended_is_linked_and_canonical_and_all_of_it(tmp_path: Path) -> None:
    found = bench.appended(tmp_path, 100, 8)
    assert found.per_second > 0
    assert found.cpu_us >= found.best_cpu_us > 0
    source = SqliteSource(tmp_path / "append.db")
    facts = Facts({})
    source.attach(facts.scratch)
    records = list(source.records())
    assert not [item for item in records if isinstance(item, Problem)]
    raws = [item for item in records if isinstance(item, Raw)]
    assert 100 <= len(raws) < 100 + 8 * 7
    assert look(Stretch(0, "0" * 64, raws), Forms()).problems == []
    facts.scratch.close()
