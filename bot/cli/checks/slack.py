"""Checks of the Slack side that need its network, its token and the ledger.

Lives here: what is to be examined, from settings and bundle, and the answers as findings. Must not
live here: the questions (``slack.sending.doctor``). Law: what could not be examined is said, too.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from bot.bundles import load_bundle, shipped
from bot.cli.checks import manifest as manifest_checks
from bot.cli.checks.findings import Finding, Level
from bot.cli.checks.people import group_findings
from bot.compose.people import groups_of
from bot.compose.serve import slack_config
from bot.compose.tools import open_tools
from bot.manifest import request_url
from bot.scheduler import WallClock
from bot.settings import Settings, SlackMode
from bot.slack.sending.doctor import Found, Wanted, examine
from bot.slack.sending.troubles import troubles
from governance.errors import InvalidInput, Unavailable
from governance.policy.model import Bundle, Sharing
from governance.ports import Clock

_OFF = "Slack is off (PLACET_SLACK_MODE): there is nothing to examine"
_NO_URL = (
    "the address under which Slack reaches this service was not tried: give it with --url, or your "
    "copy of the manifest with --manifest"
)
_NO_BUNDLE = "the bundle does not load; channels that it names were not examined: placet check"
_NO_LEDGER = "undelivered messages were not counted: {why}"
_FINE = "everything that is owed was delivered, or waits its turn"


async def findings(
    settings: Settings, *, url: str, manifest: Path | None, clock: Clock | None = None
) -> Sequence[Finding]:
    """Everything to be said about this installation.

    Raises:
        InvalidInput: ``invalid_settings``: the settings do not reach any workspace;
            ``invalid_field``: the manifest cannot be read.
    """
    config = slack_config(settings)
    if config is None:
        place = "PLACET_SLACK_MODE"
        return [Finding(area="settings", level=Level.WARNING, text=_OFF, place=place)]
    config.check()
    found: list[Finding] = []
    bundle = _bundle(settings)
    if bundle is None:
        found.append(Finding(area="channel", level=Level.WARNING, text=_NO_BUNDLE))
    at = url or request_url(manifest)
    if not at and settings.slack_mode is SlackMode.HTTP:
        found.append(Finding(area="request URL", level=Level.NOTE, text=_NO_URL))
    wanted = Wanted(
        scopes=manifest_checks.SCOPES,
        channels=_channels(settings, bundle),
        sharing=Sharing.REFUSE if bundle is None else bundle.shared_channels,
        request_url=at,
    )
    async with aiohttp.ClientSession() as session:
        told = await examine(config, session, wanted, clock or WallClock())
        company = await group_findings(groups_of(settings, session), bundle)
    found += [_finding(item) for item in told]
    return [*found, *company, *await _undelivered(settings)]


def _finding(found: Found) -> Finding:
    level = Level.WARNING if found.is_warning else Level.NOTE
    return Finding(
        area=found.area,
        level=Level.PROBLEM if found.is_problem else level,
        text=found.text,
        place=found.place,
    )


def _bundle(settings: Settings) -> Bundle | None:
    try:
        return load_bundle(settings.policies or shipped("default"))
    except InvalidInput:
        return None


def _channels(settings: Settings, bundle: Bundle | None) -> Mapping[str, str]:
    """Every channel in which the app is to speak, and where it is named."""
    named = {
        settings.slack_approvals_channel: "PLACET_SLACK_APPROVALS_CHANNEL",
        settings.slack_audit_channel: "PLACET_SLACK_AUDIT_CHANNEL",
    }
    if settings.slack_stats_channel:
        named.setdefault(settings.slack_stats_channel, "PLACET_SLACK_STATS_CHANNEL")
    timings = {} if bundle is None else bundle.reminders.tiers
    for tier, timing in timings.items():
        for number, step in enumerate(timing.steps):
            if step.channel:
                named.setdefault(step.channel, f"/reminders/tiers/{tier}/steps/{number}/channel")
    return named


async def _undelivered(settings: Settings) -> Sequence[Finding]:
    try:
        async with open_tools(settings) as tools:
            found = troubles(await tools.outbox.backlog())
    except (InvalidInput, Unavailable) as error:
        text = _NO_LEDGER.format(why=error.message)
        return [Finding(area="delivery", level=Level.WARNING, text=text, place="PLACET_DATABASE")]
    if not found:
        return [Finding(area="delivery", level=Level.NOTE, text=_FINE)]
    return [
        Finding(area="delivery", level=Level.PROBLEM, text=f"{one.text} {one.fix}", place=one.kind)
        for one in found
    ]
