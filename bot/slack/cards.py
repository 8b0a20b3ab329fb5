"""A ticket's card, as a pure function of what is committed.

Lives here: the order of a card, its buttons, its budget. Must not live here: reads, posting.
Law: the card equals the state; a settled ticket has no live button; a changed card has new block
ids; it is legal under every limit of Slack for any input.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from bot.slack import card_parts as parts
from bot.slack import card_standing as standing
from bot.slack import card_title, limits, names
from bot.slack.blocks import (
    Block,
    actions,
    button,
    confirm,
    divider,
    header,
    line,
    ours,
    rich,
    run,
    section,
    with_ids,
)
from bot.slack.card_redaction import redacted
from bot.slack.card_view import CardView
from bot.slack.text import Inert, fallback, words
from governance.tickets.ticket import Ticket, TicketState

_STANDING = {
    TicketState.PENDING: "Waiting for approval.",
    TicketState.APPROVED: "Approved, not started yet.",
    TicketState.EXECUTING: "Running now.",
    TicketState.EXECUTED: "It was carried out, once.",
    TicketState.RELEASED: "The agent took its single-use grant.",
    TicketState.DENIED: "Denied by policy. Nothing ran.",
    TicketState.REJECTED: "Rejected. Nothing ran.",
    TicketState.EXPIRED: "Expired. Nothing more will run.",
    TicketState.CANCELLED: "Cancelled. Nothing more will run.",
    TicketState.UNKNOWN: "Nobody knows whether it took effect. An approver must find out and say.",
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
    shown = parts.action(view, budget)
    blocks: list[Block] = [header(card_title.title(view.ticket))]
    warned = parts.cautions(view, budget)
    if warned:
        blocks.append(rich(section(warned)))
    blocks.append(rich(section([*parts.facts(view, budget), *parts.limits_line(view, budget)])))
    blocks.append(rich(*shown.elements))
    quoted = parts.agent_words(view, budget)
    if quoted:
        blocks.append(rich(*quoted))
    blocks.append(divider())
    blocks.append(rich(section(_standing(view, shown, budget))))
    result = standing.output(view, budget)
    if result:
        blocks.append(rich(*result))
    blocks.append(standing.fine_print(view.ticket))
    row = _buttons(view, shown)
    if row is not None:
        blocks.append(row)
    return _sealed(view.ticket, blocks)


def _standing(view: CardView, shown: parts.Shown, budget: parts.Budget) -> list[Block]:
    """Where it stands: state, what it needs, outcome, votes, time."""
    ticket = view.ticket
    out = line(run(_state_words(ticket), bold=True))
    out += standing.outcome(view, budget)
    out += standing.progress(view, budget)
    if ticket.state is TicketState.PENDING and shown.is_cut:
        out += line(run(ours("Approve works once you have read Details to the last page.")))
    if ticket.state in (TicketState.PENDING, TicketState.APPROVED):
        out += standing.expiry(ticket)
    return out


def _state_words(ticket: Ticket) -> Inert:
    requirement = ticket.ruling.requirement
    said = ours(_STANDING[ticket.state])
    if ticket.state is TicketState.PENDING and requirement is not None:
        return Inert(f"{said} {standing.needs_text(requirement, ticket)}")
    return said


def shown_of(ticket: Ticket) -> names.Shown:
    """What a button of this ticket's card says that its reader saw."""
    return names.Shown(ticket_id=ticket.id, revision=ticket.revision, binding=ticket.binding)


def approve_button(ticket: Ticket) -> Block:
    """Approve: a click, or a form where the tier asks for a reason."""
    requirement = ticket.ruling.requirement
    asks_why = requirement is not None and requirement.comment_required
    return button(
        "Approve",
        action_id=names.APPROVE_WITH_COMMENT if asks_why else names.APPROVE,
        value=shown_of(ticket).to_value(),
        label=Inert(f"Approve ticket {words(ticket.id, 50)}"),
        style="primary",
    )


def reject_button(ticket: Ticket) -> Block:
    """Reject: opens a form that asks why."""
    return button(
        "Reject\u2026",
        action_id=names.REJECT,
        value=shown_of(ticket).to_value(),
        label=Inert(f"Reject ticket {words(ticket.id, 40)} with a reason"),
    )


def details_button(ticket: Ticket) -> Block:
    """Details: the whole action, page by page."""
    return button(
        "Details",
        action_id=names.DETAILS,
        value=shown_of(ticket).to_value(),
        label=Inert(f"Read all of ticket {words(ticket.id, 50)}"),
    )


def _buttons(view: CardView, shown: parts.Shown) -> Block | None:
    ticket = view.ticket
    if ticket.state is TicketState.PENDING:
        # A card that hides something which the core does not gate offers no Approve of its own.
        is_open = ticket.ask.needs_full_view or not shown.is_cut
        first = [approve_button(ticket)] if is_open else []
        return actions(*first, reject_button(ticket), details_button(ticket))
    if ticket.state is TicketState.APPROVED:
        return actions(_stop_button(ticket))
    if ticket.state is TicketState.UNKNOWN:
        return actions(*_unknown_buttons(ticket))
    return None


def _stop_button(ticket: Ticket) -> Block:
    return button(
        "Stop",
        action_id=names.STOP,
        value=shown_of(ticket).to_value(),
        label=Inert(f"Stop ticket {words(ticket.id, 40)} before it starts"),
        style="danger",
        dialog=confirm(
            title="Stop this action?",
            text="It is approved and has not started. Stopping rejects it for good.",
            yes="Stop it",
            no="Let it run",
            is_danger=True,
        ),
    )


def _unknown_buttons(ticket: Ticket) -> tuple[Block, Block]:
    value = shown_of(ticket).to_value()
    yes = button(
        "It took effect",
        action_id=names.TOOK_EFFECT,
        value=value,
        label=Inert(f"Ticket {words(ticket.id, 40)} took effect"),
        dialog=confirm(
            title="Did it take effect?",
            text="You looked at the target and the action is done. The ticket ends as executed.",
            yes="Yes, it is done",
            no="Go back",
        ),
    )
    no = button(
        "It did not",
        action_id=names.NO_EFFECT,
        value=value,
        label=Inert(f"Ticket {words(ticket.id, 40)} took no effect"),
        dialog=confirm(
            title="It took no effect?",
            text="You looked at the target and nothing happened. People will be asked again.",
            yes="Nothing happened",
            no="Go back",
        ),
    )
    return yes, no


def _fallback_text(ticket: Ticket) -> str:
    said = f"{card_title.title(ticket)}. {_state_words(ticket)}"
    return fallback(Inert(said), limits.FALLBACK_CHARS)


def _sealed(ticket: Ticket, blocks: list[Block]) -> Card:
    """Give every block an id that changes whenever anything on the card does."""
    salt = sha256(json.dumps(blocks, sort_keys=True).encode()).hexdigest()[:10]
    sealed = with_ids(blocks, f"card.{ticket.revision}.{salt}")
    return Card(text=_fallback_text(ticket), blocks=tuple(sealed))
