"""``placet keys``: made, listed, rotated and revoked, and each of it in the log."""

import asyncio
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from bot.cli.environment import actor
from bot.compose.keys import heads_of, purposes_of, vote_purposes
from bot.compose.tools import open_tools
from bot.settings import Settings, from_environment
from bot.signing.files import FileHeads
from governance.policy.bundle import load
from governance.ports import Logged
from tests.unit.cli.conftest import Placet


def keys_of(placet: Placet, *options: str) -> dict[str, dict[str, Any]]:
    """The keys by their purpose."""
    ran = placet("keys", "list", "--json", *options)
    assert ran.code == 0, ran.err
    return {key["purpose"]: key for key in json.loads(ran.out)["keys"]}


def records(environment: dict[str, str]) -> list[Logged]:
    async def read() -> list[Logged]:
        async with open_tools(from_environment(environment)) as tools:
            return list(await tools.reader.records(0, 100))

    return asyncio.run(read())


def test_the_first_init_makes_and_registers_a_key_for_each_purpose(
    placet: Placet, environment: dict[str, str]
):
    made = json.loads(placet("keys", "init", "--json").out)["registered"]
    keys = keys_of(placet)
    assert {key["id"] for key in made} == {key["id"] for key in keys.values()}
    assert {"head", "checkpoint"} < set(keys)
    assert any(purpose.startswith("vote:") for purpose in keys)
    folder = from_environment(environment).keys
    files = list(folder.glob("*.pem"))
    assert len(files) == len(keys)
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    again = placet("keys", "init")
    assert (again.code, "Every purpose has its key." in again.out) == (0, True)


def test_no_private_key_is_ever_shown(placet: Placet):
    ran = [placet("keys", "init", "--json"), placet("keys", "list", "--json")]
    ran += [placet("keys", "rotate", "head", "--json"), placet("keys", "list")]
    assert all("PRIVATE" not in item.out + item.err for item in ran)
    assert "BEGIN PUBLIC KEY" in ran[0].out


def test_a_rotated_key_is_listed_with_its_end_and_its_file_is_gone(
    placet: Placet, environment: dict[str, str]
):
    placet("keys", "init")
    old = keys_of(placet)["checkpoint"]
    ran = placet("keys", "rotate", "checkpoint")
    assert (ran.code, "checkpoint.pem is removed" in ran.err) == (0, True)
    new = keys_of(placet)["checkpoint"]
    assert new["id"] != old["id"]
    shown = json.loads(placet("keys", "list", "--all", "--json").out)["keys"]
    (ended,) = [key for key in shown if not key["active"]]
    assert (ended["id"], ended["reason"], ended["successor"]) == (old["id"], "rotated", new["id"])
    (event,) = [item for item in records(environment) if item.type == "KeyRotated"]
    assert event.header.actor == actor()
    assert placet("audit", "verify").code == 0


def test_every_active_key_is_rotated_with_all(placet: Placet):
    placet("keys", "init")
    before = keys_of(placet)
    done = json.loads(placet("keys", "rotate", "--all", "--json").out)
    after = keys_of(placet)
    assert {item["old"] for item in done["rotated"]} == {key["id"] for key in before.values()}
    assert set(before) == set(after)
    assert all(before[name]["id"] != after[name]["id"] for name in before)
    assert placet("audit", "verify").code == 0


def test_a_revoked_key_has_no_successor_until_init_makes_one(
    placet: Placet, environment: dict[str, str]
):
    placet("keys", "init")
    old = keys_of(placet)["checkpoint"]["id"]
    ran = placet("keys", "revoke", old, "--reason", "laptop stolen")
    assert (ran.code, "Nothing signs checkpoint now" in ran.out) == (0, True)
    assert "checkpoint" not in keys_of(placet)
    (event,) = [item for item in records(environment) if item.type == "KeyRevoked"]
    payload: Any = event.payload
    assert (event.header.actor, payload["reason"]) == (actor(), "laptop stolen")
    (made,) = json.loads(placet("keys", "init", "--json").out)["registered"]
    assert (made["purpose"], made["id"] != old) == ("checkpoint", True)
    assert placet("audit", "verify").code == 0
    shown = placet("keys", "list", "--all")
    assert "laptop stolen" in shown.out


@pytest.mark.parametrize(
    ("typed", "code", "says"),
    [
        (("rotate",), 2, "name one purpose, or say --all"),
        (("rotate", "head", "--all"), 2, "name one purpose, or say --all"),
        (("rotate", "vote:nobody"), 3, "no key is active for vote:nobody"),
        (("rotate", "head", "--to", "awskms:///p"), 2, "signed by a key in a file only"),
        (("rotate", "checkpoint", "--to", "nowhere"), 1, "none of these forms"),
        (("revoke", "k9", "--reason", "x"), 3, "no key k9"),
        (("revoke", "k9", "--reason", " "), 2, "say why it is revoked"),
        (("revoke", "k9"), 2, ""),
    ],
)
def test_what_cannot_be_done_is_told_and_changes_nothing(
    placet: Placet, environment: dict[str, str], typed: tuple[str, ...], code: int, says: str
):
    placet("keys", "init")
    before = len(records(environment))
    ran = placet("keys", *typed)
    assert (ran.code, says in ran.err) == (code, True), ran.err
    assert len(records(environment)) == before


def test_keys_move_to_another_folder_and_the_old_place_signs_nothing(
    placet: Placet, environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    placet("keys", "init")
    place = f"file://{tmp_path}/moved"
    ran = placet("keys", "rotate", "--all", "--to", place)
    assert (ran.code, f"Set PLACET_SIGNER={place}" in ran.err) == (0, True)
    assert not list(from_environment(environment).keys.glob("*.pem"))
    stale = placet("keys", "init")
    assert (stale.code, "it is not in the folder" in stale.err) == (4, True)
    monkeypatch.setenv("PLACET_SIGNER", place)
    assert placet("keys", "init").code == 0
    assert placet("audit", "verify").code == 0


def test_an_interrupted_rotation_leaves_a_key_that_the_next_one_takes(
    placet: Placet, environment: dict[str, str]
):
    """The successor was made and the process died before the log knew of it."""
    from bot.signing.files import FileStore

    placet("keys", "init")
    folder = from_environment(environment).keys
    left = asyncio.run(FileStore(folder).create("checkpoint"))
    placet("keys", "rotate", "checkpoint")
    assert keys_of(placet)["checkpoint"]["id"] == left.id


def test_what_is_left_of_keys_that_have_ended_is_taken_away_by_the_next_command(
    placet: Placet, environment: dict[str, str]
):
    """A rotation whose process died before it removed the old key, and a revoked key."""
    placet("keys", "init")
    folder = from_environment(environment).keys
    old = (folder / "checkpoint.pem").read_bytes()
    placet("keys", "rotate", "checkpoint")
    left = folder / "checkpoint.pem"
    left.touch(mode=0o600)
    left.write_bytes(old)
    placet("keys", "rotate", "checkpoint")
    assert not left.exists()
    stolen = (folder / "head.pem").read_bytes()
    placet("keys", "revoke", keys_of(placet)["head"]["id"], "--reason", "copied")
    placet("keys", "init")
    (made,) = folder.glob("head*.pem")
    assert made.read_bytes() != stolen
    assert placet("audit", "verify").code == 0


def test_only_keys_in_files_sign_heads():
    bundle = load({"version": "v1", "rules": []})
    votes = vote_purposes(bundle)
    remote = "awskms:///placet?region=eu-central-1"
    assert (
        purposes_of("", bundle)
        == purposes_of("file:///k", bundle)
        == ("head", "checkpoint", *votes)
    )
    assert purposes_of(remote, bundle) == ("checkpoint", *votes)
    assert isinstance(heads_of(Settings()), FileHeads)
    assert heads_of(Settings(signer=remote)) is None
