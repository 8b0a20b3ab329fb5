"""The active bundle by the command line."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.bundles import shipped
from bot.replies import Exit
from governance.tickets.ticket import TicketId
from tests.unit.cli.conftest import Placet


def test_activation_says_which_snapshot_follows_which(placet: Placet, story: TicketId) -> None:
    assert story
    before = placet("policy", "show", "--json").json
    assert before["is_active"] is True
    done = placet("policy", "activate", "--policies", shipped("default"), "--yes", "--json").json
    assert done["changed"] is True
    assert done["old"] == before["active"]
    assert done["new"] != done["old"]
    assert "not the active one" in placet("policy", "show").out
    assert done["tickets"] == {
        "denied": 1,
        "revised": 0,
        "cancelled": 0,
        "unchanged": 0,
        "left": 0,
    }
    types = placet("audit", "tail", "-n", 2).out
    assert "BundleActivated" in types
    assert "operator:" in types


def test_activation_asks_and_no_changes_nothing(placet: Placet, story: TicketId) -> None:
    assert story
    words = ("policy", "activate", "--policies", shipped("default"))
    assert placet(*words, typed="n\n").code == Exit.PROBLEM
    assert placet("policy", "show", "--json").json["is_active"] is True
    assert placet(*words, "--json").code == Exit.USAGE
    agreed = placet(*words, typed="y\n")
    assert agreed.code == Exit.OK
    assert "old" in agreed.out


def test_the_active_bundle_is_not_activated_again(placet: Placet, story: TicketId) -> None:
    assert story
    assert placet("policy", "activate", "--json").json["changed"] is False
    assert "is the active one" in placet("policy", "activate").out


def test_the_first_activation_may_come_before_the_service(placet: Placet) -> None:
    assert placet("policy", "show").code == Exit.UNAVAILABLE
    done = placet("policy", "activate", "--yes")
    assert done.code == Exit.OK
    assert "none" in done.out


def test_a_broken_folder_shows_which_bundle_goes_on_deciding(
    placet: Placet, story: TicketId, tmp_path: Path
) -> None:
    assert story
    before = placet("policy", "show", "--json").json["active"]
    broken = tmp_path / "broken.yaml"
    broken.write_text("rules: [", encoding="utf-8")
    told = placet("policy", "show", "--policies", broken, "--json").json
    assert (told["active"], told["on_disk"], told["is_active"]) == (before, None, False)
    assert told["problem"]["message"].startswith(f"{broken}:")
    said = placet("policy", "show", "--policies", broken)
    assert "goes on deciding" in said.out
    refused = placet("policy", "activate", "--policies", broken, "--yes")
    assert refused.code == Exit.PROBLEM
    assert placet("policy", "show", "--json").json["active"] == before


def test_what_became_of_the_open_tickets_is_a_table(placet: Placet, story: TicketId) -> None:
    assert story
    done = placet("policy", "activate", "--policies", shipped("default"), "--yes")
    assert done.code == Exit.OK
    for word in ("denied", "revised", "cancelled", "unchanged", "left"):
        assert word in done.out
    again = placet("policy", "activate", "--policies", shipped("default"), "--json").json
    assert (again["changed"], again["tickets"]["denied"]) == (False, 0)


def test_a_bundle_is_signed_and_a_service_may_ask_for_that(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    policies, trusted, key = tmp_path / "policies", tmp_path / "trusted", tmp_path / "policy.key"
    policies.mkdir()
    trusted.mkdir()
    (policies / "bundle.yaml").write_text("name: mine\n", encoding="utf-8")
    private = ec.generate_private_key(ec.SECP256R1())
    key.touch(mode=0o600)
    key.write_bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (trusted / "policy.pem").write_bytes(
        private.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    monkeypatch.setenv("PLACET_BUNDLE_KEYS", str(trusted))
    monkeypatch.setenv("PLACET_REQUIRE_SIGNED_BUNDLE", "true")
    words = ("--policies", policies)
    assert "is not signed" in placet("policy", "activate", *words, "--yes").err
    checked = placet("check", *words, "--json").json
    assert any("is not signed" in item["text"] for item in checked["findings"])
    made = placet("policy", "sign", *words, "--key", key, "--json").json
    assert made["file"] == str(policies / "bundle.sig")
    assert "bundle.sig" in placet("policy", "sign", *words, "--key", key).out
    assert placet("policy", "activate", *words, "--yes").code == Exit.OK
    checked = placet("check", *words, "--json").json
    assert any(item["text"] == f"signed with {made['key_id']}" for item in checked["findings"])
    (policies / "bundle.yaml").write_text("name: other\n", encoding="utf-8")
    assert "does not hold" in placet("policy", "activate", *words, "--yes").err
    checked = placet("check", *words, "--json").json["findings"]
    assert any("does not hold" in item["text"] for item in checked)
    assert any("goes on deciding" in item["text"] for item in checked)
    (trusted / "policy.pem").unlink()
    checked = placet("check", *words, "--json").json["findings"]
    assert any("PLACET_BUNDLE_KEYS" in item["text"] for item in checked)
    monkeypatch.delenv("PLACET_POLICIES")
    assert placet("policy", "sign", "--key", key).code == Exit.USAGE
