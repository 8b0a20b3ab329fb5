import math
from collections.abc import Mapping
from decimal import Decimal
from itertools import product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.bundles import read
from governance.action import ActionKind, ActionRequest
from governance.errors import InvalidInput
from governance.policy.bundle import load
from governance.policy.compiling.rules import effect_of
from governance.policy.decision import Effect
from governance.policy.imported.documents import Imported, Kind, imported, kind_of
from governance.policy.imported.values import NoteKind
from governance.policy.matching import glob
from tests.unit.policy.asking import BOUND, ask, decide
from tests.unit.policy.test_seeds import EVERY_KEY, FILES, GROUPS, OTHER, PROBES, S0, S1, S2
from tests.unit.policy.test_seeds import with_other as with_other_at

DIALECT = read(Path(__file__).parents[2] / "fixtures" / "import" / "dialect.yaml").mapping


def take(*rules: Mapping[str, Any], **sections: Any) -> Imported:
    made = imported({"rules": list(rules), **sections}, Kind.RULES)
    load(made.bundle)
    return made


def foreign(decision: str, rule_id: str = "r", **match: Any) -> dict[str, Any]:
    return {"id": rule_id, "match": match, "decision": decision}


def rules_of(made: Imported) -> list[Any]:
    found = made.bundle["rules"]
    assert isinstance(found, list)
    return found


def pointers(made: Imported, kind: NoteKind = NoteKind.NOT_CARRIED) -> set[str]:
    return {note.pointer for note in made.notes if note.kind is kind}


def answer(made: Imported, request: ActionRequest) -> Effect:
    return decide(request, load(made.bundle)).effect


def test_ids_and_order_are_kept_and_the_first_match_decides():
    made = take(foreign("allow", "b"), foreign("deny", "a", topics=["x"]))
    assert [rule["id"] for rule in rules_of(made)] == ["b", "a"]
    assert made.bundle["strategy"] == "first_match"
    assert answer(made, ask("x")) is Effect.ALLOW


@pytest.mark.parametrize(
    ("word", "effect"),
    [
        ("permit", Effect.ALLOW),
        ("BLOCK", Effect.DENY),
        ("require-approval", Effect.REQUIRE_APPROVAL),
        ("require_human", Effect.REQUIRE_APPROVAL),
        ("throttle", Effect.THROTTLE),
    ],
)
def test_every_word_for_a_decision_is_understood(word: str, effect: Effect):
    assert answer(take(foreign(word)), ask()) is effect


def test_an_unset_default_is_deny():
    made = take()
    assert made.bundle["default_decision"] == "deny"
    assert any("default_decision" in note.text for note in made.notes)
    assert take(default_decision="allow").bundle["default_decision"] == "allow"


def test_approvals_name_a_tier_of_two_people_whom_somebody_has_to_fill_in():
    made = take(foreign("require_approval"))
    requirement = decide(ask(), load(made.bundle)).requirement
    assert requirement is not None
    assert sum(role.min_required for role in requirement.roles) == 2
    assert made.bundle["directory"] == {"roles": {"approver": {"people": []}}}
    assert any("people" in n.text for n in made.notes if n.kind is NoteKind.TO_DO)


LOST = [
    {"predicate": "x"},
    {"secrets_present": True},
    {"secrets_present": False},
    {"actor_types": ["service"]},
    {"agent_data_classifications": ["pii"]},
    {"mcp": {"deny_tools": ["a"]}},
    {"never_heard_of": 1},
    {"risk_tags": ["straße"]},
]


@pytest.mark.parametrize("match", LOST)
def test_an_allow_with_a_condition_that_is_lost_never_allows(match: dict[str, Any]):
    key = next(iter(match))
    made = take(foreign("allow", **match))
    assert rules_of(made) == []
    assert {f"/rules/0/match/{key}", "/rules/0"} <= pointers(made)
    asks = take(foreign("allow", **match), foreign("require_approval", "rest"))
    assert [rule["decision"] for rule in rules_of(asks)] == ["require_approval"] * 2


@pytest.mark.parametrize("match", LOST)
def test_a_deny_with_a_condition_that_is_lost_denies_more(match: dict[str, Any]):
    made = take(foreign("deny", **match), default_decision="allow")
    assert rules_of(made) == [{"id": "r", "decision": "deny"}]
    assert pointers(made) == {f"/rules/0/match/{next(iter(match))}"}


@pytest.mark.parametrize("word", ["require_approval", "throttle"])
def test_a_rule_that_grew_never_hides_a_stricter_one(word: str):
    grown = foreign(word, predicate="x", topics=["a"])
    assert rules_of(take(grown, foreign("deny", "d")))[0]["decision"] == "deny"
    assert rules_of(take(grown))[0]["decision"] == "deny"
    covered = take(grown, foreign("allow", "rest", topics=["a"]), foreign("deny", "d"))
    assert rules_of(covered)[0]["decision"] == word
    other = take(grown, foreign("allow", "rest", topics=["b"]))
    assert rules_of(other)[0]["decision"] == "deny"
    limited = {**foreign("allow", "l"), "constraints": {"max_retries": 1}}
    hiding = take(grown, limited, default_decision="allow")
    assert rules_of(hiding)[0]["decision"] == "deny"
    unsure = foreign("allow", "u", topics=["a"], predicate="y")
    assert rules_of(take(grown, unsure, foreign("deny", "d")))[0]["decision"] == "deny"


def test_a_missing_label_is_judged_strictly_and_never_hides_a_stricter_rule():
    rule = foreign("require_approval", labels={"env": "x"})
    assert answer(take(rule), ask()) is Effect.DENY
    assert answer(take(rule), ask(labels={"env": "x"})) is Effect.REQUIRE_APPROVAL
    open_ = take(rule, default_decision="allow")
    assert answer(open_, ask(action=ActionKind.READ)) is Effect.REQUIRE_APPROVAL
    assert pointers(open_, NoteKind.STRICTER) == {"/rules/0/match/labels"}
    spelt = take(foreign("deny", labels={"a": True, "b": 1, "c": Decimal("1.50")}))
    assert rules_of(spelt)[0]["match"]["labels"] == {"a": "true", "b": "1", "c": "1.50"}
    odd = take(foreign("require_approval", labels={"e'v": "x"}))
    assert answer(odd, ask()) is Effect.DENY
    many = take(foreign("deny", label_allowlist={"a": ["1"], "b": ["2"]}), default_decision="allow")
    assert rules_of(many) == [{"id": "r", "decision": "deny"}]


@pytest.mark.parametrize("key", ["label_threshold", "label_allowlist"])
def test_what_failed_open_is_an_error_that_restricts(key: str):
    value = {"label_threshold": {"n": Decimal("1.5")}, "label_allowlist": {"n": ["a"]}}[key]
    made = take(foreign("deny", **{key: value}), default_decision="allow")
    read_ = ask(action=ActionKind.READ)
    assert answer(made, read_) is Effect.DENY
    assert answer(made, ask(action=ActionKind.READ, labels={"n": "a"})) is (
        Effect.DENY if key == "label_threshold" else Effect.ALLOW
    )
    assert pointers(made, NoteKind.STRICTER) == {f"/rules/0/match/{key}"}


def test_a_threshold_never_lets_an_allow_through():
    left_out = take(foreign("allow", label_threshold={"n": 1}))
    assert rules_of(left_out) == []
    assert "/rules/0/match/label_threshold" in pointers(left_out)
    made = take(foreign("allow", label_threshold={"n": 1}), default_decision="allow")
    assert rules_of(made)[0]["decision"] == "require_approval"
    two = take(foreign("deny", label_threshold={"n": 1, "m": 2}))
    assert rules_of(two) == [{"id": "r", "decision": "deny"}]
    empty = take(foreign("deny", label_allowlist={"n": []}))
    assert rules_of(empty) == [{"id": "r", "decision": "deny"}]


def test_names_are_compared_without_case_where_that_restricts():
    made = take(foreign("deny", tenants=["ACME "]), foreign("allow", "rest"))
    assert answer(made, ask()) is Effect.DENY
    assert answer(take(foreign("allow", tenants=["ACME"])), ask()) is Effect.DENY
    assert answer(take(foreign("allow", actor_ids=["deployer"])), ask()) is Effect.ALLOW
    odd = take(foreign("deny", actor_ids=["a|b"]), default_decision="allow")
    assert rules_of(odd) == [{"id": "r", "decision": "deny"}]


VELOCITY = {"max_requests": 5, "window_seconds": 60, "key": "actor_id"}


@pytest.mark.parametrize(
    ("changed", "per"),
    [({}, "agent"), ({"key": "labels.user"}, "label:user"), ({"key": "tenant"}, "tenant")],
)
def test_velocity_counts_here_as_well(changed: dict[str, Any], per: str):
    made = take({**foreign("deny"), "velocity": VELOCITY | changed})
    expected = {"per": per, "more_than": 5, "within": "60s"}
    assert rules_of(made)[0]["match"] == {"velocity": expected}
    assert pointers(made, NoteKind.STRICTER) == {"", "/rules/0/velocity"}


@pytest.mark.parametrize(
    "changed",
    [
        {"key": "topic"},
        {"key": 5},
        {"max_requests": 0},
        {"window_seconds": 90_000},
        {"burst": 3},
    ],
)
def test_a_velocity_that_cannot_be_counted_always_holds(changed: dict[str, Any]):
    made = take({**foreign("deny"), "velocity": VELOCITY | changed})
    assert "match" not in rules_of(made)[0]
    assert pointers(made) == {"/rules/0/velocity"}


def test_the_allow_lists_of_mcp_narrow_an_allow():
    made = take(foreign("allow", mcp={"allow_servers": ["jira"], "allow_tools": []}))
    assert answer(made, ask(labels={"mcp.server": "jira"})) is Effect.ALLOW
    assert answer(made, ask()) is Effect.DENY
    assert answer(take(foreign("allow", mcp={"allow_servers": []})), ask()) is Effect.ALLOW


LIMITS = {
    "budgets": {"max_runtime_ms": 45_999, "max_retries": 3, "max_concurrent_jobs": 2},
    "sandbox": {
        "isolated": True,
        "network_allowlist": ["a", "b"],
        "fs_read_only": ["/r"],
        "fs_read_write": ["/w"],
    },
    "toolchain": {"allowed_tools": ["git"], "allowed_commands": []},
    "diff": {"max_files": 1, "max_lines": 2, "deny_path_globs": ["*.key"]},
    "allowed_destinations": ["b", "c"],
    "redact_patterns": ["x"],
    "redaction_level": "strict",
    "max_retries": 1,
    "max_output_bytes": None,
}


def test_limits_are_carried_over_and_only_ever_tightened():
    made = take({**foreign("allow"), "constraints": LIMITS})
    assert decide(ask(), load(made.bundle)).constraints.to_json() == {
        "max_runtime_s": 45,
        "max_retries": 1,
        "max_concurrent_jobs": 2,
        "isolated": True,
        "network_allow": ["b"],
        "read_allow": ["/r", "/w"],
        "write_allow": ["/w"],
        "tools_allow": ["git"],
        "commands_allow": [],
        "max_files": 1,
        "max_lines": 2,
        "paths_deny": ["*.key"],
        "redact_deny": ["level:strict", "x"],
    }
    assert rules_of(made)[0]["decision"] == "allow_with_constraints"


@pytest.mark.parametrize(
    "limits", [{"unheard": 1}, {"budgets": {"max_runtime_ms": 999}}, {"max_concurrent_jobs": 0}]
)
def test_a_rule_that_loses_a_limit_asks_people_or_denies(limits: dict[str, Any]):
    for word, now in (("allow", "require_approval"), ("require_approval", "deny")):
        made = take({**foreign(word), "constraints": limits})
        assert rules_of(made)[0]["decision"] == now
        assert any(item.startswith("/rules/0/constraints/") for item in pointers(made))


def test_limits_that_limit_nothing_are_no_constraints():
    nothing = {"isolated": False, "redact_patterns": []}
    made = take({**foreign("allow"), "constraints": nothing})
    assert rules_of(made) == [{"id": "r", "decision": "allow"}]
    named = take({**foreign("allow_with_constraints"), "constraints": nothing})
    assert rules_of(named)[0]["decision"] == "require_approval"
    denied = take({**foreign("deny"), "constraints": {"max_retries": 1}})
    assert "/rules/0/constraints" in pointers(denied)
    assert "constraints" not in rules_of(denied)[0]


def test_a_limited_allow_that_grew_asks_people_within_its_limits():
    rule = {**foreign("allow", predicate="x"), "constraints": {"max_retries": 1}}
    made = take(rule, default_decision="allow")
    assert rules_of(made)[0]["decision"] == "require_approval"
    assert rules_of(made)[0]["constraints"] == {"max_retries": 1}


def test_what_restricts_a_tenant_or_a_prompt_denies_in_front_until_somebody_decides():
    made = imported(DIALECT, Kind.RULES)
    assert [rule["id"] for rule in rules_of(made)][:4] == [
        "imported.tenants.1",
        "imported.input_policy",
        "imported.require_human",
        "prompt-words",
    ]
    assert {rule["decision"] for rule in rules_of(made)[:4]} == {"deny"}
    assert made.bundle["output"] == {"policy": "quarantine"}
    none = take(tenants={"a": {}}, input_policy={}, require_human=False, output_rules=[])
    assert rules_of(none) == []
    assert "output" not in none.bundle


def test_a_file_for_some_requests_loosens_nothing_for_the_others():
    made = take(foreign("allow"), selector={"workflow": "w"}, default_decision="allow")
    assert (rules_of(made), made.bundle["default_decision"]) == ([], "deny")
    assert "/selector" in pointers(made)
    tiered = take({**foreign("allow"), "tier": "job"})
    assert rules_of(tiered) == []
    same = take(
        {**foreign("allow"), "tier": "global", "selector": None, "description": "d", "name": ""}
    )
    assert (rules_of(same), pointers(same)) == (
        [{"id": "r", "decision": "allow"}],
        {"/rules/0/description"},
    )


REFUSED = [
    ({"rules": [foreign("perhaps")]}, "/rules/0/decision", "no decision"),
    ({"rules": [{"id": "a"}]}, "/rules/0/decision", "should be text"),
    ({"rules": [{"decision": "deny"}]}, "/rules/0/id", "should be text"),
    ({"rules": [foreign("deny", "a b")]}, "/rules/0/id", "no name"),
    ({"rules": [foreign("deny"), foreign("deny")]}, "/rules/1/id", "twice"),
    ({"rules": {}}, "/rules", "a list"),
    ({"rules": "x"}, "/rules", "a list"),
    ({"rules": [1]}, "/rules/0", "a mapping"),
    ({"rules": [foreign("deny", topics=["[a"])]}, "/rules/0/match/topics/0", "too early"),
    ({"rules": [foreign("deny", risk_tags=[" "])]}, "/rules/0/match/risk_tags/0", "blank"),
    ({"rules": [foreign("deny", risk_tags="x")]}, "/rules/0/match/risk_tags", "list"),
    ({"rules": [foreign("deny", risk_tags=["x" * 257])]}, "/rules/0/match/risk_tags/0", "longer"),
    ({"rules": [foreign("deny", labels={"a": []})]}, "/rules/0/match/labels/a", "one text"),
    ({"rules": [foreign("deny", label_threshold={"a": True})]}, "", "a number"),
    ({"rules": [{**foreign("deny"), "velocity": {"key": "x"}}]}, "", "whole number"),
    ({"rules": [{**foreign("allow"), "constraints": {"isolated": 1}}]}, "", "true or false"),
    (
        {"rules": [foreign("require_human", labels={f"{n:0100}": "x" for n in range(20)})]},
        "/rules/0/match",
        "too many conditions",
    ),
    ({"rules": [], "priority": 1}, "/priority", "not a key"),
    (
        {"rules": [foreign("deny"), {**foreign("deny", "b"), "priority": 0}]},
        "/rules/1/priority",
        "sort them",
    ),
    ({"rules": [], "version": "v2"}, "/version", "only version v1"),
    ({"rules": [], "default_decision": "allow_with_constraints"}, "/default_decision", "limits"),
    (
        {"rules": [foreign("deny"), {**foreign("deny", "b"), "tier": "job"}]},
        "/rules/1/tier",
        "several tiers",
    ),
    (
        {"rules": [{**foreign("deny"), "tier": "job"}, foreign("deny", "b")]},
        "/rules/1",
        "several tiers",
    ),
]


@pytest.mark.parametrize(("source", "at", "words"), REFUSED)
def test_what_is_malformed_is_refused_with_its_place(source: Any, at: str, words: str):
    with pytest.raises(InvalidInput, match=words) as caught:
        imported(source, Kind.RULES)
    assert not at or caught.value.pointer == at


def test_the_kind_of_a_file_is_seen_by_its_keys():
    assert [kind_of(seed) for seed in (S0, S1, S2)] == [*Kind]
    for mapping, words in (
        ({**S0, **S2}, "several kinds"),
        ({"x": 1}, "no kind"),
        ({"rules": [], "strategy": "first_match"}, "documented form"),
    ):
        with pytest.raises(InvalidInput, match=words):
            kind_of(mapping)


def test_the_harness_and_the_exception_file_decide_as_they_did():
    for seed in (S0, S1, {**S1, "tool_groups": GROUPS}, {"policy_engine": {}}):
        before, after = load(seed), load(imported(seed, kind_of(seed)).bundle)
        for probe in PROBES:
            old, new = decide(probe, before, agent=BOUND), decide(probe, after, agent=BOUND)
            assert (old.effect, old.rule_ids) == (new.effect, new.rule_ids)
        assert before.credential_ttl_s == after.credential_ttl_s
        assert before.audit.retention_days == after.audit.retention_days
        assert before.required_fields == after.required_fields
    bare = {"exception_routing": {"approval": {"roles": {"a": {"weight": 2, "min_required": 2}}}}}
    assert imported(bare, kind_of(bare)).bundle["default_tier"] == "exception_routing"
    with pytest.raises(InvalidInput, match="not a key"):
        imported({**S0, "rules": []}, Kind.EXCEPTION_ROUTING)


@pytest.mark.parametrize(("name", "at"), EVERY_KEY)
def test_no_key_of_the_three_files_is_dropped(name: str, at: str):
    seed, _ = FILES[name]
    told = [item for item in pointers(imported(seed, kind_of(seed))) if item]
    if any(at == item or at.startswith(f"{item}/") for item in told):
        return
    other = with_other_at(seed, at.split("/")[1:], OTHER[at])
    try:
        assert imported(other, kind_of(seed)).bundle != imported(seed, kind_of(seed)).bundle
    except InvalidInput as refusal:
        assert refusal.pointer == at  # noqa: PT017  # a refusal is one of three right answers


def leaves(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = (
        value.items()
        if isinstance(value, Mapping)
        else enumerate(value)
        if isinstance(value, list | tuple)
        else ()
    )
    return [leaf for key, item in pairs for leaf in leaves(item, (*at, key))] or [at]


def without(value: Any, path: tuple[Any, ...]) -> Any:
    copy = dict(value) if isinstance(value, Mapping) else list(value)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(copy[path[0]], path[1:])
    return copy


@pytest.mark.parametrize("path", leaves(DIALECT))
def test_no_key_of_the_dialect_is_dropped(path: tuple[Any, ...]):
    made, at = imported(DIALECT, Kind.RULES), "/" + "/".join(map(str, path))
    if path in (("version",), ("default_decision",)):
        return  # one value is read, and the other is what holds without it
    left_out = path[:2] == ("rules", 2)
    told = any(at == item or at.startswith(f"{item}/") for item in pointers(made) if item)
    if told or left_out:
        return
    try:
        assert imported(without(DIALECT, path), Kind.RULES).bundle != made.bundle
    except InvalidInput as refusal:
        assert refusal.pointer == at  # noqa: PT017  # it is needed


# The property: a naive reading of the original is never stricter than what was made of it.

TAGS, TOPICS = ["a", "b"], ["job.x", "job.y.z"]
LABEL_VALUES = ["1", "5", "+7", "abc", "x"]


def names(*values: str) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=2)


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "topics": names("job.*", "job.x", "*.z"),
        "risk_tags": names("a", "B "),
        "requires": names("a", "B"),
        "capabilities": names("c", "D"),
        "tenants": names("acme", "ACME", "other"),
        "actor_ids": names("Deployer", "deployer", "x"),
        "labels": st.dictionaries(st.sampled_from(["m", "n"]), st.sampled_from(LABEL_VALUES)),
        "label_allowlist": st.dictionaries(st.sampled_from(["m", "n"]), names(*LABEL_VALUES)),
        "label_threshold": st.dictionaries(st.sampled_from(["m", "n"]), st.integers(0, 6)),
        "secrets_present": st.booleans(),
        "unheard": st.just("x"),
    },
)
RULES = st.lists(
    st.fixed_dictionaries(
        {
            "match": MATCHES,
            "decision": st.sampled_from(
                ["allow", "permit", "deny", "require_human", "throttle", "allow_with_constraints"]
            ),
        },
        optional={
            "constraints": st.sampled_from(
                [{}, {"max_retries": 1}, {"budgets": {"max_runtime_ms": 5}}]
            ),
            "selector": st.sampled_from([{}, {"w": "x"}]),
        },
    ),
    max_size=5,
)
REQUESTS = st.builds(
    lambda topic, tags, requires, capability, labels, kind: ask(
        topic,
        risk_tags=tuple(tags),
        requires=tuple(requires),
        capability=capability,
        labels=labels,
        action=kind,
    ),
    st.sampled_from(TOPICS),
    st.lists(st.sampled_from(TAGS), max_size=2),
    st.lists(st.sampled_from(TAGS), max_size=2),
    st.sampled_from(["", "C", "d"]),
    st.dictionaries(st.sampled_from(["m", "n"]), st.sampled_from(LABEL_VALUES)),
    st.sampled_from(list(ActionKind)),
)


def low(values: Any) -> set[str]:
    return {value.strip().lower() for value in values}


def number(text: str | None) -> float:
    try:
        return float(text or "")
    except ValueError:
        return math.nan


def matches(match: Mapping[str, Any], request: ActionRequest, *, unknown: bool) -> bool:
    """What the file's own documentation says; ``unknown``: what we cannot know holds."""
    labels = request.labels
    listed = match.get("label_allowlist", {})
    if ("unheard" in match or "secrets_present" in match) and not unknown:
        return False
    return (
        (not match.get("topics") or any(glob(t).matches(request.topic) for t in match["topics"]))
        and (not match.get("risk_tags") or bool(low(match["risk_tags"]) & low(request.risk_tags)))
        and low(match.get("requires", [])) <= low(request.requires)
        and (
            not match.get("capabilities")
            or request.capability.lower() in low(match["capabilities"])
        )
        and (not match.get("tenants") or request.tenant in low(match["tenants"]))
        and (not match.get("actor_ids") or request.agent in low(match["actor_ids"]))
        and all(labels.get(k) == v for k, v in match.get("labels", {}).items())
        and all(k in labels and labels[k] not in v for k, v in listed.items())
        and all(number(labels.get(k)) > v for k, v in match.get("label_threshold", {}).items())
    )


def naive(
    rules: list[dict[str, Any]], default: str | None, request: ActionRequest, unknown: list[bool]
) -> Effect:
    for rule, holds in zip(rules, unknown, strict=False):
        hidden = {"unheard": "x"} if rule.get("selector") else {}
        if matches({**rule["match"], **hidden}, request, unknown=holds):
            effect = effect_of(rule["decision"])
            limited = effect is Effect.ALLOW and bool(rule.get("constraints"))
            return Effect.ALLOW_WITH_CONSTRAINTS if limited else effect
    return effect_of(default or "deny")


@settings(max_examples=400, deadline=None)
@given(RULES, st.sampled_from([None, "deny", "allow"]), REQUESTS)
def test_what_is_imported_is_never_looser_than_the_original(
    rules: list[dict[str, Any]], default: str | None, request_: ActionRequest
):
    numbered = [{**rule, "id": f"r{n}"} for n, rule in enumerate(rules)]
    sections = {} if default is None else {"default_decision": default}
    policy = load(imported({"rules": numbered, **sections}, Kind.RULES).bundle)
    ours = decide(request_, policy).effect
    for unknown in product((True, False), repeat=len(rules)):
        theirs = naive(rules, default, request_, list(unknown))
        assert ours.rank >= theirs.rank, (policy.source, unknown)
