"""Weighted votes: what counts, what is missing, what can still be reached.

Lives here: pure arithmetic over roles, weights and people. Must not live here: who a person is.
Law: met = total weight >= threshold AND every role's min_required; one person, one vote, one role.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from governance.policy.decision import Requirement, RoleRequirement
from governance.principal import Eligible, PersonId
from governance.sentences import Sentence, joined
from governance.tickets.ticket import Choice, Vote


@dataclass(frozen=True, slots=True, kw_only=True)
class RoleTally:
    """One role's share: ``count`` votes of ``weight`` each, ``min_required`` needed."""

    role: str
    weight: int
    min_required: int
    count: int

    @property
    def missing(self) -> int:
        """Votes that this role must still bring."""
        return max(0, self.min_required - self.count)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Where the approving votes stand against a requirement."""

    weight: int
    threshold: int
    roles: tuple[RoleTally, ...]
    awaits_reviewer: bool = False
    """The tier names a reviewer who has not approved yet."""

    @property
    def is_met(self) -> bool:
        """Whether the quorum is reached."""
        return (
            self.weight >= self.threshold
            and not self.awaits_reviewer
            and not any(role.missing for role in self.roles)
        )

    @property
    def missing_weight(self) -> int:
        """Weight still lacking."""
        return max(0, self.threshold - self.weight)

    def sentence(self) -> Sentence:
        """What is missing, for people: ``needs 1 operator and 2 more weight``."""
        if self.is_met:
            return Sentence("quorum met")
        needs: list[str] = [
            f"{role.missing} {counted_role(role.role, role.missing)}"
            for role in self.roles
            if role.missing
        ]
        named = sum(role.missing * role.weight for role in self.roles)
        if self.missing_weight > named:
            needs.append(Sentence("{count} more weight", count=self.missing_weight - named))
        if self.awaits_reviewer:
            needs.append(Sentence("the named reviewer"))
        *first, last = needs
        if first:
            several = joined(first, "{first}, {more}")
            last = Sentence("{first} and {last}", first=several, last=last)
        return Sentence("needs {needs}", needs=last)


def counted_role(role: str, count: int) -> str:
    """The role's name as it stands behind ``count``: ``1 reviewer``, ``2 reviewers``."""
    return role if count == 1 or role.endswith("s") else f"{role}s"


def tally(requirement: Requirement, votes: Iterable[Vote]) -> Tally:
    """Count the approving votes, one per voice, and per role where roles must be distinct."""
    return _tally(requirement, _approving(votes))


def tally_with(
    requirement: Requirement, votes: Iterable[Vote], person: PersonId, role: str
) -> Tally:
    """The same once ``person`` approves as ``role``, in the place of an earlier vote of theirs."""
    others = _approving(vote for vote in votes if person not in (vote.person, vote.voice))
    return _tally(requirement, {**others, person: role})


def _approving(votes: Iterable[Vote]) -> dict[PersonId, str]:
    """The role in which each voice approves."""
    approving: dict[PersonId, str] = {}
    for vote in votes:
        if vote.choice is Choice.APPROVE:
            approving.setdefault(vote.voice, vote.role)
    return approving


def _tally(requirement: Requirement, approving: Mapping[PersonId, str]) -> Tally:
    counts = {item.role: 0 for item in requirement.roles}
    for role in approving.values():
        if role in counts and not (requirement.distinct_roles and counts[role]):
            counts[role] += 1
    roles = tuple(
        RoleTally(
            role=item.role,
            weight=item.weight,
            min_required=item.min_required,
            count=counts[item.role],
        )
        for item in requirement.roles
    )
    return Tally(
        weight=sum(role.weight * role.count for role in roles),
        threshold=requirement.threshold,
        roles=roles,
        awaits_reviewer=requirement.reviewer not in {None, *approving},
    )


def asks_for_two(requirement: Requirement) -> bool:
    """Whether no person alone can meet ``requirement``, whatever their role."""
    return not any(
        item.weight >= requirement.threshold
        and all(other.min_required <= (other is item) for other in requirement.roles)
        for item in requirement.roles
    )


def is_reachable(requirement: Requirement, votes: Iterable[Vote], eligible: Eligible) -> bool:
    """Whether the quorum can still be met by the votes cast and the people who could vote.

    ``eligible`` has no requester, owner or delegator in it; people who voted are counted by their
    vote and not again. Exact: each person is tried in each role, by a table over what is missing.
    """
    cast = list(votes)
    now = tally(requirement, cast)
    voted = {who for vote in cast for who in (vote.person, vote.voice)}
    if now.awaits_reviewer and not _may_review(requirement, voted, eligible):
        return False
    # Where roles are distinct, each has one slot; elsewhere only what is missing must be tracked.
    best: dict[tuple[int, ...], int] = {
        tuple(
            int(not role.count) if requirement.distinct_roles else role.missing
            for role in now.roles
        ): 0
    }
    for person, held in eligible.items():
        if person not in voted:
            best = _with_person(requirement, best, held)
    return any(
        _is_enough(requirement, left) and now.weight + gained >= requirement.threshold
        for left, gained in best.items()
    )


def _may_review(requirement: Requirement, voted: set[PersonId], eligible: Eligible) -> bool:
    reviewer = requirement.reviewer
    if reviewer is None or reviewer in voted:
        return False
    return any(item.role in eligible.get(reviewer, frozenset()) for item in requirement.roles)


def _is_enough(requirement: Requirement, left: tuple[int, ...]) -> bool:
    return not any(
        slots and item.min_required for slots, item in zip(left, requirement.roles, strict=True)
    )


def _with_person(
    requirement: Requirement, best: Mapping[tuple[int, ...], int], held: frozenset[str]
) -> dict[tuple[int, ...], int]:
    """The best weight for each vector of open slots when one more person may vote."""
    grown = dict(best)
    for left, gained in best.items():
        for index, item in enumerate(requirement.roles):
            if item.role not in held or (requirement.distinct_roles and not left[index]):
                continue
            rest = (*left[:index], max(0, left[index] - 1), *left[index + 1 :])
            grown[rest] = max(grown.get(rest, -1), gained + item.weight)
    return grown


def choose_role(
    requirement: Requirement,
    votes: Iterable[Vote],
    eligible: Eligible,
    person: PersonId,
    roles: frozenset[str],
) -> str | None:
    """The heaviest role of ``person`` under which the quorum stays reachable.

    Where roles are distinct, one that somebody else filled comes last: it would add nothing. The
    first of these where none keeps it reachable; None where the person holds no role of the
    requirement.
    """
    others = [vote for vote in votes if vote.person != person]
    ranked = _ranked(requirement, others, roles)
    fitting = _fitting(requirement, others, eligible, person, ranked)
    return next((item.role for item in (*fitting, *ranked)), None)


def role_choices(
    requirement: Requirement,
    votes: Iterable[Vote],
    eligible: Eligible,
    person: PersonId,
    roles: frozenset[str],
) -> tuple[RoleRequirement, ...]:
    """The roles among which ``person`` has a choice that matters, the default one first.

    None where at most one keeps the quorum reachable, or where each of them would meet it.
    """
    others = [vote for vote in votes if vote.person != person]
    ranked = _ranked(requirement, others, roles)
    if len(ranked) <= 1:
        return ()
    fitting = tuple(_fitting(requirement, others, eligible, person, ranked))
    settles = all(tally_with(requirement, others, person, item.role).is_met for item in fitting)
    return () if len(fitting) <= 1 or settles else fitting


def _ranked(
    requirement: Requirement, others: Iterable[Vote], roles: frozenset[str]
) -> list[RoleRequirement]:
    """The requirement's roles among ``roles``: those that are filled last, else by weight."""
    filled = {
        role.role
        for role in tally(requirement, others).roles
        if requirement.distinct_roles and role.count
    }
    return sorted(
        (item for item in requirement.roles if item.role in roles),
        key=lambda item: (item.role in filled, -item.weight),
    )


def _fitting(
    requirement: Requirement,
    others: Iterable[Vote],
    eligible: Eligible,
    person: PersonId,
    ranked: Iterable[RoleRequirement],
) -> Iterator[RoleRequirement]:
    """Those of ``ranked`` under which the quorum stays reachable, in their order."""
    cast = list(others)
    remaining = {who: held for who, held in eligible.items() if who != person}
    for item in ranked:
        if is_reachable(requirement, cast, {**remaining, person: frozenset({item.role})}):
            yield item
