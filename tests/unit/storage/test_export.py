"""Exports: whole files, and folders that are filled segment by segment."""

import asyncio
import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from storage import export as module
from storage.export import NotThisLog, export, export_segments, standing
from storage.verify.crew import CALLS
from storage.verify.others import Asked, Others
from storage.verify.verifier import verify_database, verify_export
from tests.attacks.tampering import Lab, told_anew, written

SIZE = 9


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    return asyncio.run(written(tmp_path_factory.mktemp("lab")))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_folder_gets_what_it_lacks_and_nothing_twice(lab: Lab, tmp_path: Path) -> None:
    total = verify_database(lab.database).size
    assert export_segments(lab.database, tmp_path, events=SIZE) == total
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert len(before) == -(-total // SIZE)
    assert export_segments(lab.database, tmp_path, events=SIZE) == 0
    last = max(before)
    (tmp_path / last).unlink()
    assert export_segments(lab.database, tmp_path, events=SIZE) > 0
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before
    assert verify_export(tmp_path, checkpoints=lab.checkpoints, keys=lab.keys).problems == ()


def test_an_interrupted_run_is_continued(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, synced = os.fsync, 0

    def fails(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced == 2:  # the second segment
            raise OSError("no space left")
        whole(descriptor)

    with monkeypatch.context() as patched:
        patched.setattr(module.os, "fsync", fails)
        with pytest.raises(OSError, match="no space"):
            export_segments(lab.database, tmp_path, events=SIZE)
    assert len([name for name in names(tmp_path) if name.endswith(".jsonl")]) == 1
    export_segments(lab.database, tmp_path, events=SIZE)
    assert not [name for name in names(tmp_path) if name.endswith(".part")]
    assert verify_export(tmp_path, checkpoints=lab.checkpoints).problems == ()


def test_segments_are_for_nobody_else(lab: Lab, tmp_path: Path) -> None:
    export_segments(lab.database, tmp_path)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_folder_of_another_log_gains_nothing(lab: Lab, tmp_path: Path) -> None:
    spoiled = lab.copied(tmp_path)
    told_anew(lambda bodies: bodies[:-2])(spoiled)
    folder = tmp_path / "other"
    folder.mkdir()
    spoiled.export.rename(folder / "log-000000000001.jsonl")
    forged = (folder / "log-000000000001.jsonl").read_text().replace('"end": ', '"end": 1')
    (folder / "log-000000000001.jsonl").write_text(forged)
    with pytest.raises(NotThisLog):
        export_segments(lab.database, folder)
    (folder / "log-000000000001.jsonl").write_text("cut\n")
    with pytest.raises(NotThisLog):
        standing(folder)
    assert len(names(folder)) == 1


def test_a_part_of_the_log_says_where_it_begins(lab: Lab, tmp_path: Path) -> None:
    with (tmp_path / "part.jsonl").open("w") as out:
        export(lab.database, out, after_seq=3)
    first = json.loads((tmp_path / "part.jsonl").read_text().splitlines()[0])
    assert first["after"] == 3
    found = verify_export(tmp_path / "part.jsonl").problems
    assert {"segment", "sequence"} <= {problem.what for problem in found}
    with (tmp_path / "none.jsonl").open("w") as out, pytest.raises(NotThisLog):
        export(lab.database, out, after_seq=10**6)


def test_a_signed_head_whose_record_was_removed_is_not_hidden(lab: Lab, tmp_path: Path) -> None:
    spoiled = lab.copied(tmp_path)
    with closing(sqlite3.connect(spoiled.database, isolation_level=None)) as db:
        db.execute("INSERT INTO head_signatures VALUES (99999, 'o', 'key:head', 'v')")
    with (tmp_path / "out.jsonl").open("w") as out:
        export(spoiled.database, out)
    assert "head signature" in {p.what for p in verify_export(tmp_path / "out.jsonl").problems}


def test_progress_ends_where_the_log_ends(lab: Lab, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    export_segments(lab.database, tmp_path, progress=lambda *step: steps.append(step))
    size = verify_database(lab.database).size
    assert steps[-1] == (size, size)


@pytest.fixture
def two_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other processes, however short the log."""
    monkeypatch.setattr("storage.verify.verifier._FOR_JOBS", 0)
    monkeypatch.setattr("storage.verify.crew._STRETCH", 7)


@pytest.mark.usefixtures("two_jobs")
def test_the_verdict_does_not_depend_on_how_many_processes_look(lab: Lab, tmp_path: Path) -> None:
    spoiled = lab.copied(tmp_path)
    with closing(sqlite3.connect(spoiled.database, isolation_level=None)) as db:
        db.execute("DROP TRIGGER events_no_update")
        db.execute("UPDATE events SET body = CAST(replace(body, 'acme', 'acne') AS BLOB)")
        db.execute("UPDATE tickets SET topic = 'another', needed_people = 7")
    for path in (lab.database, spoiled.database):
        alone = verify_database(path, jobs=0, checkpoints=lab.checkpoints)
        helped = verify_database(path, jobs=2, checkpoints=lab.checkpoints)
        assert set(alone.problems) == set(helped.problems)
        assert (alone.counts, alone.root, alone.head) == (helped.counts, helped.root, helped.head)
    assert alone.problems


@pytest.mark.usefixtures("two_jobs")
@pytest.mark.parametrize("lost", CALLS)
@pytest.mark.parametrize("is_spoiled", [False, True], ids=["sound", "spoiled"])
def test_work_that_a_process_lost_is_done_here(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, lost: str, is_spoiled: bool
) -> None:
    shown = lab.copied(tmp_path)
    if is_spoiled:
        with closing(sqlite3.connect(shown.database, isolation_level=None)) as db:
            db.execute("DROP TRIGGER events_no_update")
            db.execute("DROP TRIGGER head_signatures_no_update")
            db.execute("UPDATE events SET agent_id = 'another' WHERE seq = 9")
            db.execute(
                "UPDATE head_signatures SET value = (SELECT max(value) FROM head_signatures)"
            )
            db.execute("UPDATE tickets SET topic = 'another'")
    alone = verify_database(shown.database, jobs=0, checkpoints=lab.checkpoints)
    ask, asked = Others.ask, list[str]()

    def killing(self: Others, call: str, given: tuple[object, ...]) -> Asked | None:
        """The moment after work was given away."""
        found = ask(self, call, given)
        if found is not None and call == lost:
            asked.append(call)
            for other in self._others:
                other._process.kill()
        return found

    monkeypatch.setattr(Others, "ask", killing)
    helped = verify_database(shown.database, jobs=1, checkpoints=lab.checkpoints)
    assert lost in asked
    assert (helped.kinds, set(helped.problems)) == (alone.kinds, set(alone.problems))
    assert helped.counts == alone.counts
    found = {"look": "column", "holding": "head signature", "rows": "projection"}[lost]
    assert (found in helped.kinds) is is_spoiled
