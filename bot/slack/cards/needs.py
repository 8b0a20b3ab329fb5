"""What a ticket has and what it lacks, in words.

Lives here: a tally as sentences. Must not live here: counting (``governance.tickets.quorum``),
where they stand. Law: what is missing is told by role and by weight, as the tally has it.
"""

from bot.slack.kit.language import N_, SOURCE, gettext, spoken
from bot.slack.kit.text import Inert, clip, inert
from governance.policy.decision import Requirement
from governance.tickets.quorum import RoleTally, Tally, counted_role, tally
from governance.tickets.ticket import Ticket

MOST_ROLES = 6
"""Roles that a line names; the others are counted."""


def progress_text(requirement: Requirement, ticket: Ticket) -> Inert:
    """``1 of 1 operator, 1 of 2 reviewers; weight 3 of 4``."""
    counted = tally(requirement, ticket.votes)
    shares = [
        _share(role) for role in counted.roles[:MOST_ROLES] if role.min_required or role.count
    ]
    weight = gettext(
        "weight {weight} of {threshold}", weight=counted.weight, threshold=counted.threshold
    )
    said = f"{', '.join(shares)}; {weight}" if shares else weight
    if counted.is_met:
        said = gettext("{votes}: quorum met", votes=said)
    return clip(inert(said), 400)


def still_needs(requirement: Requirement, ticket: Ticket) -> Inert:
    """``needs one operator, 2 of 4 weight``."""
    counted = tally(requirement, ticket.votes)
    needs = [f"{_number(one.missing)} {_role(one)}" for one in counted.roles if one.missing]
    if len(needs) > MOST_ROLES:
        more = gettext("{count} more roles", count=len(needs) - MOST_ROLES)
        needs = [*needs[:MOST_ROLES], more]
    if counted.awaits_reviewer:
        needs.append(gettext("the named reviewer"))
    weight = gettext(
        "{weight} of {threshold} weight", weight=counted.weight, threshold=counted.threshold
    )
    if counted.is_met:
        said = gettext("quorum met")
    elif needs:
        said = gettext("needs {needs}, {weight}", needs=_listed(needs), weight=weight)
    else:
        said = gettext("needs more weight, {weight}", weight=weight)
    return clip(inert(said), 400)


_NUMBERS = (
    *(N_("no"), N_("one"), N_("two"), N_("three"), N_("four"), N_("five"), N_("six")),
    *(N_("seven"), N_("eight"), N_("nine")),
)


def _number(count: int) -> str:
    return gettext(_NUMBERS[count]) if count < len(_NUMBERS) else str(count)


def _listed(items: list[str]) -> str:
    *first, last = items
    return gettext("{first} and {last}", first=", ".join(first), last=last) if first else last


def needs_text(requirement: Requirement, ticket: Ticket) -> Inert:
    """``Needs 1 operator and 2 reviewers.``"""
    said = lacks_text(tally(requirement, ticket.votes))
    return clip(inert(f"{said[:1].upper()}{said[1:]}."), 400)


def lacks_text(counted: Tally) -> str:
    """``needs 1 operator and 2 more weight``: ``Tally.sentence`` in the language that is spoken."""
    if counted.is_met:
        return gettext("quorum met")
    needs = [f"{one.missing} {_role(one)}" for one in counted.roles if one.missing]
    named = sum(one.missing * one.weight for one in counted.roles)
    if counted.missing_weight > named:
        more = counted.missing_weight - named
        needs.append(gettext("{count} more weight", count=more))
    if counted.awaits_reviewer:
        needs.append(gettext("the named reviewer"))
    return gettext("needs {needs}", needs=_listed(needs))


def _role(one: RoleTally) -> str:
    """A role behind the count that is missing."""
    return _role_of(one.role, one.missing)


def _role_of(role: str, count: int) -> str:
    """A role's name behind a count; no other language is asked to bend a name of the bundle."""
    return counted_role(role, count) if spoken() == SOURCE else role


def _share(one: RoleTally) -> str:
    if not one.min_required:
        return f"{one.count} {_role_of(one.role, one.count)}"
    return gettext(
        "{count} of {min_required} {role}",
        count=one.count,
        min_required=one.min_required,
        role=_role_of(one.role, one.min_required),
    )
