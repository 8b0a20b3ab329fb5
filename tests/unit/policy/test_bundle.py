import copy
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import parse
from governance.errors import Code, InvalidInput
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.forms.documented import pointer
from tests.unit.policy.asking import LIGHT, ask, bundle, decide, refused, rule, tool

WHOLE: Mapping[str, object] = {
    "version": "v1",
    "name": "whole",
    "rules": [rule("a", "allow", topics=["job.*"], constraints={"max_retries": 1})],
    "constraints": [{"id": "c", "description": "d", "violation_action": "WARN"}],
    "tools": {"t": tool(arguments={"maximum": 5}, run={"x": [1, {"y": None}]})},
    "tiers": {"light": LIGHT},
    "limits": {"max_pending": 7, "max_pending_per_agent": 3},
    "output": {"policy": "quarantine", "max_bytes": 10},
    "audit": {"channel": "trail", "retention_days": 30, "fields": ["traceId"]},
    "directory": {
        "roles": {"operator": {"people": ["slack:T0A/U0B"], "slack_usergroups": ["S0C"]}}
    },
}


def test_the_bytes_of_a_bundle_load_to_the_same_snapshot():
    found = load(WHOLE)
    mapping = parse(found.to_bytes())
    assert isinstance(mapping, Mapping)
    again = load(mapping)
    assert again.snapshot == found.snapshot
    assert again.to_bytes() == found.to_bytes()
    assert found.snapshot.startswith("v1:")
    assert len(found.snapshot) == 67


def _reversed(value: object) -> object:
    if isinstance(value, Mapping):
        return {key: _reversed(value[key]) for key in reversed(list(value))}
    return [_reversed(item) for item in value] if isinstance(value, list) else value


def test_the_order_of_keys_plays_no_part():
    other = _reversed(WHOLE)
    assert isinstance(other, Mapping)
    assert load(other).snapshot == load(WHOLE).snapshot


def test_every_change_of_a_value_changes_the_snapshot():
    changed = copy.deepcopy(dict(WHOLE))
    changed["limits"] = {"max_pending": 8}
    assert load(changed).snapshot != load(WHOLE).snapshot


def test_a_bundle_is_a_copy_that_later_changes_do_not_reach():
    mapping = copy.deepcopy(dict(WHOLE))
    found = load(mapping)
    before = found.to_bytes()
    mapping["tools"]["t"]["run"]["x"].append(2)  # type: ignore[index]
    assert found.to_bytes() == before


def test_each_section_arrives():
    found = load(WHOLE)
    assert (found.name, found.max_pending, found.output.quarantine) == ("whole", 7, True)
    assert found.max_pending_per_agent == 3
    assert (found.output.max_bytes, found.audit.channel) == (10, "trail")
    assert (found.audit.retention_days, found.audit.fields) == (30, ("traceId",))
    assert found.directory["operator"].people == ("slack:T0A/U0B",)
    assert found.directory["operator"].slack_usergroups == ("S0C",)
    assert (found.max_ttl_s, found.credential_ttl_s) == (172_800, 900)
    assert [note.pointer for note in found.not_enforced] == ["/audit/channel", "/audit/fields"]


def test_an_empty_bundle_denies_everything():
    decision = decide(ask(), load({}))
    assert (decision.effect, decision.reason) == (Effect.DENY, "no rule matches")


@pytest.mark.parametrize(
    ("words", "effect"),
    [
        (("allow", "permit"), Effect.ALLOW),
        (("deny", "block"), Effect.DENY),
        (("require_approval", "require-approval", "require_human"), Effect.REQUIRE_APPROVAL),
        (("throttle",), Effect.THROTTLE),
    ],
)
def test_synonyms_mean_the_same(words: tuple[str, ...], effect: Effect):
    for word in words:
        assert decide(ask(), bundle(rule("r", word))).effect is effect
        policy = bundle(default_decision=word, approval_required_for=[])
        assert decide(ask(), policy).effect is effect


@pytest.mark.parametrize("word", ["allow", "allow_with_constraints", "allow-with-constraints"])
def test_an_allow_with_constraints_is_one_however_it_is_written(word: str):
    policy = bundle(rule("r", word, constraints={"max_runtime_s": 5}))
    assert decide(ask(), policy).effect is Effect.ALLOW_WITH_CONSTRAINTS


def test_every_constraint_arrives():
    numbers = dict.fromkeys(
        [
            "max_runtime_sec",
            "max_retries",
            "max_artifact_bytes",
            "max_output_bytes",
            "max_concurrent_jobs",
            "max_files",
            "max_lines",
        ],
        3,
    )
    words = "network_allow read_allow write_allow tools_allow commands_allow paths_deny redact_deny"
    lists = {name: ["b", "a", "b"] for name in words.split()}
    policy = bundle(rule("r", "allow", constraints={**numbers, **lists, "isolated": True}))
    shown = decide(ask(), policy).constraints.to_json()
    wanted = {**numbers, **{name: ["a", "b"] for name in lists}, "isolated": True}
    wanted["max_runtime_s"] = wanted.pop("max_runtime_sec")
    assert shown == wanted


def test_a_key_without_effect_on_its_rule_is_reported():
    policy = bundle(
        rule("a", "allow", tier="light"),
        rule("b", "deny", constraints={"max_retries": 1}),
        rule("c", "allow", environments=["dev", "staging", "prod"]),
        tiers={"light": LIGHT},
        environments={"dev": {}},
    )
    assert [note.pointer for note in policy.not_enforced] == [
        "/rules/0/tier",
        "/rules/1/constraints",
        "/rules/2/match/environments/1",
    ]


@pytest.mark.parametrize(
    ("mapping", "place", "words"),
    [
        ({"rulez": []}, "/rulez", "'rulez' is not a key that is known here"),
        ({"version": "v2"}, "/version", "'v1'"),
        ({"rules": {}}, "/rules", "list"),
        ({"rules": [{"decision": "deny"}]}, "/rules/0/id", "'id' is missing"),
        ({"rules": [rule("a", "maybe")]}, "/rules/0/decision", "'allow', 'permit'"),
        ({"rules": [rule("a", "ALLOW")]}, "/rules/0/decision", "'allow', 'permit'"),
        ({"rules": [rule("a", "deny"), rule("a", "deny")]}, "/rules/1/id", "stands twice"),
        ({"rules": [rule("a", "deny", topics=["x["])]}, "/rules/0/match/topics/0", "too early"),
        ({"rules": [rule("a", "deny", topic=["x"])]}, "/rules/0/match/topic", "not a key"),
        ({"rules": [rule("a", "deny", topics="x")]}, "/rules/0/match/topics", "list"),
        ({"rules": [rule("a", "deny", labels={"a": 1})]}, "/rules/0/match/labels/a", "string"),
        ({"rules": [rule("a", "allow_with_constraints")]}, "/rules/0/decision", "no constraint"),
        (
            {"rules": [rule("a", "deny", rate={"per": "agent", "count": 1, "window_s": 1})]},
            "/rules/0/rate",
            "only a throttle",
        ),
        (
            {"rules": [rule("a", "throttle", rate={"per": "ip", "count": 1, "window_s": 1})]},
            "/rules/0/rate/per",
            "agent, tenant, tool or label:NAME",
        ),
        ({"rules": [rule("a", "require_approval", tier="t")]}, "/rules/0/tier", "no tier 't'"),
        ({"default_decision": "allow_with_constraints"}, "/default_decision", "'deny'"),
        ({"strategy": "last_match"}, "/strategy", "most_restrictive"),
        ({"minimum_sandbox": "none"}, "/minimum_sandbox", "'A'"),
        ({"ticket": {"max_ttl_hours": 49}}, "/ticket/max_ttl_hours", "less than or equal to 48"),
        ({"ticket": {"required_fields": ["x"]}}, "/ticket/required_fields/0", "constraint_id"),
        ({"name": "no spaces"}, "/name", "a name: a letter"),
        (
            {"directory": {"roles": {"a": {"people": ["Olivia"]}}}},
            "/directory/roles/a/people/0",
            "slack:TEAM/USER",
        ),
        ({"limits": {"max_pending": 1.5}}, "", "float"),
        ({"limits": {"max_pending_per_agent": 0}}, "/limits/max_pending_per_agent", "greater"),
        ({"limits": {"max_pending_per_agent": 100_001}}, "/limits/max_pending_per_agent", "less"),
        ({"limits": {1: 2}}, "", "not plain data"),
        ({"a/b~c": 1}, "/a~1b~0c", "not a key"),
    ],
)
def test_what_the_form_does_not_know_is_refused_with_its_place(
    mapping: dict[str, object], place: str, words: str
):
    refused(mapping, place, words)


@pytest.mark.parametrize("value", [[], "rules", None, 1])
def test_a_bundle_is_a_mapping(value: object):
    with pytest.raises(InvalidInput, match="mapping of sections"):
        load(value)  # type: ignore[arg-type]


def test_a_bundle_of_unbounded_depth_is_refused():
    deep: dict[str, object] = {}
    for _ in range(40):
        deep = {"x": deep}
    refused(deep, "", "more than 32 levels")
    for _ in range(100_000):
        deep = {"x": deep}
    refused(deep, "", "nested too deeply")
    while deep:  # unwound by hand: dropping it at once would recurse as deeply
        deep = deep.pop("x")  # type: ignore[assignment]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(
                st.sampled_from([*WHOLE, "match", "id", "decision", "roles", "x"]),
                inner,
                max_size=4,
            )
        ),
        max_leaves=12,
    )
)
def test_anything_else_is_refused_with_a_code_and_never_crashes(value: object):
    mapping = value if isinstance(value, Mapping) else {"rules": value}
    code = Code.INVALID_BUNDLE
    try:
        load(mapping)
    except InvalidInput as error:
        code = error.code
    assert code is Code.INVALID_BUNDLE


def test_a_pointer_escapes_what_rfc_6901_says():
    assert pointer("a/b", "c~d", 0) == "/a~1b/c~0d/0"
