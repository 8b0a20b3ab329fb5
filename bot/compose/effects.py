"""What delivery does for each kind of message, wired to Slack.

Lives here: ledger state -> a publisher's call, and its failures in delivery's words.
Must not live here: how a card looks, when it is due. Law: a card is drawn from the state committed
now, whatever state owed it; what a person must mend keeps its messages waiting, not lost.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace

from bot.compose.core import Core
from bot.delivery import Delivery, RetryLater, Undeliverable
from bot.sinks.audit_lines import audit_messages
from bot.sinks.follower import Postponed
from bot.slack.app import SlackApp
from bot.slack.cards.card import approval_card
from bot.slack.cards.view import CardView, load_card_view
from bot.slack.kit.language import speaking
from bot.slack.sending.client import CallFailedError, PermanentError, RateLimitedError
from bot.slack.sending.digest import DIGEST_AT, Digests
from bot.slack.sending.exposure import Exposure
from bot.slack.sending.pace import POST, UPDATE, Pace
from bot.slack.sending.publisher import MENDING_S, Publisher
from bot.slack.sending.remedies import Remedy
from governance.outbox import Owed, OwedKind, Place
from governance.ports import Logged
from governance.tickets.lifecycle import LIVE
from governance.tickets.ticket import Ticket, TicketId

_BAD_CHANNEL_RETRY_S = 60.0


@asynccontextmanager
async def in_deliverys_words(*, waited_for: str = "") -> AsyncIterator[None]:
    """A failed call as delivery wants it said.

    What met the limit of the method that its lane waits for keeps its place in the lane: put off
    by itself, it would let later deadlines go first.

    Raises:
        RetryLater: later, or once somebody mended the app or the channel.
        Undeliverable: never, as it is.
    """
    try:
        yield
    except RateLimitedError as error:
        after_s = 0.0 if error.method == waited_for else error.retry_after_s
        raise RetryLater(str(error), after_s=after_s) from error
    except PermanentError as error:
        if error.remedy is Remedy.MEND_MESSAGE:
            raise Undeliverable(str(error)) from error
        raise RetryLater(str(error), after_s=MENDING_S) from error
    except CallFailedError as error:
        raise RetryLater(str(error)) from error


class Cards:
    """Makes cards equal to their tickets."""

    def __init__(self, core: Core, slack: SlackApp, pace: Pace, *, channel: str) -> None:
        self._core = core
        self._slack = slack
        self._pace = pace
        self._channel = channel
        self._exposure = Exposure(channels=slack.channels, publisher=slack.publisher)
        self._digests = Digests(
            outbox=core.ledger, publisher=slack.publisher, clock=core.clock, channel=channel
        )

    async def work(self, key: str) -> None:
        """Post or update the card of ticket ``key``.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        ticket_id = TicketId(key)
        ticket = await self._core.service.ticket(ticket_id)
        place = await self._hidden(ticket_id)
        if place is None or not place.ts:
            await self._check_channel()
            async with in_deliverys_words(waited_for=POST):
                waiting = await self._digests.told()
            if waiting >= DIGEST_AT and ticket.state not in LIVE:
                return  # it is settled, and others wait for people: the audit channel has it
        view = await self.view(ticket)
        bucket = UPDATE if place is not None and place.ts else POST
        async with in_deliverys_words(waited_for=bucket):
            try:
                now = await self._slack.publisher.publish_card(
                    view, channel=self._channel, place=place
                )
            except PermanentError as error:
                is_closed = error.remedy is Remedy.MEND_CHANNEL and bucket == UPDATE
                if is_closed and ticket.state not in LIVE:
                    return  # nobody can act on it there, and there is nothing left to decide
                raise
        if now != place:
            await self._core.ledger.put_place(ticket_id, now)
        async with in_deliverys_words():
            await self._digests.posted()

    async def _hidden(self, ticket_id: TicketId) -> Place | None:
        """Where the card is, once it is not where outsiders read along."""
        place = await self._core.ledger.place(ticket_id)
        async with in_deliverys_words():
            now = await self._exposure.hidden(place)
        if now is not None and now != place:
            await self._core.ledger.put_place(ticket_id, now)
        return now

    async def _check_channel(self) -> None:
        """Raises: RetryLater: no card may stand there until somebody mends it."""
        try:
            await self._slack.channels.check(self._channel)
        except PermanentError as error:
            self._pace.close(POST, self._channel, MENDING_S)
            raise RetryLater(str(error), after_s=MENDING_S) from error
        except CallFailedError as error:
            raise RetryLater(str(error)) from error

    async def view(self, ticket: Ticket) -> CardView:
        """Everything that the card of ``ticket`` shows."""
        core = self._core
        return await load_card_view(
            core.ledger,
            ticket,
            tools=core.service.bundle.tools,
            team_id=core.settings.slack_team,
            trace_url=core.settings.trace_url,
        )


class Forwarding:
    """Shows on the card that somebody acted on what is so now, ahead of every other card.

    Through the response URL of the act, which Slack counts against nothing; under the claim of the
    card's message, so that of two who would draw it one waits for the other.
    """

    def __init__(self, core: Core, slack: SlackApp, cards: Cards, delivery: Delivery) -> None:
        self._core = core
        self._slack = slack
        self._cards = cards
        self._delivery = delivery

    async def __call__(self, ticket_id: TicketId, channel: str, ts: str, url: str) -> None:
        """See ``bot.slack.desk.Forward``."""

        async def work(key: str) -> None:
            place = await self._core.ledger.place(ticket_id)
            if place is None or (place.channel, place.ts) != (channel, ts):
                return await self._cards.work(key)
            view = await self._cards.view(await self._core.service.ticket(ticket_id))
            card = approval_card(view)
            if card.digest == place.shown:
                return None
            if not await self._slack.replace(url, card):
                raise RetryLater("the response URL was not taken", after_s=0)
            return await self._core.ledger.put_place(ticket_id, replace(place, shown=card.digest))

        with speaking(self._slack.speakers.channels):
            await self._delivery.expedite(Owed(kind=OwedKind.CARD, key=ticket_id), work)


class AuditChannel:
    """Posts the log to its channel."""

    def __init__(self, publisher: Publisher, *, channel: str) -> None:
        self._publisher = publisher
        self._channel = channel

    async def emit(self, records: Sequence[Logged]) -> int:
        """Post the first message that ``records`` make; the last sequence number in it.

        Raises:
            Postponed: not posted; the same records again later.
        """
        first = audit_messages(records)[0]
        try:
            await self._publisher.post_audit(first.text, channel=self._channel, blocks=first.blocks)
        except RateLimitedError as error:
            raise Postponed(str(error), after_s=error.retry_after_s) from error
        except PermanentError as error:
            raise Postponed(str(error), after_s=_BAD_CHANNEL_RETRY_S) from error
        except CallFailedError as error:
            raise Postponed(str(error)) from error
        return first.last_seq
