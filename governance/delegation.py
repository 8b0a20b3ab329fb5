"""Lending one's voice: who may vote in whose name, in which roles, until when, and why.

Lives here: a delegation, its events, who may grant and end one, and which tiers take none.
Must not live here: whether a vote by it counts (``tickets.delegated``), lookups of people.
Law: only a role that one holds oneself is lent, so nothing is ever lent on; each delegation has an
end, and a reason that the log keeps; whoever lent it, or was lent it, may end it at any time.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from governance.errors import Code, InvalidInput, Refused
from governance.principal import Person, PersonId, TenantId
from governance.sentences import Sentence

MAX_GIVEN = 10
"""So many delegations of one person are in force at most."""
MAX_IN_FORCE = 500
"""So many of a tenant: they stand in the governing state, which every step reads."""
MAX_REASON_CHARS = 300
NO_LATER = timedelta(minutes=1)
"""People choose an end by the minute: ``3d`` typed twice is the same wish."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationPolicy:
    """What a bundle allows; nothing where it says nothing."""

    max_days: int = 0
    """The longest that a delegation lasts; 0: nobody delegates."""
    barred: frozenset[str] = frozenset()
    """Tiers in which a vote by delegation does not count."""

    def admits(self, tier: str) -> bool:
        """Whether a vote by delegation may count in ``tier``."""
        return self.max_days > 0 and tier not in self.barred


@dataclass(frozen=True, slots=True, kw_only=True)
class Delegation:
    """One person's voice in another's hands."""

    id: str
    tenant: TenantId
    delegator: PersonId
    delegate: PersonId
    roles: tuple[str, ...]
    """Empty: every role that the delegator holds when it is used."""
    granted_at: datetime
    ends_at: datetime
    reason: str

    def lends(self, role: str) -> bool:
        """Whether ``role`` is among what is lent."""
        return not self.roles or role in self.roles


Delegations = Mapping[str, Delegation]
"""Delegations by id; one that has ended may still be among them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationGranted:
    """From here on the delegate may vote in the delegator's name."""

    version: ClassVar[int] = 1
    tenant: TenantId
    delegation_id: str
    delegator: PersonId
    delegate: PersonId
    roles: tuple[str, ...]
    ends_at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationRevoked:
    """It is over before its end; ``person`` lent it or was lent it."""

    version: ClassVar[int] = 1
    tenant: TenantId
    delegation_id: str
    person: PersonId


DelegationEvent = DelegationGranted | DelegationRevoked
"""Everything that this module tells of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants to lend, as an edge parsed it; nothing in it is authority."""

    delegator: PersonId
    delegate: PersonId
    roles: tuple[str, ...]
    ends_at: datetime
    reason: str


def in_force(delegations: Delegations, at: datetime) -> tuple[Delegation, ...]:
    """Those that have not ended at ``at``, the first to end first."""
    alive = (one for one in delegations.values() if at < one.ends_at)
    return tuple(sorted(alive, key=lambda one: (one.ends_at, one.id)))


def grant(
    delegations: Delegations,
    wish: Wish,
    *,
    delegation_id: str,
    delegator: Person,
    delegate: Person,
    policy: DelegationPolicy,
    at: datetime,
) -> DelegationGranted:
    """The event that lends what ``wish`` says; both people were looked up just now.

    Raises:
        InvalidInput: ``invalid_field``: the reason, or the end.
        Refused: ``wrong_role``: a role that the delegator does not hold;
            ``delegation_not_allowed``: by the bundle, to oneself, or too many already;
            ``delegation_exists``: one in force lends all of it, for as long.
    """
    _check_form(wish, policy, at)
    if delegator.id == delegate.id:
        raise Refused(
            Code.DELEGATION_NOT_ALLOWED, Sentence("nobody lends their voice to themselves")
        )
    if not delegator.roles:
        raise Refused(Code.WRONG_ROLE, Sentence("you hold no role that you could lend"))
    foreign = sorted(set(wish.roles) - delegator.roles)
    if foreign:
        message = Sentence(
            "only a role that you hold yourself can be lent, not {roles}", roles=", ".join(foreign)
        )
        raise Refused(Code.WRONG_ROLE, message)
    alive = in_force(delegations, at)
    same = (one for one in alive if (one.delegator, one.delegate) == (delegator.id, delegate.id))
    standing = next((one for one in same if _covers(one, wish)), None)
    if standing is not None:
        message = Sentence(
            "delegation {id} lends it, until {end}",
            id=standing.id,
            end=standing.ends_at.isoformat(),
        )
        raise Refused(Code.DELEGATION_EXISTS, message)
    given = sum(one.delegator == delegator.id for one in alive)
    if given >= MAX_GIVEN or len(alive) >= MAX_IN_FORCE:
        message = Sentence(
            "{count} of yours are in force, {all} in all: end one first",
            count=given,
            all=len(alive),
        )
        raise Refused(Code.DELEGATION_NOT_ALLOWED, message)
    return DelegationGranted(
        tenant=delegator.tenant,
        delegation_id=delegation_id,
        delegator=delegator.id,
        delegate=delegate.id,
        roles=tuple(sorted(set(wish.roles))),
        ends_at=wish.ends_at,
        reason=wish.reason,
    )


def _covers(standing: Delegation, wish: Wish) -> bool:
    """Whether ``wish`` would add nothing to what ``standing`` lends the same person."""
    has_roles = not standing.roles or (bool(wish.roles) and {*wish.roles} <= {*standing.roles})
    return has_roles and wish.ends_at - standing.ends_at < NO_LATER


def _check_form(wish: Wish, policy: DelegationPolicy, at: datetime) -> None:
    if not policy.max_days:
        raise Refused(
            Code.DELEGATION_NOT_ALLOWED, Sentence("the policy bundle lets nobody delegate")
        )
    if not 1 <= len(wish.reason.strip()) <= MAX_REASON_CHARS:
        message = Sentence(
            "a delegation needs a reason of at most {count} characters", count=MAX_REASON_CHARS
        )
        raise InvalidInput(Code.INVALID_FIELD, message, pointer="/reason")
    if not at < wish.ends_at <= at + timedelta(days=policy.max_days):
        message = Sentence("it must end after now and within {count} days", count=policy.max_days)
        raise InvalidInput(Code.INVALID_FIELD, message, pointer="/ends_at")


def revoke(
    delegations: Delegations, delegation_id: str, *, person: PersonId, at: datetime
) -> DelegationRevoked:
    """The event that ends one.

    Raises:
        Refused: ``not_found``: none of that id is in force, or it is neither from nor to them.
    """
    found = delegations.get(delegation_id)
    if found is None or at >= found.ends_at or person not in (found.delegator, found.delegate):
        raise Refused(Code.NOT_FOUND, Sentence("no such delegation of yours is in force"))
    return DelegationRevoked(tenant=found.tenant, delegation_id=found.id, person=person)


def evolve_delegations(
    delegations: Delegations, event: DelegationEvent, at: datetime
) -> Delegations:
    """What is in force after ``event``: what has ended is forgotten."""
    kept = {one.id: one for one in delegations.values() if at < one.ends_at}
    if isinstance(event, DelegationRevoked):
        kept.pop(event.delegation_id, None)
        return kept
    kept[event.delegation_id] = Delegation(
        id=event.delegation_id,
        tenant=event.tenant,
        delegator=event.delegator,
        delegate=event.delegate,
        roles=event.roles,
        granted_at=at,
        ends_at=event.ends_at,
        reason=event.reason,
    )
    return kept
