"""Who people are where there is no Slack: whom a bundle lists.

Lives here: ``StaticDirectory`` behind the core's ``Directory`` port. Must not live here: accounts.
Law: nobody but the people whom the bundle names by id has a role; groups and addresses give none,
as there is nobody to ask about them.
"""

from collections.abc import Callable, Mapping, Sequence

from governance.errors import Code, Refused
from governance.policy.model import Members
from governance.ports import Clock
from governance.principal import Eligible, Person, PersonId, TenantId
from governance.sentences import Sentence


class StaticDirectory:
    """The people whom a bundle lists, believed as they stand: for a service without Slack."""

    def __init__(
        self, members: Callable[[], Mapping[str, Members]], *, tenant: TenantId, clock: Clock
    ) -> None:
        """``members`` of the bundle that decides when somebody asks."""
        self._tenant = tenant
        self._clock = clock
        self._members = members

    async def person(self, person_id: PersonId, *, is_fresh: bool = False) -> Person:
        """A person of the bundle.

        Raises:
            Refused: ``voter_is_stranger``: the bundle does not list this person.
        """
        roles = {role for role, held in self._members().items() if person_id in held.people}
        if not roles:
            raise Refused(
                Code.VOTER_IS_STRANGER, Sentence("the bundle's directory does not list you")
            )
        return Person(
            id=person_id,
            tenant=self._tenant,
            roles=frozenset(roles),
            resolved_at=self._clock.now(),
        )

    async def eligible(self, roles: Sequence[str]) -> Eligible:
        """The people of the bundle who hold any of ``roles``."""
        members = self._members()
        found: dict[PersonId, set[str]] = {}
        for role in set(roles) & members.keys():
            for person_id in members[role].people:
                found.setdefault(person_id, set()).add(role)
        return {person_id: frozenset(held) for person_id, held in found.items()}
