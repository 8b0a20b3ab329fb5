"""Clicks that vote: approve and reject; each becomes one command, or a form first.

Lives here: from a parsed click to the service and to an answer. Must not live here: submitted forms
(``views``), what approvers do besides (``acts``), how a card looks. Law: a click is a wish; the
door decides on committed state, and what the person hears afterwards is what was committed.
"""

import asyncio
from dataclasses import dataclass

from bot.slack import names
from bot.slack.cards import needs
from bot.slack.cards import title as card_title
from bot.slack.desk import Desk
from bot.slack.kit import limits
from bot.slack.kit.blocks import Block
from bot.slack.kit.language import N_, gettext, speaking
from bot.slack.kit.text import Inert, words
from bot.slack.payloads import Click, ShownForm, person_of, read_shown
from bot.slack.said import Said, say
from bot.slack.sending.client import CallFailedError
from bot.slack.voting import forms
from bot.slack.voting.forms import RoleOffer
from governance.errors import PlacetError
from governance.principal import PersonId
from governance.steps import Handled
from governance.tickets.commands import Ballot
from governance.tickets.quorum import tally_with
from governance.tickets.ticket import Choice, Ticket, TicketState

COUNTED_BEFORE = N_("Your vote was counted already.")
LENT_TO_YOU = N_("in somebody else's name: ")
"""Before what a role would lead to that is not one's own."""
RETIRED = N_("A newer card of this ticket is in the channel; this one is retired.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """The listeners of buttons on cards."""

    desk: Desk

    async def approve(self, click: Click) -> Said | None:
        """Count an approval of exactly what was shown; ask first where a role is to choose."""
        form, person = read_shown(click.action.value), person_of(click.user, click.team)
        roles = await self.role_offers(form, person)
        if roles:
            view = forms.ballot(form.shown, Choice.APPROVE, roles=roles, is_reason_needed=False)
            await self.open_form(click, view)
            return None
        return await self.cast(form, person, Choice.APPROVE)

    async def cast(
        self, form: ShownForm, person: PersonId, choice: Choice, comment: str = ""
    ) -> Said | None:
        """Vote; None where the card itself says all there is to say."""
        handled = await self.vote(form, person, choice, comment)
        if not handled.is_changed:
            return say(Inert(gettext(COUNTED_BEFORE)), block_id="placet.already_counted")
        return None

    async def vote(
        self, form: ShownForm, person: PersonId, choice: Choice, comment: str, role: str = ""
    ) -> Handled:
        """Vote on exactly what was shown, as ``role`` where one was chosen."""
        return await self.desk.service.vote(
            Ballot(
                tenant=self.desk.service.tenant,
                ticket_id=form.shown.ticket_id,
                person_id=person,
                choice=choice,
                comment=comment,
                role=role or None,
                revision=form.shown.revision,
                binding=form.shown.binding,
            )
        )

    async def role_offers(self, form: ShownForm, person: PersonId) -> tuple[RoleOffer, ...]:
        """The roles that this person may choose from; none where it cannot be told in time.

        A trigger lives for three seconds. Without a choice the default role counts, and may be
        changed while the ticket waits; why somebody may not vote at all is for the vote to say.
        """
        service = self.desk.service
        try:
            async with asyncio.timeout(limits.ROLE_BUDGET_S):
                choices = await service.role_choices(form.shown.ticket_id, person)
                if not choices:
                    return ()
                ticket = await service.ticket(form.shown.ticket_id)
                own = (await service.person(person)).roles
        except (PlacetError, TimeoutError):
            return ()
        requirement = ticket.ruling.requirement
        if requirement is None:
            return ()
        return tuple(
            RoleOffer(
                role=item.role,
                weight=item.weight,
                then=("" if item.role in own else gettext(LENT_TO_YOU))
                + needs.lacks_text(tally_with(requirement, ticket.votes, person, item.role)),
            )
            for item in choices
        )

    async def open_form(self, click: Click, view: Block) -> None:
        """Open a form; over a modal it is laid on top."""
        if click.view is not None:
            await self.desk.push_view(click.trigger_id, view)
        else:
            await self.desk.open_view(click.trigger_id, view)

    async def reject(self, click: Click) -> Said | None:
        """Ask why before anything is rejected."""
        form = read_shown(click.action.value)
        await self.open_form(click, forms.ballot(form.shown, Choice.REJECT))
        return None

    async def approve_with_comment(self, click: Click) -> Said | None:
        """Ask why before a vote that needs a reason."""
        form = read_shown(click.action.value)
        roles = await self.role_offers(form, person_of(click.user, click.team))
        await self.open_form(click, forms.ballot(form.shown, Choice.APPROVE, roles=roles))
        return None

    async def bring_forward(self, click: Click) -> None:
        """Have the card that was clicked show what is so now, before any other card."""
        forward, channel = self.desk.forward, click.channel
        is_card = click.container.type == "message" and click.action.action_id in _ON_CARDS
        if forward is None or channel is None or not is_card or not click.response_url:
            return
        ticket_id = read_shown(click.action.value).shown.ticket_id
        await forward(ticket_id, channel.id, click.container.message_ts, click.response_url)

    async def retire_orphan(self, click: Click) -> None:
        """Take the buttons off a card that is not the ticket's newest one.

        Such a card exists when Slack did post it and its answer was lost on the way.
        """
        if self.desk.places is None or click.container.type != "message" or click.channel is None:
            return
        if click.action.action_id not in _ON_CARDS:
            return
        place = await self.desk.places.place(read_shown(click.action.value).shown.ticket_id)
        here = (click.channel.id, click.container.message_ts)
        if place is None or not place.ts or here == (place.channel, place.ts):
            return
        with speaking(self.desk.speakers.channels):
            said = say(Inert(gettext(RETIRED)))
        try:
            await self.desk.publisher.retire(*here, said)
        except CallFailedError:
            return  # an ephemeral with a button, or a message that is gone: nothing to retire


_ON_CARDS = frozenset(
    {
        names.APPROVE,
        names.APPROVE_WITH_COMMENT,
        names.REJECT,
        names.WITHDRAW,
        names.STOP,
        names.TOOK_EFFECT,
        names.NO_EFFECT,
        names.RELEASE_OUTPUT,
        names.DISCARD_OUTPUT,
    }
)


def vote_counted(ticket: Ticket, person: PersonId) -> Inert:
    """What a vote led to, for a person who looks at a modal and not at the card."""
    requirement, own = ticket.ruling.requirement, ticket.vote_of(person)
    if own is None:
        said = gettext("Your vote counts.")
    else:
        role = words(own.role, 60)
        said = gettext("Your vote counts as {role}, weight {weight}.", role=role, weight=own.weight)
    if ticket.state is TicketState.PENDING and requirement is not None:
        return Inert(f"{said} {needs.needs_text(requirement, ticket)}")
    now = gettext(
        "Ticket {ticket} is now {state}.",
        ticket=words(ticket.id, 60),
        state=card_title.state_word(ticket.state),
    )
    return Inert(f"{said} {now}")
