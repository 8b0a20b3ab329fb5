"""Which listener stands where: the Slack side put together.

Lives here: building every listener over one desk. Must not live here: what any of them does, the
connection to Slack (``app``). Law: nothing here decides; what an installation lacks is None and its
listener says so.
"""

from dataclasses import dataclass

from bot.ids import RandomIds
from bot.slack.accounts import SlackAccounts
from bot.slack.changes import Changes
from bot.slack.commands.break_glass import BreakGlass
from bot.slack.commands.commands import Commands, Stats
from bot.slack.commands.lending import Lending
from bot.slack.commands.picking import Picking
from bot.slack.commands.shortcuts import Shortcuts
from bot.slack.desk import Desk
from bot.slack.home.bulk import Bulk
from bot.slack.home.home import Home, Troubles
from bot.slack.listeners import Listeners
from bot.slack.once import Once, Requests
from bot.slack.sending.channels import Channels
from bot.slack.voting.actions import Clicks
from bot.slack.voting.acts import Acts
from bot.slack.voting.reading import Reading
from bot.slack.voting.receipts import Receipts
from bot.slack.voting.views import Views
from bot.slack.zones import Zones
from governance.ports import Clock
from governance.transparency import Transparency


@dataclass(slots=True, kw_only=True)
class Extras:
    """What an installation may have besides; set before the app is started."""

    stats: Stats | None = None
    """Figures and pictures for ``/placet stats``."""
    requests: Requests | None = None
    """What every process knows of requests; without it each knows its own."""
    troubles: Troubles | None = None
    """What is wrong with delivery, for the home tab."""
    proofs: Transparency | None = None
    """Proofs of the log; without them no receipt is offered."""


def listeners(
    desk: Desk, *, clock: Clock, team_id: str, channels: Channels, extras: Extras
) -> Listeners:
    """Everything that Bolt dispatches to."""
    clicks, receipts = Clicks(desk=desk), Receipts(desk=desk, proofs=extras.proofs)
    reading = Reading(desk=desk, receipts=receipts)
    acts = Acts(desk=desk, clicks=clicks)
    zones = Zones(SlackAccounts(desk.client), clock)
    lending = Lending(desk=desk, clock=clock, zones=zones)
    glass = BreakGlass(desk=desk, ids=RandomIds())
    return Listeners(
        desk=desk,
        once=Once(requests=extras.requests, clock=clock),
        clicks=clicks,
        acts=acts,
        views=Views(desk=desk, clicks=clicks, acts=acts),
        reading=reading,
        receipts=receipts,
        commands=Commands(desk=desk, lending=lending, glass=glass, stats=extras.stats),
        home=Home(desk=desk, team_id=team_id, troubles=extras.troubles),
        bulk=Bulk(desk=desk, clicks=clicks),
        lending=lending,
        glass=glass,
        picking=Picking(desk=desk),
        shortcuts=Shortcuts(desk=desk, reading=reading),
        changes=Changes(directory=desk.directory, channels=channels),
    )
