"""Emergency templates, checked and compiled.

Lives here: the section ``emergency``. Must not live here: what a template does (``emergency``).
Law: an emergency takes at least two people and a comment, and ends within an hour; it excepts
constraints that are there and that block.
"""

from collections.abc import Mapping
from dataclasses import replace

from governance.policy.compiling.rules import compile_match
from governance.policy.compiling.tiers import BUILT_IN, FOUR_EYES, seconds
from governance.policy.constraints import ConstraintRegistry, ViolationAction
from governance.policy.decision import Requirement
from governance.policy.emergency import MAX_TTL_S, PREFIX, Emergency
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.sections import EmergencyForm
from governance.policy.model import Note
from governance.policy.tiers import people_needed

_NOT_ENFORCED = {
    "review_within": "nobody is reminded to review an emergency; its tier and the words EMERGENCY "
    "mark it in the log",
}


def compile_emergencies(
    form: BundleForm,
    registry: ConstraintRegistry,
    tiers: Mapping[str, Requirement],
    notes: list[Note],
) -> tuple[dict[str, Emergency], dict[str, Requirement]]:
    """Every template by name, and the tier of each by the name it has there.

    Raises:
        InvalidInput: ``invalid_bundle``: a tier that one person can meet, more than an hour, a
            constraint that is not there or only warns.
    """
    found: dict[str, Emergency] = {}
    requirements: dict[str, Requirement] = {}
    for name, item in form.emergency.items():
        place = ("emergency", name)
        _check_constraints(item, registry, place)
        match = compile_match(item.match, (*place, "match"))
        if match.reads_claims:
            at = pointer(*place, "match")
            raise refuse(at, "it looks at the agent's own words, which open no template")
        requirement = _requirement(name, item, tiers)
        if requirement.tier in tiers:
            raise refuse(
                pointer("tiers", requirement.tier), "the name is kept for the emergency's own tier"
            )
        requirements[requirement.tier] = requirement
        found[name] = Emergency(
            name=name,
            constraints=frozenset(item.constraints),
            match=match,
            tier=requirement.tier,
            channel=item.channel or "",
        )
        notes += [
            Note(pointer=pointer(*place, key), text=text)
            for key, text in _NOT_ENFORCED.items()
            if getattr(item, key) is not None
        ]
    return found, requirements


def _check_constraints(
    item: EmergencyForm, registry: ConstraintRegistry, place: tuple[str, ...]
) -> None:
    for number, name in enumerate(item.constraints):
        constraint = registry.get(name)
        at = pointer(*place, "constraints", number)
        if constraint is None:
            raise refuse(at, f"there is no constraint {name!r}")
        if constraint.violation_action is not ViolationAction.BLOCK:
            raise refuse(at, f"{name!r} only warns: it needs no exception")


def _requirement(name: str, item: EmergencyForm, tiers: Mapping[str, Requirement]) -> Requirement:
    place = ("emergency", name)
    tier = tiers.get(item.tier)
    if tier is None or item.tier == BUILT_IN:
        raise refuse(pointer(*place, "tier"), f"there is no tier {item.tier!r}")
    if (people_needed(tier) or 0) < FOUR_EYES:
        raise refuse(
            pointer(*place, "tier"),
            f"one person alone can satisfy tier {item.tier!r}: an emergency takes two",
        )
    ttl_s = seconds(item.ttl)
    if ttl_s > MAX_TTL_S:
        raise refuse(
            pointer(*place, "ttl"), f"an emergency ends within {MAX_TTL_S} s, not {ttl_s} s"
        )
    ttl_s = min(ttl_s, tier.ttl_s)
    respond = tier.respond_within_s
    return replace(
        tier,
        tier=PREFIX + name,
        ttl_s=ttl_s,
        respond_within_s=None if respond is None else min(respond, ttl_s),
        comment_required=True,
    )
