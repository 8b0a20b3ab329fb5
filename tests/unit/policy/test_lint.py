"""The linter is right where it is certain, and finds each thing that it knows."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.policy.bundle import load
from governance.policy.decision import Decision, Effect, Requirement
from governance.policy.lint.findings import MEANINGS, LintCode, LintReport, Severity, severity_of
from governance.policy.lint.linter import lint
from governance.principal import Eligible
from governance.tickets.quorum import is_reachable
from tests.unit.policy.asking import HEAVY, LIGHT, bundle, decide, rule, tool
from tests.unit.policy.made import ASKED, STRATEGIES, policy_of, rule_lists

PEOPLE: Mapping[str, object] = {
    "roles": {
        "operator": {"people": ["slack:T0/U0A", "slack:T0/U0B"]},
        "reviewer": {"people": ["slack:T0/U0C", "slack:T0/U0D"]},
    }
}
TIERS: Mapping[str, object] = {"two": {**HEAVY, "ttl": "4h"}}
SOUND: dict[str, Any] = {"directory": PEOPLE, "tiers": TIERS, "default_tier": "two"}


def reaches(tier: Requirement, eligible: Eligible) -> bool:
    return is_reachable(tier, (), eligible)


def linted(*rules: Mapping[str, object], most: int | None = None, **more: Any) -> LintReport:
    policy = bundle(*rules, **{**SOUND, **more})
    return (
        lint(policy, reaches=reaches) if most is None else lint(policy, reaches=reaches, most=most)
    )


def found(*rules: Mapping[str, object], **more: Any) -> list[tuple[str, str]]:
    return [(item.code.value, item.pointer) for item in linted(*rules, **more).findings]


FIRST = {"strategy": "first_match"}
RATE = {"per": "agent", "count": 1, "window_s": 1}
WARNS = {"id": "c", "description": "d", "violationAction": "WARN"}
DEPLOYS = "job.deploy.*"
BAD: list[tuple[LintCode, str, list[Mapping[str, object]], dict[str, Any]]] = [
    (
        LintCode.CONTRADICTORY,
        "/rules/0",
        [rule("a", "allow", topics=[DEPLOYS]), rule("b", "deny", topics=[DEPLOYS])],
        {},
    ),
    (
        LintCode.CONTRADICTORY,
        "/rules/1",
        [rule("a", "deny", topics=[DEPLOYS]), rule("b", "allow", topics=[DEPLOYS])],
        FIRST,
    ),
    (
        LintCode.SHADOWED,
        "/rules/0",
        [rule("a", "allow", topics=["job.deploy.web"]), rule("b", "deny", topics=[DEPLOYS])],
        {},
    ),
    (
        LintCode.SHADOWED,
        "/rules/1",
        [rule("a", "allow", topics=["job.*x"]), rule("b", "deny", topics=["job.deploy.x"])],
        FIRST,
    ),
    (
        LintCode.SHADOWED,
        "/rules/1",
        [
            rule("a", "require_approval", topics=["job.*x"]),
            rule("b", "require_approval", topics=["job.ax"], tier="two"),
        ],
        FIRST,
    ),
    (
        LintCode.REDUNDANT,
        "/rules/1",
        [rule("a", "deny", risk_tags=["x", "y"]), rule("b", "deny", risk_tags=["x"])],
        {},
    ),
    (
        LintCode.REDUNDANT,
        "/rules/1",
        [rule("a", "deny", agents=["x"]), rule("b", "deny", agents=["x"])],
        {},
    ),
    (
        LintCode.DENY_BEHIND_ALLOW,
        "/rules/1",
        [
            rule("a", "allow", topics=[DEPLOYS], environments=["dev"]),
            rule("b", "deny", topics=["job.deploy.db"], environments=["dev"]),
        ],
        {**FIRST, "environments": {"dev": {}}},
    ),
    (LintCode.NEVER_MATCHES, "/rules/0/match", [rule("a", "allow", tools=["t"])], {}),
    (
        LintCode.NEVER_MATCHES,
        "/rules/0/match",
        [rule("a", "require_approval", tools=["t"], actions=["write"])],
        {"tools": {"t": tool(scope="a:b")}},
    ),
    (
        LintCode.NEVER_MATCHES,
        "/rules/0/match",
        [rule("a", "allow", topics=[DEPLOYS], environments=["lab"])],
        {},
    ),
    (
        LintCode.REFUSED_ANYWAY,
        "/rules/0",
        [rule("a", "deny", tools=["t"], actions=["write"])],
        {"tools": {"t": tool(scope="a:b")}},
    ),
    (
        LintCode.ASKS_ANYWAY,
        "/rules/0",
        [rule("a", "allow", tools=["t"])],
        {"tools": {"t": tool(actions=["write"], scope="a:b")}},
    ),
    (
        LintCode.IMPOSSIBLE_TOPIC,
        "/rules/0/match/topics/1",
        [rule("a", "deny", topics=["a", " b"])],
        {},
    ),
    (
        LintCode.UNKNOWN_TOOL,
        "/constraints/0/match/tools",
        [],
        {
            "constraints": [
                {
                    "id": "c",
                    "description": "d",
                    "violationAction": "BLOCK",
                    "match": {"tools": ["t"]},
                }
            ]
        },
    ),
    (
        LintCode.UNKNOWN_CLASS,
        "/rules/0/match/data_classes",
        [rule("a", "deny", data_classes=["secret", "pii"])],
        {},
    ),
    (LintCode.ALLOWS_EVERYTHING, "/rules/0", [rule("a", "allow")], {}),
    (LintCode.ALLOWS_EVERYTHING, "/rules/0", [rule("a", "permit", topics=["job.*"])], {}),
    (LintCode.DEFAULT_ALLOWS, "/default_decision", [], {"default_decision": "allow"}),
    (
        LintCode.UNDECLARED_GROUP,
        "/environments/dev/allowed_tools/0",
        [],
        {"environments": {"dev": {"allowed_tools": ["scanners"]}}},
    ),
    (
        LintCode.UNDECLARED_GROUP,
        "/policy_engine/environment_gates/dev/allowed_tools/0",
        [],
        {"policy_engine": {"environment_gates": {"dev": {"allowed_tools": ["scanners"]}}}},
    ),
    (LintCode.UNUSED_GROUP, "/tool_groups/g", [], {"tool_groups": {"g": []}}),
    (LintCode.NO_APPROVERS, "/directory", [], {"directory": {}}),
    (
        LintCode.UNREACHABLE_TIER,
        "/tiers/two",
        [],
        {"directory": {"roles": {"operator": {"people": ["slack:T0/U0A"]}}}},
    ),
    (
        LintCode.SINGLE_PERSON_TIER,
        "/tiers/one",
        [],
        {"tiers": {"one": {**LIGHT, "ttl": "1h"}}, "default_tier": "one"},
    ),
    (LintCode.TIER_WITHOUT_TTL, "/tiers/two", [], {"tiers": {"two": HEAVY}}),
    (
        LintCode.UNUSED_TIER,
        "/tiers/other",
        [],
        {"tiers": {**TIERS, "other": {**HEAVY, "ttl": "1h"}}},
    ),
    (
        LintCode.STEP_UP_UNAVAILABLE,
        "/tiers/two/step_up",
        [],
        {"tiers": {"two": {**HEAVY, "ttl": "4h", "step_up": True}}},
    ),
    (LintCode.TOOL_WITHOUT_SCOPE, "/tools/t", [], {"tools": {"t": tool(arguments={})}}),
    *(
        (
            LintCode.TARGET_ON_CARD,
            "/rules/0/constraints/redact_deny",
            [rule("r", "require_approval", constraints={"redact_deny": hidden}, **match)],
            {"tools": {"t": tool(scope="path:*", target="path")}},
        )
        for hidden, match in ((["Path"], {"tools": ["t"]}), (["x", "arguments"], {}))
    ),
    (LintCode.SIGNALS_OFF, "/signals/injection", [], {"signals": {"injection": "off"}}),
    (
        LintCode.UNSAFE_OPEN,
        "/environments/dev/fail_mode",
        [],
        {"environments": {"dev": {"fail_mode": "unsafe_open"}}},
    ),
    (
        LintCode.EVADABLE_COUNT,
        "/rules/0/match/after/0",
        [rule("a", "deny", after=[{"of": "trace", "within": "1h", "risk_tags": ["x"]}])],
        {},
    ),
    (
        LintCode.EVADABLE_COUNT,
        "/rules/0/match/velocity/per",
        [rule("a", "deny", velocity={"per": "trace", "more_than": 3, "within": "1h"})],
        {},
    ),
    (
        LintCode.EVADABLE_COUNT,
        "/rules/0/rate/per",
        [rule("a", "throttle", rate={"per": "label:x", "count": 3, "window_s": 60})],
        {},
    ),
    (
        LintCode.MISSING_LABEL,
        "/rules/0/match/labels/pii",
        [rule("a", "deny", labels={"pii": "true"})],
        {},
    ),
]


@pytest.mark.parametrize(
    ("code", "pointer", "rules", "more"), BAD, ids=lambda value: str(value)[:24]
)
def test_each_bad_bundle_is_found(
    code: LintCode, pointer: str, rules: list[Mapping[str, object]], more: dict[str, Any]
):
    report = linted(*rules, **more)
    assert (code, pointer) in [(item.code, item.pointer) for item in report.findings]
    for item in report.findings:
        assert item.text
        assert item.fix
        assert item.severity is severity_of(item.code)


def test_every_code_has_a_bad_bundle_and_a_meaning():
    assert {code for code, *_ in BAD} == set(LintCode)
    assert set(MEANINGS) == set(LintCode)


def test_a_bundle_that_is_in_order_has_no_finding():
    report = linted(
        rule("look", "allow", topics=["job.look.*"], actions=["read"]),
        rule("change", "require_approval", topics=["job.change.*"]),
        rule("change-db", "deny", topics=["job.change.db"], risk_tags=["x"]),
        rule(
            "storm",
            "throttle",
            topics=["job.look.*"],
            rate=RATE,
        ),
        rule("use", "deny", tools=["t"], agents=["x"]),
        tools={"t": tool(scope="a:b")},
        environments={"dev": {"allowed_tools": ["g", "t"]}},
        tool_groups={"g": ["t"]},
        constraints=[WARNS],
    )
    assert report == LintReport(findings=())


@pytest.mark.parametrize(
    ("hidden", "tools"),
    [(["path", "target"], ["t"]), (["other"], ["t"]), (["path"], ["u"]), ([], ["t"])],
)
def test_a_rule_that_hides_the_target_too_or_hides_none_is_in_order(
    hidden: list[str], tools: list[str]
):
    asks = rule("r", "require_approval", tools=tools, constraints={"redact_deny": hidden})
    two = {"t": tool(scope="path:*", target="path"), "u": tool(scope="path:*")}
    assert linted(asks, tools=two) == LintReport(findings=())


def test_errors_come_first():
    report = linted(rule("a", "allow"), directory={}, default_decision="allow")
    severities = [item.severity for item in report.findings]
    assert severities == [Severity.ERROR, Severity.WARNING, Severity.WARNING]
    assert report.of(Severity.ERROR) == report.findings[:1]


def test_what_hangs_on_user_groups_cannot_be_told():
    groups = {"roles": {"operator": {"slack_usergroups": ["S1"]}}}
    report = linted(directory=groups)
    assert [item.pointer for item in report.unclear] == ["/tiers/two"]
    assert "S1" in report.unclear[0].text
    assert report.findings == ()


@pytest.mark.parametrize(("people", "found_"), [(2, []), (1, ["/tiers/board", "/tiers/two"])])
def test_a_tier_that_is_escalated_is_met_by_the_people_it_is_escalated_to(
    people: int, found_: list[str]
):
    board = {"roles": {"director": {"weight": 2, "min_required": 2}}, "ttl": "1h"}
    two = {"roles": {"operator": {"weight": 1, "min_required": 2}}, "ttl": "1h"}
    directors = [f"slack:T0/U0D{number}" for number in range(people)]
    report = linted(
        tiers={"two": {**two, "escalation": {"unreachable": "board"}}, "board": board},
        directory={"roles": {"director": {"people": directors}}},
    )
    unmet = [item for item in report.findings if item.code is LintCode.UNREACHABLE_TIER]
    assert sorted(item.pointer for item in unmet) == found_


def test_the_tier_of_an_exception_block_is_named_where_it_stands():
    block = {"approval": {"roles": {"lead": {"weight": 1, "min_required": 1}}}}
    mapping = {"exception_routing": block, "directory": PEOPLE}
    codes = [(i.code, i.pointer) for i in lint(load(mapping), reaches=reaches).findings]
    assert (LintCode.UNREACHABLE_TIER, "/exception_routing/approval") in codes
    assert (LintCode.SINGLE_PERSON_TIER, "/exception_routing/approval") in codes


def test_the_built_in_tier_is_nobodys_text():
    report = lint(bundle(directory=PEOPLE), reaches=reaches)
    assert report.findings == ()


# What other rules make of a rule, case by case.


@pytest.mark.parametrize(
    ("rules", "more"),
    [
        # A stricter, narrower rule is what exceptions look like.
        ([rule("a", "allow", topics=["job.a*"]), rule("b", "deny", topics=["job.ab"])], {}),
        # Another tier adds its demands.
        (
            [
                rule("a", "require_approval", topics=["job.a*"]),
                rule("b", "require_approval", topics=["job.ab"], tier="two"),
            ],
            {},
        ),
        # Other limits add theirs.
        (
            [
                rule("a", "allow", topics=["job.a*"], constraints={"max_files": 2}),
                rule("b", "allow", topics=["job.ab"], constraints={"max_files": 1}),
            ],
            {},
        ),
        # A label that is missing makes an allow silent.
        (
            [
                rule("a", "allow", topics=["job.a*"], labels={"x": "1"}),
                rule("b", "allow", topics=["job.ab"]),
            ],
            {},
        ),
        # A rate decides nothing by itself.
        (
            [
                rule(
                    "a",
                    "throttle",
                    topics=["job.a*"],
                    rate=RATE,
                ),
                rule("b", "allow", topics=["job.ab"]),
            ],
            FIRST,
        ),
        (
            [
                rule(
                    "a",
                    "throttle",
                    topics=["job.a*"],
                    rate=RATE,
                ),
                rule("b", "throttle", topics=["job.ab"]),
            ],
            {},
        ),
        # What stands behind is not first.
        ([rule("b", "deny", topics=["job.ab"]), rule("a", "allow", topics=["job.a*"])], FIRST),
        # Conditions over the past are not compared, unless they are the very same.
        (
            [
                rule("a", "deny", velocity={"per": "agent", "more_than": 3, "within": "1h"}),
                rule("b", "deny", velocity={"per": "agent", "more_than": 9, "within": "1h"}),
            ],
            {},
        ),
    ],
)
def test_rules_that_each_have_an_effect_are_left_alone(
    rules: list[Mapping[str, object]], more: dict[str, Any]
):
    assert found(*rules, **more) == []


@pytest.mark.parametrize(
    "match",
    [
        {"requires": ["x"]},
        {"labels": {"k": "v"}, "when": "has(labels.k)"},
        {"capabilities": ["c"]},
        {"roles": ["r"]},
        {"tenants": ["t"]},
        {"actions": ["write"]},
        {"velocity": {"per": "agent", "more_than": 3, "within": "1h"}},
    ],
)
def test_whatever_the_condition_a_narrower_copy_of_a_rule_is_found(match: dict[str, Any]):
    narrower = {**match, "topics": ["job.a"], "agents": ["x"]}
    assert found(rule("a", "deny", **match), rule("b", "deny", **narrower)) == [
        ("redundant-rule", "/rules/1")
    ]


@pytest.mark.parametrize(
    ("match", "fields", "code"),
    [
        ({"environments": ["dev"]}, {}, None),
        ({"environments": ["dev"]}, {"environments": ["prod"]}, "never-matches"),
        ({"environments": ["lab"]}, {}, "never-matches"),
        ({"environments": ["shut"]}, {}, "never-matches"),
        ({"capabilities": ["c"]}, {"capability": "c"}, None),
        ({"capabilities": ["d"]}, {"capability": "c"}, "never-matches"),
        ({"capabilities": ["d"]}, {}, "never-matches"),
        ({"risk_tags": ["x"]}, {"risk_tags": ["x"]}, None),
        ({"risk_tags": ["x"]}, {"risk_tags": ["y"]}, "never-matches"),
        ({"data_classes": ["internal"]}, {}, None),
        ({"data_classes": ["public"]}, {}, "never-matches"),
        ({"labels": {"a": "b"}}, {}, "never-matches"),
        ({"requires": ["a"]}, {}, "never-matches"),
    ],
)
def test_an_allow_must_fit_what_the_registry_knows_of_its_tools(
    match: dict[str, Any], fields: dict[str, Any], code: str | None
):
    codes = [
        item
        for item, _ in found(
            rule("a", "allow", tools=["t"], **match),
            tools={"t": tool(scope="a:b", **fields)},
            environments={"dev": {}, "shut": {"allowed_tools": []}},
        )
    ]
    assert codes == ([] if code is None else [code])


def test_a_restricting_rule_may_hang_on_claims():
    claims = {"risk_tags": ["x"], "environments": ["lab"], "labels": {"a": "b"}}
    kept = rule("a", "deny", tools=["t"], **claims, when="has(labels.a)")
    assert found(kept, tools={"t": tool(scope="a:b")}) == []
    where = rule("a", "deny", tools=["t"], environments=["dev"])
    bound = tool(scope="a:b", environments=["prod"])
    assert found(where, tools={"t": bound}, environments={"dev": {}}) == [
        ("refused-anyway", "/rules/0")
    ]


def test_an_allow_that_keeps_a_stricter_rule_from_answering_is_not_pointless():
    tools = {"t": tool(scope="a:b", actions=["write"])}
    rules = (rule("a", "allow", tools=["t"]), rule("b", "throttle", topics=["job.*"]))
    pointless = ("asks-anyway", "/rules/0")
    assert pointless in found(*rules, tools=tools)
    assert pointless not in found(*rules, tools=tools, **FIRST)
    assert ("asks-anyway", "/rules/1") in found(*reversed(rules), tools=tools, **FIRST)


def test_a_registered_action_does_the_widest_that_it_may():
    run = {"title": "t"}
    tools = {"t": tool(actions=["read", "write"], scope="a:b", run=run)}
    assert found(rule("a", "require_approval", tools=["t"], actions=["read"]), tools=tools) == [
        ("never-matches", "/rules/0/match")
    ]


# The law behind it: what is called pointless changes no answer.

CERTAIN = {
    LintCode.CONTRADICTORY,
    LintCode.SHADOWED,
    LintCode.REDUNDANT,
    LintCode.NEVER_MATCHES,
    LintCode.REFUSED_ANYWAY,
    LintCode.ASKS_ANYWAY,
}


def _pointless(report: LintReport) -> Iterator[int]:
    for item in report.findings:
        if item.code in CERTAIN:
            yield int(item.pointer.split("/")[2])


@settings(max_examples=300, deadline=None)
@given(rules=rule_lists(), strategy=STRATEGIES, start=st.integers(0, 300))
def test_a_rule_that_is_called_pointless_changes_no_answer(
    rules: list[dict[str, Any]], strategy: str, start: int
):
    policy = policy_of(rules, strategy)
    for position in set(_pointless(lint(policy, reaches=reaches))):
        without = policy_of([*rules[:position], *rules[position + 1 :]], strategy)
        for request, agent in ASKED[start : start + 100]:
            one = decide(request, policy, agent=agent)
            other = decide(request, without, agent=agent)
            assert _answer(one) == _answer(other)


def _answer(decision: Decision) -> tuple[object, ...]:
    """What an answer does; which rules are named for it is no part of that."""
    if decision.effect in (Effect.DENY, Effect.THROTTLE):
        return (decision.effect,)
    return decision.effect, decision.risk_tier, decision.demands, decision.constraints


def test_a_warning_about_a_rule_hides_no_error_about_it():
    rules = (
        rule("none", "deny", topics=["a.*"]),
        rule("wide", "require_approval", topics=["[ab].*"]),
        rule("narrow", "require_approval", topics=["a.x"]),
    )
    for order in (rules, (rules[1], rules[0], rules[2])):
        assert ("shadowed-rule", "/rules/2") in found(*order)


def test_ten_thousand_rules_are_compared_and_what_was_left_out_is_said():
    rules = [rule(f"r{n}", "require_approval", topics=[f"job.team{n}.*"]) for n in range(10_000)]
    policy = bundle(*rules, **SOUND)
    assert lint(policy, reaches=reaches) == LintReport(findings=())
    crowd = [rule(f"r{n}", "deny", topics=[f"*.team{n}"]) for n in range(60)]
    limited = linted(*crowd, most=10_000)
    assert [item.pointer for item in limited.unclear] == ["/rules/3"]
    assert "57 rules from r3 on" in limited.unclear[0].text
    assert linted(*crowd).unclear == ()
