"""Telling people and the channel of runs of which nobody knows the end.

Lives here: the workers of ``REMIND_UNKNOWN`` and ``TELL_UNKNOWN``, and the look at a start for what
nobody was told of. Must not live here: when people are told (``bot.reminding``), how it reads
(``slack.sending.notices``). Law: one message holds all of them; the channel has one when another is
lost, some minutes apart at least, and one a day while any is left; what was said meanwhile is out.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from bot.compose.effects import in_deliverys_words
from bot.delivery import RetryLater
from bot.slack.kit.language import speaking
from bot.slack.sending import notices
from bot.slack.sending.channels import Channels
from bot.slack.sending.publisher import Publisher
from bot.slack.speakers import Speakers
from bot.slack.zones import user_of
from governance.outbox import Outbox, Owed, OwedKind
from governance.ports import Clock, Reader, TicketQuery
from governance.principal import PersonId, TenantId
from governance.tickets import lost
from governance.tickets.ticket import Ticket, TicketId, TicketState

TOLD = "unknown-told"
"""Under this name and the tenant: when the channel was told last."""
_BEGINNING, _UNIT = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)
_APART = timedelta(minutes=5)
_AGAIN = timedelta(hours=12)
"""So long after its last message the channel is told again where nothing is new."""
_MOST = 1_000
_SLACK = "slack:"


class Unknowns:
    """The workers of ``REMIND_UNKNOWN`` and ``TELL_UNKNOWN``."""

    def __init__(
        self,
        *,
        tenant: TenantId,
        channel: str,
        reader: Reader,
        outbox: Outbox,
        clock: Clock,
        publisher: Publisher,
        channels: Channels,
        speakers: Speakers,
        card_at: Callable[[TicketId], Awaitable[str]],
    ) -> None:
        """``channel`` is that of the cards; ``card_at`` says where a card stands."""
        self._tenant = tenant
        self._channel = channel
        self._reader = reader
        self._outbox = outbox
        self._clock = clock
        self._publisher = publisher
        self._channels = channels
        self._speakers = speakers
        self._card_at = card_at

    async def remind(self, key: str) -> None:
        """Tell one person, in one message, of every run that lacks their word.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        person = PersonId(key)
        if not key.startswith(_SLACK):
            return
        found = await unknown(self._tenant, self._reader)
        theirs = [one for one in found if _lacks_word_of(one, person)]
        if not theirs:
            return
        cards_at = await self._cards_at(theirs)
        with speaking(await self._speakers.of(user_of(person))):
            said = notices.lost_runs(theirs, cards_at)
        async with in_deliverys_words():
            await self._publisher.tell(user_of(person), said)

    async def tell(self, _key: str) -> None:
        """Tell the channel of every run of which nobody knows the end.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        found = await unknown(self._tenant, self._reader)
        name, now = f"{TOLD} {self._tenant}", self._clock.now()
        told_at = _BEGINNING + await self._outbox.cursor(name) * _UNIT
        if told_at > now:
            told_at = _BEGINNING  # by a clock that was ahead
        is_new = any(_first_at(one) > told_at for one in found)
        if not found or (not is_new and now - told_at < _AGAIN):
            return
        if now - told_at < _APART:
            raise RetryLater("", after_s=(told_at + _APART - now).total_seconds())
        said = notices.lost_runs(found, await self._cards_at(found))
        async with in_deliverys_words():
            await self._channels.check(self._channel)
            await self._publisher.post_audit(said.text, channel=self._channel, blocks=said.blocks)
        await self._outbox.advance(name, (now - _BEGINNING) // _UNIT)

    async def _cards_at(self, tickets: Sequence[Ticket]) -> dict[TicketId, str]:
        shown = tickets[: notices.SHOWN_AT_ONCE]
        return {ticket.id: await self._card_at(ticket.id) for ticket in shown}


async def unknown(tenant: TenantId, reader: Reader) -> Sequence[Ticket]:
    """Every run of which nobody knows the end, the newest first."""
    return await reader.tickets(
        TicketQuery(tenant=tenant, states=(TicketState.UNKNOWN,), limit=_MOST)
    )


async def watch_lost(tenant: TenantId, reader: Reader, outbox: Outbox, clock: Clock) -> None:
    """Have those looked at again that are unknown at a start: an older version told nobody."""
    found = await unknown(tenant, reader)
    owed = [Owed(kind=OwedKind.WATCH, key=one.id, deadline=one.expires_at) for one in found]
    await asyncio.gather(*(outbox.owe(one, at=clock.now()) for one in owed))


def _lacks_word_of(ticket: Ticket, person: PersonId) -> bool:
    told = {one for reminded in lost.reminders(ticket) for one in reminded.people}
    return person in told and not lost.has_spoken(ticket, {person})


def _first_at(ticket: Ticket) -> datetime:
    """When it was first to be told."""
    return min((one.at for one in lost.reminders(ticket)), default=_BEGINNING)
