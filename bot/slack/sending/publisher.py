"""What the app says: the only caller of ``chat.*`` and ``views.publish``.

Lives here: posting and updating cards, the audit channel, whispers, home tabs.
Must not live here: when (``bot.delivery``) or what (``cards``). Law: a card that already shows
the state costs no call; nothing is retried here. A post that may have happened although its answer
was lost is reported as uncertain: posting again can then leave one card too many, whose buttons
carry the same ticket, revision and binding and so can do nothing that the newest card cannot.
Finding it instead would need the right to read channels, which this app does not ask for.
"""

import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.cards.card import Card, approval_card
from bot.slack.cards.view import CardView
from bot.slack.kit.blocks import Block
from bot.slack.said import Said
from bot.slack.sending.client import (
    CALL_FAILURES,
    CallFailedError,
    GoneError,
    PermanentError,
    RateLimitedError,
    TransientError,
    failure_of,
)
from bot.slack.sending.pace import EPHEMERAL, PERMALINK, POST, PUBLISH, UPDATE, Pace
from bot.slack.sending.remedies import Remedy
from governance.outbox import Place
from governance.tickets.lifecycle import LIVE

_log = logging.getLogger("placet.slack")
_Call = Callable[[], Awaitable[AsyncSlackResponse]]
MENDING_S = 60.0
"""Where a person must mend something, one call after so long finds out whether they did."""


class Publisher:
    """Says things in one workspace."""

    def __init__(self, client: AsyncWebClient, pace: Pace | None = None) -> None:
        """Without ``pace`` nothing keeps a call back but Slack itself."""
        self._client = client
        self._pace = pace

    async def _speak(self, method: str, channel: str, call: _Call) -> AsyncSlackResponse:
        """Make a call that its bucket has a token for, and keep in mind what Slack said to it.

        Raises:
            CallFailedError: as ``client`` classifies; ``RateLimitedError`` without a call, where
                the bucket is empty.
        """
        pace = self._pace
        wait_s = pace.take(method, channel) if pace is not None else 0.0
        if wait_s > 0:
            raise RateLimitedError(method, wait_s)
        try:
            return await call()
        except CALL_FAILURES as error:
            failure = failure_of(method, error)
            if pace is not None:
                _heed(pace, failure, channel)
            raise failure from error
        finally:
            if pace is not None:
                pace.spoken(method, channel)

    async def publish_card(self, view: CardView, *, channel: str, place: Place | None) -> Place:
        """Make the ticket's card show ``view``; where it is now.

        Posts in ``channel`` when there is no card yet or the old one cannot be changed any more.

        Raises:
            RateLimitedError, TransientError, PermanentError: as ``client`` classifies.
        """
        card = approval_card(view)
        if place is not None and place.ts and place.shown == card.digest:
            return place
        if place is not None and place.ts:
            try:
                await self._update(card, place)
            except CallFailedError as error:
                if not _is_lost(error, place, view, channel):
                    raise
                _log.warning("card of %s is gone (%s), posting anew", view.ticket.id, error.code)
            else:
                return replace(place, shown=card.digest)
        return await self._post(card, channel, view)

    async def _update(self, card: Card, place: Place) -> None:
        await self.change(place.channel, place.ts, card.text, card.blocks)

    async def change(self, channel: str, ts: str, text: str, blocks: Sequence[Block]) -> None:
        """Make a message of ours say something else.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        await self._speak(
            UPDATE,
            channel,
            lambda: self._client.chat_update(
                channel=channel,
                ts=ts,
                text=text,
                blocks=list(blocks),
                link_names=False,
                parse="none",
            ),
        )

    async def _post(self, card: Card, channel: str, view: CardView) -> Place:
        ticket = view.ticket
        answer = await self._say(
            channel,
            card.text,
            card.blocks,
            metadata={
                "event_type": "placet_ticket",
                "event_payload": {"ticket": ticket.id, "revision": ticket.revision},
            },
        )
        return Place(channel=answer[0], ts=answer[1], shown=card.digest)

    async def post_audit(
        self, text: str, *, channel: str, blocks: Sequence[Block] = ()
    ) -> tuple[str, str]:
        """Post one message of audit lines; its channel and timestamp.

        Raises:
            RateLimitedError, TransientError, PermanentError: as ``client`` classifies.
        """
        return await self._say(channel, text, blocks)

    async def _say(
        self,
        channel: str,
        text: str,
        blocks: Sequence[Block],
        *,
        metadata: dict[str, object] | None = None,
    ) -> tuple[str, str]:
        answer = await self._speak(
            POST,
            channel,
            lambda: self._client.chat_postMessage(
                channel=channel,
                text=text,
                blocks=list(blocks) or None,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
                link_names=False,
                parse="none",
                mrkdwn=False,
            ),
        )
        where, ts = answer.get("channel"), answer.get("ts")
        if not isinstance(where, str) or not isinstance(ts, str):
            raise TransientError(POST, "no_timestamp", is_uncertain=True)
        return where, ts

    async def tell(self, channel: str, said: Said) -> None:
        """Post a message into a person's own messages with this app.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        await self._say(channel, said.text, said.blocks)

    async def whisper(self, channel: str, user: str, said: Said) -> None:
        """Show something to one person in a channel.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        await self._speak(
            EPHEMERAL,
            channel,
            lambda: self._client.chat_postEphemeral(
                channel=channel, user=user, text=said.text, blocks=list(said.blocks)
            ),
        )

    async def retire(self, channel: str, ts: str, said: Said) -> None:
        """Take the buttons off a card that a newer one replaced.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        await self.change(channel, ts, said.text, said.blocks)

    async def publish_home(self, user: str, view: Block) -> None:
        """Set one person's home tab.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        await self._speak(PUBLISH, "", lambda: self._client.views_publish(user_id=user, view=view))

    async def permalink(self, channel: str, ts: str) -> str:
        """The address of a message.

        Raises:
            CallFailedError: as ``client`` classifies; ``GoneError``: somebody deleted it.
        """
        answer = await self._speak(
            PERMALINK,
            channel,
            lambda: self._client.chat_getPermalink(channel=channel, message_ts=ts),
        )
        return str(answer.get("permalink", ""))


def _heed(pace: Pace, failure: CallFailedError, channel: str) -> None:
    """Slow down, or stop for a while, where ``failure`` says that going on is of no use."""
    if isinstance(failure, RateLimitedError):
        pace.refused(failure.method, channel, failure.retry_after_s)
    elif isinstance(failure, PermanentError):
        if failure.remedy is Remedy.MEND_APP:
            pace.close_all(MENDING_S)
        elif failure.remedy is Remedy.MEND_CHANNEL and failure.method == POST:
            pace.close(POST, channel, MENDING_S)


def _is_lost(error: CallFailedError, place: Place, view: CardView, channel: str) -> bool:
    """Whether a card must be posted anew: it is gone, or waits where nobody can act any more."""
    if isinstance(error, GoneError):
        return True
    is_channels = isinstance(error, PermanentError) and error.remedy is Remedy.MEND_CHANNEL
    return is_channels and place.channel != channel and view.ticket.state in LIVE
