"""Shortcuts: the inbox from anywhere, and the details of the ticket behind a message.

Lives here: what choosing one does. Must not live here: the inbox (``inbox``), the full view
(``reading``). Law: what a message says of its ticket is an address and nothing more: the ticket is
read anew, and whoever may not act here is told so.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bot.slack import names
from bot.slack.cards.buttons import shown_of
from bot.slack.desk import Desk
from bot.slack.home import inbox, lists
from bot.slack.home.view import NOTHING_WAITS, WAITING
from bot.slack.kit import modals
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.modals import modal
from bot.slack.payloads import Shortcut, ShownForm, person_of, read
from bot.slack.said import refusal_text
from bot.slack.voting.reading import Reading
from governance.errors import Code, PlacetError, Refused
from governance.principal import PersonId
from governance.sentences import Sentence
from governance.tickets.ticket import TicketId

NO_TICKET = Sentence("this message shows no ticket of mine")
DETAILS = N_("Details")
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,128}")
_FINE_PRINT = re.compile(r"\ATicket ([A-Za-z0-9_.:-]{1,128}), [Rr]evision ")
_MOST_NODES = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortcuts:
    """The listeners of shortcuts."""

    desk: Desk
    reading: Reading

    async def inbox(self, chosen: Shortcut) -> None:
        """Show what waits for whoever asks."""
        view_id, _ = await self.desk.open_view(chosen.trigger_id, modals.loading())
        try:
            view = await self._waiting(person_of(chosen.user, chosen.team))
        except PlacetError as error:
            view = modals.notice(refusal_text(error), code=error.code.value)
        await self.desk.update_view(view_id, view)

    async def _waiting(self, person_id: PersonId) -> dict[str, object]:
        service = self.desk.service
        person = await service.person(person_id)
        seen = await inbox.scan(self.desk.reader, service.tenant)
        found = await inbox.inbox_of(service, person, seen)
        blocks = lists.listing(
            WAITING,
            found.waiting,
            control=found.control,
            empty=NOTHING_WAITS,
            prefix="inbox",
            is_cut=found.is_cut,
        )
        return modal("Placet", blocks, callback_id=names.INBOX_VIEW)

    async def details(self, chosen: Shortcut) -> None:
        """Open the full view of the ticket behind a message."""
        view_id, _ = await self.desk.open_view(chosen.trigger_id, modals.loading())
        try:
            name = ticket_in(chosen.message)
            if name is None:
                raise Refused(Code.NOT_FOUND, NO_TICKET)
            ticket = await self.desk.service.ticket(name)
        except PlacetError as error:
            text = refusal_text(error)
            view = modals.notice(text, title=gettext(DETAILS), code=error.code.value)
            await self.desk.update_view(view_id, view)
            return
        shown = shown_of(ticket)
        form = read(ShownForm, {"t": shown.ticket_id, "r": shown.revision, "b": shown.binding})
        await self.reading.show(view_id, form, person_of(chosen.user, chosen.team))


def ticket_in(message: Mapping[str, object]) -> TicketId | None:
    """The ticket that a message of ours is about, by its metadata, buttons or fine print."""
    metadata = message.get("metadata")
    payload = metadata.get("event_payload") if isinstance(metadata, Mapping) else None
    named = payload.get("ticket") if isinstance(payload, Mapping) else None
    if isinstance(named, str) and _NAME.fullmatch(named):
        return TicketId(named)
    for node in _nodes(message.get("blocks")):
        found = _in_button(node.get("value")) or _in_words(node.get("text"))
        if found is not None:
            return TicketId(found)
    return None


def _in_button(value: object) -> str | None:
    if not isinstance(value, str) or not value.startswith('{"t":'):
        return None
    try:
        return read(ShownForm, json.loads(value)).t
    except (ValueError, RecursionError, PlacetError):
        return None


def _in_words(text: object) -> str | None:
    found = _FINE_PRINT.match(text) if isinstance(text, str) else None
    return found[1] if found else None


def _nodes(blocks: object) -> Iterator[Mapping[str, object]]:
    """Every object in a message's blocks, as many as a message of ours could have."""
    waiting: deque[object] = deque([blocks])
    for _ in range(_MOST_NODES):
        if not waiting:
            return
        node = waiting.popleft()
        if isinstance(node, Mapping):
            yield node
            waiting.extend(node.values())
        elif isinstance(node, list):
            waiting.extend(node)
