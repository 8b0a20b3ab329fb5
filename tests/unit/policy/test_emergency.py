from dataclasses import replace
from typing import Any

import pytest

from governance.action import Content
from governance.policy.decision import Decision, Effect
from governance.policy.model import Bundle
from tests.unit.policy.asking import (
    HEAVY,
    LIGHT,
    READ,
    WRITE,
    ask,
    bundle,
    decide,
    refused,
    rule,
    tool,
)

TWO = {"roles": {"commander": {"weight": 3, "min_required": 2}}, "ttl": "4h"}
BLOCKS = [
    {
        "id": name,
        "description": "Not during a freeze",
        "violationAction": "BLOCK",
        "match": {"topics": [f"job.{name}.*", "job.both.*"]},
    }
    for name in ("freeze", "exports")
]
TEMPLATE = {"constraints": ["freeze"], "tier": "two", "match": {"actions": ["write"]}}


def policy_of(*rules: dict[str, object], **sections: object) -> Bundle:
    given: dict[str, object] = {
        "tiers": {"two": TWO, "high": HEAVY},
        "constraints": BLOCKS,
        "emergency": {"failover": TEMPLATE},
        **sections,
    }
    return bundle(*rules, **given)


def asked(
    policy: Bundle,
    topic: str = "job.freeze.db",
    name: str | None = "failover",
    why: str = "The primary is down",
    **fields: object,
) -> Decision:
    labels = {} if name is None else {"emergency": name}
    content = Content(justification=why)
    request = ask(topic, **{"action": WRITE, "labels": labels, **fields})
    return decide(replace(request, content=content), policy)


def test_a_listed_block_becomes_a_question_to_two_people_within_the_hour():
    decision = asked(policy_of())
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.reason == (
        "EMERGENCY failover: exception to constraint freeze: Not during a freeze"
    )
    assert (decision.risk_tier, decision.constraint_id) == ("emergency/failover", "freeze")
    requirement = decision.requirement
    assert requirement is not None
    assert (requirement.ttl_s, requirement.comment_required) == (3_600, True)
    assert [role.role for role in requirement.roles] == ["commander"]
    told = [line for line in decision.trace if line.id == "freeze"]
    assert [line.verdict for line in told] == ["REQUIRE_APPROVAL"]
    assert told[0].note.startswith("EMERGENCY")


def test_without_its_name_the_block_stands():
    assert asked(policy_of(), name=None).effect is Effect.DENY


def test_a_template_takes_the_place_of_the_ordinary_exception():
    policy = policy_of(exceptions={"freeze": "high"})
    assert asked(policy, name=None).risk_tier == "high"
    assert asked(policy).risk_tier == "emergency/failover"


def test_what_else_demands_people_still_does():
    ordinary = rule("all", "require_approval", tier="high")
    decision = asked(policy_of(ordinary))
    assert decision.risk_tier == "high"  # three people, and the emergency's hour and comment
    assert decision.requirement is not None
    assert (decision.requirement.ttl_s, decision.requirement.comment_required) == (3_600, True)
    assert decision.reason.startswith("EMERGENCY failover")
    assert asked(policy_of(rule("no", "deny"))).effect is Effect.DENY


def test_a_template_excuses_no_constraint_that_it_does_not_list():
    decision = asked(policy_of(), topic="job.both.x")
    assert decision.effect is Effect.DENY
    assert decision.constraint_ids == ("freeze", "exports")


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"name": "fire"}, "the request names an emergency template that there is not"),
        ({"name": ""}, "the request names an emergency template that there is not"),
        ({"action": READ}, "emergency template failover is not for this request"),
        (
            {"topic": "job.calm"},
            "emergency template failover excepts nothing that this request violates",
        ),
        (
            {"topic": "job.exports.x"},
            "emergency template failover excepts nothing that this request violates",
        ),
        ({"why": " \n"}, "emergency template failover needs a justification"),
    ],
)
def test_a_template_that_is_named_and_does_not_fit_is_a_denial(fields: dict[str, Any], reason: str):
    policy = policy_of(rule("all", "allow"), exceptions={"freeze": "high"})
    decision = asked(policy, **fields)
    assert decision.effect is Effect.DENY
    assert ("emergency", "DENY", reason) in [
        (line.source, line.verdict, line.note) for line in decision.trace
    ]
    assert decision.reason == reason


def test_a_template_judges_by_what_is_vouched_for_and_not_by_claims():
    template = {**TEMPLATE, "match": {"risk_tags": ["outage"]}}
    sections = {"emergency": {"failover": template}, "tools": {"t": tool(actions=["write"])}}
    claimed = asked(policy_of(**sections), tool="t", risk_tags=("outage",))
    assert claimed.effect is Effect.DENY
    sections["tools"] = {"t": tool(actions=["write"], risk_tags=["outage"])}
    assert asked(policy_of(**sections), tool="t").effect is Effect.REQUIRE_APPROVAL


def test_without_templates_the_label_is_a_label_like_any():
    policy = policy_of(rule("all", "allow"), emergency={})
    assert asked(policy, topic="job.calm").effect is Effect.ALLOW


def test_a_shorter_tier_stays_shorter_and_is_answered_within_it():
    tier = {**TWO, "ttl": "20m", "respond_within": "10m"}
    found = policy_of(tiers={"two": tier}).tiers["emergency/failover"]
    assert (found.ttl_s, found.respond_within_s) == (1_200, 600)
    tier = {**TWO, "respond_within": "2h"}
    template = {**TEMPLATE, "ttl": "30m"}
    found = policy_of(tiers={"two": tier}, emergency={"failover": template}).tiers[
        "emergency/failover"
    ]
    assert (found.ttl_s, found.respond_within_s) == (1_800, 1_800)


def test_what_an_emergency_asks_for_and_does_not_get_is_reported():
    template = {**TEMPLATE, "channel": "incidents", "review_within": "24h"}
    policy = policy_of(emergency={"failover": template})
    assert [note.pointer for note in policy.not_enforced] == ["/emergency/failover/review_within"]
    assert policy_of().not_enforced == ()
    assert policy.emergencies["failover"].channel == "incidents"
    assert policy_of().emergencies["failover"].channel == ""


WARN = [{"id": "freeze", "description": "d", "violationAction": "WARN"}]


@pytest.mark.parametrize(
    ("change", "pointer", "words"),
    [
        ({"tier": "none"}, "tier", "no tier 'none'"),
        ({"tier": "built-in"}, "tier", "no tier"),
        ({"tier": "light"}, "tier", "one person alone can satisfy tier 'light'"),
        ({"ttl": "61m"}, "ttl", "ends within 3600 s, not 3660 s"),
        ({"constraints": []}, "constraints", "at least 1"),
        ({"constraints": ["none"]}, "constraints/0", "no constraint 'none'"),
        ({"match": {"topics": ["["]}}, "match/topics/0", "pattern"),
        ({"match": {"labels": {"a": "b"}}}, "match", "agent's own word"),
        ({"match": {"when": "labels.a == 'b'"}}, "match", "agent's own word"),
        ({"match": {"when": "labels.a == 'b'"}}, "match", "agent's own words"),
        ({"match": {"label_in": {"a": ["b"]}}}, "match", "agent's own words"),
    ],
)
def test_a_template_that_would_protect_too_little_is_refused(
    change: dict[str, object], pointer: str, words: str
):
    mapping = {
        "tiers": {"two": TWO, "light": LIGHT},
        "constraints": BLOCKS,
        "emergency": {"failover": {**TEMPLATE, **change}},
    }
    refused(mapping, f"/emergency/failover/{pointer}", words)


def test_a_template_for_a_warning_or_over_a_written_tier_is_refused():
    mapping = {"tiers": {"two": TWO}, "constraints": WARN, "emergency": {"failover": TEMPLATE}}
    refused(mapping, "/emergency/failover/constraints/0", "only warns")
    tiers = {"two": TWO, "emergency/failover": TWO}
    mapping = {"tiers": tiers, "constraints": BLOCKS, "emergency": {"failover": TEMPLATE}}
    refused(mapping, "/tiers/emergency~1failover", "kept for the emergency")
