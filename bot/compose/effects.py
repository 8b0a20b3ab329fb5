"""What delivery does for each kind of message, wired to Slack.

Lives here: ledger state -> a publisher's call, and its failures in delivery's words.
Must not live here: how a card looks, when it is due. Law: a card is drawn from the state committed
now, whatever state owed it.
"""

from collections.abc import Sequence

from bot.compose.core import Core
from bot.delivery import RetryLater, Undeliverable
from bot.sinks.audit_lines import audit_messages
from bot.sinks.follower import Postponed
from bot.slack.card_view import load_card_view
from bot.slack.client import CallFailedError, PermanentError, RateLimitedError, TransientError
from bot.slack.publisher import Publisher
from governance.ports import Logged
from governance.tickets.ticket import TicketId

_BAD_CHANNEL_RETRY_S = 60.0


class Cards:
    """Makes cards equal to their tickets."""

    def __init__(self, core: Core, publisher: Publisher, *, channel: str, team_id: str) -> None:
        self._core = core
        self._publisher = publisher
        self._channel = channel
        self._team_id = team_id

    async def work(self, key: str) -> None:
        """Post or update the card of ticket ``key``.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        ticket_id = TicketId(key)
        ticket = await self._core.service.ticket(ticket_id)
        view = await load_card_view(self._core.ledger, ticket, team_id=self._team_id)
        place = await self._core.ledger.place(ticket_id)
        try:
            now = await self._publisher.publish_card(view, channel=self._channel, place=place)
        except RateLimitedError as error:
            raise RetryLater(str(error), after_s=error.retry_after_s) from error
        except TransientError as error:
            raise RetryLater(str(error)) from error
        except PermanentError as error:
            raise Undeliverable(str(error)) from error
        except CallFailedError as error:
            raise RetryLater(str(error)) from error
        if now != place:
            await self._core.ledger.put_place(ticket_id, now)


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
