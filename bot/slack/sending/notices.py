"""What people are told without having asked: reminders, escalations, expiries, lost runs.

Lives here: the sentences and blocks of these messages. Must not live here: when or to whom they
go (``bot.reminding``, ``bot.compose.telling``). Law: an agent's words stand only in the inert forms
that cards use; every message says by when, and where it can be decided.
"""

from collections.abc import Mapping, Sequence

from bot.slack.cards import card as cards
from bot.slack.cards import needs
from bot.slack.cards import title as card_title
from bot.slack.cards.cautions import freeze_lines
from bot.slack.cards.past import TWO
from bot.slack.kit import limits
from bot.slack.kit.blocks import (
    Block,
    actions,
    divider,
    header,
    instant,
    line,
    link,
    ours,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.kit.language import N_, gettext, ngettext
from bot.slack.kit.text import Inert
from bot.slack.said import Said, say_blocks
from governance.control import Control
from governance.tickets import lost
from governance.tickets.quorum import asks_for_two
from governance.tickets.ticket import Ticket, TicketId

SHOWN_AT_ONCE = 10
_REMINDER = N_("Still waiting for you")
_MORE = N_("and {count} more: see the home tab of this app, or /placet list.")
_ESCALATED = N_("Nobody has decided this yet")
_EXPIRED = N_("Not decided in time")
_UNUSED = N_("Approved, and not used in time")
_NOTHING_RAN = N_("Nothing was run. Whoever still needs it has to ask again.")
_CARD = N_("Open its card")
_LOST = N_("Nobody knows what came of it")
_FIND_OUT = N_("Look at the target, then say on the card or in Details what you found.")
_DIFFER = N_("People found different things, so it stays open.")
_SINCE = N_(" Unknown since ")
_BEFORE, _WAS_UNTIL = N_(" Decide before "), N_("It could be decided until ")


def reminder(tickets: Sequence[Ticket], cards_at: Mapping[TicketId, str], control: Control) -> Said:
    """One message about everything that waits for somebody, the most urgent first."""
    count = len(tickets)
    said = ours(
        ngettext("1 request still waits for you", "{count} requests still wait for you", count)
    )
    blocks: list[Block] = [header(ours(gettext(_REMINDER)))]
    for ticket in tickets[:SHOWN_AT_ONCE]:
        blocks += _entry(ticket, cards_at.get(ticket.id, ""), control)
    if count > SHOWN_AT_ONCE:
        more = ours(gettext(_MORE, count=count - SHOWN_AT_ONCE))
        blocks += [divider(), rich(section([run(more)]))]
    first = Inert(f"{said}. {card_title.title(tickets[0])}")
    return say_blocks(first, with_ids(blocks[: limits.MESSAGE_BLOCKS], "remind"))


def escalation(ticket: Ticket, card_at: str, control: Control) -> Said:
    """That a ticket still waits, for the channel of a step."""
    blocks = [header(ours(gettext(_ESCALATED))), *_entry(ticket, card_at, control)]
    text = Inert(f"{gettext(_ESCALATED)}: {card_title.title(ticket)}")
    return say_blocks(text, with_ids(blocks, "escalate"))


def lost_runs(tickets: Sequence[Ticket], cards_at: Mapping[TicketId, str]) -> Said:
    """One message about every run of which nobody knows the end."""
    count = len(tickets)
    find_out = rich(section([run(ours(gettext(_FIND_OUT)))]))
    blocks: list[Block] = [header(ours(gettext(_LOST))), find_out]
    for ticket in tickets[:SHOWN_AT_ONCE]:
        blocks += _lost_entry(ticket, cards_at.get(ticket.id, ""))
    if count > SHOWN_AT_ONCE:
        more = ours(gettext(_MORE, count=count - SHOWN_AT_ONCE))
        blocks += [divider(), rich(section([run(more)]))]
    first = Inert(f"{still_unknown(count)}. {card_title.title(tickets[0])}")
    return say_blocks(first, with_ids(blocks[: limits.MESSAGE_BLOCKS], "lost"))


def still_unknown(count: int) -> str:
    """Of how many runs nobody knows the end."""
    return ngettext("1 outcome is still unknown", "{count} outcomes are still unknown", count)


def expiry(ticket: Ticket) -> Said:
    """That a request came to nothing, for whoever answers for it."""
    title = ours(gettext(_UNUSED if ticket.approved_at is not None else _EXPIRED))
    told = line(run(card_title.sentence(ticket), bold=True))
    told += [
        run(ours(gettext(_WAS_UNTIL))),
        instant(ticket.expires_at),
        run(ours(f". {gettext(_NOTHING_RAN)}")),
    ]
    blocks = [header(title), rich(section(told)), actions(cards.details_button(ticket))]
    text = Inert(f"{title}: {card_title.sentence(ticket)}")
    return say_blocks(text, with_ids(blocks, "expired"))


def _entry(ticket: Ticket, card_at: str, control: Control) -> list[Block]:
    requirement = ticket.ruling.requirement
    told = line(run(card_title.title(ticket), bold=True))
    if requirement is not None:
        told.append(run(needs.needs_text(requirement, ticket)))
    told += [run(ours(gettext(_BEFORE))), instant(ticket.expires_at), run(ours("."))]
    if card_at:
        told += [run(ours(" ")), link(card_at, ours(gettext(_CARD)))]
    frozen = control.freeze_of(ticket.ask.agent)
    if frozen is not None:
        told += [*line(), *freeze_lines(frozen)]
    return [rich(section(told)), actions(cards.details_button(ticket))]


def _lost_entry(ticket: Ticket, card_at: str) -> list[Block]:
    requirement, since = ticket.ruling.requirement, ticket.run
    told = line(run(card_title.title(ticket), bold=True))
    if since is not None:
        told += [run(ours(gettext(_SINCE))), instant(since.lease_until), run(ours("."))]
    if card_at:
        told += [run(ours(" ")), link(card_at, ours(gettext(_CARD)))]
    if lost.is_disputed(ticket):
        told += line(run(ours(gettext(_DIFFER))))
    if requirement is not None and asks_for_two(requirement):
        told += line(run(ours(gettext(TWO))))
    return [rich(section(told)), actions(cards.details_button(ticket))]
