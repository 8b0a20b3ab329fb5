"""Who still stands behind a ticket, asked of the directory just before it may start.

Lives here: the voters' roles as they are now, and whether whoever answers for the request is gone.
Must not live here: what follows for the ticket (``tickets.lifecycle``), when it is asked
(``service``). Law: a person who is refused has no role; one who cannot be looked up is not guessed
about: nothing is confirmed then.
"""

from governance.errors import Code, Refused
from governance.ports import Directory
from governance.principal import PersonId
from governance.tickets.commands import ClearExecution
from governance.tickets.ticket import Ticket


async def asked(ticket: Ticket, directory: Directory) -> ClearExecution:
    """What the directory says now of everybody on whom ``ticket`` rests.

    Raises:
        Unavailable: ``identity_unavailable``.
    """
    standing: dict[PersonId, frozenset[str]] = {}
    for vote in ticket.votes:
        roles = await _roles_of(vote.person, directory)
        if roles is not None:
            standing[vote.person] = roles
    withdrawn = None
    for person in sorted(ticket.ask.excluded):
        if await _is_gone(person, directory):
            withdrawn = person
    return ClearExecution(
        ticket_id=ticket.id,
        revision=ticket.revision,
        standing=standing,
        withdrawn=withdrawn,
    )


async def _roles_of(person_id: PersonId, directory: Directory) -> frozenset[str] | None:
    try:
        return (await directory.person(person_id)).roles
    except Refused:
        return None


async def _is_gone(person_id: PersonId, directory: Directory) -> bool:
    try:
        await directory.person(person_id)
    except Refused as refusal:
        return refusal.code is Code.VOTER_DEACTIVATED
    return False
