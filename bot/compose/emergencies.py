"""The second channel of an emergency, and what the home tab is told of delivery.

Lives here: the worker of ``EMERGENCY``, and the outbox's backlog as sentences. Must not live here:
which request is an emergency (policy says), how it looks (``slack.sending.alarm``). Law: the second
channel hears of it as soon as the ticket is committed, whoever asked; a template without a channel
has nobody else to tell.
"""

from collections.abc import Sequence

from bot.compose.effects import in_deliverys_words
from bot.slack.cards.redaction import redacted
from bot.slack.cards.view import load_card_view
from bot.slack.sending import alarm
from bot.slack.sending.channels import Channels
from bot.slack.sending.publisher import Publisher
from bot.slack.sending.troubles import troubles
from governance.outbox import Outbox
from governance.policy.emergency import LABEL
from governance.ports import Reader
from governance.service import Service
from governance.tickets.ticket import TicketId


class Emergencies:
    """The worker of ``EMERGENCY``."""

    def __init__(
        self, *, service: Service, reader: Reader, publisher: Publisher, channels: Channels
    ) -> None:
        self._service = service
        self._reader = reader
        self._publisher = publisher
        self._channels = channels

    async def announce(self, key: str) -> None:
        """Tell the template's channel of the ticket ``key``.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        ticket = await self._service.ticket(TicketId(key))
        name = dict(ticket.ask.labels).get(LABEL, "")
        template = self._service.bundle.emergencies.get(name)
        if template is None or not template.channel:
            return
        view = redacted(await load_card_view(self._reader, ticket))
        said = alarm.announcement(ticket, template=name, content=view.content)
        async with in_deliverys_words():
            await self._channels.check(template.channel)
            await self._publisher.post_audit(
                said.text, channel=template.channel, blocks=said.blocks
            )


async def told_of(outbox: Outbox) -> Sequence[str]:
    """What does not arrive, each with what helps."""
    return [f"{one.text} {one.fix}" for one in troubles(await outbox.backlog())]
