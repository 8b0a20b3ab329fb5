"""Modals: the ballot form and the full view.

Lives here: what submitting a form and turning a page do. Must not live here: how they look
(``modals``). Law: that a person has seen all is committed before the last page is sent; a page of
an older revision is never followed by a newer one's.
"""

from dataclasses import dataclass

from bot.slack import modals, names
from bot.slack.actions import Clicks, vote_counted
from bot.slack.blocks import Block, ours
from bot.slack.card_view import CardView, load_card_view
from bot.slack.client import CallFailedError
from bot.slack.desk import Desk
from bot.slack.limits import FIELD_ERROR_CHARS
from bot.slack.payloads import Click, ShownForm, Submission, person_of, read_shown
from bot.slack.said import Said, refusal_text
from bot.slack.text import clip, is_blank
from governance.errors import Code, PlacetError, Refused
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets.ticket import Choice, TicketState

_FAILED = "Something went wrong on my side; nothing was counted. Please try again."


@dataclass(frozen=True, slots=True, kw_only=True)
class FormAnswer:
    """What becomes of a submitted form: field errors, another view, or (neither) it closes."""

    errors: dict[str, str] | None = None
    view: Block | None = None

    def to_ack(self) -> dict[str, object]:
        """The body of the acknowledgement."""
        if self.errors:
            return {"response_action": "errors", "errors": self.errors}
        if self.view is not None:
            return {"response_action": "update", "view": self.view}
        return {"response_action": "clear"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Views:
    """The listeners of modals."""

    desk: Desk
    clicks: Clicks

    async def submit_ballot(self, sent: Submission) -> FormAnswer:
        """Count the vote of a form; what is wrong stays in the form."""
        form = read_shown(sent.view.private_metadata)
        reason = sent.field(names.REASON_BLOCK, names.REASON_INPUT).strip()
        if is_blank(reason):
            return field_error(Refused(Code.COMMENT_REQUIRED, ""))
        choice = Choice.REJECT if form.c == Choice.REJECT.value else Choice.APPROVE
        said = await self.clicks.cast(form, person_of(sent.user, sent.team), choice, reason)
        if said is not None:
            return FormAnswer(view=modals.notice(ours("Your vote was counted already.")))
        return FormAnswer()

    async def open_details(self, click: Click) -> Said | None:
        """Open the full view: at once as a loading page, then filled."""
        form = read_shown(click.action.value)
        view_id, _ = await self.desk.open_view(click.trigger_id, modals.loading())
        person = person_of(click.user, click.team)
        await self._fill(view_id, form, person, page=0)
        return None

    async def turn(self, click: Click) -> Said | None:
        """Go a page on or back."""
        if click.view is None:
            return None
        form = read_shown(click.action.value)
        step = 1 if click.action.action_id == names.NEXT_PAGE else -1
        person = person_of(click.user, click.team)
        await self._fill(
            click.view.id, form, person, page=max(0, form.p + step), view_hash=click.view.hash
        )
        return None

    async def _fill(
        self, view_id: str, form: ShownForm, person: PersonId, *, page: int, view_hash: str = ""
    ) -> None:
        try:
            view = await self._page(form, person, page)
        except PlacetError as error:
            view = modals.notice(refusal_text(error), title="Details", code=error.code.value)
        await self.desk.update_view(view_id, view, view_hash=view_hash)

    async def _page(self, form: ShownForm, person: PersonId, page: int) -> Block:
        """One page; the last one only after the ledger has it that this person got it.

        Raises:
            PlacetError: the person may not act here, or the ticket has a newer revision.
        """
        await self.desk.service.person(person)
        ticket = await self.desk.service.ticket(form.shown.ticket_id)
        if ticket.revision != form.shown.revision:
            raise Refused(Code.SUPERSEDED_REVISION, f"ticket {ticket.id} has a newer revision")
        card = await load_card_view(self.desk.reader, ticket)
        whole = modals.full_view(card)
        is_last = page >= whole.count - 1
        is_open = ticket.state is TicketState.PENDING and card.content is not None
        if is_last and is_open:
            await self._record(card, person)
        return modals.details(card, whole, page, may_vote=is_open)

    async def _record(self, card: CardView, person: PersonId) -> None:
        ticket = card.ticket
        await self.desk.service.handle(
            cmd.OpenFullView(ticket_id=ticket.id, revision=ticket.revision, person=person)
        )

    async def vote_in_details(self, click: Click) -> Said | None:
        """Count an approval given on the last page; the modal then says what it led to."""
        if click.view is None:
            return await self.clicks.approve(click)
        form = read_shown(click.action.value)
        person = person_of(click.user, click.team)
        try:
            await self.clicks.cast(form, person, Choice.APPROVE)
            ticket = await self.desk.service.ticket(form.shown.ticket_id)
            view = modals.notice(vote_counted(ticket), title="Details")
        except PlacetError as error:
            view = modals.notice(refusal_text(error), title="Details", code=error.code.value)
        await self.desk.update_view(click.view.id, view)
        return None

    async def finish_late(self, view_id: str, answer: FormAnswer) -> None:
        """Show the outcome of a form that was acknowledged before it was known."""
        text = next(iter(answer.errors.values())) if answer.errors else "Your vote counts."
        view = answer.view or modals.notice(ours(text))
        try:
            await self.desk.update_view(view_id, view)
        except CallFailedError:
            return  # the person closed it; the card says what counts


def working() -> Block:
    """What stands there while a vote takes longer than an acknowledgement may."""
    return modals.notice(ours("Recording your vote\u2026 The card will show it."))


def field_error(error: PlacetError | None) -> FormAnswer:
    """The form stays open and says at its field why the vote did not count."""
    said = refusal_text(error) if error is not None else ours(_FAILED)
    return FormAnswer(errors={names.REASON_BLOCK: clip(said, 2 * FIELD_ERROR_CHARS)})
