"""Lists of tickets for one person: the inbox, answers to commands, the home tab.

Lives here: how a ticket looks in one entry of a list. Must not live here: which tickets concern
whom (``inbox``), how an answer is sent. Law: a list is a view of committed state; what it offers is
checked again when it is used.
"""

from collections.abc import Sequence
from dataclasses import replace

from bot.slack import names
from bot.slack.cards import card as cards
from bot.slack.cards import needs, standing
from bot.slack.cards import title as card_title
from bot.slack.cards.cautions import freeze_lines
from bot.slack.cards.offers import offered
from bot.slack.home.inbox import LISTED
from bot.slack.kit import limits
from bot.slack.kit.blocks import (
    Block,
    actions,
    divider,
    header,
    instant,
    line,
    ours,
    rich,
    run,
    section,
    small,
    with_ids,
)
from bot.slack.kit.language import N_, gettext, number
from bot.slack.kit.text import Inert, words
from governance.control import Control, Frozen
from governance.ports import Reader, TicketQuery
from governance.principal import TenantId
from governance.tickets.lifecycle import LIVE, MAY_EXPIRE
from governance.tickets.ticket import Ticket, TicketState

SHOWN_AT_ONCE = 10
NONE_SEEN = N_("None of the most urgent is for you; more wait than can be looked at.")


async def open_tickets(reader: Reader, tenant: TenantId) -> Sequence[Ticket]:
    """What needed people and is not settled, the most urgent first."""
    started = tuple(LIVE - MAY_EXPIRE)
    query = TicketQuery(tenant=tenant, needed_people=True, limit=LISTED)
    waiting = await reader.tickets(replace(query, states=tuple(MAY_EXPIRE), soonest=True))
    found = [*waiting, *await reader.tickets(replace(query, states=started))]
    return sorted(found, key=lambda ticket: ticket.expires_at)[:LISTED]


def state_text(ticket: Ticket) -> Inert:
    """Where it stands, in a sentence."""
    requirement = ticket.ruling.requirement
    if requirement is not None and ticket.state is TicketState.PENDING:
        return needs.needs_text(requirement, ticket)
    if ticket.state is TicketState.UNKNOWN:
        return ours(gettext(standing.NOBODY_KNOWS))
    if {*offered(ticket)} & {names.RELEASE_OUTPUT}:
        return ours(gettext(standing.HELD_BACK))
    return ours(gettext("It is {state}.", state=card_title.state_word(ticket.state)))


def entry(ticket: Ticket, *, frozen: Frozen | None = None, with_button: bool = True) -> list[Block]:
    """One ticket in a list: its sentence, where it stands, until when, Details."""
    requirement = ticket.ruling.requirement
    said = line(run(card_title.title(ticket), bold=True))
    if requirement is not None and ticket.state is TicketState.PENDING:
        said += [run(needs.needs_text(requirement, ticket)), run(ours(gettext(" Decide before ")))]
    elif ticket.state is TicketState.APPROVED:
        said += [run(ours(gettext("Good until ")))]
    else:
        said += [run(state_text(ticket))]
    if ticket.state in MAY_EXPIRE:
        said += [instant(ticket.expires_at), run(ours("."))]
    if frozen is not None and ticket.state in MAY_EXPIRE:
        said += [*line(), *freeze_lines(frozen)]
    blocks = [rich(section(said)), small(*_small_words(ticket))]
    if with_button:
        blocks.append(actions(cards.details_button(ticket)))
    return blocks


def _small_words(ticket: Ticket) -> tuple[Inert, ...]:
    means = (gettext("With {tool}", tool=words(ticket.ask.tool, 60)),) if ticket.ask.tool else ()
    name = gettext("Ticket {ticket}", ticket=words(ticket.id, 60))
    return tuple(Inert(told) for told in (*means, name))


def listing(
    title: str,
    tickets: Sequence[Ticket],
    *,
    control: Control,
    empty: str,
    prefix: str,
    is_cut: bool = False,
) -> list[Block]:
    """A titled list of at most ten tickets, with a line on how many more there are.

    ``control`` says what is frozen. ``is_cut``: there may be more than ``tickets``. ``title`` and
    ``empty`` are English; they are looked up here.
    """
    blocks: list[Block] = [header(ours(gettext(title)))]
    if not tickets:
        blocks.append(rich(section([run(ours(gettext(NONE_SEEN if is_cut else empty)))])))
    for ticket in tickets[:SHOWN_AT_ONCE]:
        blocks += entry(ticket, frozen=control.freeze_of(ticket.ask.agent))
    if len(tickets) > SHOWN_AT_ONCE:
        left = f"{number(len(tickets) - SHOWN_AT_ONCE)}{'+' if is_cut else ''}"
        more = ours(gettext("and {count} more; decide the most urgent first.", count=left))
        blocks += [divider(), rich(section([run(more)]))]
    return with_ids(blocks[: limits.MESSAGE_BLOCKS], prefix)
