"""Approval tiers: how strict each is, and what holds where several apply.

Lives here: reachability by numbers, and the join of several requirements.
Must not live here: votes (``tickets.quorum``) or which people exist (the directory).
Law: where several tiers apply, the one that needs most people decides about people, and every
other demand of any of them holds.
"""

from collections.abc import Iterable
from dataclasses import replace

from governance.execution import SandboxTier
from governance.policy.decision import Requirement, RoleRequirement


def people_needed(requirement: Requirement) -> int | None:
    """The fewest people who can meet it, None where nobody can.

    One person has one vote in one role.
    """
    needed = sum(role.min_required for role in requirement.roles)
    have = sum(role.weight * role.min_required for role in requirement.roles)
    spare = sorted((role.weight for role in _spare(requirement)), reverse=True)
    if have >= requirement.threshold:
        return needed
    if not spare:
        return None
    if not requirement.distinct_roles:
        return needed - (have - requirement.threshold) // spare[0]
    for weight in spare:
        needed, have = needed + 1, have + weight
        if have >= requirement.threshold:
            return needed
    return None


def _spare(requirement: Requirement) -> tuple[RoleRequirement, ...]:
    """Roles in which more people than the minimum may vote."""
    if not requirement.distinct_roles:
        return requirement.roles
    return tuple(role for role in requirement.roles if not role.min_required)


def stricter(one: SandboxTier, other: SandboxTier) -> SandboxTier:
    """The stronger isolation of both."""
    return one if other.accepts(one) else other


def join(requirements: Iterable[Requirement]) -> Requirement:
    """What holds where all of ``requirements`` apply; the order they come in plays no part."""
    heaviest, *others = sorted(requirements, key=_strictness, reverse=True)
    joined = heaviest
    for other in others:
        joined = replace(
            joined,
            ttl_s=min(joined.ttl_s, other.ttl_s),
            respond_within_s=_sooner(joined.respond_within_s, other.respond_within_s),
            comment_required=joined.comment_required or other.comment_required,
            step_up=joined.step_up or other.step_up,
            reviewer=joined.reviewer or other.reviewer,
            sandbox=stricter(joined.sandbox, other.sandbox),
            release_allowed=joined.release_allowed and other.release_allowed,
        )
    return joined


def _strictness(requirement: Requirement) -> tuple[int, int, str]:
    return (people_needed(requirement) or 0, requirement.threshold, requirement.tier)


def _sooner(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)
