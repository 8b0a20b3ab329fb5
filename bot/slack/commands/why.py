"""Why a ticket stands where it does, in words.

Lives here: from the decision that the log kept to sentences for a person. Must not live here: the
decision (``governance.policy``), who may ask. Law: what is said was recorded when it was decided;
nothing is judged anew, so the answer is the same whatever bundle is active by now.
"""

from collections.abc import Mapping, Sequence

from bot.slack.cards import needs
from bot.slack.cards import title as card_title
from bot.slack.cards.buttons import details_button
from bot.slack.kit.blocks import Block, actions, header, line, ours, rich, run, section, with_ids
from bot.slack.kit.language import N_, gettext
from bot.slack.kit.text import Inert, words
from bot.slack.recorded import each_recorded, recorded
from governance.canonical import Json
from governance.ports import Reader
from governance.tickets.ticket import Ticket

MOST_LINES = 25
EFFECTS = {
    "ALLOW": N_("Policy let it through."),
    "ALLOW_WITH_CONSTRAINTS": N_("Policy let it through, within limits."),
    "REQUIRE_APPROVAL": N_("Policy asks people."),
    "THROTTLE": N_("There were too many of these."),
    "DENY": N_("Policy said no."),
}
SOURCES = {
    "registry": N_("The tool registry"),
    "constraint": N_("Constraint"),
    "rule": N_("Rule"),
    "rules": N_("The rules"),
    "signal": N_("The signal"),
    "signals": N_("The signals"),
    "environment": N_("The environment"),
    "default": N_("The default"),
    "tier": N_("Tier"),
    "fail_mode": N_("The fail mode"),
}
VERDICTS = {
    "ALLOW": N_("lets it through"),
    "ALLOW_WITH_CONSTRAINTS": N_("lets it through within limits"),
    "REQUIRE_APPROVAL": N_("asks people"),
    "THROTTLE": N_("slows it down"),
    "DENY": N_("says no"),
    "WARN": N_("warns"),
    "BLOCK": N_("forbids it"),
    "not counted": N_("matches and does not count"),
    "severity": N_("holds at this severity"),
    "escalated": N_("decides instead"),
}
CONSIDERED, LOOKED_AT = "considered", N_("looked at")
NOT_KEPT = N_("The trace of this decision is not in the log.")
MORE = N_("and {count} more lines; placet policy explain shows them all.")


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
    verdict, note = str(told.get("verdict", "")), each_recorded(str(told.get("note", "")))
    lead = gettext(SOURCES[source]) if source in SOURCES else words(source, 40)
    who = f"{lead} {words(name, 80)}" if name else lead
    if verdict == CONSIDERED:
        return Inert(f"{who}: {words(note, 300) if note else gettext(LOOKED_AT)}.")
    did = gettext("says {word}", word=words(verdict, 60))
    if verdict in VERDICTS:
        did = gettext(VERDICTS[verdict])
    return Inert(f"{who} {did}: {words(note, 300)}." if note else f"{who} {did}.")


def blocks_of(ticket: Ticket, trace: Sequence[Mapping[str, Json]]) -> list[Block]:
    """The whole answer."""
    ruling = ticket.ruling
    said = line(run(ours(gettext(EFFECTS[ruling.effect.value])), bold=True))
    said += line(run(words(recorded(ruling.reason), 500)))
    requirement = ruling.requirement
    if requirement is not None:
        text = gettext(
            "People are asked by tier {tier}: {votes}.",
            tier=words(requirement.tier, 60),
            votes=needs.progress_text(requirement, ticket),
        )
        said += line(run(Inert(text)))
    if ruling.constraint_id:
        text = gettext(
            "It would be an exception to constraint {constraint}.",
            constraint=words(ruling.constraint_id, 80),
        )
        said += line(run(Inert(text)))
    told = list(dict.fromkeys(sentence(one) for one in trace))
    lines = [part for one in told[:MOST_LINES] for part in line(run(one))]
    lines = lines or line(run(ours(gettext(NOT_KEPT))))
    if len(told) > MOST_LINES:
        lines += line(run(ours(gettext(MORE, count=len(told) - MOST_LINES))))
    under = gettext("Decided under {snapshot}.", snapshot=words(ruling.snapshot, 80))
    lines += line(run(Inert(under)))
    blocks = [
        header(card_title.title(ticket)),
        rich(section(said)),
        rich(section(lines)),
        actions(details_button(ticket)),
    ]
    return with_ids(blocks, "placet.why")
