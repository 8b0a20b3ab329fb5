"""The log by the command line: verify, tail, export, keys."""

import json
import sqlite3
import stat
from pathlib import Path

import pytest

from bot.replies import Exit
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import Placet


def _tamper(environment: dict[str, str], *statements: str) -> None:
    connection = sqlite3.connect(environment["PLACET_DATABASE"].removeprefix("sqlite:///"))
    for trigger in ("events_no_update", "events_no_delete"):
        connection.execute(f"DROP TRIGGER {trigger}")
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def test_an_untouched_log_verifies(placet: Placet, story: TicketId) -> None:
    assert story
    found = placet("audit", "verify", "--json")
    assert found.code == Exit.OK
    assert found.json["verified"] is True
    assert found.json["votes"] == 1
    assert found.json["problems"] == []
    assert "verified: " in placet("audit", "verify").out


def test_one_changed_byte_is_found_and_its_event_named(
    placet: Placet, story: TicketId, environment: dict[str, str]
) -> None:
    events = placet("audit", "tail", "-n", 100, "--json").out.splitlines()
    seq = next(n for n, line in enumerate(events, 1) if '"VoteCast"' in line)
    _tamper(
        environment,
        f"UPDATE events SET body = replace(body, 'operator', 'operatoR') WHERE seq = {seq}",
        f"UPDATE events SET body = CAST(body AS BLOB) WHERE seq = {seq}",
    )
    found = placet("audit", "verify", "--json")
    assert found.code == Exit.PROBLEM
    assert found.json["verified"] is False
    assert seq in {item["seq"] for item in found.json["problems"]}
    shown = placet("audit", "verify")
    assert shown.code == Exit.PROBLEM
    assert f"event {seq}" in shown.out
    assert "NOT verified" in shown.out
    assert story


def test_an_export_verifies_alone_and_shows_its_changes(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    file = tmp_path / "log.jsonl"
    made = placet("audit", "export", file, "--json").json
    assert made["events"] == len(file.read_text(encoding="utf-8").splitlines())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert placet("audit", "verify", "--export", file).code == Exit.OK
    file.write_text(file.read_text(encoding="utf-8").replace("acme", "acne", 1), encoding="utf-8")
    found = placet("audit", "verify", "--export", file, "--json")
    assert found.code == Exit.PROBLEM
    assert found.json["problems"][0]["seq"] == 1


def test_an_export_replaces_nothing(placet: Placet, story: TicketId, tmp_path: Path) -> None:
    assert story
    taken = tmp_path / "taken"
    taken.write_text("mine", encoding="utf-8")
    assert placet("audit", "export", taken).code == Exit.USAGE
    assert placet("audit", "export", tmp_path / "no" / "folder").code == Exit.USAGE
    assert taken.read_text(encoding="utf-8") == "mine"
    assert "holds the log" in placet("audit", "export", tmp_path / "new").out
    assert not list(tmp_path.glob("*.part"))


def test_a_checkpoint_that_saw_more_is_a_problem(
    placet: Placet, story: TicketId, environment: dict[str, str]
) -> None:
    assert story
    path = Path(environment["PLACET_CHECKPOINTS"])
    path.parent.mkdir()
    path.write_text("no note at all\n", encoding="utf-8")
    assert placet("audit", "verify").code == Exit.PROBLEM
    assert placet("audit", "verify", "--checkpoints", path, "--json").json["problems"]
    path.write_bytes(b"\xff")
    assert placet("audit", "verify").code == Exit.UNAVAILABLE
    assert placet("audit", "verify", "--checkpoints", path).code == Exit.USAGE


def test_keys_that_were_kept_elsewhere_are_compared(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    kept = placet("audit", "keys", "--json").json
    assert {item["purpose"] for item in kept.values()} >= {"checkpoint", "vote:operator"}
    assert "checkpoint" in placet("audit", "keys").out
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(kept), encoding="utf-8")
    assert placet("audit", "verify", "--keys", file).code == Exit.OK
    first, second = list(kept)[:2]
    kept[first]["pem"] = kept[second]["pem"]
    file.write_text(json.dumps(kept), encoding="utf-8")
    assert placet("audit", "verify", "--keys", file).code == Exit.PROBLEM


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {}}', '{"a": {"purpose": "x"}}'])
def test_a_file_that_holds_no_keys_is_a_usage_error(
    placet: Placet, story: TicketId, tmp_path: Path, text: str
) -> None:
    assert story
    file = tmp_path / "keys.json"
    file.write_text(text, encoding="utf-8")
    assert placet("audit", "verify", "--keys", file).code == Exit.USAGE


def test_a_ledger_and_an_export_are_not_verified_at_once(
    placet: Placet, environment: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "x").touch()
    answer = placet(
        "audit", "verify", "--export", tmp_path / "x", "--database", environment["PLACET_DATABASE"]
    )
    assert answer.code == Exit.USAGE


def test_a_file_that_is_no_ledger_is_told_so(
    placet: Placet, environment: dict[str, str], tmp_path: Path
) -> None:
    assert environment
    (tmp_path / "ledger").mkdir()
    (tmp_path / "ledger" / "placet.db").write_text("not a database at all" * 99, encoding="utf-8")
    assert placet("audit", "verify").code == Exit.PROBLEM
    for words in (("audit", "tail"), ("audit", "export", tmp_path / "out"), ("ticket", "list")):
        answer = placet(*words, "--json")
        assert answer.code == Exit.UNAVAILABLE
        assert answer.json["error"]["code"] == "ledger_unavailable"
    assert not list(tmp_path.glob("out*"))


def test_the_tail_is_the_newest_events_oldest_first(placet: Placet, story: TicketId) -> None:
    lines = [
        json.loads(line) for line in placet("audit", "tail", "-n", 3, "--json").out.splitlines()
    ]
    assert [line["event"]["type"] for line in lines] == ["TicketOpened", "VoteCast", "VoteRefused"]
    assert lines[1]["event"]["previous"] == lines[0]["hash"]
    assert story in placet("audit", "tail").out


def test_the_tail_of_a_trace_has_only_that_trace(placet: Placet, story: TicketId) -> None:
    assert story
    lines = placet("audit", "tail", "--trace", "a" * 32, "--json").out.splitlines()
    assert {json.loads(line)["event"]["traceId"] for line in lines} == {"a" * 32}
    assert len(placet("audit", "tail", "--trace", "a" * 32, "-n", 1).out.splitlines()) == 1
    assert placet("audit", "tail", "--trace", "none").out == ""
