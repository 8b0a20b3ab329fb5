"""In whose name a person votes: their own, or one that was lent to them.

Lives here: choosing the voice, by what is in force and what the directory says of whoever lent it.
Must not live here: whether the vote counts (``tickets.delegated``). Law: a vote of one's own comes
first; a role that the delegator does not hold now is not lent; who cannot be looked up lends
nothing.
"""

from dataclasses import dataclass
from datetime import datetime

from governance.delegation import Delegation, DelegationPolicy, Delegations, in_force
from governance.errors import Code, Refused
from governance.policy.decision import Requirement
from governance.ports import Directory
from governance.principal import Person, PersonId
from governance.sentences import Sentence
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Ticket, TicketState


@dataclass(frozen=True, slots=True, kw_only=True)
class Lending:
    """What is lent now, and by which bundle's leave."""

    delegations: Delegations
    policy: DelegationPolicy
    snapshot: str
    at: datetime

    def to(self, person: Person) -> tuple[Delegation, ...]:
        """What is lent to ``person``, the first to end first."""
        alive = in_force(self.delegations, self.at)
        return tuple(one for one in alive if one.delegate == person.id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Voice:
    """Whose voice speaks, and the roles that it has."""

    id: PersonId
    roles: frozenset[str]
    names: frozenset[PersonId]
    """Every id of that human."""
    delegator: PersonId | None = None
    delegation: str = ""
    is_admitted: bool = False
    snapshot: str = ""


def own(person: Person) -> Voice:
    """The voice of ``person``."""
    return Voice(id=person.id, roles=person.roles, names=person.names)


async def voice_of(
    ballot: Ballot, ticket: Ticket, person: Person, *, directory: Directory, lending: Lending
) -> Voice:
    """In whose name ``ballot`` is cast.

    Raises:
        Refused: ``delegation_void``: the ballot names somebody who lent nothing that counts here.
        Unavailable: ``identity_unavailable``.
    """
    requirement = ticket.ruling.requirement
    mine = own(person)
    if requirement is None or ticket.state is not TicketState.PENDING:
        return mine
    earlier = ticket.vote_of(person.id)
    wanted = ballot.delegator or (earlier.delegator if earlier is not None else None)
    is_again = earlier is not None and ballot.role is None
    if wanted is None and (is_again or _votes(requirement, ballot, person.roles)):
        return mine
    voices = [
        await _lent(lent, requirement, directory, lending)
        for lent in lending.to(person)
        if wanted in (None, lent.delegator)
    ]
    speaking = [one for one in voices if one and _votes(requirement, ballot, one.roles)]
    if speaking:
        return max(speaking, key=lambda one: _heaviest(requirement, ballot, one.roles))
    if ballot.delegator is not None:
        raise Refused(Code.DELEGATION_VOID, Sentence("they have lent you nothing that counts here"))
    return mine


async def lent_roles(
    ticket: Ticket, person: Person, *, directory: Directory, lending: Lending
) -> frozenset[str]:
    """The roles in which ``person`` could vote on ``ticket`` in somebody else's name.

    Raises:
        Unavailable: ``identity_unavailable``.
    """
    requirement = ticket.ruling.requirement
    if requirement is None or not lending.policy.admits(requirement.tier):
        return frozenset()
    silent = ticket.ask.excluded.union(
        *({vote.voice} for vote in ticket.votes if vote.person != person.id)
    )
    voices = [
        await _lent(one, requirement, directory, lending)
        for one in lending.to(person)
        if requirement.reviewer not in (one.delegator, person.id)
    ]
    return frozenset().union(*(one.roles for one in voices if one and not one.names & silent))


def _heaviest(requirement: Requirement, ballot: Ballot, roles: frozenset[str]) -> int:
    """The weight of the heaviest vote that such a voice could cast."""
    may = roles if ballot.role is None else roles & {ballot.role}
    return max(item.weight for item in requirement.roles if item.role in may)


def _votes(requirement: Requirement, ballot: Ballot, roles: frozenset[str]) -> bool:
    named = {item.role for item in requirement.roles}
    return bool(named & roles) and (ballot.role is None or ballot.role in roles)


async def _lent(
    lent: Delegation, requirement: Requirement, directory: Directory, lending: Lending
) -> Voice | None:
    try:
        delegator = await directory.person(lent.delegator)
    except Refused:
        return None
    return Voice(
        id=lent.delegator,
        roles=frozenset(role for role in delegator.roles if lent.lends(role)),
        names=delegator.names,
        delegator=lent.delegator,
        delegation=lent.id,
        is_admitted=lending.policy.admits(requirement.tier),
        snapshot=lending.snapshot,
    )
