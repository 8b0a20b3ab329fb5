"""A ticket's headline: who wants to do what to which target, and what became of it.

Lives here: one sentence in the tense of the ticket's state. Must not live here: anything below the
headline. Law: no headline claims an effect before it was reported; a name that could pass for a
part of the sentence stands in quotes, and the facts repeat whatever is not shown whole here, but
for a target that a rule keeps back.
"""

import re
from enum import Enum, auto

from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, clip, inert, words
from governance.action import ActionKind
from governance.tickets.ticket import Ask, Ticket, TicketState

_AGENT, _TARGET, _TOOL, _ENVIRONMENT = 27, 34, 27, 12
"""Shown characters of each; at their longest the headline still has at most 150."""
_PLAIN_NAME = re.compile(r"[!#-\[\]-~]+")
"""Visible ASCII in one word, without the quotation mark and the backslash of an escape."""
_SPACED_NAME = re.compile(r"[!#-\[\]-~]+(?: [!#-\[\]-~]+)*")

_MARKS = re.compile(
    '["\u00ab\u00bb\u02ba\u02ee\u05f4\u201c-\u201f\u2033\u2034\u2036\u2037\u275d\u275e\u301d-\u301f\uff02]'
    "|['`\u00b4\u02b9\u02bc\u2018-\u201b\u2032\u2035\uff07]{2,}"
)
"""What could pass for the end of what stands in quotes."""

_PREFIX = {
    TicketState.APPROVED: N_("Approved: "),
    TicketState.EXECUTING: N_("Running: "),
    TicketState.EXECUTED: N_("Done: "),
    TicketState.RELEASED: N_("Handed over: "),
    TicketState.DENIED: N_("Denied by policy: "),
    TicketState.REJECTED: N_("Rejected: "),
    TicketState.EXPIRED: N_("Expired: "),
    TicketState.CANCELLED: N_("Cancelled: "),
    TicketState.UNKNOWN: N_("Outcome unknown: "),
}


class _Form(Enum):
    """The forms of the sentence."""

    READ = auto()
    READ_WITH = auto()
    CHANGE = auto()
    RUN = auto()
    RUN_ON = auto()
    USE = auto()


KEPT_BACK = N_("a target that policy hides")
TARGET_WORD = "target"
"""In ``redact_deny`` it names the target, which stands beside the arguments."""

_SENTENCES = {
    TicketState.PENDING: {
        _Form.READ: N_("{agent} wants to read {target} in {place}"),
        _Form.READ_WITH: N_("{agent} wants to read with {what} in {place}"),
        _Form.CHANGE: N_("{agent} wants to change {target} in {place}"),
        _Form.RUN: N_("{agent} wants to run {what} in {place}"),
        _Form.RUN_ON: N_("{agent} wants to run {what} on {target} in {place}"),
        _Form.USE: N_("{agent} wants to use {what} in {place}"),
    },
    TicketState.APPROVED: {
        _Form.READ: N_("{agent} may read {target} in {place}"),
        _Form.READ_WITH: N_("{agent} may read with {what} in {place}"),
        _Form.CHANGE: N_("{agent} may change {target} in {place}"),
        _Form.RUN: N_("{agent} may run {what} in {place}"),
        _Form.RUN_ON: N_("{agent} may run {what} on {target} in {place}"),
        _Form.USE: N_("{agent} may use {what} in {place}"),
    },
    TicketState.RELEASED: {
        _Form.READ: N_("{agent} may now read {target} in {place}"),
        _Form.READ_WITH: N_("{agent} may now read with {what} in {place}"),
        _Form.CHANGE: N_("{agent} may now change {target} in {place}"),
        _Form.RUN: N_("{agent} may now run {what} in {place}"),
        _Form.RUN_ON: N_("{agent} may now run {what} on {target} in {place}"),
        _Form.USE: N_("{agent} may now use {what} in {place}"),
    },
    TicketState.EXECUTED: {
        _Form.READ: N_("{agent} read {target} in {place}"),
        _Form.READ_WITH: N_("{agent} read with {what} in {place}"),
        _Form.CHANGE: N_("{agent} changed {target} in {place}"),
        _Form.RUN: N_("{agent} ran {what} in {place}"),
        _Form.RUN_ON: N_("{agent} ran {what} on {target} in {place}"),
        _Form.USE: N_("{agent} used {what} in {place}"),
    },
    TicketState.EXECUTING: {
        _Form.READ: N_("{agent} is reading {target} in {place}"),
        _Form.READ_WITH: N_("{agent} is reading with {what} in {place}"),
        _Form.CHANGE: N_("{agent} is changing {target} in {place}"),
        _Form.RUN: N_("{agent} is running {what} in {place}"),
        _Form.RUN_ON: N_("{agent} is running {what} on {target} in {place}"),
        _Form.USE: N_("{agent} is using {what} in {place}"),
    },
    TicketState.UNKNOWN: {
        _Form.READ: N_("{agent} may have read {target} in {place}"),
        _Form.READ_WITH: N_("{agent} may have read with {what} in {place}"),
        _Form.CHANGE: N_("{agent} may have changed {target} in {place}"),
        _Form.RUN: N_("{agent} may have run {what} in {place}"),
        _Form.RUN_ON: N_("{agent} may have run {what} on {target} in {place}"),
        _Form.USE: N_("{agent} may have used {what} in {place}"),
    },
    None: {
        _Form.READ: N_("{agent} wanted to read {target} in {place}"),
        _Form.READ_WITH: N_("{agent} wanted to read with {what} in {place}"),
        _Form.CHANGE: N_("{agent} wanted to change {target} in {place}"),
        _Form.RUN: N_("{agent} wanted to run {what} in {place}"),
        _Form.RUN_ON: N_("{agent} wanted to run {what} on {target} in {place}"),
        _Form.USE: N_("{agent} wanted to use {what} in {place}"),
    },
}
"""By state; None: every other, where it came to nothing. Whole: languages order words otherwise."""
_STATES = {
    TicketState.PENDING: N_("pending"),
    TicketState.APPROVED: N_("approved"),
    TicketState.EXECUTING: N_("executing"),
    TicketState.EXECUTED: N_("executed"),
    TicketState.RELEASED: N_("released"),
    TicketState.DENIED: N_("denied"),
    TicketState.REJECTED: N_("rejected"),
    TicketState.EXPIRED: N_("expired"),
    TicketState.CANCELLED: N_("cancelled"),
    TicketState.UNKNOWN: N_("unknown"),
}


def title(ticket: Ticket) -> Inert:
    """The sentence, with what became of it in front; at most 150 characters."""
    return Inert(gettext(_PREFIX.get(ticket.state, "")) + sentence(ticket))


def sentence(ticket: Ticket) -> Inert:
    """``deploy-bot wants to change app/settings.ini in prod``, in the tense of the state."""
    ask = ticket.ask
    forms = _SENTENCES.get(ticket.state, _SENTENCES[None])
    return Inert(
        gettext(
            forms[_form(ask)],
            agent=_name(ask.agent, _AGENT),
            what=_name(ask.tool or ask.topic, _TOOL),
            target=gettext(KEPT_BACK) if keeps_target(ticket) else _name(ask.target, _TARGET),
            place=_name(ask.environment, _ENVIRONMENT),
        )
    )


def _form(ask: Ask) -> _Form:
    if ask.action is ActionKind.EXECUTE:
        return _Form.RUN_ON if ask.target else _Form.RUN
    if ask.target:
        return _Form.READ if ask.action is ActionKind.READ else _Form.CHANGE
    return _Form.READ_WITH if ask.action is ActionKind.READ else _Form.USE


def state_word(state: TicketState) -> str:
    """A state as it stands in a sentence."""
    return gettext(_STATES[state])


def names_agent(ticket: Ticket) -> bool:
    """Whether the headline shows the agent whole."""
    return _is_whole(ticket.ask.agent, _AGENT)


def names_target(ticket: Ticket) -> bool:
    """Whether the headline shows the target whole, or must not."""
    return keeps_target(ticket) or _is_whole(ticket.ask.target, _TARGET)


def keeps_target(ticket: Ticket) -> bool:
    """Whether a rule keeps the target off cards and whatever else has their headline.

    No digest stands in its place: who guesses a short name could confirm it by that.
    """
    kept = (name.casefold() for name in ticket.ruling.constraints.redact_deny)
    return bool(ticket.ask.target) and TARGET_WORD in kept


def names_environment(ticket: Ticket) -> bool:
    """Whether the headline shows the environment whole."""
    return _is_whole(ticket.ask.environment, _ENVIRONMENT)


def _is_whole(value: str, most: int) -> bool:
    return len(value) <= most and bool(_SPACED_NAME.fullmatch(value))


def _name(value: str, most: int) -> str:
    """One plain word as it is; everything else in quotes, so that it cannot extend the sentence."""
    if _PLAIN_NAME.fullmatch(value):
        return words(value, most)
    shown = _MARKS.sub(_escaped, inert(value))
    return gettext("\u201c{name}\u201d", name=clip(Inert(shown), most) or "-")


def _escaped(found: re.Match[str]) -> str:
    return "".join(f"\\u{{{ord(char):x}}}" for char in found.group())
