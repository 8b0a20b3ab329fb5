"""Who may be shown a ticket besides what its card shows to a channel.

Lives here: whom a ticket concerns. Must not live here: who may vote (the door decides), what is
shown. Law: Details, lists, answers and suggestions tell of a ticket only people with a role, those
who answer for the agent or for whom it asks, voters and delegates, and whom a step of its tier
names; a member of the workspace is none of these by being one.
"""

from collections.abc import Iterable

from governance.errors import Code, Refused
from governance.principal import Person
from governance.service import Service
from governance.tickets.ticket import Ticket

NOT_SHOWN = "a ticket is shown to people with a role and to those whom it concerns"


async def check_reader(service: Service, person: Person, ticket: Ticket) -> None:
    """Go on only where ``person`` may be shown ``ticket``.

    Raises:
        Refused: ``forbidden``.
    """
    if not await readable(service, person, [ticket]):
        raise Refused(Code.FORBIDDEN, NOT_SHOWN)


async def readable(service: Service, person: Person, tickets: Iterable[Ticket]) -> list[Ticket]:
    """Those of ``tickets`` that ``person`` may be shown."""
    if person.roles or await _is_delegate(service, person):
        return list(tickets)
    return [ticket for ticket in tickets if _concerns(service, person, ticket)]


async def _is_delegate(service: Service, person: Person) -> bool:
    return any(one.delegate == person.id for one in await service.delegations(person.id))


def _concerns(service: Service, person: Person, ticket: Ticket) -> bool:
    requirement = ticket.ruling.requirement
    steps = service.bundle.reminders.of(requirement.tier).steps if requirement else ()
    return (
        bool(person.names & ticket.ask.excluded)
        or ticket.vote_of(person.id) is not None
        or any(not person.names.isdisjoint(step.people) for step in steps)
    )
