"""Why a ticket stands where it does, in words.

Lives here: from the decision that the log kept to sentences for a person. Must not live here: the
decision (``governance.policy``), who may ask. Law: what is said was recorded when it was decided;
nothing is judged anew, so the answer is the same whatever bundle is active by now.
"""

from collections.abc import Mapping, Sequence

from bot.slack.cards import standing
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import details_button
from bot.slack.kit.blocks import Block, actions, header, line, ours, rich, run, section, with_ids
from bot.slack.kit.text import Inert, words
from governance.canonical import Json
from governance.ports import Reader
from governance.tickets.ticket import Ticket

MOST_LINES = 25
ASKED_PEOPLE = "People are asked"
EFFECTS = {
    "ALLOW": "Policy let it through.",
    "ALLOW_WITH_CONSTRAINTS": "Policy let it through, within limits.",
    "REQUIRE_APPROVAL": "Policy asks people.",
    "THROTTLE": "There were too many of these.",
    "DENY": "Policy said no.",
}
SOURCES = {
    "registry": "The tool registry",
    "constraint": "Constraint",
    "rule": "Rule",
    "rules": "The rules",
    "signal": "The signal",
    "signals": "The signals",
    "environment": "The environment",
    "default": "The default",
    "tier": "Tier",
    "fail_mode": "The fail mode",
}
VERDICTS = {
    "ALLOW": "lets it through",
    "ALLOW_WITH_CONSTRAINTS": "lets it through within limits",
    "REQUIRE_APPROVAL": "asks people",
    "THROTTLE": "slows it down",
    "DENY": "says no",
    "WARN": "warns",
    "BLOCK": "forbids it",
    "not counted": "matches and does not count",
    "severity": "holds at this severity",
    "escalated": "decides instead",
}
CONSIDERED, LOOKED_AT = "considered", "looked at"
NOT_KEPT = "The trace of this decision is not in the log."
MORE = "and {} more lines; placet policy explain shows them all."


async def trace_of(reader: Reader, ticket: Ticket) -> Sequence[Mapping[str, Json]]:
    """What each source said when the ticket was opened; none where it was not kept."""
    history = await reader.history(ticket.id)
    payload = history[0].payload if history else None
    found = payload.get("trace") if isinstance(payload, Mapping) else None
    if not isinstance(found, Sequence) or isinstance(found, str):
        return ()
    return [one for one in found if isinstance(one, Mapping)]


def sentence(told: Mapping[str, Json]) -> Inert:
    """``Rule prod-writes asks people: writes to prod.``"""
    source, name = str(told.get("source", "")), str(told.get("id", ""))
    verdict, note = str(told.get("verdict", "")), str(told.get("note", ""))
    lead = SOURCES.get(source) or words(source, 40)
    who = f"{lead} {words(name, 80)}" if name else lead
    if verdict == CONSIDERED:
        return Inert(f"{who}: {words(note, 300) if note else LOOKED_AT}.")
    did = VERDICTS.get(verdict) or f"says {words(verdict, 60)}"
    return Inert(f"{who} {did}: {words(note, 300)}." if note else f"{who} {did}.")


def blocks_of(ticket: Ticket, trace: Sequence[Mapping[str, Json]]) -> list[Block]:
    """The whole answer."""
    ruling = ticket.ruling
    said = line(run(ours(EFFECTS[ruling.effect.value]), bold=True))
    said += line(run(words(ruling.reason, 500)))
    requirement = ruling.requirement
    if requirement is not None:
        text = f"{ASKED_PEOPLE} by tier {words(requirement.tier, 60)}: "
        said += line(run(Inert(f"{text}{standing.progress_text(requirement, ticket)}.")))
    if ruling.constraint_id:
        text = f"It would be an exception to constraint {words(ruling.constraint_id, 80)}."
        said += line(run(Inert(text)))
    told = list(dict.fromkeys(sentence(one) for one in trace))
    lines = [part for one in told[:MOST_LINES] for part in line(run(one))]
    lines = lines or line(run(ours(NOT_KEPT)))
    if len(told) > MOST_LINES:
        lines += line(run(ours(MORE.format(len(told) - MOST_LINES))))
    lines += line(run(Inert(f"Decided under {words(ruling.snapshot, 80)}.")))
    blocks = [
        header(card_title.title(ticket)),
        rich(section(said)),
        rich(section(lines)),
        actions(details_button(ticket)),
    ]
    return with_ids(blocks, "placet.why")
