"""Going by the cards that wait, to find those that somebody deleted.

Lives here: which card is asked for next and how often, and what follows when it is gone. Must not
live here: posting (delivery does it), buckets. Law: the app cannot read messages, so it asks for
the address of each card in turn, the least time left first, slowly and in one process; a card that
is gone is owed again, and nothing is decided by it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from bot.slack.sending.client import CallFailedError, GoneError, RateLimitedError
from bot.slack.sending.publisher import MENDING_S, Publisher
from governance.errors import PlacetError
from governance.outbox import Outbox, Owed, OwedKind, Place
from governance.ports import Clock, Reader, TicketQuery
from governance.service import Service
from governance.tickets.ticket import Ticket, TicketId, TicketState

_log = logging.getLogger("placet.slack")
EVERY_S = 2.0
"""One card after so long: 30 calls a minute of the hundreds that Slack takes."""
REST_S = 60.0
"""From one round to the next at least, also where few cards wait."""
PAGE = 50


async def repost(outbox: Outbox, clock: Clock, ticket: Ticket, lost: Place) -> None:
    """Owe the card of ``ticket`` once more: that at ``lost`` is gone."""
    owed = Owed(kind=OwedKind.CARD, key=ticket.id, deadline=ticket.expires_at)
    await outbox.lose_place(ticket.id, lost, owed, at=clock.now())


@dataclass(slots=True, kw_only=True)
class Rounds:
    """One process's rounds; ``start`` them once, ``stop`` them at the end."""

    service: Service
    reader: Reader
    outbox: Outbox
    clock: Clock
    publisher: Publisher
    leads: Callable[[], Awaitable[bool]]
    every_s: float = EVERY_S
    rest_s: float = REST_S
    page: int = PAGE
    _last: TicketId | None = None
    _task: "asyncio.Task[None] | None" = field(default=None, repr=False)

    def start(self) -> None:
        """Begin to go round."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="card-rounds")

    async def stop(self) -> None:
        """Go no further; what was not looked at is looked at in the next round."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        while True:
            try:
                pause_s = await self.step()
            except PlacetError as error:
                _log.warning("cards are not looked at: %s", error.code.value)
                pause_s = self.rest_s
            await asyncio.sleep(pause_s)

    async def step(self) -> float:
        """Look at the next card; seconds until the one after it.

        Raises:
            PlacetError: what is committed cannot be read now.
        """
        if not await self.leads():
            return self.rest_s
        found = await self._next()
        if found is None:
            return self.rest_s if self._last is None else self.every_s
        ticket, place = found
        pause_s = self.every_s
        try:
            await self.publisher.permalink(place.channel, place.ts)
        except GoneError:
            _log.warning("the card of %s was deleted, it is posted again", ticket.id)
            await repost(self.outbox, self.clock, ticket, place)
        except RateLimitedError as error:
            return max(error.retry_after_s, self.every_s)  # the same one then
        except CallFailedError:
            pause_s = MENDING_S
        self._last = ticket.id
        return pause_s

    async def _next(self) -> tuple[Ticket, Place] | None:
        """The next ticket that has a card; None: the round is over, or these have none."""
        query = TicketQuery(
            tenant=self.service.tenant,
            states=(TicketState.PENDING,),
            needed_people=True,
            before=self._last,
            limit=self.page,
            soonest=True,
        )
        page = await self.reader.tickets(query)
        for ticket in page:
            place = await self.outbox.place(ticket.id)
            if place is not None and place.ts:
                return ticket, place
            self._last = ticket.id
        if len(page) < self.page:
            self._last = None
        return None
