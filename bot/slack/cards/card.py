"""A ticket's card, as a pure function of what is committed.

Lives here: the order of a card, its budget, its ids. Must not live here: reads, posting.
Law: the card equals the state; a settled ticket has no live button; a changed card has new block
ids; it is legal under every limit of Slack for any input.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from bot.slack import names
from bot.slack.cards import needs, parts, standing
from bot.slack.cards import title as card_title
from bot.slack.cards.action import Shown, action
from bot.slack.cards.buttons import approve_button, details_button, reject_button, row, shown_of
from bot.slack.cards.cautions import cautions
from bot.slack.cards.offers import offered
from bot.slack.cards.past import past
from bot.slack.cards.redaction import redacted
from bot.slack.cards.view import CardView
from bot.slack.kit import limits
from bot.slack.kit.blocks import Block, divider, header, line, ours, rich, run, section, with_ids
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, clip, fallback
from governance.tickets.ticket import TicketState

__all__ = [
    "Card",
    "approval_card",
    "approve_button",
    "details_button",
    "reject_button",
    "shown_of",
]
READ_FIRST = N_("Approve works once you have read Details to the last page.")
_STANDING = {
    TicketState.PENDING: N_("Waiting for approval."),
    TicketState.APPROVED: N_("Approved, not started yet."),
    TicketState.EXECUTING: N_("Running now."),
    TicketState.EXECUTED: N_("It was carried out, once."),
    TicketState.RELEASED: N_("The agent took its single-use grant."),
    TicketState.DENIED: N_("Denied by policy. Nothing ran."),
    TicketState.REJECTED: N_("Rejected. Nothing ran."),
    TicketState.EXPIRED: N_("Expired. Nothing more will run."),
    TicketState.CANCELLED: N_("Cancelled. Nothing more will run."),
    TicketState.UNKNOWN: standing.NOBODY_KNOWS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A message: ``text`` for notifications and screen readers, ``blocks`` for everybody else."""

    text: str
    blocks: tuple[Block, ...]

    @property
    def digest(self) -> str:
        """What it shows, as a digest: equal cards need no update."""
        return sha256(json.dumps([self.text, self.blocks], sort_keys=True).encode()).hexdigest()


def approval_card(view: CardView) -> Card:
    """The card of a ticket, for the channel of its approvers."""
    view = redacted(view)
    card = _card(view, parts.BUDGETS[0])
    for budget in parts.BUDGETS[1:]:
        if _fits(card):
            break
        card = _card(view, budget)
    return card


def _fits(card: Card) -> bool:
    whole = json.dumps(card.blocks, ensure_ascii=False)
    return len(whole) <= limits.MESSAGE_JSON_CHARS


def _card(view: CardView, budget: parts.Budget) -> Card:
    shown = action(view, budget)
    blocks: list[Block] = [header(card_title.title(view.ticket))]
    warned = cautions(view, budget)
    if warned:
        blocks.append(rich(section(warned)))
    blocks.append(rich(section(parts.why(view, budget))))
    blocks += shown.blocks
    quoted = parts.agent_words(view, budget)
    if quoted:
        blocks.append(rich(*quoted))
    blocks.append(divider())
    blocks.append(rich(section(_standing(view, shown, budget))))
    result = standing.output(view, budget)
    if result:
        blocks.append(rich(*result))
    blocks.append(rich(section(parts.facts(view, budget))))
    blocks.append(standing.fine_print(view.ticket))
    buttons = row(view.ticket, _offers(view, shown))
    if buttons is not None:
        blocks.append(buttons)
    return _sealed(view, blocks)


def _standing(view: CardView, shown: Shown, budget: parts.Budget) -> list[Block]:
    """Where it stands: state, what it needs, outcome, votes, time."""
    ticket = view.ticket
    out = line(run(clip(_state_words(view), budget.at_most(40) * 10), bold=True))
    out += standing.outcome(view, budget)
    out += past(view, budget)
    out += standing.progress(view, budget)
    out += standing.trace_link(view, budget)
    if ticket.state is TicketState.PENDING and shown.is_cut:
        out += line(run(ours(gettext(READ_FIRST))))
    return out + standing.expiry(ticket)


def _state_words(view: CardView) -> Inert:
    ticket, requirement = view.ticket, view.ticket.ruling.requirement
    if ticket.state is TicketState.PENDING and requirement is not None:
        lacking = needs.still_needs(requirement, ticket)
        if view.frozen is not None:
            return Inert(gettext("Frozen. Waiting for approval: {needs}.", needs=lacking))
        return Inert(gettext("Waiting for approval: {needs}.", needs=lacking))
    return ours(gettext(_STANDING[ticket.state]))


def _offers(view: CardView, shown: Shown) -> list[str]:
    """What is offered, without an Approve on a card that hides what the core does not gate."""
    ticket = view.ticket
    is_open = ticket.ask.needs_full_view or not shown.is_cut
    approving = (names.APPROVE, names.APPROVE_WITH_COMMENT)
    found = offered(ticket, is_frozen=view.frozen is not None)
    return [name for name in found if is_open or name not in approving]


def _fallback_text(view: CardView) -> str:
    said = f"{card_title.title(view.ticket)}. {_state_words(view)}"
    return fallback(Inert(said), limits.FALLBACK_CHARS)


def _sealed(view: CardView, blocks: list[Block]) -> Card:
    """Give every block an id that changes whenever anything on the card does."""
    salt = sha256(json.dumps(blocks, sort_keys=True).encode()).hexdigest()[:10]
    sealed = with_ids(blocks, f"card.{view.ticket.revision}.{salt}")
    return Card(text=_fallback_text(view), blocks=tuple(sealed))
