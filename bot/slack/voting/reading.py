"""Reading the whole: in pages, or as a file.

Lives here: what opening Details, turning a page, asking for the file and saying that it was read
do. Must not live here: how they look (``details``), votes (``views``). Law: that a person has seen
all is committed before the last page is sent, or when they say so of exactly the file that they
were sent; a page of an older revision is never followed by a newer one's.
"""

import asyncio
import hmac
from collections.abc import Awaitable
from dataclasses import dataclass

from bot.slack import names
from bot.slack.cards.view import CardView, load_card_view
from bot.slack.desk import Desk
from bot.slack.kit import modals
from bot.slack.kit.blocks import Block, ours
from bot.slack.kit.language import N_, gettext
from bot.slack.payloads import Click, ShownForm, person_of, read_shown
from bot.slack.readers import check_reader
from bot.slack.said import Said, refusal_text
from bot.slack.sending.client import CallFailedError
from bot.slack.sending.uploads import Uploads
from bot.slack.voting import details
from bot.slack.voting.full_view import full_view, whole_file
from bot.slack.voting.receipts import Receipts
from governance.errors import Code, PlacetError, Refused
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets.ticket import Ticket, TicketState

PREPARING = N_("Preparing the file\u2026")
NOT_SENT = N_("The file could not be sent. Details can still be read here, page by page.")
NOT_YOURS = N_("this file was sent to somebody else; open Details yourself")
NO_FILE = N_("policy keeps values of it off messages; open Details and read it there")
ANOTHER_TEXT = N_("the whole reads differently by now; open Details again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """The listeners of the full view."""

    desk: Desk
    receipts: Receipts

    async def open(self, click: Click) -> Said | None:
        """Open the full view: at once as a loading page, then filled."""
        form = read_shown(click.action.value)
        is_over = click.view is not None and click.view.callback_id in names.LAID_OVER
        opening = self.desk.push_view if is_over else self.desk.open_view
        view_id, _ = await opening(click.trigger_id, modals.loading())
        await self.show(view_id, form, person_of(click.user, click.team))
        return None

    async def show(self, view_id: str, form: ShownForm, person: PersonId) -> None:
        """Fill a modal that was opened as a loading page."""
        await self._fill(view_id, self._start(form, person))

    async def turn(self, click: Click) -> Said | None:
        """Go a page on, back, or to the first behind the cover."""
        if click.view is None:
            return None
        form = read_shown(click.action.value)
        step = {names.NEXT_PAGE: 1, names.PREVIOUS_PAGE: -1}.get(click.action.action_id, 0)
        wanted = self._page(form, person_of(click.user, click.team), max(0, form.p + step))
        await self._fill(click.view.id, wanted, view_hash=click.view.hash)
        return None

    async def send_file(self, click: Click) -> Said | None:
        """Send the whole as a file to the person who asks, and nobody else."""
        if click.view is None:
            return None
        form, person = read_shown(click.action.value), person_of(click.user, click.team)
        waiting = modals.notice(ours(gettext(PREPARING)), title=gettext(details.TITLE))
        await self.desk.update_view(click.view.id, waiting)
        try:
            await self._fill(click.view.id, self._sent(form, person, click.user.id))
        except CallFailedError:
            failed = modals.notice(
                ours(gettext(NOT_SENT)), title=gettext(details.TITLE), code="not_sent"
            )
            await self.desk.update_view(click.view.id, failed)
        return None

    async def file_read(self, click: Click) -> Said | None:
        """Record that the person has read the file, and offer them the decision."""
        form = read_shown(click.action.value)
        view_id, _ = await self.desk.open_view(click.trigger_id, modals.loading())
        await self._fill(view_id, self._confirmed(form, person_of(click.user, click.team)))
        return None

    async def _fill(self, view_id: str, made: Awaitable[Block], *, view_hash: str = "") -> None:
        try:
            view = await made
        except PlacetError as error:
            view = modals.notice(
                refusal_text(error), title=gettext(details.TITLE), code=error.code.value
            )
        await self.desk.update_view(view_id, view, view_hash=view_hash)

    async def _start(self, form: ShownForm, person: PersonId) -> Block:
        card = await self._card(form, person)
        whole = await asyncio.to_thread(full_view, card)
        if whole.is_for_a_file and _is_open(card) and not _is_kept_back(card):
            has_receipt = await self.receipts.has_voted(card.ticket, person)
            return details.cover(card, whole, has_receipt=has_receipt)
        return await self._page(form, person, 0)

    async def _page(self, form: ShownForm, person: PersonId, number: int) -> Block:
        """One page; the last one only after the ledger has it that this person got it.

        Raises:
            PlacetError: the person may not act here, or the ticket has a newer revision.
        """
        card = await self._card(form, person)
        whole = await asyncio.to_thread(full_view, card)
        has_receipt = await self.receipts.has_voted(card.ticket, person)
        is_last = number >= whole.count - 1
        if is_last and _is_open(card):
            await self._record(card.ticket, person)
        return details.page(card, whole, number, may_vote=_is_open(card), has_receipt=has_receipt)

    async def _sent(self, form: ShownForm, person: PersonId, user: str) -> Block:
        """Upload the file into the person's own messages, and put its button below it."""
        card = await self._card(form, person)
        if _is_kept_back(card):
            raise Refused(Code.FULL_VIEW_REQUIRED, NO_FILE)
        file = await asyncio.to_thread(whole_file, card)
        uploads = Uploads(self.desk.client)
        channel = await uploads.direct_channel(user)
        await uploads.send(channel, name=file.name, title=file.name, content=file.content)
        said = details.file_message(card.ticket, file, person)
        await self.desk.publisher.tell(channel, said)
        return details.sent(card.ticket)

    async def _confirmed(self, form: ShownForm, person: PersonId) -> Block:
        """Take the person's word for the file that the committed state yields now.

        Raises:
            Refused: ``full_view_required``: the file was somebody else's; ``binding_mismatch``:
                it is no longer this one.
        """
        card = await self._card(form, person)
        if form.u != person:
            raise Refused(Code.FULL_VIEW_REQUIRED, NOT_YOURS)
        digest = (await asyncio.to_thread(whole_file, card)).digest
        is_same = hmac.compare_digest(form.d, digest[: details.DIGEST_DIGITS])
        if not is_same or form.b != card.ticket.binding:
            raise Refused(Code.BINDING_MISMATCH, ANOTHER_TEXT)
        if _is_open(card):
            await self._record(card.ticket, person, file_digest=digest)
        return details.decide(card, digest=digest)

    async def _card(self, form: ShownForm, person: PersonId) -> CardView:
        """The ticket at the revision that was shown, for a person who may act here."""
        reader = await self.desk.service.person(person)
        ticket = await self.desk.service.ticket(form.shown.ticket_id)
        await check_reader(self.desk.service, reader, ticket)
        if ticket.revision != form.shown.revision:
            raise Refused(Code.SUPERSEDED_REVISION, f"ticket {ticket.id} has a newer revision")
        tools = self.desk.service.bundle.tools
        return await load_card_view(self.desk.reader, ticket, tools=tools)

    async def _record(self, ticket: Ticket, person: PersonId, *, file_digest: str = "") -> None:
        await self.desk.service.handle(
            cmd.OpenFullView(
                ticket_id=ticket.id,
                revision=ticket.revision,
                person=person,
                file_digest=file_digest,
            )
        )


def _is_kept_back(card: CardView) -> bool:
    """Whether policy keeps values of it off messages: a file would be one that stays."""
    return bool(card.ticket.ruling.constraints.redact_deny)


def _is_open(card: CardView) -> bool:
    """Whether a person who has seen all of it could still approve it."""
    return card.ticket.state is TicketState.PENDING and card.content is not None
