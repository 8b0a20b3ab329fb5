"""What the verifier has derived, as text: a walk may begin with it anywhere."""

import asyncio
import json
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from storage.verify import chain as verify_chain
from storage.verify.chain import GENESIS, Problem, Raw, root
from storage.verify.source import ExportSource
from storage.verify.state import state_digest
from storage.verify.verifier import Verification
from tests.attacks.tampering import Lab, written
from tests.support import world

ENTRIES = Callable[[list[dict[str, object]]], object]


class Part:
    """Some of an export's records, after those that a state stands for."""

    unreadable: tuple[type[Exception], ...] = (OSError,)
    has_tables = False

    def __init__(self, path: Path, size: int | None = None) -> None:
        self._whole = ExportSource(path)
        self._size = size

    def attach(self, scratch: sqlite3.Connection) -> int:
        return self._whole.attach(scratch)

    def records(self, after: int = 0, previous: str = GENESIS) -> Iterator[Raw | Problem]:
        for item in self._whole.records():
            place = item.seq
            if place > after and (self._size is None or place <= self._size):
                yield item

    def signed_heads(self, after: int = 0) -> Iterator[tuple[object, ...]]:
        for row in self._whole.signed_heads(after):
            assert isinstance(row[0], int)
            if self._size is None or row[0] <= self._size:
                yield row

    def guards(self) -> Iterator[Problem]:
        yield from ()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return asyncio.run(written(tmp_path_factory.mktemp("lab")))


def size_of(lab: Lab) -> int:
    return sum(1 for item in ExportSource(lab.export).records() if isinstance(item, Raw))


def walked(
    lab: Lab, start: Path | None = None, size: int | None = None
) -> tuple[Verification, list[Problem]]:
    walk = Verification(start=start, jobs=0)
    walk.facts.segments.vouched = True
    return walk, list(walk.of(Part(lab.export, size)))


def state_at(lab: Lab, size: int, path: Path, start: Path | None = None) -> Path:
    walk, problems = walked(lab, start, size)
    assert problems == []
    path.write_bytes(b"".join(walk.state()))
    walk.facts.scratch.close()
    return path


def test_a_walk_that_begins_anywhere_ends_as_one_from_the_first_record(lab: Lab, tmp_path: Path):
    size = size_of(lab)
    whole, problems = walked(lab)
    assert problems == []
    expected = list(whole.state())
    for place in range(1, size):
        state = state_at(lab, place, tmp_path / "state")
        walk, problems = walked(lab, state)
        assert (place, problems) == (place, [])
        assert list(walk.state()) == expected, place
        walk.facts.scratch.close()
    assert size > 40


def test_a_state_by_way_of_others_is_the_same(lab: Lab, tmp_path: Path):
    size, state = size_of(lab), None
    for place in range(1, size + 1):
        state = state_at(lab, place, tmp_path / f"state-{place % 2}", state)
    whole, _ = walked(lab)
    assert state is not None
    assert state.read_bytes() == b"".join(whole.state())


def test_everything_that_is_derived_is_in_the_state(lab: Lab):
    walk, _ = walked(lab)
    sql = "SELECT name FROM sqlite_master WHERE type = 'table'"
    derived = {name for (name,) in walk.facts.scratch.execute(sql)}
    told = {next(iter(json.loads(line))) for line in walk.state()}
    aside = {"n"}  # tiles: what stands before is compared with the tile above it
    full = {
        name
        for name in derived - aside
        if walk.facts.scratch.execute(f"SELECT 1 FROM {name}").fetchone()
    }
    assert full <= told
    assert {"t", "d", "v", "b", "e", "c", "i", "u", "p", "k"} <= told
    for name in derived - aside:
        columns = walk.facts.scratch.execute(f"PRAGMA table_info({name})").fetchall()
        rows = [json.loads(line)[name] for line in walk.state() if name in json.loads(line)]
        assert {len(row) for row in rows} <= {len(columns)}, name


def _without(index: int) -> ENTRIES:
    return lambda entries: entries.pop(index)


def _changed(index: int, **fields: object) -> ENTRIES:
    return lambda entries: entries[index].update(fields)


@pytest.mark.parametrize(
    "spoil",
    [
        _without(0),
        _without(1),
        _without(-1),
        _without(-2),
        _changed(0, state=2),
        _changed(0, state=3),
        _changed(0, state=None),
        _changed(1, tree=None),
        _changed(2, tiles=[["x"]]),
        _changed(3, facts={}),
        lambda entries: entries.insert(5, {"sqlite_master": [1]}),
        lambda entries: entries.insert(5, {"t": [[], {}]}),
        lambda entries: entries.append({"t": [1]}),
        lambda entries: entries.clear(),
    ],
)
def test_text_that_is_no_state_is_refused(lab: Lab, tmp_path: Path, spoil: ENTRIES):
    state = state_at(lab, 20, tmp_path / "state")
    entries = [json.loads(line) for line in state.read_bytes().splitlines()]
    spoil(entries)
    state.write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    _, problems = walked(lab, state)
    assert [problem.what for problem in problems] == ["seal"]


def test_bytes_that_are_no_text_are_refused(lab: Lab, tmp_path: Path):
    (tmp_path / "state").write_bytes(b"\xff\n")
    _, problems = walked(lab, tmp_path / "state")
    assert [problem.what for problem in problems] == ["seal"]


def test_a_state_with_another_key_than_the_one_given_is_refused(lab: Lab, tmp_path: Path):
    state = state_at(lab, 20, tmp_path / "state")
    other = lab.keys["key:vote:operator"]["pem"]
    keys = {"key:checkpoint": {"purpose": "checkpoint", "pem": other}}
    walk = Verification(start=state, keys=keys, jobs=0)
    problems = list(walk.of(Part(lab.export)))
    assert "not the key that you were given" in problems[0].detail


def test_a_start_that_nobody_sealed_is_a_problem(lab: Lab, tmp_path: Path):
    walk = Verification(start=state_at(lab, 20, tmp_path / "state"), jobs=0)
    (problem,) = walk.of(Part(lab.export))
    assert (problem.what, "no seal in the log vouches" in problem.detail) == ("seal", True)


def test_the_digest_covers_every_line(lab: Lab):
    walk, _ = walked(lab)
    lines = list(walk.state())
    assert len({state_digest(lines[:n]) for n in range(len(lines) + 1)}) == len(lines) + 1


def test_a_state_that_cannot_be_read_is_a_problem_and_no_accident(lab: Lab, tmp_path: Path):
    _, problems = walked(lab, tmp_path / "missing")
    assert [problem.what for problem in problems] == ["seal"]


def _note(lab: Lab, size: int, *, is_right: bool = True) -> str:
    """What the checkpoint key says of the first records."""
    walk, _ = walked(lab, size=size)
    found = root(walk.chain.tree.peaks) if is_right else bytes(32)
    return world.note_of(size, found, walk.chain.hash)


@pytest.mark.parametrize(
    ("size", "is_right", "whats"),
    [
        (5, True, []),
        (5, False, []),
        (29, True, []),
        (29, False, ["checkpoint"]),
        (30, False, ["checkpoint"]),
        (35, False, ["checkpoint"]),
    ],
)
def test_published_checkpoints_are_compared_from_a_little_before_the_start_on(
    lab: Lab,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    size: int,
    is_right: bool,
    whats: list[str],
):
    note = _note(lab, size, is_right=is_right)
    monkeypatch.setattr(verify_chain, "_WINDOW", 6)
    state = state_at(lab, 30, tmp_path / "state")
    walk = Verification(start=state, checkpoints=note, jobs=0)
    walk.facts.segments.vouched = True
    assert [problem.what for problem in walk.of(Part(lab.export))] == whats
