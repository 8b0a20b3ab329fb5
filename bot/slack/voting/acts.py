"""What approvers do on a card besides voting: withdraw, stop, resolve, release, discard.

Lives here: from a click or a submitted form to one deed and to an answer. Must not live here: what
a deed is made of (``bot.deeds``), how a form looks (``forms``). Law: what rests on a person's
knowledge asks for the evidence first; what only takes back is done at once.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot import deeds
from bot.slack import names
from bot.slack.desk import Desk
from bot.slack.kit import limits, modals
from bot.slack.kit.blocks import Block, ours
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, is_blank
from bot.slack.payloads import Click, ShownForm, Submission, person_of, read_shown
from bot.slack.said import Said, refusal_text, say
from bot.slack.voting import forms
from bot.slack.voting.actions import Clicks
from bot.slack.voting.details import TITLE
from governance.errors import Code, InvalidInput, PlacetError, Refused, Unavailable
from governance.sentences import Sentence
from governance.steps import Handled
from governance.tickets.ticket import TicketState

WITHDRAWN = N_("Your vote is withdrawn; nothing of yours counts on this ticket now.")
STOPPED = N_("Stopped. It will not run.")
SO_ALREADY = N_("It was so already.")
SECOND_WANTED = N_("Noted. One more person has to find the same before it is settled.")
NOTED = {
    forms.Deed.TOOK_EFFECT: N_("Noted: it took effect."),
    forms.Deed.NO_EFFECT: N_("Noted: it did not take effect."),
    forms.Deed.RELEASE: N_("The redacted output may be seen now."),
    forms.Deed.DISCARD: N_("The output is discarded."),
}
_FORMS = {
    names.TOOK_EFFECT: forms.Deed.TOOK_EFFECT,
    names.NO_EFFECT: forms.Deed.NO_EFFECT,
    names.RELEASE_OUTPUT: forms.Deed.RELEASE,
    names.DISCARD_OUTPUT: forms.Deed.DISCARD,
}
_Deed = Callable[[deeds.Deed], Awaitable[Handled]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Acts:
    """The listeners of these buttons and of their forms."""

    desk: Desk
    clicks: Clicks

    @property
    def _deeds(self) -> deeds.Deeds:
        return deeds.Deeds(service=self.desk.service, reader=self.desk.reader)

    async def withdraw(self, click: Click) -> Said | None:
        """Take one's vote back, on the revision that the card showed."""
        return await self._at_once(click, self._deeds.withdraw, WITHDRAWN)

    async def stop(self, click: Click) -> Said | None:
        """Stop what is approved and has not started."""
        return await self._at_once(click, self._deeds.stop, STOPPED)

    async def _at_once(self, click: Click, deed: _Deed, text: str) -> Said | None:
        """Do what needs no form; in Details the modal says what came of it."""
        if click.view is None:
            return say(_done(await deed(_of_click(click)), text))
        try:
            view = modals.notice(_done(await deed(_of_click(click)), text), title=gettext(TITLE))
        except PlacetError as error:
            view = _refused(error)
        await self.desk.update_view(click.view.id, view)
        return None

    async def ask(self, click: Click) -> Said | None:
        """Open the form for the evidence; for a release with what would be shown.

        Raises:
            Refused: as ``_preview``; where Details were open, the modal says it.
        """
        form, deed = read_shown(click.action.value), _FORMS[click.action.action_id]
        try:
            preview = await self._preview(click, form) if deed is forms.Deed.RELEASE else None
        except Refused as error:
            if click.view is None:
                raise
            await self.desk.update_view(click.view.id, _refused(error))
            return None
        await self.clicks.open_form(click, forms.evidence(form.shown, deed, preview=preview))
        return None

    async def _preview(self, click: Click, form: ShownForm) -> str | None:
        """What a release would show, to somebody who may judge it.

        Raises:
            Refused: an identity code; ``wrong_role``: no role of theirs judges outputs here.
        """
        try:
            async with asyncio.timeout(limits.ROLE_BUDGET_S):
                person = await self.desk.service.person(person_of(click.user, click.team))
                ticket = await self.desk.service.ticket(form.shown.ticket_id)
                if not person.roles:
                    raise Refused(
                        Code.WRONG_ROLE, Sentence("only an approver of this ticket may release")
                    )
                if person.names & ticket.ask.excluded:
                    raise Refused(Code.SELF_APPROVAL_DENIED, "somebody else must release")
                shown = await self._deeds.redacted(ticket)
        except (Unavailable, TimeoutError):
            return None
        return None if shown is None else shown.decode("utf-8")

    async def submitted(self, sent: Submission) -> Inert:
        """Do what a form of evidence is for.

        Raises:
            PlacetError: it does not count; the form stays open and says why.
        """
        form = read_shown(sent.view.private_metadata)
        try:
            deed = forms.Deed(form.c)
        except ValueError as error:
            raise InvalidInput(Code.INVALID_FIELD, Sentence("this form is none of ours")) from error
        said = sent.field(names.REASON_BLOCK, names.REASON_INPUT).strip()
        wish = deeds.Deed(
            ticket_id=form.shown.ticket_id,
            person=person_of(sent.user, sent.team),
            comment="" if is_blank(said) else said,
            revision=form.shown.revision,
        )
        handled = await self._do(deed, wish)
        waits = handled.ticket.state is TicketState.UNKNOWN
        return _done(handled, SECOND_WANTED if waits else NOTED[deed])

    async def _do(self, deed: forms.Deed, wish: deeds.Deed) -> Handled:
        match deed:
            case forms.Deed.TOOK_EFFECT:
                return await self._deeds.resolve(wish, took_effect=True)
            case forms.Deed.NO_EFFECT:
                return await self._deeds.resolve(wish, took_effect=False)
            case forms.Deed.RELEASE:
                return await self._deeds.release(wish)
            case forms.Deed.DISCARD:
                return await self._deeds.discard(wish)


def _refused(error: PlacetError) -> Block:
    return modals.notice(refusal_text(error), title=gettext(TITLE), code=error.code.value)


def _of_click(click: Click) -> deeds.Deed:
    form = read_shown(click.action.value)
    return deeds.Deed(
        ticket_id=form.shown.ticket_id,
        person=person_of(click.user, click.team),
        revision=form.shown.revision,
    )


def _done(handled: Handled, text: str) -> Inert:
    return ours(gettext(text if handled.is_changed else SO_ALREADY))
