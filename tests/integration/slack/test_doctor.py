"""``placet doctor`` names what is wrong with an installation, and what to do about it."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from copy import deepcopy
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from bot.cli.checks.findings import Finding, Level
from bot.cli.checks.slack import findings
from bot.demo import seed
from bot.emulator.emulator import Emulator
from bot.emulator.faults import FaultKind
from bot.manifest import manifest
from bot.scheduler import WallClock
from bot.settings import Settings, SlackMode
from governance.errors import InvalidInput
from governance.outbox import Owed, OwedKind
from storage.ledger import SqlLedger
from tests.integration.slack.world import open_world


class Ahead:
    """A clock that is wrong by so much."""

    def __init__(self, seconds: float) -> None:
        self._wrong = timedelta(seconds=seconds)

    def now(self) -> datetime:
        return datetime.now(UTC) + self._wrong


@dataclass(kw_only=True)
class Clinic:
    """A workspace and the settings of a service in it."""

    emu: Emulator
    settings: Settings

    async def problems(self, area: str = "", **more: Any) -> Sequence[Finding]:
        """What was found to be a problem, in one area or in all."""
        return [
            one
            for one in await self.found(**more)
            if one.level is Level.PROBLEM and area in ("", one.area)
        ]

    async def found(
        self, *, url: str = "", manifest: Path | None = None, **more: Any
    ) -> Sequence[Finding]:
        """Everything that was found."""
        return await findings(self.settings, url=url, manifest=manifest, **more)

    def change(self, **settings: Any) -> None:
        """Other settings."""
        self.settings = self.settings.model_copy(update=settings)

    async def owe(self, *errors: str) -> None:
        """Leave dead letters in the ledger, one for each error."""
        async with SqlLedger(self.settings.database, WallClock()) as ledger:
            for number, error in enumerate(errors):
                now = datetime.now(UTC)
                await ledger.owe(Owed(kind=OwedKind.CARD, key=f"t-{number}"), at=now)
                (held,) = await ledger.claim([OwedKind.CARD], at=now, lease_s=9, limit=1)
                await ledger.bury(held, error=error)


@pytest.fixture
async def clinic(tmp_path: Path) -> AsyncIterator[Clinic]:
    emu = Emulator(seed.WORKSPACE, manifest())
    await emu.start()
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'placet.db'}",
        slack_mode=SlackMode.HTTP,
        slack_bot_token=SecretStr(emu.bot_token),
        slack_signing_secret=SecretStr(emu.signing_secret),
        slack_team=seed.TEAM,
        slack_app_id=seed.APP,
        slack_approvals_channel=seed.APPROVALS,
        slack_audit_channel=seed.AUDIT,
        slack_api_url=emu.base_url,
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(emu.stop)
        async with SqlLedger(settings.database, WallClock()):
            pass  # made once, as placet serve makes it
        yield Clinic(emu=emu, settings=settings)


async def test_a_whole_installation_has_no_problem_and_says_what_was_looked_at(
    clinic: Clinic,
) -> None:
    found = await clinic.found()
    assert [one for one in found if one.level is not Level.NOTE] == []
    areas = {"token", "scopes", "clock", "channel", "request URL", "delivery"}
    assert {one.area for one in found} == areas
    shown = str(found)
    assert clinic.emu.bot_token not in shown
    assert clinic.emu.signing_secret not in shown


@pytest.mark.parametrize("code", ["account_inactive", "token_revoked", "invalid_auth"])
async def test_a_token_that_is_no_longer_good_is_the_one_problem(clinic: Clinic, code: str) -> None:
    clinic.emu.faults.add(FaultKind.REFUSED, on="auth.test", error=code)
    (problem,) = await clinic.problems()
    assert (problem.area, problem.place) == ("token", "PLACET_SLACK_BOT_TOKEN")
    assert code in problem.text
    assert "Install the app again" in problem.text


async def test_slack_that_cannot_be_reached_is_said(clinic: Clinic) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    clinic.change(slack_api_url=f"http://127.0.0.1:{port}/api/")
    (problem,) = await clinic.problems()
    assert "cannot be asked" in problem.text


async def test_a_token_of_another_workspace_or_app_names_the_setting(clinic: Clinic) -> None:
    clinic.change(slack_team="T0OTHER", slack_app_id="A0OTHER")
    places = [one.place for one in await clinic.problems("token")]
    assert places == ["PLACET_SLACK_TEAM", "PLACET_SLACK_APP_ID"]


async def test_scopes_that_lack_and_scopes_that_are_too_many_are_told_apart(tmp_path: Path) -> None:
    bent = deepcopy(manifest())
    bent["oauth_config"]["scopes"]["bot"].remove("files:write")
    bent["oauth_config"]["scopes"]["bot"].append("channels:history")
    emu = Emulator(seed.WORKSPACE, bent)
    await emu.start()
    try:
        settings = Settings(
            database=f"sqlite:///{tmp_path / 'none.db'}",
            slack_mode=SlackMode.SOCKET,
            slack_bot_token=SecretStr(emu.bot_token),
            slack_app_token=SecretStr(emu.app_token),
            slack_team=seed.TEAM,
            slack_app_id=seed.APP,
            slack_approvals_channel=seed.APPROVALS,
            slack_audit_channel=seed.AUDIT,
            slack_api_url=emu.base_url,
        )
        found = [
            one for one in await findings(settings, url="", manifest=None) if one.area == "scopes"
        ]
    finally:
        await emu.stop()
    assert [one.level for one in found] == [Level.PROBLEM, Level.WARNING]
    assert "lacks files:write" in found[0].text
    assert "channels:history" in found[1].text


@pytest.mark.parametrize(
    ("seconds", "level"),
    [
        (0, Level.NOTE),
        (120, Level.WARNING),
        (-120, Level.WARNING),
        (400, Level.PROBLEM),
        (-400, Level.PROBLEM),
    ],
)
async def test_a_clock_that_slack_would_not_accept_is_a_problem(
    clinic: Clinic, seconds: int, level: Level
) -> None:
    found = await clinic.found(clock=Ahead(seconds))
    (clock,) = [one for one in found if one.area == "clock"]
    assert clock.level is level
    if seconds:
        assert ("ahead of" if seconds > 0 else "behind") in clock.text


@pytest.mark.parametrize(
    ("change", "fix"),
    [
        ({"is_archived": True}, "Unarchive"),
        ({"members": ()}, "/invite @placet"),
        ({"is_ext_shared": True}, "shared with another organisation"),
        ({"is_pending_ext_shared": True}, "was invited"),
        ({"is_private": True, "members": ()}, "invite the app to it"),
    ],
)
async def test_a_channel_in_which_cards_cannot_stand_is_named_with_its_setting(
    clinic: Clinic, change: dict[str, Any], fix: str
) -> None:
    channel = clinic.emu.workspace.channels[seed.APPROVALS]
    clinic.emu.workspace.replace_channel(replace(channel, **change))
    (problem,) = await clinic.problems()
    assert "PLACET_SLACK_APPROVALS_CHANNEL" in problem.place
    assert fix in problem.text


async def test_a_channel_of_an_escalation_is_examined_too(clinic: Clinic, tmp_path: Path) -> None:
    path = tmp_path / "bundle.yaml"
    path.write_text(
        "version: v1\n"
        "tiers: {high: {roles: {operator: {weight: 1, min_required: 1}}}}\n"
        "reminders: {tiers: {high: {steps: [{after: 5m, channel: C0NOWHERE}]}}}\n",
        encoding="utf-8",
    )
    clinic.change(policies=path)
    (problem,) = await clinic.problems()
    assert problem.place == "C0NOWHERE (/reminders/tiers/high/steps/0/channel)"
    path.write_text("version: v1\nnonsense: 1\n", encoding="utf-8")
    assert "does not load" in str(await clinic.found())


async def test_a_request_url_is_tried_with_a_signed_request(clinic: Clinic) -> None:
    async with open_world() as world:
        clinic.change(slack_signing_secret=SecretStr(world.emu.signing_secret))
        (tried,) = [one for one in await clinic.found(url=world.url) if one.area == "request URL"]
        assert tried.level is Level.WARNING  # it answers, but Slack would want https
        clinic.change(slack_signing_secret=SecretStr("another"))
        (problem,) = await clinic.problems(url=world.url)
        assert "answered 401" in problem.text
    (problem,) = await clinic.problems(url=world.url)
    assert "does not answer" in problem.text
    (problem,) = await clinic.problems(url="nonsense")
    assert "does not answer" in problem.text


async def test_the_request_url_comes_from_ones_own_manifest(clinic: Clinic, tmp_path: Path) -> None:
    own = tmp_path / "manifest.yml"
    with socket.create_server(("127.0.0.1", 0)) as free:
        url = f"http://127.0.0.1:{free.getsockname()[1]}/slack/events"
    own.write_text(f"settings: {{event_subscriptions: {{request_url: '{url}'}}}}", encoding="utf-8")
    (problem,) = await clinic.problems(manifest=own)
    assert url in problem.text
    own.write_text("[]", encoding="utf-8")
    with pytest.raises(InvalidInput, match="cannot be read as a manifest"):
        await clinic.found(manifest=own)


async def test_in_socket_mode_the_app_level_token_is_tried(clinic: Clinic) -> None:
    clinic.change(slack_mode=SlackMode.SOCKET, slack_app_token=SecretStr(clinic.emu.app_token))
    assert "socket" in {one.area for one in await clinic.found()}
    assert not await clinic.problems()
    clinic.emu.faults.add(FaultKind.REFUSED, on="apps.connections.open", error="invalid_auth")
    (problem,) = await clinic.problems()
    assert (problem.area, problem.place) == ("socket", "PLACET_SLACK_APP_TOKEN")


async def test_dead_letters_are_counted_with_what_to_do(clinic: Clinic) -> None:
    await clinic.owe("chat.update: invalid_blocks", "chat.update: invalid_blocks", "TypeError")
    found = await clinic.problems("delivery")
    assert sorted(one.text.partition(" ")[0] for one in found) == ["1", "2"]
    assert "please report it" in str(found)


async def test_without_a_ledger_or_with_slack_off_that_is_said(
    clinic: Clinic, tmp_path: Path
) -> None:
    clinic.change(database=f"sqlite:///{tmp_path / 'none.db'}")
    (told,) = [one for one in await clinic.found() if one.area == "delivery"]
    assert told.level is Level.WARNING
    clinic.change(slack_mode=SlackMode.OFF)
    (told,) = await clinic.found()
    assert told.place == "PLACET_SLACK_MODE"
