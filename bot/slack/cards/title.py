"""A ticket's headline: who wants to do what to which target, and what became of it.

Lives here: one sentence in the tense of the ticket's state. Must not live here: anything below the
headline. Law: no headline claims an effect before it was reported; a name that could pass for a
part of the sentence stands in quotes, and the facts repeat whatever is not shown whole here.
"""

import re

from bot.slack.kit.text import Inert, words
from governance.action import ActionKind
from governance.tickets.ticket import Ticket, TicketState

_AGENT, _TARGET, _TOOL, _ENVIRONMENT = 27, 34, 27, 12
"""Shown characters of each; at their longest the headline still has at most 150."""
_PLAIN_NAME = re.compile(r"[!#-\[\]-~]+")
"""Visible ASCII in one word, without the quotation mark and the backslash of an escape."""
_SPACED_NAME = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")

_PREFIX = {
    TicketState.APPROVED: "Approved: ",
    TicketState.EXECUTING: "Running: ",
    TicketState.EXECUTED: "Done: ",
    TicketState.RELEASED: "Handed over: ",
    TicketState.DENIED: "Denied by policy: ",
    TicketState.REJECTED: "Rejected: ",
    TicketState.EXPIRED: "Expired: ",
    TicketState.CANCELLED: "Cancelled: ",
    TicketState.UNKNOWN: "Outcome unknown: ",
}
_PAST = {"read": "read", "change": "changed", "run": "ran", "use": "used"}
_DOING = {"read": "is reading", "change": "is changing", "run": "is running", "use": "is using"}
_MODAL = {
    TicketState.PENDING: "wants to",
    TicketState.APPROVED: "may",
    TicketState.RELEASED: "may now",
}


def title(ticket: Ticket) -> Inert:
    """The sentence, with what became of it in front; at most 150 characters."""
    return Inert(_PREFIX.get(ticket.state, "") + sentence(ticket))


def sentence(ticket: Ticket) -> Inert:
    """``deploy-bot wants to change app/settings.ini in prod``, in the tense of the state."""
    ask = ticket.ask
    what = _name(ask.tool or ask.topic, _TOOL)
    target = _name(ask.target, _TARGET)
    if ask.action is ActionKind.EXECUTE:
        verb, rest = "run", f"{what} on {target}" if ask.target else what
    elif ask.target:
        verb, rest = "read" if ask.action is ActionKind.READ else "change", target
    elif ask.action is ActionKind.READ:
        verb, rest = "read", f"with {what}"
    else:
        verb, rest = "use", what
    place = _name(ask.environment, _ENVIRONMENT)
    return Inert(f"{_name(ask.agent, _AGENT)} {_did(ticket.state, verb)} {rest} in {place}")


def _did(state: TicketState, verb: str) -> str:
    if state is TicketState.EXECUTED:
        return _PAST[verb]
    if state is TicketState.EXECUTING:
        return _DOING[verb]
    if state is TicketState.UNKNOWN:
        return f"may have {'run' if verb == 'run' else _PAST[verb]}"
    return f"{_MODAL.get(state, 'wanted to')} {verb}"


def names_agent(ticket: Ticket) -> bool:
    """Whether the headline shows the agent whole."""
    return _is_whole(ticket.ask.agent, _AGENT)


def names_target(ticket: Ticket) -> bool:
    """Whether the headline shows the target whole."""
    return _is_whole(ticket.ask.target, _TARGET)


def names_environment(ticket: Ticket) -> bool:
    """Whether the headline shows the environment whole."""
    return _is_whole(ticket.ask.environment, _ENVIRONMENT)


def _is_whole(value: str, most: int) -> bool:
    return len(value) <= most and bool(_SPACED_NAME.fullmatch(value))


def _name(value: str, most: int) -> str:
    """One plain word as it is; everything else in quotes, so that it cannot extend the sentence."""
    shown = words(value, most)
    return shown if _PLAIN_NAME.fullmatch(value) else f"\u201c{shown}\u201d"
