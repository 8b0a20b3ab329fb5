"""What changes between two bundles is told, and a direction is only told where it is certain."""

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import canonical_bytes
from governance.policy.bundle import load
from governance.policy.diff.diff import Change, Direction, Group, Kind, diff
from tests.unit.policy.asking import HEAVY, LIGHT, bundle, decide, rule, tool
from tests.unit.policy.made import ASKED, STRATEGIES, TOOLS, rule_lists

STRICTER, LOOSER, DIFFERENT, SAME = Direction
TIERS: Mapping[str, object] = {"one": LIGHT, "two": HEAVY}
BLOCKS = {"id": "c", "description": "d", "violationAction": "BLOCK", "match": {"risk_tags": ["x"]}}
NAMED = {**BLOCKS, "description": "e"}
WARNS = {**BLOCKS, "violationAction": "WARN"}


def changes(old: Mapping[str, object], new: Mapping[str, object]) -> tuple[Change, ...]:
    return diff(load({"tiers": TIERS, **old}), load({"tiers": TIERS, **new}))


def rules(*made: Mapping[str, object], **more: object) -> dict[str, object]:
    return {"rules": list(made), **more}


def tools(**fields: object) -> dict[str, object]:
    return {"tools": {"t": tool(**fields)}}


def tier_one(**fields: object) -> dict[str, object]:
    return {"tiers": {**TIERS, "one": {**LIGHT, **fields}}}


def told(old: Mapping[str, object], new: Mapping[str, object]) -> list[tuple[str, str, str]]:
    return [(c.name, c.key, c.direction.value) for c in changes(old, new)]


A = rule("a", "require_approval", topics=["job.a"])
RATE = {"per": "agent", "count": 5, "window_s": 60}


@pytest.mark.parametrize(
    ("old", "new", "key", "direction"),
    [
        # Rules that come; what goes is the way back.
        (rules(), rules(rule("a", "deny")), "", STRICTER),
        (rules(), rules(rule("a", "throttle", rate=RATE)), "", STRICTER),
        (rules(), rules(rule("a", "allow")), "", LOOSER),
        (rules(), rules(rule("a", "allow", constraints={"max_files": 1})), "", DIFFERENT),
        (rules(), rules(A), "", DIFFERENT),
        (rules(default_decision="allow"), rules(A, default_decision="allow"), "", STRICTER),
        (
            rules(strategy="first_match"),
            rules(rule("a", "deny"), strategy="first_match"),
            "",
            DIFFERENT,
        ),
        # Rules that change.
        (rules(A), rules({**A, "decision": "deny"}), "effect", STRICTER),
        (rules(A), rules({**A, "decision": "throttle"}), "effect", STRICTER),
        (rules({**A, "decision": "allow"}), rules(A), "effect", STRICTER),
        (
            rules(rule("a", "allow", risk_tags=["x"])),
            rules(rule("a", "require_approval", risk_tags=["x"])),
            "effect",
            DIFFERENT,
        ),
        (
            rules(rule("a", "allow", risk_tags=["x"]), default_decision="allow"),
            rules(rule("a", "require_approval", risk_tags=["x"]), default_decision="allow"),
            "effect",
            STRICTER,
        ),
        (
            rules(rule("a", "throttle", rate=RATE)),
            rules(rule("a", "deny")),
            "effect",
            STRICTER,
        ),
        (rules({**A, "tier": "one"}), rules({**A, "tier": "two"}), "tier", DIFFERENT),
        (
            rules(rule("a", "deny", tier="one")),
            rules(rule("a", "deny", tier="two")),
            "tier",
            SAME,
        ),
        (
            rules({**A, "constraints": {"max_files": 2}}),
            rules({**A, "constraints": {"max_files": 1}}),
            "constraints",
            STRICTER,
        ),
        (
            rules({**A, "constraints": {"max_files": 2}}),
            rules({**A, "constraints": {"max_lines": 1}}),
            "constraints",
            DIFFERENT,
        ),
        (rules(A), rules({**A, "reason": "because"}), "reason", SAME),
        (
            rules(rule("a", "throttle", rate=RATE)),
            rules(rule("a", "throttle", rate={**RATE, "count": 4})),
            "rate",
            STRICTER,
        ),
        (
            rules(rule("a", "throttle", rate=RATE)),
            rules(rule("a", "throttle", rate={**RATE, "per": "tenant"})),
            "rate",
            DIFFERENT,
        ),
        (rules(rule("a", "throttle", rate=RATE)), rules(rule("a", "throttle")), "rate", DIFFERENT),
        (
            rules(rule("a", "deny", topics=["job.a"])),
            rules(rule("a", "deny", topics=["job.*"])),
            "match.topics",
            STRICTER,
        ),
        (
            rules(rule("a", "allow", topics=["job.a"])),
            rules(rule("a", "allow", topics=["job.*"])),
            "match.topics",
            LOOSER,
        ),
        (
            rules(rule("a", "deny", topics=["job.a"])),
            rules(rule("a", "deny", topics=["job.b"])),
            "match.topics",
            DIFFERENT,
        ),
        (
            rules(rule("a", "deny", topics=["job.a", "job.b"])),
            rules(rule("a", "deny", topics=["job.b", "job.a"])),
            "match.topics",
            SAME,
        ),
        (
            rules(rule("a", "deny")),
            rules(rule("a", "deny", velocity={"per": "agent", "more_than": 1, "within": "1h"})),
            "match.velocity",
            LOOSER,
        ),
        (
            rules(A, strategy="first_match"),
            rules({**A, "decision": "deny"}, strategy="first_match"),
            "effect",
            DIFFERENT,
        ),
        (
            rules(A, strategy="first_match"),
            rules({**A, "match": {}}, strategy="first_match"),
            "match.topics",
            DIFFERENT,
        ),
        # Constraints and exceptions.
        ({}, {"constraints": [BLOCKS]}, "", STRICTER),
        ({}, {"constraints": [WARNS]}, "", SAME),
        ({"constraints": [WARNS]}, {"constraints": [BLOCKS]}, "violation_action", STRICTER),
        (
            {"constraints": [BLOCKS]},
            {"constraints": [{**BLOCKS, "match": {"risk_tags": ["x", "y"]}}]},
            "match",
            STRICTER,
        ),
        (
            {"constraints": [BLOCKS]},
            {"constraints": [{**BLOCKS, "match": None}]},
            "match",
            DIFFERENT,
        ),
        (
            {"constraints": [BLOCKS]},
            {"constraints": [{**BLOCKS, "description": "e"}]},
            "description",
            SAME,
        ),
        (
            {"constraints": [BLOCKS]},
            {"constraints": [BLOCKS], "exceptions": {"c": "one"}},
            "",
            LOOSER,
        ),
        (
            {"constraints": [BLOCKS], "exceptions": {"c": "one"}},
            {"constraints": [BLOCKS], "exceptions": {"c": "two"}},
            "tier",
            DIFFERENT,
        ),
        (
            {"constraints": [WARNS, {**BLOCKS, "id": "e"}], "exceptions": {"e": "one"}},
            {"constraints": [WARNS, {**WARNS, "id": "e"}]},
            "violation_action",
            DIFFERENT,
        ),
        # Tiers.
        ({}, {"tiers": {**TIERS, "three": HEAVY}}, "", SAME),
        ({}, {"tiers": {**TIERS, "one": {**LIGHT, "ttl": "1h"}}}, "ttl_s", STRICTER),
        ({}, {"tiers": {**TIERS, "one": {**LIGHT, "threshold": 2}}}, "threshold", STRICTER),
        ({}, {"tiers": {**TIERS, "one": {**LIGHT, "release": False}}}, "release_allowed", STRICTER),
        (
            {},
            {"tiers": {**TIERS, "one": {**LIGHT, "reject_policy": "weight"}}},
            "reject_policy",
            LOOSER,
        ),
        (
            {},
            {"tiers": {**TIERS, "one": {**LIGHT, "escalation": {"unreachable": "two"}}}},
            "escalation",
            DIFFERENT,
        ),
        (
            {},
            {"tiers": {**TIERS, "one": {**LIGHT, "severity": {"high": {"threshold": 2}}}}},
            "",
            STRICTER,
        ),
        ({"default_tier": "one"}, {"default_tier": "two"}, "default_tier", DIFFERENT),
        # Tools.
        ({}, {"tools": {"t": tool()}}, "", LOOSER),
        (
            {"tools": {"t": tool()}},
            {"tools": {"t": tool(requires_approval=True)}},
            "requires_approval",
            STRICTER,
        ),
        ({"tools": {"t": tool()}}, {"tools": {"t": tool(scope="a:b")}}, "scope", STRICTER),
        (
            {"tools": {"t": tool(scope="a:c")}},
            {"tools": {"t": tool(scope="a:b")}},
            "scope",
            DIFFERENT,
        ),
        ({"tools": {"t": tool()}}, {"tools": {"t": tool(arguments={})}}, "arguments", STRICTER),
        (
            {"tools": {"t": tool(run={})}},
            {"tools": {"t": tool(run={}, arguments={})}},
            "arguments",
            DIFFERENT,
        ),
        ({"tools": {"t": tool()}}, {"tools": {"t": tool(risk_tags=["x"])}}, "risk_tags", DIFFERENT),
        ({"tools": {"t": tool(tier="one")}}, {"tools": {"t": tool()}}, "tier", DIFFERENT),
        (
            {"tool_groups": {"g": ["t"]}},
            {"tool_groups": {"g": ["t", "u"]}},
            "tools",
            LOOSER,
        ),
        # Environments.
        ({}, {"environments": {"dev": {}}}, "", DIFFERENT),
        (
            {"environments": {"dev": {}}},
            {"environments": {"dev": {"requires_human_approval": True}}},
            "requires_human_approval",
            STRICTER,
        ),
        (
            {"environments": {"dev": {}}},
            {"environments": {"dev": {"allowed_tools": []}}},
            "tools",
            STRICTER,
        ),
        (
            {**tools(), "environments": {"dev": {"allowed_tools": ["t"]}}},
            {**tools(), "environments": {"dev": {"allowed_tools": []}}},
            "tools",
            STRICTER,
        ),
        (
            {"environments": {"dev": {}}},
            {"environments": {"dev": {"fail_mode": "unsafe_open"}}},
            "fail_mode",
            LOOSER,
        ),
        # The rest.
        ({}, {"clearance": {"confidential": ["a", "security-admin"]}}, "cleared roles", LOOSER),
        ({}, {"restricted_data_classes": ["confidential", "pii"]}, "needs clearance", LOOSER),
        ({}, {"directory": {"roles": {"operator": {"people": ["slack:T0/U0"]}}}}, "", LOOSER),
        (
            {"directory": {"roles": {"operator": {"people": ["slack:T0/U0"]}}}},
            {"directory": {"roles": {"operator": {"slack_usergroups": ["S0"]}}}},
            "people",
            STRICTER,
        ),
        ({}, {"signals": {"injection": "deny"}}, "injection", STRICTER),
        ({}, {"signals": {"secrets": "require_approval"}}, "secrets", LOOSER),
        ({}, {"limits": {"max_pending": 10}}, "max_pending", STRICTER),
        ({}, {"limits": {"refusals_in_full": 10}}, "refusals_in_full", SAME),
        ({}, {"ticket": {"max_ttl_hours": 24}}, "max_ttl_s", STRICTER),
        ({}, {"ticket": {"required_fields": ["target"]}}, "required_fields", STRICTER),
        ({}, {"approval_required_for": ["write", "read"]}, "approval_required_for", DIFFERENT),
        ({}, {"approval_required_for": ["write"]}, "approval_required_for", LOOSER),
        ({}, {"default_decision": "throttle"}, "default_decision", LOOSER),
        ({}, {"minimum_sandbox": "A-"}, "minimum_sandbox", LOOSER),
        ({}, {"strategy": "first_match"}, "strategy", DIFFERENT),
        ({}, {"output": {"policy": "quarantine"}}, "output", STRICTER),
        ({}, {"audit": {"retention_days": 7}}, "retention_days", SAME),
        ({}, {"name": "other"}, "name", SAME),
    ],
)
def test_each_change_has_its_direction_and_the_way_back_the_other(
    old: Mapping[str, object], new: Mapping[str, object], key: str, direction: Direction
):
    assert (key, direction) in [(c.key, c.direction) for c in changes(old, new)]
    assert (key, direction.reverse) in [(c.key, c.direction) for c in changes(new, old)]


def test_a_default_tier_that_releases_nothing_makes_an_added_question_uncertain():
    shut = {"tiers": {**TIERS, "two": {**HEAVY, "release": False}}, "default_tier": "two"}
    asks = {"environments": {"dev": {"requires_human_approval": True, "tier": "one"}}}
    free = {"environments": {"dev": {"tier": "one"}}}
    assert told({**shut, **free}, {**shut, **asks}) == [
        ("dev", "requires_human_approval", "different")
    ]
    allows = {**shut, "default_decision": "allow"}
    added = rules({**A, "tier": "one"}, **allows)
    assert told(allows, added) == [("a", "", "different")]
    assert told(allows, rules(A, **allows)) == [("a", "", "stricter")]
    for mild in ("allow", "throttle"):
        assert told(rules({**A, "decision": mild}, **shut), rules(A, **shut)) == [
            ("a", "effect", "different")
        ]


def test_a_rate_is_silent_where_another_word_would_answer():
    slow, allow = rules(rule("a", "throttle", rate=RATE)), rules(rule("a", "allow"))
    assert told(slow, allow) == [("a", "effect", "different"), ("a", "rate", "same")]


def test_a_rule_that_needs_another_tier_says_so_in_words():
    writes = rule("prod-writes", "require_approval", tier="two-people")
    pair = {"roles": {"approver": {"weight": 1, "min_required": 2}}}
    tiers = {"two-people": pair, "deploys": HEAVY}
    found = changes(
        {"tiers": tiers, **rules(writes)}, {"tiers": tiers, **rules({**writes, "tier": "deploys"})}
    )
    assert found[0].sentence == (
        "rule prod-writes now needs tier deploys (operator 1, reviewer 2; threshold 4) "
        "instead of two-people (approver 2; threshold 2)"
    )
    assert len(found) == 1


TWO, LIMIT = "two (operator 1, reviewer 2; threshold 4)", 'with {"max_files": 1}'


def test_sentences_can_be_read_alone():
    old = rules(rule("a", "deny", topics=["job.a", "job.b"]), rule("gone", "allow"))
    new = rules(
        rule("a", "deny", topics=["job.b", "job.c"]),
        rule("new", "throttle", rate=RATE, agents=["x"]),
        rule("asks", "require_approval", constraints={"max_files": 1}),
        limits={"max_pending": 7},
        tools={"t": tool(requires_approval=True)},
    )
    assert [change.sentence for change in changes(old, new)] == [
        "rule gone is gone: it said ALLOW for everything",
        "rule a: topics now also job.c, no longer job.a",
        "rule new is new: THROTTLE for agents x, beyond 5 in 60 s per agent",
        f"rule asks is new: REQUIRE_APPROVAL for everything, by tier {TWO}, {LIMIT}",
        "tool t is new: actions read; classification internal; requires_approval yes",
        "max_pending is now 7 instead of 100",
    ]


def test_a_rule_of_which_only_the_name_changed_is_renamed():
    found = changes(rules(A, rule("b", "deny")), rules({**A, "id": "z"}, rule("b", "deny")))
    assert [(c.name, c.key, c.before, c.after, c.direction) for c in found] == [
        ("z", "id", "a", "z", SAME)
    ]


def test_the_order_of_rules_counts_only_where_it_decides():
    one, other = rules(A, rule("b", "deny")), rules(rule("b", "deny"), A)
    assert [(c.key, c.direction) for c in changes(one, other)] == [("", SAME)]
    first = {"strategy": "first_match"}
    found = changes({**one, **first}, {**other, **first})
    assert [(c.key, c.after, c.direction) for c in found] == [("order", ["b", "a"], DIFFERENT)]


def test_what_is_only_written_otherwise_is_told_as_such():
    written = changes({"ticket": {"max_ttl_hours": 48}}, {})
    assert [(c.group, c.kind, c.direction) for c in written] == [(Group.BUNDLE, Kind.CHANGED, SAME)]
    assert "other keys" in written[0].sentence
    spelt = changes(
        {"tools": {"t": tool()}},
        {"tools": {"t": {"allowedActions": ["read"], "classification": "internal"}}},
    )
    assert "another way" in spelt[0].sentence


def test_json_holds_what_the_sentence_says():
    (change,) = changes({}, {"limits": {"max_pending": 7}})
    assert change.to_json() == {
        "group": "limits",
        "kind": "changed",
        "name": "",
        "direction": "stricter",
        "sentence": "max_pending is now 7 instead of 100",
        "key": "max_pending",
        "from": 100,
        "to": 7,
    }
    (added,) = changes({}, rules(rule("a", "allow")))
    assert "key" not in added.to_json()


# The laws behind it.

CHOICES: Mapping[str, list[object]] = {
    "default_decision": ["deny", "require_approval", "allow", "throttle"],
    "approval_required_for": [["write"], ["write", "execute"], ["read", "write", "execute"]],
    "constraints": [[], [BLOCKS], [WARNS], [{**BLOCKS, "match": {"risk_tags": ["x", "y"]}}]],
    "restricted_data_classes": [["confidential"], ["internal"]],
    "environments": [
        {"dev": {}},
        {"dev": {"requires_human_approval": True}, "prod": {}},
        {"dev": {"allowed_tools": ["u"]}},
    ],
    "tools": [
        TOOLS,
        {"t": TOOLS["t"]},
        {**TOOLS, "u": {**TOOLS["u"], "requires_approval": True, "scope": "a:b"}},
    ],
    "ticket": [{}, {"required_fields": ["target"]}],
}
RANDOM = st.fixed_dictionaries(
    {"rules": rule_lists(), "strategy": STRATEGIES},
    optional={name: st.sampled_from(values) for name, values in CHOICES.items()},
)


HELD = {"ticket": {"required_fields": ["target"]}}
"""What asks people may be refused for a field that is missing."""


@pytest.mark.parametrize(
    ("old", "new", "direction"),
    [
        (rules(rule("a", "throttle")), rules(rule("a", "allow")), LOOSER),
        (rules(rule("a", "throttle"), **HELD), rules(rule("a", "allow"), **HELD), DIFFERENT),
        (rules(rule("a", "throttle"), **HELD), rules(**HELD), DIFFERENT),
        (rules(rule("a", "throttle"), **HELD), rules(rule("a", "deny"), **HELD), STRICTER),
        (
            rules(default_decision="throttle", **HELD),
            rules(default_decision="allow", **HELD),
            DIFFERENT,
        ),
        (rules(default_decision="throttle"), rules(default_decision="allow"), LOOSER),
    ],
)
def test_a_throttle_that_stands_before_a_refusal_is_not_said_to_be_the_stricter(
    old: Mapping[str, object], new: Mapping[str, object], direction: Direction
):
    assert {change.direction for change in changes(old, new)} == {direction}


@settings(max_examples=300, deadline=None)
@given(
    one=RANDOM,
    two=RANDOM,
    keys=st.sets(st.sampled_from(["rules", *CHOICES])),
    start=st.integers(0, 300),
)
def test_what_is_called_stricter_never_answers_more_mildly(
    one: dict[str, Any], two: dict[str, Any], keys: set[str], start: int
):
    other = {**one, **{key: two[key] for key in keys if key in two}}
    old, new = load({"tiers": TIERS, **one}), load({"tiers": TIERS, **other})
    found = diff(old, new)
    assert bool(found) is (canonical_bytes(one) != canonical_bytes(other))
    assert bool(found) is (old.snapshot != new.snapshot)
    ways = {change.direction for change in found} - {SAME}
    if len(ways) > 1 or DIFFERENT in ways:
        return
    for request, agent in ASKED[start : start + 60]:
        before = decide(request, old, agent=agent).effect.rank
        after = decide(request, new, agent=agent).effect.rank
        assert after >= before or ways == {LOOSER}
        assert after <= before or ways == {STRICTER}


@settings(max_examples=200, deadline=None)
@given(
    made=rule_lists(),
    number=st.integers(0, 3),
    key=st.sampled_from(["decision", "match", "gone"]),
    other=rule_lists(),
    start=st.integers(0, 300),
)
def test_one_rule_that_changes_answers_in_the_direction_that_is_told(
    made: list[dict[str, Any]], number: int, key: str, other: list[dict[str, Any]], start: int
):
    place = number % len(made)
    kept = {**made[place], **({"match": other[0]["match"]} if key == "match" else {})}
    if key == "decision":
        kept = {**other[0], "id": kept["id"], "match": kept["match"]}
    changed = [*made[:place], *([] if key == "gone" else [kept]), *made[place + 1 :]]
    old, new = bundle(*made, tools=TOOLS, tiers=TIERS), bundle(*changed, tools=TOOLS, tiers=TIERS)
    ways = {change.direction for change in diff(old, new)} - {SAME}
    if len(ways) > 1 or DIFFERENT in ways:
        return
    for request, agent in ASKED[start : start + 100]:
        before = decide(request, old, agent=agent).effect.rank
        after = decide(request, new, agent=agent).effect.rank
        assert after >= before or ways == {LOOSER}
        assert after <= before or ways == {STRICTER}
