"""Choosing a ticket while typing: for whoever does not have its id at hand.

Lives here: the form with the menu, the options that are offered, what the choice leads to. Must
not live here: what is said of a ticket (``commands``). Law: only what is open and needed people is
offered, the most urgent first, at most as many as Slack takes, each in words that stay inside the
menu's limits.
"""

from dataclasses import dataclass

from bot.slack import names
from bot.slack.cards import title as card_title
from bot.slack.desk import Desk
from bot.slack.home import lists
from bot.slack.kit.blocks import Block, ours, plain
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.modals import modal
from bot.slack.kit.text import clip, inert
from bot.slack.payloads import Suggestion, person_of
from bot.slack.readers import readable
from governance.tickets.ticket import Ticket

TITLE = N_("Which ticket?")
LABEL = N_("Ticket")
PLACEHOLDER = N_("Type a part of its id, agent or target")
SUBMIT = N_("Show it")
PICK_BLOCK = "placet.pick"
MOST_OPTIONS = 100
_TEXT_CHARS = 75
_VALUE_CHARS = 150


def form(verb: str) -> Block:
    """The form that asks which ticket; ``verb`` says what is to be told of it."""
    menu: Block = {
        "type": "external_select",
        "action_id": names.PICK_TICKET,
        "min_query_length": 0,
        "placeholder": plain(ours(gettext(PLACEHOLDER))),
    }
    field: Block = {
        "type": "input",
        "block_id": PICK_BLOCK,
        "label": plain(ours(gettext(LABEL))),
        "element": menu,
    }
    return modal(
        gettext(TITLE),
        [field],
        close=gettext("Cancel"),
        submit=plain(ours(gettext(SUBMIT))),
        callback_id=names.PICK_VIEW,
        private_metadata=verb,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Picking:
    """The listener of the menu."""

    desk: Desk

    async def options(self, asked: Suggestion) -> list[Block]:
        """Tickets that match what was typed; none for whoever may not act here.

        Raises:
            Refused, Unavailable: as ``Directory.person``.
        """
        service = self.desk.service
        person = await service.person(person_of(asked.user, asked.team))
        typed = asked.value.strip().casefold()
        every = await lists.open_tickets(self.desk.reader, service.tenant)
        found = await readable(service, person, every)
        fitting = [
            ticket for ticket in found if _matches(ticket, typed) and len(ticket.id) <= _VALUE_CHARS
        ]
        return [_option(ticket) for ticket in fitting[:MOST_OPTIONS]]


def _matches(ticket: Ticket, typed: str) -> bool:
    ask = ticket.ask
    told = (ticket.id, ask.agent, ask.target, ask.tool, ask.topic, ask.environment)
    return any(typed in text.casefold() for text in told)


def _option(ticket: Ticket) -> Block:
    return {
        "text": plain(clip(card_title.title(ticket), _TEXT_CHARS)),
        "value": ticket.id,
        "description": plain(clip(inert(ticket.id), _TEXT_CHARS)),
    }
