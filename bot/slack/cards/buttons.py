"""The buttons of a card.

Lives here: how each offered action looks, what a screen reader calls it, which dialog asks first.
Must not live here: which are offered (``offers``), what they do (``actions``, ``views``). Law: a
button's value says exactly what was shown; every button has a label of its own that names the
ticket; one button at most is primary, and it is the one that approves.
"""

from collections.abc import Iterable

from bot.slack import names
from bot.slack.kit.blocks import Block, actions, button, confirm
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, words
from governance.tickets.ticket import Ticket


def shown_of(ticket: Ticket) -> names.Shown:
    """What a button of this ticket's card says that its reader saw."""
    return names.Shown(ticket_id=ticket.id, revision=ticket.revision, binding=ticket.binding)


def row(ticket: Ticket, action_ids: Iterable[str]) -> Block | None:
    """A row of these buttons, None where there is none."""
    found = [button_of(ticket, action_id) for action_id in action_ids]
    return actions(*found) if found else None


def approve_button(ticket: Ticket) -> Block:
    """Approve: a click, or a form where the tier asks for a reason."""
    requirement = ticket.ruling.requirement
    asks_why = requirement is not None and requirement.comment_required
    return button_of(ticket, names.APPROVE_WITH_COMMENT if asks_why else names.APPROVE)


def reject_button(ticket: Ticket) -> Block:
    """Reject: opens a form that asks why."""
    return button_of(ticket, names.REJECT)


def details_button(ticket: Ticket) -> Block:
    """Details: the whole action, page by page."""
    return button_of(ticket, names.DETAILS)


_LOOKS = {
    names.APPROVE: (N_("Approve"), N_("Approve ticket {ticket}"), "primary"),
    names.APPROVE_WITH_COMMENT: (
        N_("Approve\u2026"),
        N_("Approve ticket {ticket} with a reason"),
        "primary",
    ),
    names.REJECT: (N_("Reject\u2026"), N_("Reject ticket {ticket} with a reason"), ""),
    names.DETAILS: (N_("Details"), N_("Read all of ticket {ticket}"), ""),
    names.WITHDRAW: (N_("Withdraw my vote"), N_("Withdraw my vote on ticket {ticket}"), ""),
    names.RECEIPT: (
        N_("Receipt of my vote"),
        N_("Receipt of my vote on ticket {ticket}"),
        "",
    ),
    names.STOP: (N_("Stop"), N_("Stop ticket {ticket} before it starts"), "danger"),
    names.TOOK_EFFECT: (N_("It took effect\u2026"), N_("Say that ticket {ticket} took effect"), ""),
    names.NO_EFFECT: (N_("It did not\u2026"), N_("Say that ticket {ticket} took no effect"), ""),
    names.RELEASE_OUTPUT: (
        N_("Release output\u2026"),
        N_("Release the output of ticket {ticket}"),
        "",
    ),
    names.DISCARD_OUTPUT: (
        N_("Discard output\u2026"),
        N_("Discard the output of ticket {ticket}"),
        "",
    ),
}
"""Text, label with a place for the ticket's id, style. Three dots: a form opens first."""


def _dialog(action_id: str) -> Block | None:
    """What is done at once is asked about first."""
    if action_id == names.STOP:
        return confirm(
            title=gettext("Stop this action?"),
            text=gettext("It is approved and has not started. Stopping rejects it for good."),
            yes=gettext("Stop it"),
            no=gettext("Let it run"),
            is_danger=True,
        )
    if action_id == names.WITHDRAW:
        return confirm(
            title=gettext("Withdraw your vote?"),
            text=gettext(
                "Your vote no longer counts. While the ticket waits you may vote again, either way."
            ),
            yes=gettext("Withdraw it"),
            no=gettext("Keep it"),
        )
    return None


def button_of(ticket: Ticket, action_id: str) -> Block:
    """The button of one offered action."""
    text, label, style = _LOOKS[action_id]
    return button(
        gettext(text),
        action_id=action_id,
        value=shown_of(ticket).to_value(),
        label=Inert(gettext(label, ticket=words(ticket.id, 40))),
        style=style,
        dialog=_dialog(action_id),
    )
