"""Which tickets a person may read.

Lives here: whom a ticket concerns. Must not live here: who may vote (``tickets``), what an agent's
credential opens, how a refused read is answered (each door). Law: at every door a ticket is told of
only to people with a role, to those who answer for its agent or for whom it asks, to its voters, to
delegates, and to whom a step of its tier names; nobody is one of these by being a member of the
workspace or by holding a credential.
"""

from dataclasses import dataclass

from governance.policy.reminders import Reminders
from governance.principal import Person
from governance.tickets.ticket import Ticket


@dataclass(frozen=True, slots=True, kw_only=True)
class Readership:
    """What one person may read at one moment.

    ``is_delegate``: a voice is lent to them then, by somebody who has one.
    """

    person: Person
    is_delegate: bool
    reminders: Reminders

    @property
    def is_whole(self) -> bool:
        """Whether every ticket of the tenant is theirs to read."""
        return bool(self.person.roles) or self.is_delegate

    def may_read(self, ticket: Ticket) -> bool:
        """Whether they may be shown ``ticket``."""
        return self.is_whole or self._is_concerned(ticket)

    def _is_concerned(self, ticket: Ticket) -> bool:
        names, requirement = self.person.names, ticket.ruling.requirement
        steps = self.reminders.of(requirement.tier).steps if requirement else ()
        return (
            not names.isdisjoint(ticket.ask.excluded)
            or any(vote.person in names for vote in ticket.votes)
            or any(not names.isdisjoint(step.people) for step in steps)
        )
