"""Holds, erasures, backups and rollbacks as an operator types them."""

import asyncio
import shutil
from pathlib import Path

import pytest

from bot.compose.rollback import newest
from bot.compose.serve import run_serve
from bot.replies import Exit
from bot.settings import Settings, from_environment
from governance.errors import Code, Unavailable
from governance.tickets.ticket import TicketId
from storage.ledger import SqlLedger
from tests.support.build import FixedClock
from tests.unit.cli.conftest import Placet

WHY = ("--reason", "case 4711")


def test_a_hold_is_placed_listed_and_lifted(placet: Placet, story: TicketId):
    made = placet("audit", "hold", "add", "--ticket", story, *WHY, "--json")
    assert (made.code, made.json["scope"], made.json["target"]) == (0, "ticket", story)
    assert made.json["by"].startswith("operator:")
    name = made.json["id"]
    (listed,) = placet("audit", "hold", "list", "--json").json["holds"]
    assert listed == made.json
    assert name in placet("audit", "hold", "list").out
    lifted = placet("audit", "hold", "lift", name, *WHY)
    assert (lifted.code, "is lifted" in lifted.out) == (0, True)
    assert placet("audit", "hold", "list").out.strip() == "No holds are in force."
    assert placet("audit", "hold", "lift", name, *WHY, "--json").code == Exit.REFUSED


@pytest.mark.parametrize("given", [(), ("--all", "--agent", "deployer")])
def test_a_hold_names_exactly_one_thing(placet: Placet, story: TicketId, given: tuple[str, ...]):
    found = placet("audit", "hold", "add", *given, *WHY, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.USAGE, "invalid_field")


@pytest.mark.parametrize(("option", "name"), [("agent", "deploier"), ("trace", "b" * 32)])
def test_a_hold_on_what_nobody_has_seen_is_refused_unless_it_is_meant(
    placet: Placet, story: TicketId, option: str, name: str
):
    assert story
    given = ("audit", "hold", "add", f"--{option}", name, *WHY, "--json")
    found = placet(*given)
    assert (found.code, found.json["error"]["code"]) == (Exit.REFUSED, "not_found")
    assert "--unseen" in found.json["error"]["message"]
    assert placet("audit", "hold", "list", "--json").json == {"holds": []}
    assert placet(*given, "--unseen").json["target"] == name


def test_a_misspelt_agent_is_answered_with_the_nearest_that_is_known(
    placet: Placet, story: TicketId
):
    assert story
    assert placet("token", "create", "--agent", "billing-bot").code == 0
    found = placet("audit", "hold", "add", "--agent", "biling-bot", *WHY)
    assert (found.code, "did you mean billing-bot?" in found.err) == (Exit.REFUSED, True)
    for name in ("billing-bot", "deployer"):
        assert placet("audit", "hold", "add", "--agent", name, *WHY).code == 0


def test_a_hold_on_all_of_a_tenant_that_the_ledger_has_not_seen_is_refused(
    placet: Placet, story: TicketId, monkeypatch: pytest.MonkeyPatch
):
    assert story
    assert placet("audit", "hold", "add", "--trace", "a" * 32, *WHY).code == 0
    monkeypatch.setenv("PLACET_TENANT", "acmee")
    found = placet("audit", "hold", "add", "--all", *WHY)
    assert (found.code, "did you mean acme?" in found.err) == (Exit.REFUSED, True)
    assert placet("audit", "hold", "add", "--all", "--unseen", *WHY).code == 0


def test_an_open_ticket_is_not_erased_nor_one_under_a_hold(placet: Placet, story: TicketId):
    found = placet("audit", "erase", "--ticket", story, *WHY, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.REFUSED, "wrong_state")
    placet("audit", "hold", "add", "--all", *WHY)
    found = placet("audit", "erase", "--ticket", story, *WHY, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.REFUSED, "held")


@pytest.mark.parametrize("given", [(), ("0" * 64, "--ticket", "t-1")])
def test_an_erasure_names_one_digest_or_one_ticket(placet: Placet, given: tuple[str, ...]):
    found = placet("audit", "erase", *given, *WHY, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.USAGE, "invalid_field")


async def _serve_once(settings: Settings, accepted_by: str = "") -> None:
    before = _length(settings)
    async with run_serve(settings, accepted_by=accepted_by):
        await _published(settings, before)


async def _published(settings: Settings, before: int) -> None:
    """Until the checkpoint of this start is in the file."""
    async with asyncio.timeout(20):
        while _length(settings) == before:  # noqa: ASYNC110  # another task writes the file
            await asyncio.sleep(0.02)


def _length(settings: Settings) -> int:
    return settings.checkpoints.stat().st_size if settings.checkpoints.exists() else 0


def _settings(environment: dict[str, str]) -> Settings:
    return from_environment(environment | {"PLACET_PORT": "0"})


def _types(environment: dict[str, str]) -> list[str]:
    async def read() -> list[str]:
        async with SqlLedger(environment["PLACET_DATABASE"], FixedClock()) as ledger:
            return [item.type for item in await ledger.records(0, 1000)]

    return asyncio.run(read())


@pytest.fixture
def rolled_back(
    placet: Placet, environment: dict[str, str], story: TicketId, tmp_path: Path
) -> Path:
    """A ledger put back from a backup that is older than what was published."""
    copy = tmp_path / "backup.db"
    assert placet("db", "backup", copy).code == 0
    placet("audit", "hold", "add", "--all", *WHY)
    asyncio.run(_serve_once(_settings(environment)))
    folder = tmp_path / "ledger"
    shutil.move(folder, tmp_path / "away")
    found = placet("db", "restore", copy, "--json")
    assert (found.code, found.json["is_current"]) == (Exit.PROBLEM, False)
    assert "is lost" in found.json["problem"]
    return folder


def test_a_backup_that_is_older_than_what_was_published_is_not_served(
    placet: Placet, environment: dict[str, str], rolled_back: Path
):
    before = _types(environment)
    with pytest.raises(Unavailable) as caught:
        asyncio.run(_serve_once(_settings(environment)))
    assert caught.value.code is Code.ROLLED_BACK
    assert "is lost" in caught.value.message
    assert _types(environment) == before
    checked = placet("check", "--json")
    texts = [item["text"] for item in checked.json["findings"] if item["level"] == "problem"]
    assert (checked.code, any("--accept-rollback" in text for text in texts)) == (1, True)


def test_an_accepted_rollback_is_recorded_and_asked_no_second_time(
    environment: dict[str, str], rolled_back: Path
):
    settings = _settings(environment)
    asyncio.run(_serve_once(settings, "operator:root"))
    assert _types(environment).count("RollbackAccepted") == 1
    asyncio.run(_serve_once(settings))
    assert _types(environment).count("RollbackAccepted") == 1


def test_another_log_of_the_same_length_is_not_served_either(
    placet: Placet, environment: dict[str, str], story: TicketId, tmp_path: Path
):
    settings = _settings(environment)
    asyncio.run(_serve_once(settings))
    text = settings.checkpoints.read_text("utf-8")
    seen = newest(settings.checkpoints, settings.origin)
    assert seen is not None
    settings.checkpoints.write_text(text.replace(seen.head, "0" * 64), "utf-8")
    with pytest.raises(Unavailable, match="another log") as caught:
        asyncio.run(_serve_once(settings))
    assert caught.value.code is Code.ROLLED_BACK
    (tmp_path / "ledger" / "placet.db").rename(tmp_path / "gone.db")
    found = placet("check", "--json").json["findings"]
    assert any("ends at record 0" in item["text"] for item in found)


def test_the_checkpoints_of_another_log_say_nothing(tmp_path: Path, environment: dict[str, str]):
    settings = _settings(environment)
    assert newest(tmp_path / "none.txt", settings.origin) is None
    assert newest(Path("/dev/zero"), settings.origin) is None
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable) as caught:
        newest(tmp_path / "folder", settings.origin)
    assert caught.value.code is Code.NOT_READY


def test_a_backup_that_has_all_that_was_published_is_current(
    placet: Placet, environment: dict[str, str], story: TicketId, tmp_path: Path
):
    asyncio.run(_serve_once(_settings(environment)))
    assert placet("db", "backup", tmp_path / "backup.db").code == 0
    shutil.move(tmp_path / "ledger", tmp_path / "away")
    found = placet("db", "restore", tmp_path / "backup.db", "--json")
    assert (found.code, found.json["is_current"]) == (0, True)
    asyncio.run(_serve_once(_settings(environment)))


def test_a_backup_overwrites_nothing_and_a_server_has_its_own_tools(
    placet: Placet, story: TicketId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    copy = tmp_path / "backup.db"
    made = placet("db", "backup", copy, "--json")
    assert (made.code, made.json["events"] > 3) == (0, True)
    again = placet("db", "backup", copy, "--json")
    assert (again.code, again.json["error"]["code"]) == (Exit.REFUSED, "wrong_state")
    over = placet("db", "restore", copy, "--json")
    assert (over.code, over.json["error"]["code"]) == (Exit.REFUSED, "wrong_state")
    monkeypatch.setenv("PLACET_DATABASE", "postgresql://nobody@127.0.0.1/none")
    for command in ("backup", "restore"):
        found = placet("db", command, tmp_path / "other.db", "--json")
        assert found.json["error"]["code"] == "invalid_settings"
        assert "pg_basebackup" in found.json["error"]["message"]


def test_a_backup_of_nothing_or_from_what_is_none_is_refused(
    placet: Placet, environment: dict[str, str], tmp_path: Path
):
    assert placet("db", "backup", tmp_path / "a.db", "--json").code == Exit.UNAVAILABLE
    (tmp_path / "text").write_text("nothing")
    found = placet("db", "restore", tmp_path / "text", "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.UNAVAILABLE, "ledger_unavailable")
    assert not (tmp_path / "ledger" / "placet.db").exists()
