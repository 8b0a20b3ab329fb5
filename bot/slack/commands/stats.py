"""``/placet stats`` and the weekly digest: figures in words, pictures where they may be seen.

Lives here: who is answered what, and where pictures go. Must not live here: counting, sentences
(``figure_words``), drawing (``plots``), when a digest is due (``bot.weekly``). Law: the words are
for the person who asked; a picture goes only into a channel that takes cards as well; where none
can be drawn or sent, the words say why and are answered all the same.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from bot.figures import plots
from bot.figures import words as figure_words
from bot.figures.gathered import MOST, WEEK, CountedLog, gather
from bot.figures.plot_parts import Picture
from bot.people.directories import Accounts, LookupFailedError
from bot.slack.kit.blocks import Block, header, line, ours, rich, run, section, with_ids
from bot.slack.kit.language import N_, SOURCE, gettext, speaking, told
from bot.slack.kit.text import Inert, clip, inert
from bot.slack.payloads import Command
from bot.slack.said import Said, say_blocks
from bot.slack.sending.channels import SENTENCES, Channels
from bot.slack.sending.client import CallFailedError
from bot.slack.sending.notices import still_unknown
from bot.slack.sending.publisher import Publisher
from bot.slack.sending.uploads import Uploads
from governance.advice import advise
from governance.errors import Code, Refused
from governance.policy.model import Bundle
from governance.ports import Clock, Queue
from governance.principal import Person, TenantId
from governance.sentences import Sentence
from governance.service import Service
from governance.statistics import Figures

_log = logging.getLogger("placet.slack")
TITLE = N_("How approving went")
SUGGESTED = N_("What could be tried (placet stats --suggest writes each as a bundle to simulate):")
NOT_YOURS = Sentence("figures are for people with a role")
BUSY = Sentence("figures are being counted for somebody else")
SENT = Sentence("The pictures are in this channel.")
NOT_SENT = N_("The pictures could not be sent here ({reason}). Is the app in this channel?")
_MOST_SUGGESTED = 5
_MOST_NAMED = 10


class QueuedLog(CountedLog, Protocol):
    """A log that can be counted, and what waits for people now."""

    async def queue(self, tenant: TenantId) -> Queue:
        """The approval queue of a tenant."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class FiguresDesk:
    """Answers with figures. It is the ``stats`` of ``rooms.Extras``."""

    service: Service
    log: QueuedLog
    clock: Clock
    accounts: Accounts
    publisher: Publisher
    uploads: Uploads
    channels: Channels
    language: str = SOURCE
    """What everybody reads in a channel: pictures and the digest."""
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """A year of a large log takes a while: one at a time."""

    async def __call__(self, person: Person, rest: str, sent: Command) -> Said:
        """Answer ``/placet stats [DAYS]``.

        Raises:
            Refused: ``forbidden``: the person has no role; ``throttled``: somebody else's figures
                are being counted.
        """
        if not person.roles:
            raise Refused(Code.FORBIDDEN, NOT_YOURS)
        if self.turn.locked():
            raise Refused(Code.THROTTLED, BUSY)
        async with self.turn:
            until = self.clock.now()
            figures = await self._gathered(until - _days(rest), until)
            note = await self._pictures(figures, sent.channel_id)
            unknown = await self._unknown()
        return self._said(figures, note, unknown=unknown)

    async def digest(self, channel: str, *, since: datetime, until: datetime) -> None:
        """Post the figures of a while into ``channel``, pictures beneath.

        Pictures that cannot be sent are left out: the words were there before them.

        Raises:
            CallFailedError: it was not posted, or the channel may not have it.
        """
        await self.channels.check(channel)
        async with self.turn:
            figures = await self._gathered(since, until)
            note = None if plots.can_draw() else Sentence(figure_words.NO_PICTURES)
            unknown = await self._unknown()
            with speaking(self.language):
                said = self._said(figures, note, unknown=unknown)
            await self.publisher.tell(channel, said)
            sent = await self._pictures(figures, channel)
        if sent != SENT:
            _log.warning("the digest has no pictures: %s", sent)

    async def _gathered(self, since: datetime, until: datetime) -> Figures:
        return await gather(self.log, self.service.tenant, since=since, until=until)

    async def _pictures(self, figures: Figures, channel: str) -> Sentence:
        """Send them; what came of it."""
        if not plots.can_draw():
            return Sentence(figure_words.NO_PICTURES)
        try:
            problem = await self.channels.problem(channel)
            if problem:
                return Sentence(SENTENCES[problem])
            await self.uploads.send_many(channel, await self._drawn(figures))
        except CallFailedError as error:
            return Sentence(NOT_SENT, reason=error.code)
        return SENT

    async def _drawn(self, figures: Figures) -> Sequence[Picture]:
        names = await self._names(figures)
        bundle = self.service.bundle

        def name(person: str) -> str:
            return names.get(person, person.rpartition("/")[2])

        with speaking(self.language):  # of whoever reads the channel, not of who asked
            return await asyncio.to_thread(plots.draw, figures, bundle, name)

    async def _names(self, figures: Figures) -> Mapping[str, str]:
        """What those with the most votes are called; whoever cannot be asked keeps their id."""
        found: dict[str, str] = {}
        for load in figures.loads[:_MOST_NAMED]:
            try:
                account = await self.accounts.account(load.person.rpartition("/")[2])
            except LookupFailedError:
                continue
            name = account.get("real_name") or account.get("name")
            if isinstance(name, str):
                found[load.person] = name
        return found

    async def _unknown(self) -> int:
        return (await self.log.queue(self.service.tenant)).unknown

    def _said(self, figures: Figures, note: Sentence | None, *, unknown: int) -> Said:
        bundle = self.service.bundle
        return say_blocks(
            Inert(f"{gettext(TITLE)}, {figure_words.window(figures)}"),
            with_ids(_blocks(figures, bundle, note, unknown=unknown), "placet.stats"),
        )


def _days(rest: str) -> timedelta:
    """How far back, a week unless a number of days was typed."""
    word = rest.split(" ", 1)[0]
    if not (word.isascii() and word.isdecimal()) or len(word) > len(str(MOST.days)):
        return WEEK
    return min(max(timedelta(days=int(word)), timedelta(days=1)), MOST)


def _blocks(
    figures: Figures, bundle: Bundle, note: Sentence | None, *, unknown: int
) -> list[Block]:
    lines: list[Block] = []
    for name, value in figure_words.rows(figures, bundle):
        shown = clip(inert(value), 400)
        lines += line(run(ours(f"{name}: "), bold=True), run(shown))
    if unknown:
        lines += line(run(ours(still_unknown(unknown)), bold=True))
    blocks = [header(ours(gettext(TITLE))), rich(section(lines))]
    advice = advise(figures, bundle)[:_MOST_SUGGESTED]
    if advice:
        tries = line(run(ours(gettext(SUGGESTED)), bold=True))
        for one in advice:
            tries += line(run(clip(inert(figure_words.suggestion(one)), 300)))
        blocks.append(rich(section(tries)))
    if note:
        blocks.append(rich(section([run(Inert(told(note)))])))
    return blocks
