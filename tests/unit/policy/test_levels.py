"""Severity, and who decides where a quorum cannot be reached."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.execution import SandboxTier
from governance.policy.decision import Decision, RejectPolicy, Requirement, RoleRequirement
from governance.policy.model import Bundle
from governance.policy.tiers import loosened
from governance.principal import PersonId
from governance.tickets.quorum import tally
from governance.tickets.ticket import Choice, Vote
from tests.unit.policy.asking import WRITE, ask, bundle, decide, refused, rule, tool

ROLES = {
    "operator": {"weight": 2, "min_required": 1},
    "reviewer": {"weight": 1, "min_required": 1},
}
HIGH = {"threshold": 6, "roles": {"operator": {"min_required": 2}}, "ttl": "1h"}
BASE = {"roles": ROLES, "threshold": 3, "ttl": "4h", "respond_within": "2h"}


def graded(**severity: object) -> dict[str, object]:
    return {"tiers": {"deploys": {**BASE, "severity": severity}}, "default_tier": "deploys"}


def asked(policy: Bundle, **labels: str) -> Decision:
    return decide(ask("job.x", labels=labels), policy)


def policy_of(**severity: object) -> Bundle:
    return bundle(rule("all", "require_approval"), **graded(**severity))


def test_a_severity_asks_for_more_and_the_tier_says_which_level_holds():
    policy = policy_of(high=HIGH)
    decision = asked(policy, severity="High")
    requirement = decision.requirement
    assert requirement is not None
    assert (decision.risk_tier, requirement.threshold, requirement.ttl_s) == (
        "deploys/high",
        6,
        3_600,
    )
    assert [(role.role, role.weight, role.min_required) for role in requirement.roles] == [
        ("operator", 2, 2),
        ("reviewer", 1, 1),
    ]
    assert requirement.respond_within_s == 3_600
    lines = [(line.id, line.verdict) for line in decision.trace if line.source == "tier"]
    assert lines == [("deploys/high", "severity")]


def test_a_request_that_names_no_severity_gets_the_tier_itself():
    decision = asked(policy_of(high=HIGH))
    assert decision.requirement == policy_of().tiers["deploys"]
    assert not [line for line in decision.trace if line.source == "tier"]


@pytest.mark.parametrize("word", ["", "hihg", "none", "LOW "])
def test_a_severity_that_the_tier_does_not_know_counts_as_the_gravest(word: str):
    policy = policy_of(low={}, high=HIGH)
    expected = "deploys/low" if word == "LOW " else "deploys/high"
    assert asked(policy, severity=word).risk_tier == expected


def test_a_severity_means_nothing_to_a_tier_without_levels():
    assert asked(policy_of(), severity="high").risk_tier == "deploys"


def test_the_registrys_severity_cannot_be_talked_down():
    sections = graded(low={}, high=HIGH)
    tools = {"t": tool(actions=["write"], severity="HIGH", tier="deploys")}
    policy = bundle(**sections, tools=tools)
    for labels in ({}, {"severity": "low"}):
        request = ask(tool="t", action=WRITE, labels=labels)
        assert decide(request, policy).risk_tier == "deploys/high"


def test_a_rule_may_name_a_level_as_its_tier():
    policy = bundle(rule("all", "require_approval", tier="deploys/high"), **graded(high=HIGH))
    assert asked(policy).risk_tier == "deploys/high"


def test_a_level_takes_what_it_does_not_say_from_its_tier():
    policy = policy_of(low={}, some={"comment": "required"})
    low, some, base = (policy.tiers[name] for name in ("deploys/low", "deploys/some", "deploys"))
    assert (low.roles, low.threshold, low.ttl_s) == (base.roles, base.threshold, base.ttl_s)
    assert (some.comment_required, base.comment_required) == (True, False)
    assert policy.levels["deploys"].words == ("low", "some")


def test_a_level_that_requires_more_votes_has_their_weight_as_its_least_threshold():
    policy = policy_of(high={"roles": {"operator": {"min_required": 3}}})
    assert policy.tiers["deploys/high"].threshold == 7


def test_every_key_of_a_level_is_kept():
    written = {
        "roles": {"operator": {"weight": 1}},
        "respond_within": "10m",
        "step_up": True,
        "reviewer": "slack:T0A/U0B",
        "four_eyes": True,
        "distinct_roles": True,
        "threshold": 3,
        "sandbox": "A",
        "release": False,
    }
    roles = {role: {"weight": 2, "min_required": 0} for role in ("operator", "reviewer")}
    base = {"roles": roles, "threshold": 2, "reject_policy": "weight"}
    tiers = {"t": {**base, "severity": {"high": {**written, "reject_policy": "veto"}}}}
    policy = bundle(tiers=tiers, minimum_sandbox="B")
    high, base_tier = policy.tiers["t/high"], policy.tiers["t"]
    assert [role.weight for role in high.roles] == [1, 2]
    assert (high.respond_within_s, high.reviewer) == (600, "slack:T0A/U0B")
    assert (high.step_up, high.distinct_roles, high.release_allowed) == (True, True, False)
    assert (high.reject_policy, base_tier.reject_policy) == (
        RejectPolicy.VETO,
        RejectPolicy.WEIGHT,
    )
    assert (high.sandbox, base_tier.sandbox) == (SandboxTier.A, SandboxTier.B)


STRICT = {
    "roles": {"operator": {"weight": 2, "min_required": 1}, "chief": {"weight": 2}},
    "threshold": 3,
    "ttl": "1h",
    "respond_within": "30m",
    "comment": "required",
    "step_up": True,
    "reviewer": "slack:T0A/U0B",
    "four_eyes": True,
    "distinct_roles": True,
    "sandbox": "A",
    "release": False,
}


@pytest.mark.parametrize(
    ("level", "key"),
    [
        ({"threshold": 2}, "threshold"),
        ({"roles": {"operator": {"weight": 3}}}, "roles"),
        ({"roles": {"operator": {"min_required": 0}}}, "roles"),
        ({"ttl": "2h"}, "ttl"),
        ({"respond_within": "31m"}, "respond_within"),
        ({"comment": "optional"}, "comment"),
        ({"step_up": False}, "step_up"),
        ({"reviewer": "slack:T0A/U0C"}, "reviewer"),
        ({"four_eyes": False}, "four_eyes"),
        ({"distinct_roles": False}, "distinct_roles"),
        ({"reject_policy": "weight"}, "reject_policy"),
        ({"sandbox": "B"}, "sandbox"),
        ({"release": True}, "release"),
    ],
)
def test_a_level_that_is_looser_than_its_tier_is_refused(level: dict[str, object], key: str):
    sections = {"tiers": {"t": {**STRICT, "severity": {"high": level}}}, "minimum_sandbox": "C"}
    refused(sections, f"/tiers/t/severity/high/{key}", "never looser")


@pytest.mark.parametrize(
    ("mapping", "pointer", "words"),
    [
        (
            graded(high={"roles": {"chief": {"min_required": 1}}}),
            "/tiers/deploys/severity/high/roles/chief",
            "no role 'chief'",
        ),
        (
            graded(a={"threshold": 9}, b={"ttl": "1h"}),
            "/tiers/deploys/severity/b",
            "stricter in everything",
        ),
        (graded(a={}, A={"threshold": 9}), "/tiers/deploys/severity/a", "defined already"),
        (
            {"tiers": {"t": {**BASE, "severity": {"a": {}}}, "t/a": BASE}},
            "/tiers/t/severity/a",
            "defined already",
        ),
        (
            graded(a={"ttl": "1h", "respond_within": "2h"}),
            "/tiers/deploys/severity/a/respond_within",
            "longer than the ticket",
        ),
        (
            {"tools": {"t": tool(severity="grave")}, **graded(high=HIGH)},
            "/tools/t/severity",
            "no tier has a level 'grave'",
        ),
        (
            {
                "tiers": {
                    "t": {
                        "roles": {"a": {"weight": 1}},
                        "threshold": 1,
                        "severity": {"x": {"distinct_roles": True, "threshold": 2}},
                    }
                }
            },
            "/tiers/t/severity/x/threshold",
            "add up",
        ),
        (
            {
                "tiers": {
                    "t": {
                        "roles": {"a": {"weight": 1}},
                        "threshold": 1,
                        "severity": {"x": {"four_eyes": True}},
                    }
                }
            },
            "/tiers/t/severity/x/four_eyes",
            "one person alone",
        ),
    ],
)
def test_levels_that_cannot_be_kept_are_refused(
    mapping: dict[str, object], pointer: str, words: str
):
    refused(mapping, pointer, words)


BOARD = {"roles": {"director": {"weight": 2, "min_required": 2}}, "threshold": 6, "ttl": "8h"}


def escalating(to: str = "board", **board: object) -> dict[str, object]:
    deploys = {**BASE, "step_up": True, "escalation": {"unreachable": to}}
    return {
        "tiers": {"deploys": deploys, "board": {**BOARD, **board}},
        "default_tier": "deploys",
    }


def test_a_decision_offers_the_people_who_decide_instead_under_every_other_demand():
    policy = bundle(rule("all", "require_approval"), **escalating())
    decision = asked(policy)
    assert decision.risk_tier == "deploys"
    (instead,) = decision.instead
    assert (instead.tier, instead.threshold, instead.roles) == (
        "board",
        6,
        policy.tiers["board"].roles,
    )
    assert (instead.ttl_s, instead.respond_within_s, instead.step_up) == (14_400, 7_200, True)


def test_escalations_follow_each_other_and_a_denial_offers_none():
    sections = escalating(escalation={"unreachable": "last"})
    sections["tiers"]["last"] = {"roles": {"owner": {"weight": 3, "min_required": 3}}}  # type: ignore[index]
    policy = bundle(rule("all", "require_approval"), **sections)
    assert [one.tier for one in asked(policy).instead] == ["board", "last"]
    assert decide(ask(), bundle(rule("all", "deny"), **sections)).instead == ()


def test_a_level_escalates_as_its_tier_does_unless_it_says_otherwise():
    sections = escalating()
    sections["tiers"]["deploys"]["severity"] = {  # type: ignore[index]
        "high": {"threshold": 5},
        "worst": {"threshold": 6, "escalation": {"unreachable": "last"}},
    }
    sections["tiers"]["last"] = {"roles": {"owner": {"weight": 3, "min_required": 4}}}  # type: ignore[index]
    policy = bundle(rule("all", "require_approval"), **sections)
    assert policy.escalations == {
        "deploys": "board",
        "deploys/high": "board",
        "deploys/worst": "last",
    }


AT = "/tiers/deploys/escalation/unreachable"


@pytest.mark.parametrize(
    ("mapping", "pointer", "words"),
    [
        (escalating("nobody"), AT, "no tier 'nobody'"),
        (escalating("built-in"), AT, "no tier 'built-in'"),
        (escalating("deploys"), AT, "lead back to 'deploys'"),
        (
            escalating(escalation={"unreachable": "deploys"}),
            "/tiers/board/escalation/unreachable",
            "lead back",
        ),
        (escalating(threshold=2), AT, "'board' is weaker than 'deploys'"),
        (
            escalating(roles={"director": {"weight": 9, "min_required": 1}}, threshold=9),
            AT,
            "1 people with a threshold of 9 instead of 2 with 3",
        ),
    ],
)
def test_an_escalation_to_fewer_people_or_to_nobody_is_refused(
    mapping: dict[str, object], pointer: str, words: str
):
    refused(mapping, pointer, words)


def requirements() -> st.SearchStrategy[Requirement]:
    role = st.tuples(st.integers(1, 3), st.integers(0, 2))
    return st.builds(
        lambda roles, threshold, distinct: Requirement(
            tier="t",
            roles=tuple(
                RoleRequirement(role=name, weight=weight, min_required=least)
                for name, (weight, least) in zip("ab", roles, strict=True)
            ),
            threshold=threshold,
            ttl_s=60,
            distinct_roles=distinct,
        ),
        st.tuples(role, role),
        st.integers(1, 6),
        st.booleans(),
    )


def votes(requirement: Requirement, roles: str) -> list[Vote]:
    return [
        Vote(
            person=PersonId(f"slack:T0A/U{number}"),
            choice=Choice.APPROVE,
            role=role,
            weight=requirement.weight_of(role) or 0,
            comment_digest="",
            at=datetime(2026, 1, 1, tzinfo=UTC),
            nonce="",
            key_id="",
            signature="",
        )
        for number, role in enumerate(roles)
    ]


@given(requirements(), requirements(), st.text("ab", max_size=6))
def test_votes_that_meet_what_is_no_looser_meet_the_tier_itself(
    base: Requirement, other: Requirement, roles: str
):
    harder = replace(base, threshold=base.threshold + 1)
    for level in (harder, other):
        if not loosened(base, level) and tally(level, votes(level, roles)).is_met:
            assert tally(base, votes(base, roles)).is_met


def test_every_tier_level_and_emergency_holds_the_minimum_sandbox():
    sections = escalating()
    sections["tiers"]["deploys"]["severity"] = {"high": {"threshold": 5}}  # type: ignore[index]
    block = {"id": "x", "description": "d", "violationAction": "BLOCK"}
    template = {"constraints": ["x"], "tier": "board"}
    policy = bundle(
        **sections, constraints=[block], emergency={"e": template}, minimum_sandbox="A-"
    )
    for name in ("deploys", "deploys/high", "board", "emergency/e"):
        assert policy.tiers[name].sandbox is SandboxTier.A_MINUS, name
    assert bundle().tiers["built-in"].sandbox is SandboxTier.A
