"""Severity levels and escalations of tiers, checked and compiled.

Lives here: what a level changes about its tier, the order of levels, and who decides instead.
Must not live here: the tiers themselves (``tiers``) or whether a quorum can be reached
(``tickets.escalation``).
Law: a level is never looser than its tier, since an agent may be the one who names it; of two
levels one is the stricter in everything; an escalation leads to no fewer people and in no circle.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cmp_to_key

from governance.execution import SandboxTier
from governance.policy.compiling.tiers import BUILT_IN, check_people, check_times, seconds
from governance.policy.decision import RejectPolicy, Requirement, RoleRequirement
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.sections import LevelForm, TierForm
from governance.policy.tiers import Levels, loosened, people_needed
from governance.principal import PersonId


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """What levels and escalations add to the tiers of a bundle."""

    tiers: dict[str, Requirement] = field(default_factory=dict)
    """Every level as a tier of its own, named ``tier/level``."""
    levels: dict[str, Levels] = field(default_factory=dict)
    escalations: dict[str, str] = field(default_factory=dict)


def compile_levels(form: BundleForm, tiers: Mapping[str, Requirement]) -> Graded:
    """Levels and escalations of every tier.

    Raises:
        InvalidInput: ``invalid_bundle``: a level that is looser than its tier or comparable with
            none, an escalation to nobody, to fewer people, or in a circle.
    """
    graded = Graded()
    places: dict[str, tuple[str, ...]] = {}
    for name, tier in form.tiers.items():
        found: list[tuple[str, Requirement]] = []
        for word, written in tier.severity.items():
            level = _level(word, written, name, tier, tiers)
            if level.tier in tiers or level.tier in graded.tiers:
                place = pointer("tiers", name, "severity", word)
                raise refuse(place, f"the tier {level.tier!r} is defined already")
            graded.tiers[level.tier] = level
            found.append((word, level))
        if found:
            graded.levels[name] = _ordered(name, found)
        for path, named, other in _escalations(name, tier):
            graded.escalations[named] = other
            places[named] = path
    every = {**tiers, **graded.tiers}
    for named, other in graded.escalations.items():
        _check_escalation(named, other, every, graded.escalations, pointer(*places[named]))
    return graded


def _level(
    word: str, form: LevelForm, name: str, tier: TierForm, tiers: Mapping[str, Requirement]
) -> Requirement:
    place = ("tiers", name, "severity", word)
    base = tiers[name]
    roles = _roles(form, base, place)
    least = sum(role.weight * role.min_required for role in roles)
    ttl_s = seconds(form.ttl) if form.ttl is not None else base.ttl_s
    inherited = base.respond_within_s
    level = Requirement(
        tier=_named(name, word),
        roles=roles,
        threshold=form.threshold if form.threshold is not None else max(base.threshold, least),
        ttl_s=ttl_s,
        respond_within_s=seconds(form.respond_within)
        if form.respond_within is not None
        else inherited and min(inherited, ttl_s),
        comment_required=_kept(_as_bool(form.comment), base.comment_required),
        step_up=_kept(form.step_up, base.step_up),
        reviewer=PersonId(form.reviewer) if form.reviewer is not None else base.reviewer,
        distinct_roles=_kept(form.distinct_roles, base.distinct_roles),
        reject_policy=RejectPolicy(form.reject_policy or base.reject_policy),
        sandbox=SandboxTier(form.sandbox or base.sandbox),
        release_allowed=_kept(form.release, base.release_allowed),
    )
    key = loosened(base, level)
    if not key and tier.four_eyes and form.four_eyes is False:
        key = "four_eyes"
    if key:
        raise refuse(
            pointer(*place, key), f"a level of severity is never looser than its tier: {key}"
        )
    check_people(level, place, four_eyes=_kept(form.four_eyes, tier.four_eyes))
    check_times(level, place, base.ttl_s)
    return level


def _named(tier: str, word: str) -> str:
    return f"{tier}/{word.casefold()}"


def _roles(
    form: LevelForm, base: Requirement, place: tuple[str, ...]
) -> tuple[RoleRequirement, ...]:
    unknown = sorted(set(form.roles) - {role.role for role in base.roles})
    if unknown:
        raise refuse(
            pointer(*place, "roles", unknown[0]),
            f"the tier has no role {unknown[0]!r}: a level asks more of the tier's own roles",
        )
    return tuple(_role(role, form) for role in base.roles)


def _role(role: RoleRequirement, form: LevelForm) -> RoleRequirement:
    changed = form.roles.get(role.role)
    if changed is None:
        return role
    return replace(
        role,
        weight=role.weight if changed.weight is None else changed.weight,
        min_required=role.min_required if changed.min_required is None else changed.min_required,
    )


def _as_bool(comment: str | None) -> bool | None:
    return None if comment is None else comment == "required"


def _kept(written: bool | None, inherited: bool) -> bool:
    return inherited if written is None else written


def _ordered(name: str, levels: list[tuple[str, Requirement]]) -> Levels:
    """The levels from the mildest to the gravest."""

    def compare(one: tuple[str, Requirement], other: tuple[str, Requirement]) -> int:
        if not loosened(one[1], other[1]):
            return -1
        if not loosened(other[1], one[1]):
            return 1
        raise refuse(
            pointer("tiers", name, "severity", max(one[0], other[0])),
            f"neither of the levels {one[0]!r} and {other[0]!r} is the stricter in everything",
        )

    # No sort can do without comparing neighbours, and being no looser carries over.
    ranked = sorted(levels, key=cmp_to_key(compare))
    return Levels(
        words=tuple(word.casefold() for word, _ in ranked),
        tiers=tuple(level.tier for _, level in ranked),
    )


def _escalations(name: str, tier: TierForm) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """Place, tier and the tier that decides instead; a level does as its tier unless written."""
    own = tier.escalation
    if own is not None:
        yield ("tiers", name, "escalation", "unreachable"), name, own.unreachable
    for word, level in tier.severity.items():
        place = ("tiers", name, "severity", word, "escalation", "unreachable")
        chosen = level.escalation or own
        if chosen is not None:
            yield place, _named(name, word), chosen.unreachable


def _check_escalation(
    name: str,
    other: str,
    tiers: Mapping[str, Requirement],
    escalations: Mapping[str, str],
    place: str,
) -> None:
    if other not in tiers or other == BUILT_IN:
        raise refuse(place, f"there is no tier {other!r}")
    seen = {name}
    step: str | None = other
    while step is not None:
        if step in seen:
            raise refuse(place, f"the escalations of {name!r} lead back to {step!r}")
        seen.add(step)
        step = escalations.get(step)
    before, after = tiers[name], tiers[other]
    needed, instead = people_needed(before) or 0, people_needed(after) or 0
    if instead < needed or after.threshold < before.threshold:
        raise refuse(
            place,
            f"tier {other!r} is weaker than {name!r}: {instead} people with a threshold of "
            f"{after.threshold} instead of {needed} with {before.threshold}",
        )
