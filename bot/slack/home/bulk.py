"""Deciding like tickets side by side.

Lives here: opening the page of a group, refreshing it, and the votes of what was ticked. Must not
live here: how it looks (``bulk_view``), what is alike (``likes``). Law: one box, one ballot: each
is bound to the ticket, revision and binding of its own line, signed by itself and answered by
itself; what one of them meets changes nothing about the others.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from bot.slack import names
from bot.slack.cards.view import load_card_view
from bot.slack.desk import Desk
from bot.slack.home import bulk_view, inbox
from bot.slack.home.bulk_view import MOST, Row, Verdict
from bot.slack.home.likes import name_of
from bot.slack.kit import modals
from bot.slack.kit.blocks import Block, ours
from bot.slack.kit.language import gettext
from bot.slack.kit.text import is_blank
from bot.slack.payloads import Click, ShownForm, Submission, person_of, read
from bot.slack.said import Said, refusal_text
from bot.slack.voting.actions import COUNTED_BEFORE, Clicks, vote_counted
from bot.slack.voting.views import FormAnswer
from governance.errors import Code, InvalidInput, PlacetError
from governance.principal import PersonId
from governance.sentences import Sentence
from governance.tickets.ticket import Choice, Ticket, TicketId

_Name = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{24}$")]


class _Page(BaseModel):
    """What a page carries: its group, and what stood on each line."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: _Name
    t: list[tuple[str, int, str]] = Field(max_length=MOST)


class _Group(BaseModel):
    """What the button of a group carries."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    n: _Name


@dataclass(frozen=True, slots=True, kw_only=True)
class Bulk:
    """The listeners of the page of like tickets."""

    desk: Desk
    clicks: Clicks

    async def open(self, click: Click) -> Said | None:
        """Open the page of a group: at once as a loading page, then filled."""
        name = read(_Group, {"n": click.action.value}).n
        view_id, _ = await self.desk.open_view(click.trigger_id, modals.loading())
        await self._fill(view_id, name, person_of(click.user, click.team))
        return None

    async def refresh(self, click: Click) -> Said | None:
        """Show the group as it is now."""
        if click.view is None:
            return None
        name = read(_Group, {"n": click.action.value}).n
        await self._fill(click.view.id, name, person_of(click.user, click.team))
        return None

    async def _fill(self, view_id: str, name: str, person: PersonId) -> None:
        try:
            view = await self._page(name, person)
        except PlacetError as error:
            text = refusal_text(error)
            view = modals.notice(text, title=gettext(bulk_view.TITLE), code=error.code.value)
        await self.desk.update_view(view_id, view)

    async def _page(self, name: str, person_id: PersonId) -> Block:
        service = self.desk.service
        person = await service.person(person_id)
        seen = await inbox.scan(self.desk.reader, service.tenant)
        found = await inbox.inbox_of(service, person, seen)
        alike = [ticket for ticket in found.waiting if name_of(ticket) == name]
        rows = [await self._row(ticket, person_id) for ticket in alike[:MOST]]
        needed = any(
            ticket.ruling.requirement is not None and ticket.ruling.requirement.comment_required
            for ticket in alike
        )
        return bulk_view.page(name, rows, more=max(0, len(alike) - MOST), is_reason_needed=needed)

    async def _row(self, ticket: Ticket, person: PersonId) -> Row:
        tools = self.desk.service.bundle.tools
        view = await load_card_view(self.desk.reader, ticket, tools=tools)
        return bulk_view.row_of(view, person)

    async def submit(self, sent: Submission) -> FormAnswer:
        """Cast one vote for each ticket that was ticked, and say what became of each."""
        page, person = _shown(sent), person_of(sent.user, sent.team)
        reason = sent.field(names.REASON_BLOCK, names.REASON_INPUT).strip()
        reason = "" if is_blank(reason) else reason
        ticked = [one for number, one in enumerate(page) if _is_ticked(sent, number)]
        for one in ticked:  # all are tickets of ours before the first vote is cast
            await self.desk.service.ticket(one.shown.ticket_id)
        found = [await self._vote(one, person, reason) for one in ticked]
        return FormAnswer(view=bulk_view.results(found))

    async def _vote(self, form: ShownForm, person: PersonId, reason: str) -> Verdict:
        ticket = await self.desk.service.ticket(form.shown.ticket_id)
        try:
            await self._check_seen(ticket, person)
            handled = await self.clicks.vote(form, person, Choice.APPROVE, reason)
        except PlacetError as error:
            return Verdict(ticket=ticket, said=refusal_text(error), code=error.code.value)
        if not handled.is_changed:
            return Verdict(ticket=handled.ticket, said=ours(gettext(COUNTED_BEFORE)))
        return Verdict(ticket=handled.ticket, said=vote_counted(handled.ticket, person))

    async def _check_seen(self, ticket: Ticket, person: PersonId) -> None:
        """Refuse a box that was not offered: this person has not had the whole before them."""
        row = await self._row(ticket, person)
        if not row.may_tick:
            raise InvalidInput(Code.FULL_VIEW_REQUIRED, "its line did not show the whole of it")


def _shown(sent: Submission) -> Sequence[ShownForm]:
    """What stood on each line of the page.

    Raises:
        InvalidInput: ``invalid_field``: we did not write this.
    """
    try:
        value: object = json.loads(sent.view.private_metadata)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(Code.INVALID_FIELD, Sentence("this page carries no tickets")) from error
    page = read(_Page, value)
    return [
        read(ShownForm, {"t": TicketId(ticket), "r": revision, "b": binding})
        for ticket, revision, binding in page.t
    ]


def _is_ticked(sent: Submission, number: int) -> bool:
    found = sent.standing(bulk_view.box_id(number), bulk_view.BOX)
    return [option.value for option in found.selected_options] == [str(number)]
