"""Approval tiers, checked: a tier that cannot protect or cannot be met is refused.

Lives here: the tiers section and the approval block of seed 000. Must not live here: joining
tiers for one decision (``tiers``).
Law: four eyes are two people; a threshold that no number of voters reaches is refused.
"""

from governance.execution import SandboxTier
from governance.policy.decision import RejectPolicy, Requirement, RoleRequirement
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.sections import RoleForm, TierForm
from governance.policy.model import Note
from governance.policy.tiers import join, people_needed, stricter
from governance.principal import PersonId

BUILT_IN = "built-in"
"""The tier of a bundle that defines none: one operator and two reviewers."""
EXCEPTION_ROUTING = "exception_routing"
_BUILT_IN_ROLES = {
    "operator": RoleForm(weight=2, min_required=1),
    "reviewer": RoleForm(weight=1, min_required=2),
}
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}
FOUR_EYES = 2


def compile_tiers(form: BundleForm, max_ttl_s: int, notes: list[Note]) -> dict[str, Requirement]:
    """Every tier of the bundle by name, at least one.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer to the tier or its key.
    """
    minimum = SandboxTier(form.minimum_sandbox)
    written: dict[str, tuple[TierForm, tuple[str, ...]]] = {
        name: (tier, ("tiers", name)) for name, tier in form.tiers.items()
    }
    block = form.exception_routing
    if block is not None:
        if EXCEPTION_ROUTING in written:
            raise refuse(
                pointer("tiers", EXCEPTION_ROUTING),
                "the exception_routing block defines this tier already",
            )
        seed = TierForm(roles=block.approval.roles)
        written[EXCEPTION_ROUTING] = (seed, ("exception_routing", "approval"))
    if not written:
        written[BUILT_IN] = (TierForm(roles=_BUILT_IN_ROLES), ())
    return {
        name: _tier(name, tier, place, minimum=minimum, max_ttl_s=max_ttl_s, notes=notes)
        for name, (tier, place) in written.items()
    }


def default_tier(form: BundleForm, tiers: dict[str, Requirement]) -> str:
    """The tier of whatever names none: as written, else the strictest."""
    return form.default_tier or join(tiers.values()).tier


def seconds(duration: str) -> int:
    """The length of ``30s``, ``5m``, ``4h`` or ``2d`` in seconds."""
    return int(duration[:-1]) * _UNITS_S[duration[-1]]


def _tier(
    name: str,
    form: TierForm,
    place: tuple[str, ...],
    *,
    minimum: SandboxTier,
    max_ttl_s: int,
    notes: list[Note],
) -> Requirement:
    roles = tuple(
        RoleRequirement(role=role, weight=item.weight, min_required=item.min_required)
        for role, item in form.roles.items()
    )
    sandbox = SandboxTier(form.sandbox) if form.sandbox is not None else minimum
    if sandbox is not stricter(sandbox, minimum):
        text = f"minimum_sandbox {minimum.value} is stricter and holds"
        notes.append(Note(pointer=pointer(*place, "sandbox"), text=text))
    requirement = Requirement(
        tier=name,
        roles=roles,
        threshold=form.threshold or sum(role.weight * role.min_required for role in roles),
        ttl_s=seconds(form.ttl) if form.ttl is not None else max_ttl_s,
        respond_within_s=seconds(form.respond_within) if form.respond_within is not None else None,
        comment_required=form.comment == "required",
        step_up=form.step_up,
        reviewer=PersonId(form.reviewer) if form.reviewer is not None else None,
        distinct_roles=form.distinct_roles,
        reject_policy=RejectPolicy(form.reject_policy),
        sandbox=stricter(sandbox, minimum),
        release_allowed=form.release,
    )
    check_people(requirement, place, four_eyes=form.four_eyes)
    check_times(requirement, place, max_ttl_s)
    return requirement


def check_people(tier: Requirement, place: tuple[str, ...], *, four_eyes: bool) -> None:
    """Refuse a tier that nobody can meet, or that one person can where two are asked for.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer to the key.
    """
    if not tier.roles:
        raise refuse(pointer(*place, "roles"), f"tier {tier.tier!r} names no role: nobody can vote")
    if tier.threshold < 1:
        raise refuse(
            pointer(*place, "roles"),
            f"tier {tier.tier!r} requires nobody: set a threshold or a min_required",
        )
    if tier.distinct_roles:
        for role in tier.roles:
            if role.min_required > 1:
                raise refuse(
                    pointer(*place, "roles", role.role, "min_required"),
                    f"distinct_roles counts one vote per role, {role.min_required} are required",
                )
    needed = people_needed(tier)
    if needed is None:
        raise refuse(
            pointer(*place, "threshold"),
            f"no votes of tier {tier.tier!r} add up to its threshold of {tier.threshold}",
        )
    if four_eyes and needed < FOUR_EYES:
        raise refuse(
            pointer(*place, "four_eyes"),
            f"one person alone can satisfy tier {tier.tier!r}: raise min_required or threshold",
        )


def check_times(tier: Requirement, place: tuple[str, ...], max_ttl_s: int) -> None:
    """Refuse a life longer than any ticket's, and an answer asked for after it.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer to the key.
    """
    if tier.ttl_s > max_ttl_s:
        raise refuse(
            pointer(*place, "ttl"),
            f"a ttl of {tier.ttl_s} s is longer than max_ttl_hours allows ({max_ttl_s} s)",
        )
    if tier.respond_within_s is not None and tier.respond_within_s > tier.ttl_s:
        raise refuse(
            pointer(*place, "respond_within"), "respond_within is longer than the ticket lives"
        )
