"""Telling people and channels what time has done: the workers behind reminders.

Lives here: from a message owed to a message said. Must not live here: when it is owed
(``bot.reminding``), how it reads (``slack.sending.notices``). Law: what is said is true when it is
said: a ticket that was settled meanwhile is left out, and where nothing is left nothing is said.
"""

from collections.abc import Sequence

from bot.compose.effects import in_deliverys_words
from bot.compose.rounds import repost
from bot.slack.kit.language import speaking
from bot.slack.sending import notices
from bot.slack.sending.channels import Channels
from bot.slack.sending.client import CallFailedError, GoneError
from bot.slack.sending.publisher import Publisher
from bot.slack.speakers import Speakers
from bot.slack.zones import user_of
from governance.outbox import STEP, Outbox
from governance.ports import Clock, Reader, TicketQuery
from governance.principal import PersonId
from governance.service import Service
from governance.tickets.ticket import Ticket, TicketId, TicketState

_PAGE = 500
_SLACK = "slack:"


class Telling:
    """The workers of ``REMIND``, ``ESCALATE`` and ``TELL_EXPIRED``."""

    def __init__(
        self,
        *,
        service: Service,
        reader: Reader,
        outbox: Outbox,
        clock: Clock,
        publisher: Publisher,
        channels: Channels,
        speakers: Speakers,
    ) -> None:
        self._service = service
        self._reader = reader
        self._outbox = outbox
        self._clock = clock
        self._publisher = publisher
        self._channels = channels
        self._speakers = speakers

    async def remind(self, key: str) -> None:
        """Tell one person, in one message, everything of which they were to be reminded.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        person = PersonId(key)
        if not key.startswith(_SLACK):
            return
        waiting = await self._waiting_for(person)
        if not waiting:
            return
        shown = waiting[: notices.SHOWN_AT_ONCE]
        cards_at = {ticket.id: await self.card_at(ticket.id) for ticket in shown}
        control = await self._reader.control()
        with speaking(await self._speakers.of(user_of(person))):
            said = notices.reminder(waiting, cards_at, control)
        async with in_deliverys_words():
            await self._publisher.tell(user_of(person), said)

    async def escalate(self, key: str) -> None:
        """Tell the channel of a step that its ticket still waits.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        ticket_id, _, number = key.partition(STEP)
        ticket = await self._service.ticket(TicketId(ticket_id))
        step = next((one for one in ticket.escalated if str(one.step) == number), None)
        if ticket.state is not TicketState.PENDING or step is None:
            return
        card_at, control = await self.card_at(ticket.id), await self._reader.control()
        said = notices.escalation(ticket, card_at, control)
        async with in_deliverys_words():
            await self._channels.check(step.channel)
            await self._publisher.post_audit(said.text, channel=step.channel, blocks=said.blocks)

    async def tell_expired(self, key: str) -> None:
        """Tell one person that what they answer for was not decided in time.

        Raises:
            RetryLater, Undeliverable: as delivery wants it said.
        """
        ticket_id, _, person = key.partition(STEP)
        ticket = await self._service.ticket(TicketId(ticket_id))
        if ticket.state is not TicketState.EXPIRED or not person.startswith(_SLACK):
            return
        user = user_of(PersonId(person))
        with speaking(await self._speakers.of(user)):
            said = notices.expiry(ticket)
        async with in_deliverys_words():
            await self._publisher.tell(user, said)

    async def _waiting_for(self, person: PersonId) -> Sequence[Ticket]:
        """Pending tickets of which this person was reminded and has not voted, by deadline."""
        found: list[Ticket] = []
        before: TicketId | None = None
        while True:
            query = TicketQuery(
                tenant=self._service.tenant,
                states=(TicketState.PENDING,),
                needed_people=True,
                before=before,
                limit=_PAGE,
            )
            page = await self._reader.tickets(query)
            found += [ticket for ticket in page if _concerns(ticket, person)]
            if len(page) < _PAGE:
                return sorted(found, key=lambda ticket: (ticket.expires_at, ticket.id))
            before = page[-1].id

    async def card_at(self, ticket_id: TicketId) -> str:
        """The address of a ticket's card, empty where it has none; one that is lost is owed."""
        place = await self._outbox.place(ticket_id)
        if place is None or not place.ts:
            return ""
        try:
            return await self._publisher.permalink(place.channel, place.ts)
        except GoneError:
            ticket = await self._service.ticket(ticket_id)
            await repost(self._outbox, self._clock, ticket, place)
        except CallFailedError:
            pass  # the link is a convenience
        return ""


def _concerns(ticket: Ticket, person: PersonId) -> bool:
    told = {one for reminded in ticket.reminders for one in reminded.people}
    told |= {one for step in ticket.escalated for one in step.people}
    heard = {who for vote in ticket.votes for who in (vote.person, vote.voice)}
    return person in told and person not in heard
