"""Modals: the ballot form and the full view.

Lives here: what submitting a form and turning a page do. Must not live here: how they look
(``modals``). Law: that a person has seen all is committed before the last page is sent; a page of
an older revision is never followed by a newer one's.
"""

from dataclasses import dataclass

from bot.slack import names
from bot.slack.desk import Desk
from bot.slack.kit import modals
from bot.slack.kit.blocks import Block, ours
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.limits import FIELD_ERROR_CHARS
from bot.slack.kit.text import clip, is_blank
from bot.slack.payloads import Click, Submission, person_of, read_shown
from bot.slack.said import Said, refusal_text
from bot.slack.sending.client import CallFailedError
from bot.slack.voting import forms
from bot.slack.voting.actions import COUNTED_BEFORE, Clicks, vote_counted
from bot.slack.voting.acts import Acts
from governance.errors import Code, PlacetError, Refused
from governance.tickets.ticket import Choice

_OF_ROLE = frozenset({Code.WRONG_ROLE, Code.ROLE_NO_LONGER_FITS})
"""Refusals that are about the role that was chosen."""
_FAILED = N_("Something went wrong on my side; nothing was counted. Please try again.")


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
    acts: Acts

    async def submit_ballot(self, sent: Submission) -> FormAnswer:
        """Count the vote of a form; what is wrong stays in the form."""
        form, person = read_shown(sent.view.private_metadata), person_of(sent.user, sent.team)
        reason = sent.field(names.REASON_BLOCK, names.REASON_INPUT).strip()
        reason = "" if is_blank(reason) else reason
        role = sent.field(names.ROLE_BLOCK, names.ROLE_INPUT)
        choice = Choice.REJECT if form.c == Choice.REJECT.value else Choice.APPROVE
        if choice is Choice.REJECT and not reason:
            return field_error(Refused(Code.COMMENT_REQUIRED, ""))
        try:
            handled = await self.clicks.vote(form, person, choice, reason, role)
        except Refused as error:
            if role and error.code in _OF_ROLE:
                return field_error(error, at=names.ROLE_BLOCK)
            raise
        if not handled.is_changed:
            return FormAnswer(view=modals.notice(ours(gettext(COUNTED_BEFORE))))
        if role:
            return FormAnswer(view=modals.notice(vote_counted(handled.ticket, person)))
        return FormAnswer()

    async def submit_deed(self, sent: Submission) -> FormAnswer:
        """Do what a form of evidence is for; what is wrong stays in the form."""
        return FormAnswer(view=modals.notice(await self.acts.submitted(sent)))

    async def vote_in_details(self, click: Click) -> Said | None:
        """Count an approval given on the last page; the modal then says what it led to."""
        if click.view is None:
            return await self.clicks.approve(click)
        form = read_shown(click.action.value)
        person = person_of(click.user, click.team)
        if roles := await self.clicks.role_offers(form, person):
            asking = forms.ballot(form.shown, Choice.APPROVE, roles=roles, is_reason_needed=False)
            await self.desk.push_view(click.trigger_id, asking)
            return None
        try:
            await self.clicks.cast(form, person, Choice.APPROVE)
            ticket = await self.desk.service.ticket(form.shown.ticket_id)
            view = modals.notice(vote_counted(ticket, person), title=gettext("Details"))
        except PlacetError as error:
            view = modals.notice(
                refusal_text(error), title=gettext("Details"), code=error.code.value
            )
        await self.desk.update_view(click.view.id, view)
        return None

    async def finish_late(self, view_id: str, answer: FormAnswer) -> None:
        """Show the outcome of a form that was acknowledged before it was known."""
        text = next(iter(answer.errors.values())) if answer.errors else gettext("Your vote counts.")
        view = answer.view or modals.notice(ours(text))
        try:
            await self.desk.update_view(view_id, view)
        except CallFailedError:
            return  # the person closed it; the card says what counts


def working() -> Block:
    """What stands there while a vote takes longer than an acknowledgement may."""
    return modals.notice(ours(gettext("Recording your vote\u2026 The card will show it.")))


def field_error(error: PlacetError | None, *, at: str = names.REASON_BLOCK) -> FormAnswer:
    """The form stays open and says at its field why it did not count."""
    said = refusal_text(error) if error is not None else ours(gettext(_FAILED))
    return FormAnswer(errors={at: clip(said, 2 * FIELD_ERROR_CHARS)})
