"""What an approver does besides voting: withdraw, stop, resolve, release or discard an output.

Lives here: from a parsed wish to one command with the texts that it names by digest.
Must not live here: whether it counts (``tickets.lifecycle``), how it is answered (each door).
Law: an account that may not act is refused before anything is asked; of a quarantined output only
the redacted form of what was scanned is ever kept to be shown.
"""

import asyncio
from collections.abc import Iterable, Set
from contextlib import suppress
from dataclasses import dataclass, replace

from bot.scan.scanner import MAX_SCANNED_CHARS, redact, scan
from governance.digests import content_digest
from governance.errors import Code, Refused
from governance.ports import Reader
from governance.principal import Eligible, PersonId
from governance.sentences import Sentence
from governance.service import Service
from governance.steps import Handled
from governance.tickets import commands as cmd
from governance.tickets.ticket import Ticket, TicketId, TicketState

NOT_SCANNED = "\n[cut here: the rest was not scanned and is not shown]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Who acts on which ticket; ``revision`` is the one they saw, None where none was shown."""

    ticket_id: TicketId
    person: PersonId
    comment: str = ""
    revision: int | None = None

    @property
    def digest(self) -> str:
        """The digest by which the log names the comment."""
        return content_digest(self.comment.encode("utf-8")) if self.comment else ""

    @property
    def contents(self) -> dict[str, bytes]:
        """The comment, by its digest."""
        return {self.digest: self.comment.encode("utf-8")} if self.comment else {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Deeds:
    """The deeds of people, over one service.

    Every one of these raises ``Refused`` with the code of the law that says no, and
    ``Unavailable`` where the person cannot be looked up or the log cannot be written.
    """

    service: Service
    reader: Reader

    async def withdraw(self, deed: Deed) -> Handled:
        """Take one's vote back while nothing is settled."""
        person = await self.service.person(deed.person)
        revision = deed.revision
        if revision is None:
            revision = (await self.service.ticket(deed.ticket_id)).revision
        command = cmd.WithdrawVote(ticket_id=deed.ticket_id, revision=revision, person=person)
        return await self.service.handle(command)

    async def stop(self, deed: Deed) -> Handled:
        """Stop what is approved and has not started."""
        person = await self.service.person(deed.person)
        command = cmd.StopTicket(
            ticket_id=deed.ticket_id, person=person, comment_digest=deed.digest
        )
        return await self.service.handle(command, contents=deed.contents)

    async def resolve(self, deed: Deed, *, took_effect: bool) -> Handled:
        """Say what became of an interrupted run, and how one knows."""
        ticket = await self.service.ticket(deed.ticket_id)
        asked = {one.person for one in ticket.attested}
        handled = await self._resolve(deed, took_effect=took_effect, asked=asked)
        now = {one.person for one in handled.ticket.attested if one.took_effect is took_effect}
        if handled.ticket.state is not TicketState.UNKNOWN or now <= asked | {deed.person}:
            return handled
        # Somebody said the same meanwhile, whose role was not looked up: once more, with theirs.
        with suppress(Refused):
            again = await self._resolve(deed, took_effect=took_effect, asked=now)
            return replace(again, is_changed=True)
        return replace(handled, ticket=await self.service.ticket(deed.ticket_id))

    async def _resolve(self, deed: Deed, *, took_effect: bool, asked: Set[PersonId]) -> Handled:
        person = await self.service.person(deed.person)
        command = cmd.ResolveUnknown(
            ticket_id=deed.ticket_id,
            person=person,
            took_effect=took_effect,
            comment_digest=deed.digest,
            revision=deed.revision,
            standing=await self._standing(sorted(asked - {deed.person})),
        )
        return await self.service.handle(command, contents=deed.contents)

    async def _standing(self, people: Iterable[PersonId]) -> Eligible:
        """The current roles of these people, without those who may not act any more."""
        found: dict[PersonId, frozenset[str]] = {}
        for who in people:
            with suppress(Refused):
                found[who] = (await self.service.person(who)).roles
        return found

    async def discard(self, deed: Deed) -> Handled:
        """Keep a quarantined output from being seen, for good."""
        return await self._judge(deed, b"", shown_digest="")

    async def release(self, deed: Deed) -> Handled:
        """Let the redacted form of a quarantined output be seen."""
        ticket = await self.service.ticket(deed.ticket_id)
        shown = await self.redacted(ticket)
        if shown is None:
            raise Refused(
                Code.WRONG_STATE,
                Sentence("ticket {ticket} has no output that could be shown", ticket=ticket.id),
            )
        return await self._judge(deed, shown, shown_digest=content_digest(shown))

    async def _judge(self, deed: Deed, shown: bytes, *, shown_digest: str) -> Handled:
        person = await self.service.person(deed.person)
        command = cmd.JudgeOutput(
            ticket_id=deed.ticket_id,
            person=person,
            shown_digest=shown_digest,
            comment_digest=deed.digest,
            revision=deed.revision,
        )
        kept = {shown_digest: shown} if shown_digest else {}
        return await self.service.handle(command, contents={**deed.contents, **kept})

    async def redacted(self, ticket: Ticket) -> bytes | None:
        """The form of its output that a release would show; None: there is none (any more)."""
        report = ticket.report
        full = await self.reader.content(report.output_digest) if report else None
        return None if full is None else await asyncio.to_thread(redacted, full)


def redacted(full: bytes) -> bytes:
    """What was scanned of an output, with every find cut out of it."""
    text = full.decode("utf-8", "replace")
    seen = text[:MAX_SCANNED_CHARS]
    cut = NOT_SCANNED if len(text) > len(seen) else ""
    return f"{redact(seen, scan(seen))}{cut}".encode()
