"""The check before anything is started."""

from pathlib import Path
from typing import Any

import pytest

from bot.bundles import shipped
from bot.cli.checks import machine, manifest
from bot.cli.checks.bundle import load, tiers
from bot.replies import Exit
from bot.settings import Settings
from tests.unit.cli.conftest import Placet

PEOPLE = 'directory: {roles: {approver: {people: ["slack:T0/U0", "slack:T0/U1"]}}}'
TIER = "tiers: {pair: {roles: {approver: {weight: 1, min_required: 2}}}}"


def _found(answer: Any, area: str, word: str) -> list[dict[str, str]]:  # Ran
    return [i for i in answer.json["findings"] if i["area"] == area and word in i["text"]]


def _bundle(folder: Path, *lines: str) -> Path:
    path = folder / "bundle.yaml"
    path.write_text("\n".join(("version: v1", *lines)) + "\n", encoding="utf-8")
    return path


def test_the_demo_bundle_has_no_problem_and_every_fail_mode_is_shown(placet: Placet) -> None:
    answer = placet("check", "--json")
    assert answer.code == Exit.OK
    assert answer.json["ok"] is True
    assert {item["name"]: item["fail_mode"] for item in answer.json["environments"]} == {
        "dev": "closed",
        "prod": "closed",
    }
    assert {item["reachable"] for item in answer.json["tiers"]} == {"yes"}
    shown = placet("check").out
    for text in ("fail mode", "high (default)", "reachable", "No problem was found"):
        assert text in shown


def test_a_bundle_that_names_redis_is_a_problem_until_the_setting_names_it_too(
    placet: Placet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block = "approval: {roles: {approver: {weight: 1, min_required: 2}}}"
    path = _bundle(
        tmp_path, "exception_routing:", f"  {block}", "  executor: {idempotency_store: redis}"
    )
    (found,) = _found(placet("check", "--policies", path, "--json"), "settings", "idempotency")
    assert (found["level"], found["place"]) == ("problem", f"{path}:4:14")
    monkeypatch.setenv("PLACET_IDEMPOTENCY_STORE", "redis://127.0.0.1:6379/0")
    assert not _found(placet("check", "--policies", path, "--json"), "settings", "idempotency")


def test_a_bundle_that_does_not_load_is_named_by_line_and_column(
    placet: Placet, tmp_path: Path
) -> None:
    path = _bundle(
        tmp_path, TIER, "rules:", "  - id: a", "    decision: deny", "    reson: because"
    )
    answer = placet("check", "--policies", path, "--json")
    assert answer.code == Exit.PROBLEM
    places = [item["place"] for item in answer.json["findings"] if item["area"] == "bundle"]
    assert places == [f"{path}:6:5"]
    assert "1 problem to solve" in placet("check", "--policies", path).out


def test_a_tier_that_nobody_can_approve_is_a_warning_and_in_production_a_problem(
    placet: Placet, tmp_path: Path
) -> None:
    path = _bundle(tmp_path, TIER)
    answer = placet("check", "--policies", path, "--json")
    assert answer.code == Exit.OK
    assert _found(answer, "bundle", "nobody can approve")[0]["place"] == f"{path}:2:9"
    strict = placet("check", "--policies", path, "--production", "--json")
    assert strict.code == Exit.PROBLEM
    assert _found(strict, "bundle", "nobody can approve")[0]["level"] == "problem"


def test_groups_may_make_a_tier_reachable(placet: Placet, tmp_path: Path) -> None:
    path = _bundle(tmp_path, TIER, "directory: {roles: {approver: {slack_usergroups: [S1]}}}")
    answer = placet("check", "--policies", path, "--json")
    assert [item["reachable"] for item in answer.json["tiers"]] == ["depends on user groups"]
    assert _found(answer, "bundle", "S1")[0]["level"] == "note"


def test_a_passkey_that_cannot_be_asked_for_is_said(placet: Placet, tmp_path: Path) -> None:
    tier = TIER.replace("}}}}", "}}, step_up: true}}")
    answer = placet("check", "--policies", _bundle(tmp_path, tier, PEOPLE), "--json")
    assert _found(answer, "bundle", "passkey")


def test_an_open_fail_mode_is_said(placet: Placet, tmp_path: Path) -> None:
    open_mode = "environments: {dev: {fail_mode: unsafe_open, i_understand: true}}"
    answer = placet("check", "--policies", _bundle(tmp_path, TIER, PEOPLE, open_mode), "--json")
    assert _found(answer, "bundle", "unsafe_open")
    modes = {item["name"]: item["fail_mode"] for item in answer.json["environments"]}
    assert modes == {"dev": "unsafe_open", "prod": "closed"}


def test_signals_that_are_off_are_said(placet: Placet, tmp_path: Path) -> None:
    path = _bundle(tmp_path, TIER, PEOPLE, "signals: {injection: 'off'}")
    answer = placet("check", "--policies", path, "--json")
    assert _found(answer, "bundle", "signals.injection")[0]["place"] == f"{path}:4:11"


def test_a_key_that_is_read_and_not_enforced_is_named(placet: Placet, tmp_path: Path) -> None:
    path = _bundle(tmp_path, TIER, PEOPLE, "audit: {sink: somewhere}")
    answer = placet("check", "--policies", path, "--json")
    assert answer.json["not_enforced"] == ["/audit/sink"]
    assert _found(answer, "bundle", "/audit/sink")[0]["place"] == f"{path}:4:9"


def test_a_bundle_that_this_account_can_change_is_refused_in_production(
    placet: Placet, tmp_path: Path
) -> None:
    path = _bundle(tmp_path, TIER, PEOPLE)
    lax = placet("check", "--policies", path, "--json")
    assert _found(lax, "bundle", "can change the bundle")[0]["level"] == "warning"
    strict = placet("check", "--policies", path, "--production", "--json")
    assert _found(strict, "bundle", "can change the bundle")[0]["level"] == "problem"
    assert strict.code == Exit.PROBLEM


def test_wrong_settings_are_named_and_the_rest_is_still_checked(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_PORT", "much")
    monkeypatch.setenv("PLACET_COLOUR", "blue")
    answer = placet("check", "--json")
    assert answer.code == Exit.PROBLEM
    places = {item["place"] for item in answer.json["findings"] if item["level"] == "problem"}
    assert places == {"PLACET_PORT", "PLACET_COLOUR"}
    assert answer.json["tiers"]


def test_a_database_that_is_none_is_a_problem(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_DATABASE", "oracle://x")
    answer = placet("check", "--json")
    assert answer.code == Exit.PROBLEM
    assert [i["place"] for i in answer.json["findings"] if i["area"] == "ledger"] == [
        "PLACET_DATABASE"
    ]


def test_checking_makes_nothing(placet: Placet, tmp_path: Path) -> None:
    placet("check")
    assert list(tmp_path.iterdir()) == []


def test_keys_that_others_can_read_are_a_problem(placet: Placet, tmp_path: Path) -> None:
    keys = tmp_path / "keys"
    (keys / "webhooks").mkdir(parents=True)
    for path, mode in (
        (keys, 0o750),
        (keys / "webhooks", 0o700),
        (keys / "vote.pem", 0o640),
        (keys / "webhooks" / "abc", 0o604),
    ):
        path.touch()
        path.chmod(mode)
    answer = placet("check", "--json")
    assert answer.code == Exit.PROBLEM
    places = [item["place"] for item in answer.json["findings"] if item["area"] == "keys"]
    assert places == [str(keys), str(keys / "vote.pem"), str(keys / "webhooks" / "abc")]


def test_folders_that_actions_name_must_be_known_and_there(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PLACET_FOLDERS")
    found = _found(placet("check", "--json"), "actions", "PLACET_FOLDERS")
    assert "/demo/tools.yaml:" in found[0]["place"]
    monkeypatch.setenv("PLACET_FOLDERS", "site=/nowhere/at/all")
    answer = placet("check", "--json")
    assert answer.code == Exit.PROBLEM
    assert _found(answer, "actions", "is not there")


def test_checkpoints_beside_the_ledger_are_said(
    placet: Placet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PLACET_CHECKPOINTS", str(tmp_path / "ledger" / "checkpoints.txt"))
    assert _found(placet("check", "--json"), "checkpoints", "beside the ledger")


def test_listening_to_the_world_without_tls_is_said(
    placet: Placet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLACET_HOST", "0.0.0.0")  # noqa: S104  # that is the subject
    assert _found(placet("check", "--json"), "settings", "TLS")


def test_the_default_bundle_in_production_has_problems(placet: Placet) -> None:
    assert placet("check", "--policies", shipped("default"), "--production").code == Exit.PROBLEM


def test_places_that_cannot_be_written_are_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    settings = Settings(checkpoints=tmp_path / "file" / "checkpoints.txt")
    found = list(machine.ledger_findings(settings, tmp_path / "x.db", production=False))
    assert [item.area for item in found if item.level == "problem"] == ["checkpoints"]


@pytest.mark.parametrize(
    ("free_mib", "levels"),
    [(0, ["problem"]), (15, ["problem"]), (16, ["warning"]), (511, ["warning"]), (512, [])],
)
def test_a_disk_without_room_for_the_ledger_is_found(free_mib: int, levels: list[str]) -> None:
    path = Path("/var/lib/placet/placet.db")
    found = list(machine.room_findings(path, free_mib << 20))
    assert [item.level for item in found] == levels
    assert all(item.place == str(path) for item in found)
    assert all(f"{free_mib} MiB" in item.text for item in found)


def test_the_room_is_that_of_the_disk_on_which_the_ledger_lies(tmp_path: Path) -> None:
    settings = Settings(checkpoints=tmp_path / "checkpoints.txt")
    full = Path("/proc/placet/placet.db")  # of a file system that has room for nothing, ever
    told = [item.text for item in machine.ledger_findings(settings, full, production=False)]
    assert any("room" in text for text in told)


@pytest.mark.sandbox
def test_the_sandbox_is_proven_on_demand(placet: Placet) -> None:
    answer = placet("check", "--sandbox", "--json")
    assert answer.json["sandbox"].startswith(("Tier A", "No sandbox"))
    assert "sandbox" in placet("check", "--sandbox").out


async def test_a_bundle_without_registered_actions_needs_no_sandbox(tmp_path: Path) -> None:
    reason, found = await machine.sandbox_findings(load(_bundle(tmp_path, TIER)).bundle)
    assert reason
    assert found == []


def test_the_strictest_sandbox_is_compared(tmp_path: Path) -> None:
    row = next(tiers(load(_bundle(tmp_path, TIER, "minimum_sandbox: C")).bundle))
    assert row.sandbox == "C"
    assert row.verdict == "no"


class TestManifest:
    """The manifest against what the code uses."""

    def test_the_packaged_one_has_no_problem(self) -> None:
        assert list(manifest.findings(manifest.packaged(), Settings())) == []

    def _with(self, folder: Path, old: str, new: str) -> Path:
        text = manifest.packaged().read_text(encoding="utf-8")
        assert old in text
        path = folder / "manifest.yml"
        path.write_text(text.replace(old, new), encoding="utf-8")
        return path

    @pytest.mark.parametrize(
        ("old", "new", "word"),
        [
            ("      - chat:write\n", "", "chat:write is missing"),
            ("      - app_home_opened\n", "", "app_home_opened is missing"),
            ("- commands", "- commands\n      - channels:history", "not used"),
            ("should_escape: true", "should_escape: false", "should_escape"),
            ("command: /placet", "command: /other", "/placet is missing"),
            ("_metadata:", "_metadata: *x", "aliases"),
        ],
    )
    def test_what_differs_is_named_by_its_place(
        self, tmp_path: Path, old: str, new: str, word: str
    ) -> None:
        path = self._with(tmp_path, old, new)
        found = list(manifest.findings(path, Settings()))
        assert [word in item.text for item in found] == [True]
        assert found[0].place.startswith(f"{path}:")

    def test_a_manifest_that_is_something_else_lacks_everything(self, tmp_path: Path) -> None:
        path = tmp_path / "manifest.yml"
        path.write_text("settings: 1\n", encoding="utf-8")
        assert len(list(manifest.findings(path, Settings()))) == 3

    def _slack(self, mode: str) -> Settings:
        return Settings.model_validate(
            {
                "slack_mode": mode,
                "slack_bot_token": "xoxb-1",
                "slack_signing_secret": "s",
                "slack_app_token": "xapp-1",
                "slack_team": "T1",
                "slack_app_id": "A1",
                "slack_approvals_channel": "C1",
                "slack_audit_channel": "C2",
            }
        )

    def test_the_mode_of_the_settings_must_be_that_of_the_app(self, tmp_path: Path) -> None:
        http = list(manifest.findings(manifest.packaged(), self._slack("http")))
        assert ["placeholder" in item.text for item in http] == [True, True]
        socket = list(manifest.findings(manifest.packaged(), self._slack("socket")))
        assert ["socket_mode_enabled" in item.text for item in socket] == [True]
        path = self._with(tmp_path, "socket_mode_enabled: false", "socket_mode_enabled: true")
        assert list(manifest.findings(path, self._slack("socket"))) == []
        assert any("would not call" in i.text for i in manifest.findings(path, self._slack("http")))
