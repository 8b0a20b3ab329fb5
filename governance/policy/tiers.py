"""Approval tiers: how strict each is, and what holds where several apply.

Lives here: reachability by numbers, the join of several requirements, which of two is looser, and
the level that a severity picks.
Must not live here: votes (``tickets.quorum``) or which people exist (the directory).
Law: where several tiers apply, the one that needs most people decides about people, and every
other demand of any of them holds. A severity only ever makes a tier stricter.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import reduce

from governance.execution import SandboxTier
from governance.policy.decision import RejectPolicy, Requirement, RoleRequirement


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
    found = tuple(requirements)
    if len(found) == 1:
        return found[0]
    heaviest, *others = sorted(found, key=strictness, reverse=True)
    return reduce(burdened, others, heaviest)


def burdened(decides: Requirement, other: Requirement) -> Requirement:
    """The people of ``decides`` under every other demand of both."""
    both = (decides.reject_policy, other.reject_policy)
    return replace(
        decides,
        ttl_s=min(decides.ttl_s, other.ttl_s),
        respond_within_s=_sooner(decides.respond_within_s, other.respond_within_s),
        comment_required=decides.comment_required or other.comment_required,
        step_up=decides.step_up or other.step_up,
        reviewer=decides.reviewer or other.reviewer,
        reject_policy=RejectPolicy.VETO if RejectPolicy.VETO in both else decides.reject_policy,
        sandbox=stricter(decides.sandbox, other.sandbox),
        release_allowed=decides.release_allowed and other.release_allowed,
    )


def strictness(requirement: Requirement) -> tuple[int, int, str]:
    """What orders tiers: of those that are joined, the greatest gives its name to all."""
    return (people_needed(requirement) or 0, requirement.threshold, requirement.tier)


def _sooner(one: int | None, other: int | None) -> int | None:
    return min((limit for limit in (one, other) if limit is not None), default=None)


def loosened(base: Requirement, other: Requirement) -> str:
    """The key of a tier in which ``other`` is looser than ``base``; empty where in none.

    Where it is empty, whatever votes meet ``other`` meet ``base`` as well.
    """
    return next(_looser_keys(base, other), "")


def _looser_keys(base: Requirement, other: Requirement) -> Iterator[str]:
    if not _same_roles_no_lighter(base, other):
        yield "roles"
    if other.threshold < base.threshold:
        yield "threshold"
    if other.ttl_s > base.ttl_s:
        yield "ttl"
    if other.respond_within_s != _sooner(other.respond_within_s, base.respond_within_s):
        yield "respond_within"
    if other.reviewer != (base.reviewer or other.reviewer):
        yield "reviewer"
    if other.sandbox is not stricter(other.sandbox, base.sandbox):
        yield "sandbox"
    if base.reject_policy is RejectPolicy.VETO and other.reject_policy is not RejectPolicy.VETO:
        yield "reject_policy"
    for key, before, after in (
        ("comment", base.comment_required, other.comment_required),
        ("step_up", base.step_up, other.step_up),
        ("distinct_roles", base.distinct_roles, other.distinct_roles),
        ("release", not base.release_allowed, not other.release_allowed),
    ):
        if before and not after:
            yield key


def _same_roles_no_lighter(base: Requirement, other: Requirement) -> bool:
    before = {role.role: role for role in base.roles}
    after = {role.role: role for role in other.roles}
    return before.keys() == after.keys() and all(
        after[name].weight <= role.weight and after[name].min_required >= role.min_required
        for name, role in before.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Levels:
    """The severities of one tier, the mildest first: each is no looser than those before it."""

    words: tuple[str, ...]
    tiers: tuple[str, ...]
    """The tier that stands for each of ``words``."""

    def tier(self, severities: Iterable[str]) -> str | None:
        """The tier of the gravest of ``severities``, None where there is none.

        A word that this tier does not know counts as the gravest: a misspelling asks for more.
        """
        known = {word: place for place, word in enumerate(self.words)}
        worst = max((known.get(word, len(known) - 1) for word in severities), default=None)
        return None if worst is None else self.tiers[worst]
