"""What a caller may see.

Lives here: from a credential to the tickets and records that its holder is told of. Must not live
here: which tickets a person may read (``governance.readership``). Law: a credential that names a
person shows what that person may read, as the directory knows them now; an agent's shows its own;
one that names nobody, or has scope admin, its tenant. Whom the directory refuses sees nothing.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from governance.ports import Logged, Reader
from governance.principal import AgentId, Credential, Scope
from governance.readership import Readership
from governance.service import Service
from governance.tickets.ticket import Ticket, TicketId


def confined_to(who: Credential) -> AgentId | None:
    """The agent that ``who`` is and nobody else; None: a person's, nobody's, or of scope admin."""
    if who.person is not None or who.agent is None or Scope.ADMIN in who.scopes:
        return None
    return who.agent.id


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What is shown: with neither agent nor readership everything, else what either has part in."""

    agent: AgentId | None = None
    readership: Readership | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the whole tenant is shown."""
        if self.readership is not None:
            return self.readership.is_whole
        return self.agent is None

    def covers(self, ticket: Ticket) -> bool:
        """Whether ``ticket`` is shown."""
        if self.is_whole or ticket.ask.agent == self.agent:
            return True
        return self.readership is not None and self.readership.may_read(ticket)


async def sight_of(who: Credential, service: Service) -> Sight:
    """What the holder of ``who`` may see now.

    Raises:
        Refused, Unavailable: as ``Directory.person``.
    """
    if Scope.ADMIN in who.scopes:
        return Sight()
    agent = None if who.agent is None else who.agent.id
    if who.person is None:
        return Sight(agent=agent)
    person = await service.person(who.person)
    return Sight(agent=agent, readership=await service.readership(person))


async def shown(sight: Sight, records: Iterable[Logged], reader: Reader) -> list[Logged]:
    """Those of ``records`` that are shown; one of no ticket only to its agent and to the whole."""
    covered: dict[str, bool] = {}
    found = []
    for record in records:
        head = record.header
        if sight.is_whole or head.agent_id == sight.agent:
            found.append(record)
        elif sight.readership is not None and head.ticket_id:
            if head.ticket_id not in covered:
                ticket = await reader.ticket(TicketId(head.ticket_id))
                covered[head.ticket_id] = ticket is not None and sight.covers(ticket)
            if covered[head.ticket_id]:
                found.append(record)
    return found
