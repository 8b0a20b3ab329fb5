"""Credentials by the command line."""

import stat
from pathlib import Path

import pytest

from bot.replies import Exit
from bot.webhook_secrets import FileWebhookSecrets
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import Placet

PERSON = "slack:T0PLACET/U0OLIVIA"


def test_a_new_token_is_shown_once_and_only_its_digest_is_kept(
    placet: Placet, tmp_path: Path
) -> None:
    made = placet("token", "create", "--agent", "bot", "--owner", PERSON, "--json").json
    secret = made["token"].rpartition("_")[2]
    assert made["owners"] == [PERSON]
    assert made["scopes"] == ["read", "submit"]
    listed = placet("token", "list", "--json")
    assert [item["id"] for item in listed.json["credentials"]] == [made["id"]]
    assert "secret" not in listed.out
    kept = b"".join(item.read_bytes() for item in tmp_path.rglob("*") if item.is_file())
    assert secret.encode() not in kept


def test_a_token_in_words_is_whole_on_standard_output(placet: Placet) -> None:
    made = placet("token", "create", "--agent", "bot", "--environment", "dev", "--role", "reader")
    line = next(item for item in made.out.splitlines() if item.startswith("token"))
    assert line.split()[1].startswith("plt_")
    assert "shown this once" in made.err
    assert "--owner" in made.err
    assert "agent bot" in placet("token", "list").out


def test_what_a_new_credential_names_and_nothing_bears_is_said_beside_it(
    placet: Placet, story: TicketId, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert story
    words = ("token", "create", "--agent", "bot", "--owner", PERSON)
    assert "Careful" not in placet(*words, "--environment", "Dev").err
    odd = placet(*words, "--environment", "deev")
    assert odd.code == 0
    assert "no environment deev, so it counts as prod; did you mean dev?" in odd.err
    monkeypatch.setenv("PLACET_TENANT", "acmee")
    assert "of tenant acmee" in placet(*words).err


def test_a_persons_token_approves(placet: Placet) -> None:
    made = placet("token", "create", "--person", PERSON, "--json").json
    assert made["person"] == PERSON
    assert made["scopes"] == ["approve", "read"]
    only = placet("token", "create", "--person", PERSON, "--scope", "approve", "--json").json
    assert only["scopes"] == ["approve"]


def test_a_webhook_secret_is_a_private_file_and_goes_with_its_token(
    placet: Placet, tmp_path: Path
) -> None:
    made = placet("token", "create", "--agent", "bot", "--webhook", "--json").json
    path = tmp_path / "keys" / "webhooks" / made["id"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made["webhook_secret"].startswith("whsec_")
    assert FileWebhookSecrets(path.parent).lookup(made["id"]) is not None
    gone = placet("token", "revoke", made["id"], "--json").json
    assert gone == {"revoked": made["id"], "webhook_secret_removed": True}
    assert not path.exists()


def test_a_revoked_token_is_listed_only_on_demand_and_revoked_once(placet: Placet) -> None:
    made = placet("token", "create", "--agent", "bot", "--webhook", "--json").json
    assert "webhook" in placet("token", "revoke", made["id"]).out
    assert "revoked" in placet("token", "revoke", made["id"]).out
    assert placet("token", "list", "--json").json == {"credentials": []}
    assert placet("token", "list", "--all", "--json").json["credentials"][0]["revoked_at"]
    assert "No credentials" in placet("token", "list").out
    types = [item for item in placet("audit", "tail").out.split() if item.startswith("Cred")]
    assert types == ["CredentialIssued", "CredentialRevoked"]


def test_an_unknown_token_is_refused(placet: Placet) -> None:
    placet("token", "create", "--agent", "bot")
    answer = placet("token", "revoke", "nope", "--json")
    assert answer.code == Exit.REFUSED
    assert answer.json["error"]["code"] == "not_found"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--agent", "bot", "--person", PERSON],
        ["--agent", "no spaces"],
        ["--agent", "bot", "--environment", ""],
        ["--agent", "bot", "--owner", "Olivia"],
        ["--agent", "bot", "--scope", "approve"],
        ["--person", "Olivia"],
        ["--person", PERSON, "--owner", PERSON],
        ["--person", PERSON, "--scope", "submit"],
        ["--person", PERSON, "--webhook"],
    ],
    ids=" ".join,
)
def test_what_cannot_be_meant_is_a_usage_error_and_makes_nothing(
    placet: Placet, arguments: list[str], tmp_path: Path
) -> None:
    answer = placet("token", "create", *arguments, "--json")
    assert answer.code == Exit.USAGE
    assert answer.json["error"]["code"] == "invalid_field"
    assert not (tmp_path / "ledger").exists()


def test_a_token_that_is_not_recorded_leaves_no_secret(
    placet: Placet, environment: dict[str, str], tmp_path: Path
) -> None:
    assert environment
    (tmp_path / "keys").mkdir(mode=0o700)
    (tmp_path / "keys" / "webhooks").touch()  # no folder can be made here
    answer = placet("token", "create", "--agent", "bot", "--webhook", "--json")
    assert answer.code == Exit.UNAVAILABLE
    assert placet("token", "list", "--json").json == {"credentials": []}


def test_reading_never_makes_a_ledger(placet: Placet, tmp_path: Path) -> None:
    for words in (["token", "list"], ["ticket", "list"], ["audit", "tail"], ["audit", "verify"]):
        answer = placet(*words, "--json")
        assert answer.code == Exit.UNAVAILABLE
        assert answer.json["error"]["code"] == "ledger_unavailable"
    assert not (tmp_path / "ledger").exists()
