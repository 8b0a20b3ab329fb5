"""The buttons of a card.

Lives here: how each offered action looks, what a screen reader calls it, which dialog asks first.
Must not live here: which are offered (``offers``), what they do (``actions``, ``views``). Law: a
button's value says exactly what was shown; every button has a label of its own that names the
ticket; one button at most is primary, and it is the one that approves.
"""

from collections.abc import Iterable

from bot.slack import names
from bot.slack.kit.blocks import Block, actions, button, confirm
from bot.slack.kit.text import Inert, words
from governance.tickets.ticket import Ticket


def shown_of(ticket: Ticket) -> names.Shown:
    """What a button of this ticket's card says that its reader saw."""
    return names.Shown(ticket_id=ticket.id, revision=ticket.revision, binding=ticket.binding)


def row(ticket: Ticket, action_ids: Iterable[str]) -> Block | None:
    """A row of these buttons, None where there is none."""
    found = [_button(ticket, action_id) for action_id in action_ids]
    return actions(*found) if found else None


def approve_button(ticket: Ticket) -> Block:
    """Approve: a click, or a form where the tier asks for a reason."""
    requirement = ticket.ruling.requirement
    asks_why = requirement is not None and requirement.comment_required
    return _button(ticket, names.APPROVE_WITH_COMMENT if asks_why else names.APPROVE)


def reject_button(ticket: Ticket) -> Block:
    """Reject: opens a form that asks why."""
    return _button(ticket, names.REJECT)


def details_button(ticket: Ticket) -> Block:
    """Details: the whole action, page by page."""
    return _button(ticket, names.DETAILS)


_LOOKS = {
    names.APPROVE: ("Approve", "Approve ticket {}", "primary"),
    names.APPROVE_WITH_COMMENT: ("Approve\u2026", "Approve ticket {} with a reason", "primary"),
    names.REJECT: ("Reject\u2026", "Reject ticket {} with a reason", ""),
    names.DETAILS: ("Details", "Read all of ticket {}", ""),
    names.WITHDRAW: ("Withdraw my vote", "Withdraw my vote on ticket {}", ""),
    names.STOP: ("Stop", "Stop ticket {} before it starts", "danger"),
    names.TOOK_EFFECT: ("It took effect\u2026", "Say that ticket {} took effect", ""),
    names.NO_EFFECT: ("It did not\u2026", "Say that ticket {} took no effect", ""),
    names.RELEASE_OUTPUT: ("Release output\u2026", "Release the output of ticket {}", ""),
    names.DISCARD_OUTPUT: ("Discard output\u2026", "Discard the output of ticket {}", ""),
}
"""Text, label with a place for the ticket's id, style. Three dots: a form opens first."""
_ASKS = {
    names.STOP: confirm(
        title="Stop this action?",
        text="It is approved and has not started. Stopping rejects it for good.",
        yes="Stop it",
        no="Let it run",
        is_danger=True,
    ),
    names.WITHDRAW: confirm(
        title="Withdraw your vote?",
        text="Your vote no longer counts. While the ticket waits you may vote again, either way.",
        yes="Withdraw it",
        no="Keep it",
    ),
}
"""What is done at once and is asked about first."""


def _button(ticket: Ticket, action_id: str) -> Block:
    text, label, style = _LOOKS[action_id]
    return button(
        text,
        action_id=action_id,
        value=shown_of(ticket).to_value(),
        label=Inert(label.format(words(ticket.id, 40))),
        style=style,
        dialog=_ASKS.get(action_id),
    )
