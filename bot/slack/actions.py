"""Clicks: approve, reject, stop, resolve; each becomes one command.

Lives here: from a parsed click to the service and to an answer. Must not live here: forms and the
full view (``views``), how a card looks. Law: a click is a wish; the door decides on committed
state, and what the person hears afterwards is what was committed.
"""

from dataclasses import dataclass

from bot.slack import card_standing as standing
from bot.slack import names
from bot.slack.client import CallFailedError
from bot.slack.desk import Desk
from bot.slack.modals import ballot
from bot.slack.payloads import Click, ShownForm, person_of, read_shown
from bot.slack.said import Said, say
from bot.slack.text import Inert, words
from governance.principal import PersonId
from governance.steps import Handled
from governance.tickets import commands as cmd
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, Ticket, TicketState


@dataclass(frozen=True, slots=True, kw_only=True)
class Clicks:
    """The listeners of buttons on cards."""

    desk: Desk

    async def approve(self, click: Click) -> Said | None:
        """Count an approval of exactly what the card showed."""
        form = read_shown(click.action.value)
        return await self.cast(form, person_of(click.user, click.team), Choice.APPROVE)

    async def cast(
        self, form: ShownForm, person: PersonId, choice: Choice, comment: str = ""
    ) -> Said | None:
        """Vote; None where the card itself says all there is to say."""
        handled = await self.desk.service.vote(
            Ballot(
                tenant=self.desk.service.tenant,
                ticket_id=form.shown.ticket_id,
                person_id=person,
                choice=choice,
                comment=comment,
                revision=form.shown.revision,
                binding=form.shown.binding,
            )
        )
        if not handled.is_changed:
            return say(Inert("Your vote was counted already."), block_id="placet.already_counted")
        return None

    async def ask_why(self, click: Click, choice: Choice) -> Said | None:
        """Open the form that asks for a reason; over a modal it is laid on top."""
        form = read_shown(click.action.value)
        view = ballot(form.shown, choice)
        if click.view is not None:
            await self.desk.push_view(click.trigger_id, view)
        else:
            await self.desk.open_view(click.trigger_id, view)
        return None

    async def reject(self, click: Click) -> Said | None:
        """Ask why before anything is rejected."""
        return await self.ask_why(click, Choice.REJECT)

    async def approve_with_comment(self, click: Click) -> Said | None:
        """Ask why before a vote that needs a reason."""
        return await self.ask_why(click, Choice.APPROVE)

    async def stop(self, click: Click) -> Said | None:
        """Stop what is approved and has not started."""
        form = read_shown(click.action.value)
        person = await self.desk.service.person(person_of(click.user, click.team))
        stop = cmd.StopTicket(ticket_id=form.shown.ticket_id, person=person)
        return _done(await self.desk.service.handle(stop), "Stopped. It will not run.")

    async def took_effect(self, click: Click) -> Said | None:
        """Say that an interrupted run was done."""
        return await self._resolve(click, took_effect=True)

    async def no_effect(self, click: Click) -> Said | None:
        """Say that an interrupted run did nothing."""
        return await self._resolve(click, took_effect=False)

    async def _resolve(self, click: Click, *, took_effect: bool) -> Said | None:
        form = read_shown(click.action.value)
        person = await self.desk.service.person(person_of(click.user, click.team))
        resolve = cmd.ResolveUnknown(
            ticket_id=form.shown.ticket_id, person=person, took_effect=took_effect
        )
        handled = await self.desk.service.handle(resolve)
        said = "Noted: it took effect." if took_effect else "Noted: it did not take effect."
        return _done(handled, said)

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
        said = say(Inert("A newer card of this ticket is in the channel; this one is retired."))
        try:
            await self.desk.publisher.retire(*here, said)
        except CallFailedError:
            return  # an ephemeral with a button, or a message that is gone: nothing to retire


def _done(handled: Handled, text: str) -> Said:
    return say(Inert(text) if handled.is_changed else Inert("It was so already."))


_ON_CARDS = frozenset({names.APPROVE, names.APPROVE_WITH_COMMENT, names.REJECT, names.STOP})


def vote_counted(ticket: Ticket) -> Inert:
    """What a vote led to, for a person who looks at a modal and not at the card."""
    requirement = ticket.ruling.requirement
    if ticket.state is TicketState.PENDING and requirement is not None:
        return Inert(f"Your vote counts. {standing.needs_text(requirement, ticket)}")
    return Inert(
        f"Your vote counts. Ticket {words(ticket.id, 60)} is now {ticket.state.value.lower()}."
    )
