"""Who may be shown a ticket besides what its card shows to a channel.

Lives here: how Slack's doors ask the core for it. Must not live here: the rule itself
(``governance.readership``), who may vote, what is shown. Law: Details, lists, answers and
suggestions tell of a ticket only those who may read it.
"""

from collections.abc import Iterable

from governance.errors import Code, Refused
from governance.principal import Person
from governance.sentences import Sentence
from governance.service import Service
from governance.tickets.ticket import Ticket

NOT_SHOWN = Sentence("a ticket is shown to people with a role and to those whom it concerns")


async def check_reader(service: Service, person: Person, ticket: Ticket) -> None:
    """Go on only where ``person`` may be shown ``ticket``.

    Raises:
        Refused: ``forbidden``.
    """
    if not await readable(service, person, [ticket]):
        raise Refused(Code.FORBIDDEN, NOT_SHOWN)


async def readable(service: Service, person: Person, tickets: Iterable[Ticket]) -> list[Ticket]:
    """Those of ``tickets`` that ``person`` may be shown."""
    readership = await service.readership(person)
    return [ticket for ticket in tickets if readership.may_read(ticket)]
