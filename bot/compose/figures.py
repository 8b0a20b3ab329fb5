"""Figures in Slack, and the weekly digest of them.

Lives here: what they are given. Must not live here: counting, drawing, when. Law: the digest is off
unless a channel is named for it.
"""

from functools import partial

from bot.compose.core import Core
from bot.slack.app import SlackApp
from bot.slack.commands.stats import FiguresDesk
from bot.slack.sending.client import CallFailedError
from bot.weekly import NAME, Weekly


def figures_desk(core: Core, slack: SlackApp) -> FiguresDesk:
    """Who answers ``/placet stats``."""
    return FiguresDesk(
        service=core.service,
        log=core.ledger,
        clock=core.clock,
        accounts=slack.accounts,
        publisher=slack.publisher,
        uploads=slack.uploads,
        channels=slack.channels,
        language=slack.speakers.channels,
    )


def weekly_of(core: Core, slack: SlackApp | None) -> Weekly | None:
    """The digest of this process's workspace; None: there is none."""
    channel = core.settings.slack_stats_channel
    if slack is None or not channel:
        return None
    desk = slack.extras.stats
    if not isinstance(desk, FiguresDesk):
        desk = figures_desk(core, slack)
    digest = desk.digest
    return Weekly(
        clock=core.clock,
        marks=core.ledger,
        leads=partial(core.ledger.leads, NAME),
        send=lambda since, until: digest(channel, since=since, until=until),
        failures=CallFailedError,
    )
