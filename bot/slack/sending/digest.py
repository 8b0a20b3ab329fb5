"""One message in place of many: how many requests wait for their cards.

Lives here: when a channel is told, what it is told, and keeping that message true. Must not live
here: the cards. Law: while more wait than can be posted at once, people read how many and until
when the most urgent can be decided; every one of them is in the home tab and in ``/placet list``
meanwhile, so nobody waits for a card to decide.
"""

import contextlib
from datetime import datetime, timedelta

from bot.slack.kit.blocks import Block, instant, line, ours, rich, run, section
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, fallback
from bot.slack.sending.client import GoneError, RateLimitedError
from bot.slack.sending.publisher import Publisher
from governance.outbox import Outbox, Place
from governance.ports import Clock
from governance.tickets.ticket import TicketId

DIGEST_AT = 20
"""So many cards that wait to be posted are told in one message."""
_COUNTED = 100_000
_ANEW_S = 60
_BLOCK = "placet.digest"
_MANY = N_(
    " requests wait for a card in this channel. Cards come about one a second, the earliest "
    "deadline first. All of them can be decided now: in the app's home tab, or with /placet list."
)
_DONE = N_("Every request has its card again.")


class Digests:
    """The message of one channel."""

    def __init__(self, *, outbox: Outbox, publisher: Publisher, clock: Clock, channel: str) -> None:
        self._outbox = outbox
        self._publisher = publisher
        self._clock = clock
        self._channel = channel
        self._key = TicketId(f"digest {channel}")
        self._said_at: datetime | None = None
        self._stands: bool | None = None
        """Whether the channel reads that cards wait; None: not known since the start."""

    async def told(self) -> int:
        """How many cards wait, up to ``DIGEST_AT``; from there on the channel knows it.

        Raises:
            CallFailedError: it could not be told now.
        """
        waiting = await self._outbox.unplaced(DIGEST_AT)
        if waiting >= DIGEST_AT and self._is_time():
            many = await self._outbox.unplaced(_COUNTED)
            over = gettext("Over {count}", count=number(_COUNTED))
            await self._say(number(many) if many < _COUNTED else over, gettext(_MANY))
        return waiting

    async def posted(self) -> None:
        """A card was posted: where it was the last that waited, the message says so.

        Raises:
            CallFailedError: it could not be told now.
        """
        if self._stands is False or await self._outbox.unplaced(2) > 1:
            return
        place = await self._outbox.place(self._key)
        if place is not None and place.ts:
            with contextlib.suppress(GoneError):
                await self._change(place, "", gettext(_DONE))
            await self._outbox.put_place(self._key, Place(channel=place.channel, ts="", shown=""))
        self._stands, self._said_at = False, None

    def _is_time(self) -> bool:
        now = self._clock.now()
        return self._said_at is None or now - self._said_at >= timedelta(seconds=_ANEW_S)

    async def _say(self, count: str, words: str) -> None:
        place = await self._outbox.place(self._key)
        if place is not None and place.ts:
            try:
                await self._change(place, count, words)
            except RateLimitedError:
                return  # the next card tries again: none waits for a number to be right
            except GoneError:
                place = None
        if place is None or not place.ts:
            where, ts = await self._publisher.post_audit(
                _fallback(count, words), channel=self._channel, blocks=self._blocks(count, words)
            )
            await self._outbox.put_place(self._key, Place(channel=where, ts=ts, shown=count))
        self._stands, self._said_at = True, self._clock.now()

    async def _change(self, place: Place, count: str, words: str) -> None:
        await self._publisher.change(
            place.channel, place.ts, _fallback(count, words), self._blocks(count, words)
        )

    def _blocks(self, count: str, words: str) -> list[Block]:
        told = line(run(ours(f"{count}{words} (")), instant(self._clock.now()), run(ours(")")))
        return [{**rich(section(told)), "block_id": _BLOCK}]


def _fallback(count: str, words: str) -> str:
    return fallback(Inert(f"{count}{words}"), 500)
