"""The log by the command line: verify, tail, export, keys."""

import asyncio
import base64
import json
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from bot.compose.checkpoints import checkpoint
from bot.replies import Exit
from bot.settings import Settings, from_environment
from bot.witness.witness import cosign, public_of
from governance.tickets.ticket import TicketId
from governance.transparency import Cosignature
from storage.verify.others import Others
from tests.unit.cli.conftest import Placet, opened

WITNESS = "watch.example"


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


@pytest.mark.parametrize("source", ["database", "export"])
def test_as_many_processes_look_as_are_asked_to_and_see_the_same(
    placet: Placet,
    story: TicketId,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    source: str,
) -> None:
    assert story
    monkeypatch.setattr("storage.verify.verifier._FOR_JOBS", 0)
    begun: list[int] = []

    class Noted(Others):
        def __init__(self, count: int, module: str) -> None:
            begun.append(count)
            super().__init__(count, module)

    monkeypatch.setattr("storage.verify.crew.Others", Noted)
    assert placet("audit", "export", tmp_path / "log.jsonl").code == Exit.OK
    words = ("--export", tmp_path / "log.jsonl") if source == "export" else ()
    alone = placet("audit", "verify", *words, "--jobs", 0, "--json")
    assert begun[-1] == 0
    helped = placet("audit", "verify", *words, "--jobs", 2, "--json")
    assert begun[-1] == 2
    assert (alone.code, alone.json) == (helped.code, helped.json)
    assert placet("audit", "verify", *words, "--jobs", -1).code == Exit.USAGE


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
    told = file.read_text(encoding="utf-8").splitlines()
    assert made["events"] == sum(line.startswith('{"seq"') for line in told) == len(told) - 2
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


async def _cosigned(settings: Settings, by: Ed25519PrivateKey) -> None:
    """Publish a checkpoint, and keep a line under it by somebody's key."""
    async with opened(settings) as core:
        await checkpoint(core)
        newest = await core.proofs.newest()
        assert newest is not None
        line = cosign(newest.note, name=WITNESS, key=by, time_s=1_772_366_400).splitlines()[-1]
        kept = Cosignature(size=newest.size, name=WITNESS, line=line)
        await core.proofs.cosign(kept)


def test_a_cosignature_in_the_name_of_a_known_witness_has_to_hold(
    placet: Placet,
    story: TicketId,
    environment: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert story
    keys = [Ed25519PrivateKey.from_private_bytes(bytes([n] * 32)) for n in (1, 2)]
    asyncio.run(_cosigned(from_environment(environment), keys[0]))
    witnesses = tmp_path / "witnesses"
    monkeypatch.setenv("PLACET_WITNESSES", str(witnesses))
    witnesses.write_text(f"# ours\n{public_of(WITNESS, keys[0]).vkey}\n")
    assert placet("audit", "verify").code == Exit.OK
    with closing(sqlite3.connect(tmp_path / "ledger" / "placet.db")) as db:
        ((line,),) = db.execute("SELECT line FROM cosignatures").fetchall()
        _, name, blob = line.split(" ")
        raw = bytearray(base64.b64decode(blob))
        raw[-1] ^= 1
        forged = f"\u2014 {name} {base64.b64encode(bytes(raw)).decode()}"
        db.execute("UPDATE cosignatures SET line = ?", (forged,))
        db.commit()
    found = placet("audit", "verify", "--json")
    assert found.code == Exit.PROBLEM
    assert [item["code"] for item in found.json["problems"]] == ["cosignature"]
    witnesses.write_text(f"{public_of(WITNESS, keys[1]).vkey}\n")
    assert placet("audit", "verify").code == Exit.OK, "whose key is not known is not judged"


@pytest.mark.parametrize("raw", [b"no key", b"\xff", None])
def test_where_witnesses_cannot_be_read_nothing_is_verified(
    placet: Placet,
    story: TicketId,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    raw: bytes | None,
) -> None:
    assert story
    if raw is not None:
        (tmp_path / "witnesses").write_bytes(raw)
    monkeypatch.setenv("PLACET_WITNESSES", str(tmp_path / "witnesses"))
    found = placet("audit", "verify", "--json")
    assert found.code == Exit.PROBLEM
    assert "verified" not in found.json
    assert found.json["error"]["code"] == "invalid_settings"


def test_a_verdict_says_whether_anything_from_outside_was_compared(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    alone = "Nothing from outside"
    log, keys, empty = (tmp_path / name for name in ("log.jsonl", "keys.json", "empty.txt"))
    assert placet("audit", "export", log).code == Exit.OK
    keys.write_text(json.dumps(placet("audit", "keys", "--json").json), encoding="utf-8")
    empty.write_text("\n", encoding="utf-8")
    assert alone in placet("audit", "verify", "--export", log).out
    assert alone not in placet("audit", "verify", "--export", log, "--keys", keys).out
    assert placet("audit", "verify", "--checkpoints", empty).code == Exit.USAGE


def test_keys_of_another_log_vouch_for_nothing(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    kept = placet("audit", "keys", "--json").json
    others = {f"{name}-other": key for name, key in kept.items()}
    file = tmp_path / "keys.json"
    file.write_text(json.dumps(others), encoding="utf-8")
    found = placet("audit", "verify", "--keys", file, "--json")
    assert found.code == Exit.PROBLEM
    assert [item["code"] for item in found.json["problems"]] == ["key"]


def test_all_problems_are_counted_and_some_are_listed(placet: Placet, tmp_path: Path) -> None:
    noise = tmp_path / "log.jsonl"
    noise.write_text("x\n" * 3_000)
    found = placet("audit", "verify", "--export", noise, "--json").json
    assert found["problem_count"] > 3_000
    assert len(found["problems"]) == 50
    shown = placet("audit", "verify", "--export", noise).out
    assert f"NOT verified, {found['problem_count']} in all" in shown


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


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"a": 1}', '{"a": {}}', '{"a": {"purpose": "x"}}']
)
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


def test_a_folder_of_segments_grows_with_the_log_and_verifies(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    folder = tmp_path / "segments"
    made = placet("audit", "export", folder, "--segment", 4, "--json").json
    assert made["events"] > 4
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert "gained 0" in placet("audit", "export", folder, "--segment", 4).out
    assert placet("audit", "verify", "--export", folder).code == Exit.OK
    first, second = sorted(folder.iterdir())[:2]
    second.write_bytes(first.read_bytes())
    found = placet("audit", "verify", "--export", folder, "--json")
    assert found.code == Exit.PROBLEM
    problem = found.json["problems"][0]
    assert (problem["code"], problem["table"], problem["row"]) == ("segment", second.name, "1")
    second.write_text("cut", encoding="utf-8")
    for other in sorted(folder.iterdir())[2:]:
        other.unlink()
    assert placet("audit", "export", folder, "--segment", 4).code == Exit.USAGE
    assert placet("audit", "export", first, "--segment", 4).code == Exit.USAGE


def test_a_problem_names_table_row_and_field(
    placet: Placet, story: TicketId, environment: dict[str, str]
) -> None:
    _tamper(environment, f"UPDATE tickets SET state = 'EXECUTED' WHERE id = '{story}'")
    problems = placet("audit", "verify", "--json").json["problems"]
    (found,) = (item for item in problems if item["code"] == "projection")
    assert (found["table"], found["row"], found["field"]) == ("tickets", story, "state")
    assert f"tickets {story}" in placet("audit", "verify").out
