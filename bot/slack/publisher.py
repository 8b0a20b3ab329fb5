"""What the app says: the only caller of ``chat.*`` and ``views.publish``.

Lives here: posting and updating cards, the audit channel, whispers, home tabs.
Must not live here: when (``bot.delivery``) or what (``cards``). Law: a card that already shows
the state costs no call; nothing is retried here. A post that may have happened although its answer
was lost is reported as uncertain: posting again can then leave one card too many, whose buttons
carry the same ticket, revision and binding and so can do nothing that the newest card cannot.
Finding it instead would need the right to read channels, which this app does not ask for.
"""

import logging
from collections.abc import Sequence
from dataclasses import replace

from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.blocks import Block
from bot.slack.card_view import CardView
from bot.slack.cards import Card, approval_card
from bot.slack.client import CALL_FAILURES, GoneError, TransientError, failure_of
from bot.slack.said import Said
from governance.outbox import Place

_log = logging.getLogger("placet.slack")


class Publisher:
    """Says things in one workspace."""

    def __init__(self, client: AsyncWebClient) -> None:
        self._client = client

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
            except GoneError as error:
                _log.warning("card of %s is gone (%s), posting anew", view.ticket.id, error.code)
            else:
                return replace(place, shown=card.digest)
        return await self._post(card, channel, view)

    async def _update(self, card: Card, place: Place) -> None:
        try:
            await self._client.chat_update(
                channel=place.channel,
                ts=place.ts,
                text=card.text,
                blocks=list(card.blocks),
                link_names=False,
                parse="none",
            )
        except CALL_FAILURES as error:
            raise failure_of("chat.update", error) from error

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
        try:
            answer = await self._client.chat_postMessage(
                channel=channel,
                text=text,
                blocks=list(blocks) or None,
                metadata=metadata,
                unfurl_links=False,
                unfurl_media=False,
                link_names=False,
                parse="none",
                mrkdwn=False,
            )
        except CALL_FAILURES as error:
            raise failure_of("chat.postMessage", error) from error
        where, ts = answer.get("channel"), answer.get("ts")
        if not isinstance(where, str) or not isinstance(ts, str):
            raise TransientError("chat.postMessage", "no_timestamp", is_uncertain=True)
        return where, ts

    async def whisper(self, channel: str, user: str, said: Said) -> None:
        """Show something to one person in a channel.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        try:
            await self._client.chat_postEphemeral(
                channel=channel, user=user, text=said.text, blocks=list(said.blocks)
            )
        except CALL_FAILURES as error:
            raise failure_of("chat.postEphemeral", error) from error

    async def retire(self, channel: str, ts: str, said: Said) -> None:
        """Take the buttons off a card that a newer one replaced.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        try:
            await self._client.chat_update(
                channel=channel, ts=ts, text=said.text, blocks=list(said.blocks)
            )
        except CALL_FAILURES as error:
            raise failure_of("chat.update", error) from error

    async def publish_home(self, user: str, view: Block) -> None:
        """Set one person's home tab.

        Raises:
            CallFailedError: as ``client`` classifies.
        """
        try:
            await self._client.views_publish(user_id=user, view=view)
        except CALL_FAILURES as error:
            raise failure_of("views.publish", error) from error
