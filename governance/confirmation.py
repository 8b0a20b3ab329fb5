"""Who still stands behind a ticket, asked of the directory just before it may start.

Lives here: the voters' roles as they are now, and whether whoever answers for the request is gone.
Must not live here: what follows for the ticket (``tickets.lifecycle``), when it is asked
(``service``). Law: a person who is refused has no role; one who cannot be looked up is not guessed
about: nothing is confirmed then, nor where a role is missing that could not be asked for. A voter
who turns out to be whoever asked, under another id, stands for nothing.
"""

from collections.abc import Collection

from governance.errors import Code, Refused, Unavailable
from governance.ports import Directory
from governance.principal import Person, PersonId
from governance.tickets.commands import ClearExecution
from governance.tickets.ticket import Choice, Ticket, Vote


async def asked(
    ticket: Ticket, directory: Directory, *, is_admitted: bool = True
) -> ClearExecution:
    """What the directory says now of everybody on whom ``ticket`` rests.

    ``is_admitted``: the bundle lets votes by delegation count in its tier.

    Raises:
        Unavailable: ``identity_unavailable``.
    """
    own: set[PersonId] = set()
    withdrawn = None
    for person_id in sorted(ticket.ask.excluded):
        found = await _answer_for(person_id, directory)
        if isinstance(found, Person):
            own |= found.names
        elif found is Code.VOTER_DEACTIVATED:
            withdrawn = person_id
    standing: dict[PersonId, frozenset[str]] = {}
    for vote in ticket.votes:
        voter = await _answer_for(vote.person, directory)
        if isinstance(voter, Person) and not _is_own(vote, voter, own, standing):
            standing[vote.person] = voter.roles if vote.delegator else _roles(vote, voter)
    for vote in ticket.votes:
        if vote.delegator is not None and vote.delegator not in standing:
            lender = await _answer_for(vote.delegator, directory)
            if isinstance(lender, Person) and not _is_own(vote, lender, own, standing):
                standing[vote.delegator] = _roles(vote, lender)
    return ClearExecution(
        ticket_id=ticket.id,
        revision=ticket.revision,
        standing=standing,
        withdrawn=withdrawn,
        is_admitted=is_admitted,
    )


async def _answer_for(person_id: PersonId, directory: Directory) -> Person | Code:
    """The person as they are now, or why they may not act."""
    try:
        return await directory.person(person_id, is_fresh=True)
    except Refused as refusal:
        return refusal.code


def _is_own(vote: Vote, voter: Person, own: set[PersonId], standing: Collection[PersonId]) -> bool:
    """Whether this is the human who asked, or one who is counted already, by another id."""
    twice = voter.names & set(standing) - {vote.person}
    return bool(twice) or (vote.choice is Choice.APPROVE and bool(voter.names & own))


def _roles(vote: Vote, voter: Person) -> frozenset[str]:
    """The roles that are held now.

    Raises:
        Unavailable: ``identity_unavailable``: the vote's role is missing and was not to be asked.
    """
    if voter.unasked and vote.role not in voter.roles:
        raise Unavailable(Code.IDENTITY_UNAVAILABLE, voter.unasked)
    return voter.roles
