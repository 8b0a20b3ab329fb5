"""Everything that one process says in Slack, and how fast.

Lives here: the workers and lanes of delivery that speak, and the audit channel. Must not live
here: the buckets (``slack.sending.pace``), what is said (``effects``, ``telling``). Law: of several
processes one speaks, so that one count of what was said is enough; what is no message to Slack
waits for none; posting, changing and telling people do not wait for each other.
"""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from functools import partial

from bot.compose.core import Core
from bot.compose.effects import AuditChannel, Cards, Forwarding
from bot.compose.emergencies import Emergencies
from bot.compose.rounds import Rounds
from bot.compose.telling import Telling
from bot.compose.unknowns import Unknowns
from bot.delivery import Delivery, Lane, Worker
from bot.reminding import Watch
from bot.sinks.follower import Follower
from bot.slack.app import SlackApp
from bot.slack.kit.language import speaking
from bot.slack.sending.pace import POST, UPDATE, Pace
from bot.slack.zones import Zones
from governance.outbox import OwedKind
from governance.ports import Directory

SPEAKS = "slack-speaks"
"""The name under which processes agree on who speaks."""
AUDIT_CURSOR = "slack-audit"
_REST_S = 0.05
"""A reminder may be a moment late: whoever clicks comes first."""
_CARDS = (OwedKind.CARD,)
_TOLD = (
    *(OwedKind.EMERGENCY, OwedKind.REMIND, OwedKind.ESCALATE),
    *(OwedKind.REMIND_UNKNOWN, OwedKind.TELL_UNKNOWN, OwedKind.TELL_EXPIRED),
)


class Speaking:
    """The Slack side of one process's delivery."""

    def __init__(self, core: Core, slack: SlackApp, directory: Directory, pace: Pace) -> None:
        self._core = core
        self._slack = slack
        self._pace = pace
        self._channel = core.settings.slack_approvals_channel
        self._cards = Cards(core, slack, pace, channel=self._channel)
        self._telling = Telling(
            service=core.service,
            reader=core.ledger,
            outbox=core.ledger,
            clock=core.clock,
            publisher=slack.publisher,
            channels=slack.channels,
            speakers=slack.speakers,
        )
        self._emergencies = Emergencies(
            service=core.service,
            reader=core.ledger,
            publisher=slack.publisher,
            channels=slack.channels,
        )
        self._unknowns = Unknowns(
            tenant=core.service.tenant,
            channel=self._channel,
            reader=core.ledger,
            outbox=core.ledger,
            clock=core.clock,
            publisher=slack.publisher,
            channels=slack.channels,
            speakers=slack.speakers,
            card_at=self._telling.card_at,
        )
        self._watch = Watch(
            service=core.service,
            reader=core.ledger,
            directory=directory,
            zones=Zones(slack.accounts, core.clock),
            clock=core.clock,
        )

    def workers(self) -> Mapping[OwedKind, Worker]:
        """Who works each kind off."""
        return {
            OwedKind.CARD: self._to_channel(self._cards.work),
            OwedKind.REMIND: self._telling.remind,
            OwedKind.ESCALATE: self._to_channel(self._telling.escalate),
            OwedKind.REMIND_UNKNOWN: self._unknowns.remind,
            OwedKind.TELL_UNKNOWN: self._to_channel(self._unknowns.tell),
            OwedKind.TELL_EXPIRED: self._telling.tell_expired,
            OwedKind.WATCH: self._watch.work,
            OwedKind.EMERGENCY: self._to_channel(self._emergencies.announce),
        }

    def _to_channel(self, worker: Worker) -> Worker:
        """``worker``, speaking the language of the channels."""

        async def work(key: str) -> None:
            with speaking(self._slack.speakers.channels):
                await worker(key)

        return work

    def lanes(self) -> Sequence[Lane]:
        """Cards to be posted, cards to be changed, messages to people; one at a time each."""
        pace, leads = self._pace, partial(self._core.ledger.leads, SPEAKS)
        return (
            Lane(
                kinds=_CARDS,
                is_placed=False,
                at_once=1,
                wait_s=partial(pace.wait_s, POST, self._channel),
                leads=leads,
            ),
            Lane(
                kinds=_CARDS,
                is_placed=True,
                at_once=1,
                wait_s=partial(pace.wait_s, UPDATE),
                leads=leads,
            ),
            Lane(kinds=_TOLD, at_once=1, wait_s=pace.paused_s, leads=leads, rest_s=_REST_S),
            Lane(kinds=(OwedKind.WATCH,), at_once=4, rest_s=_REST_S),
        )

    def start(self, stack: AsyncExitStack, delivery: Delivery) -> None:
        """Bring cards forward, find those that are gone, follow the log into its channel."""
        self._slack.forward = Forwarding(self._core, self._slack, self._cards, delivery)
        ledger = self._core.ledger
        rounds = Rounds(
            service=self._core.service,
            reader=ledger,
            outbox=ledger,
            clock=self._core.clock,
            publisher=self._slack.publisher,
            leads=partial(ledger.leads, SPEAKS),
        )
        rounds.start()
        stack.push_async_callback(rounds.stop)
        audit = AuditChannel(self._slack.publisher, channel=self._core.settings.slack_audit_channel)
        follower = Follower(
            name=AUDIT_CURSOR,
            reader=ledger,
            outbox=ledger,
            emit=audit.emit,
            leads=partial(ledger.leads, AUDIT_CURSOR),
        )
        follower.start()
        stack.push_async_callback(follower.stop)
