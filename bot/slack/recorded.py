"""Sentences of ours that the log keeps as text: notes, reasons, errors of runs, signals.

Lives here: which sentences these are, and telling them in the language that is spoken. Must not
live here: what agents, people and the bundle wrote, which is never given to it where it is known
to be theirs. Law: a text is told in another language only where it is one of these from its first
character to its last; the values in it are put in as they stand, and are looked up themselves only
where they are sentences of ours; in English nothing is touched. The work is a few passes over a
text of bounded length.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from string import Formatter

from bot.slack.kit.language import N_, SOURCE, gettext, spoken
from governance.action import ActionKind
from governance.tickets.ticket import Ticket, TicketState

_LONGEST = 2_000
_DEEPEST = 2
"""So deep do sentences of ours stand within each other; what goes deeper is somebody else's."""
SYSTEM = "system:placet"
"""Who cancels where nobody did."""
NOTES = (
    N_("not decided in time"),
    N_("not used in time"),
    N_("its executor vanished: nobody knows whether it took effect"),
    N_("found to have taken effect"),
    N_("an approver lost their role; their vote no longer counts"),
    N_("the active policy became stricter; votes on the earlier revision are void"),
    N_("the active policy changed; ask again"),
    N_("the active policy changed and this cannot be judged again: {why}"),
    N_("it was recorded before claims were kept"),
    N_("its arguments and words were erased or never kept"),
    N_("what is on record is not what its digest was made of"),
    N_("the run failed; its votes are void"),
    N_("the run failed"),
    N_("the run failed; ask again for another"),
    N_("the run failed {count} times; ask again for another"),
    N_("{person} who answers for it is deactivated"),
    N_("the approved content was erased or altered"),
    N_("needs sandbox tier {tier}: {details}"),
    N_("{tool} is no registered action here"),
    N_("it cannot be run here: {details}"),
    N_("the bytes to run are not what ticket {ticket} approves"),
    N_("ticket {ticket} says approved, and its parts do not agree"),
    N_("ticket {ticket} needs sandbox {tier}, offered {offered}"),
)
RUNS = (
    N_("nothing ran: the sandbox could not be set up ({code})"),
    N_("stopped: it ran longer than allowed ({seconds} s)"),
    N_("stopped: it used more memory than allowed"),
    N_("stopped: it wrote more than allowed"),
    N_("stopped: it printed more than allowed"),
    N_("it ended with status {code}"),
)
SIGNALS = (
    N_("the request has more than {count} characters, too many to look for secrets"),
    N_("a raw secret ({rule}) stands at {place} (and {count} more): refer to it as {form}"),
    N_("a raw secret ({rule}) stands at {place}: refer to it as {form}"),
    N_("text at {place} (and {count} more) {what}"),
    N_("text at {place} {what}"),
    N_("reads like an order to ignore instructions"),
    N_("reads like new instructions for an agent"),
    N_("holds markers of a system or tool message"),
    N_("reads like an instruction to the reviewer"),
    N_("reads like an order to send secrets or data away"),
    N_("asks for hidden instructions"),
    N_("asks to keep something from people"),
    N_("reads like an order to call further tools"),
    N_("addresses an agent or reviewer in hidden markup"),
    N_("holds characters that hide or reorder text"),
)
REASONS = (
    N_("{reason} (escalated to tier {tier}: {why})"),
    N_("tier {tier} needs {needs}, and too few could vote"),
    N_("no rule matches"),
    N_("no rule matches, and {action} requires approval"),
    N_("rule {rule}: too many of these now"),
    N_("policy_unavailable: {why}"),
    N_("evaluation failed ({error})"),
    N_("no decision within {count} s"),
    N_("tier {tier} is executed by the service, never released"),
    N_("a ticket needs {fields}"),
    N_("the credential belongs to another agent or tenant"),
    N_("agent {agent} may not act in {environment}"),
    N_("an action that is executed for an agent names its tool"),
    N_("tool {tool} is not registered"),
    N_("tool {tool} requires approval"),
    N_("{action} with a tool requires approval"),
    N_("tool {tool} may {action} within its grant"),
    N_("tool {tool}: {why}"),
    N_("it may not {action}"),
    N_("it may not be used in {environment}"),
    N_("it names no {key}, and its scope is {argument}:{pattern}"),
    N_("its credential holds no {names} for the scope {argument}:{pattern}"),
    N_("its {key} is outside the scope {argument}:{pattern}"),
    N_("its arguments do not fit its schema at /arguments{place} ({keyword})"),
    N_("its target is argument {name}, and the request names another"),
    N_("it has no registered action that could be executed"),
    N_("no role of the requester is cleared for {name} data"),
    N_("tool {tool} is not among the tools of {environment}"),
    N_("every action in {environment} requires approval"),
    N_("EMERGENCY {template}: exception to constraint {constraint}: {description}"),
    N_("exception to constraint {constraint}: {description}"),
    N_("constraint {constraint}: {description}"),
    N_("emergency template {template} is not for this request"),
    N_("emergency template {template} excepts nothing that this request violates"),
    N_("emergency template {template} needs a justification"),
    N_("the request names an emergency template that there is not"),
    N_("tier {tier} at the level of the severity that is named"),
    N_("version {version} of the rules"),
    N_("{rules} rules, {judged} judged, {count} match"),
    N_("cannot be judged: {conditions}"),
    N_("matches by claims alone, which loosen nothing"),
    N_("throttles while its bucket is empty"),
)
_OURS = frozenset({"why", "what"})
"""Places in which a further sentence of ours must stand."""
_PERHAPS_OURS = frozenset({"reason"})
"""Places in which one may stand."""
_NAME = re.compile(r"\S+")
_WORDS = re.compile(r".+", re.DOTALL)
_NUMBER = re.compile(r"[0-9.]+")
_SHAPES = {
    "action": re.compile("|".join(ActionKind)),
    "place": re.compile(r"\S*"),
    **dict.fromkeys(("count", "judged", "rules", "seconds"), _NUMBER),
    **dict.fromkeys(
        (
            *("conditions", "description", "details", "fields", "form", "names", "needs"),
            *("pattern", "reason", "what", "why"),
        ),
        _WORDS,
    ),
}
"""What may stand in a place; in the others, a name without a blank."""
_NEEDS = re.compile(r", | and ")
_WEIGHT = " more weight"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """A sentence cut at its places: ``signs`` is one longer than ``names``."""

    message: str
    signs: tuple[str, ...]
    names: tuple[str, ...]

    def values(self, text: str) -> dict[str, str] | None:
        """What stands in the places of ``text``; None where it is another sentence."""
        head, *signs = self.signs
        if not self.names:
            return {} if text == head else None
        if not text.startswith(head):
            return None
        found: dict[str, str] = {}
        rest = text[len(head) :]
        for name, sign in zip(self.names[:-1], signs[:-1], strict=True):
            found[name], is_there, rest = rest.partition(sign)
            if not is_there:
                return None
        if not rest.endswith(signs[-1]):
            return None
        found[self.names[-1]] = rest.removesuffix(signs[-1])
        return found if all(_fits(name, value) for name, value in found.items()) else None


def _fits(name: str, value: str) -> bool:
    return _SHAPES.get(name, _NAME).fullmatch(value) is not None


@lru_cache(1)
def _forms() -> tuple[_Form, ...]:
    return tuple(_form(message) for message in (*NOTES, *RUNS, *SIGNALS, *REASONS))


def _form(message: str) -> _Form:
    signs, names = [""], []
    for literal, name, _, _ in Formatter().parse(message):
        signs[-1] += literal
        if name is not None:
            names.append(name)
            signs.append("")
    return _Form(message=message, signs=tuple(signs), names=tuple(names))


def recorded(text: str) -> str:
    """``text`` in the language that is spoken where it is one of ours, else as it stands."""
    if spoken() == SOURCE:
        return text
    found = _looked_up(text, _DEEPEST)
    return text if found is None else found


def each_recorded(text: str) -> str:
    """The same of several that were written one after the other."""
    if len(text) > _LONGEST:
        return text
    return "; ".join(recorded(part) for part in text.split("; "))


def _looked_up(text: str, deep: int) -> str | None:
    if len(text) > _LONGEST or deep < 0:
        return None
    for form in _forms():
        values = form.values(text)
        told = None if values is None else _told(values, deep - 1)
        if told is not None:
            return gettext(form.message, **told)
    return None


def _told(values: Mapping[str, str], deep: int) -> dict[str, str] | None:
    """The values as they are told; None where one of ours had to stand and does not."""
    told = dict(values)
    for name, value in values.items():
        inner = _looked_up(value, deep) if name in _OURS | _PERHAPS_OURS else None
        if name == "needs":
            told[name] = _needs(value)
        elif inner is not None:
            told[name] = inner
        elif name in _OURS:
            return None
    return told


def _needs(text: str) -> str:
    """What ``Tally.sentence`` lists behind its first word."""
    *first, last = (_need(part) for part in _NEEDS.split(text))
    if not first:
        return last
    return gettext("{first} and {last}", first=", ".join(first), last=last)


def _need(text: str) -> str:
    if text.endswith(_WEIGHT):
        return gettext("{count} more weight", count=text.removesuffix(_WEIGHT))
    return gettext("the named reviewer") if text == "the named reviewer" else text


def note_of(ticket: Ticket) -> str:
    """The note on a ticket; where somebody took it back, it is in their words."""
    is_theirs = ticket.state is TicketState.CANCELLED and ticket.decided_by != SYSTEM
    return ticket.note if is_theirs else recorded(ticket.note)
