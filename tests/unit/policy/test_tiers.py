from dataclasses import replace

import pytest

from governance.execution import SandboxTier
from governance.policy.decision import RejectPolicy, Requirement, RoleRequirement
from governance.policy.tiers import join, people_needed, stricter
from governance.principal import PersonId
from tests.unit.policy.asking import HEAVY, LIGHT, bundle, refused


def tier(name: str = "t", threshold: int = 1, **roles: tuple[int, int]) -> Requirement:
    return Requirement(
        tier=name,
        roles=tuple(
            RoleRequirement(role=role, weight=weight, min_required=least)
            for role, (weight, least) in roles.items()
        ),
        threshold=threshold,
        ttl_s=3_600,
    )


@pytest.mark.parametrize(
    ("requirement", "people"),
    [
        (tier(threshold=4, operator=(2, 1), reviewer=(1, 2)), 3),
        (tier(threshold=5, operator=(2, 1), reviewer=(1, 2)), 4),
        (tier(threshold=4, operator=(2, 0)), 2),
        (tier(threshold=1, operator=(5, 0)), 1),
        (tier(threshold=1), None),
    ],
)
def test_the_fewest_people_who_can_meet_a_tier_are_counted(
    requirement: Requirement, people: int | None
):
    assert people_needed(requirement) == people


def test_distinct_roles_count_each_role_once():
    roles = tier(threshold=3, operator=(2, 1), reviewer=(1, 0), auditor=(1, 0))
    assert people_needed(replace(roles, distinct_roles=True)) == 2
    assert people_needed(replace(roles, distinct_roles=True, threshold=4)) == 3
    assert people_needed(replace(roles, distinct_roles=True, threshold=5)) is None


def test_the_stronger_isolation_of_two_holds():
    assert stricter(SandboxTier.A_MINUS, SandboxTier.A) is SandboxTier.A
    assert stricter(SandboxTier.A, SandboxTier.C) is SandboxTier.A


def test_where_tiers_meet_the_heaviest_roles_and_every_other_demand_hold():
    heavy = tier("heavy", 4, operator=(2, 1), reviewer=(1, 2))
    light = replace(
        tier("light", 1, operator=(1, 1)),
        ttl_s=300,
        respond_within_s=60,
        comment_required=True,
        step_up=True,
        reviewer=PersonId("slack:T0A/U0B"),
        release_allowed=False,
        sandbox=SandboxTier.A,
    )
    heavy = replace(heavy, sandbox=SandboxTier.C)
    both = join([light, heavy])
    assert both == join([heavy, light])
    assert (both.tier, both.roles, both.threshold) == ("heavy", heavy.roles, 4)
    assert (both.ttl_s, both.respond_within_s, both.sandbox) == (300, 60, SandboxTier.A)
    assert both.comment_required
    assert both.step_up
    assert both.reviewer == light.reviewer
    assert not both.release_allowed
    assert join([tier("alone", 1, operator=(1, 1))]).respond_within_s is None


def test_one_tier_in_which_a_single_rejection_ends_it_is_enough():
    light = tier("light", 1, operator=(1, 1))
    heavy = replace(tier("heavy", 4, operator=(2, 2)), reject_policy=RejectPolicy.WEIGHT)
    assert join([light, heavy]).reject_policy is RejectPolicy.VETO
    weighing = replace(light, reject_policy=RejectPolicy.WEIGHT)
    assert join([weighing, heavy]).reject_policy is RejectPolicy.WEIGHT


def test_a_tier_holds_what_was_written():
    written = {
        **HEAVY,
        "threshold": 5,
        "ttl": "30m",
        "respond_within": "90s",
        "comment": "required",
        "step_up": True,
        "reviewer": "slack:T0A/U0B",
        "four_eyes": True,
        "reject_policy": "weight",
        "sandbox": "A",
        "release": False,
    }
    found = bundle(tiers={"high": written}, minimum_sandbox="B").tiers["high"]
    assert (found.threshold, found.ttl_s, found.respond_within_s) == (5, 1_800, 90)
    assert (found.comment_required, found.step_up, found.release_allowed) == (True, True, False)
    assert (found.reviewer, found.reject_policy.value) == ("slack:T0A/U0B", "weight")
    assert found.sandbox is SandboxTier.A


def test_the_threshold_is_the_sum_of_the_minimums_unless_written():
    assert bundle(tiers={"high": HEAVY}).tiers["high"].threshold == 4


def test_a_bundle_without_tiers_asks_one_operator_and_two_reviewers():
    policy = bundle()
    assert policy.default_tier == "built-in"
    assert people_needed(policy.tiers["built-in"]) == 3


def test_whatever_names_no_tier_gets_the_heaviest_unless_written():
    assert bundle(tiers={"light": LIGHT, "high": HEAVY}).default_tier == "high"
    written = bundle(tiers={"light": LIGHT, "high": HEAVY}, default_tier="light")
    assert written.default_tier == "light"


def test_a_sandbox_below_the_minimum_is_reported_and_not_used():
    policy = bundle(tiers={"t": {**LIGHT, "sandbox": "C"}}, minimum_sandbox="A-")
    assert policy.tiers["t"].sandbox is SandboxTier.A_MINUS
    assert [note.pointer for note in policy.not_enforced] == ["/tiers/t/sandbox"]


def one(weight: int = 1, least: int = 1, **fields: object) -> dict[str, object]:
    role = {"weight": weight, "min_required": least}
    return {"tiers": {"t": {"roles": {"operator": role}, **fields}}}


@pytest.mark.parametrize(
    ("mapping", "pointer", "words"),
    [
        (one(four_eyes=True), "/tiers/t/four_eyes", "one person alone"),
        (one(weight=3, least=0, threshold=3, four_eyes=True), "/tiers/t/four_eyes", "one person"),
        (
            one(least=2, distinct_roles=True),
            "/tiers/t/roles/operator/min_required",
            "one vote per role",
        ),
        (one(distinct_roles=True, threshold=2), "/tiers/t/threshold", "add up"),
        ({"tiers": {"t": {"roles": {}}}}, "/tiers/t/roles", "nobody can vote"),
        ({"tiers": {"t": {"roles": {}, "threshold": 1}}}, "/tiers/t/roles", "nobody can vote"),
        (one(least=0), "/tiers/t/roles", "requires nobody"),
        (one(ttl="49h"), "/tiers/t/ttl", "longer than max_ttl_hours"),
        ({**one(ttl="2h"), "ticket": {"max_ttl_hours": 1}}, "/tiers/t/ttl", "3600"),
        (one(ttl="1h", respond_within="2h"), "/tiers/t/respond_within", "longer than the ticket"),
        (one(ttl="4 hours"), "/tiers/t/ttl", "duration"),
        (one(weight=0), "/tiers/t/roles/operator/weight", "greater than or equal to 1"),
        ({"default_tier": "none"}, "/default_tier", "no tier 'none'"),
        ({"default_tier": "built-in"}, "/default_tier", "no tier"),
    ],
)
def test_a_tier_that_cannot_protect_or_be_met_is_refused(
    mapping: dict[str, object], pointer: str, words: str
):
    refused(mapping, pointer, words)
