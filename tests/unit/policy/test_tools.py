import re
from decimal import Decimal

import pytest

from governance.canonical import Json
from governance.policy.argument_schema import ArgumentSchema
from governance.policy.decision import Effect
from governance.policy.scopes import parse_scope
from governance.policy.tools import plan_digest
from tests.unit.policy.asking import (
    AGENT,
    EXECUTE,
    READ,
    WRITE,
    ask,
    bundle,
    decide,
    refused,
    tool,
)

RUN = {"title": "x", "runner": {"builtin": "file.write"}}


def registry(**fields: object) -> dict[str, object]:
    return {"tools": {"t": tool(**fields)}}


def test_a_read_within_its_grant_is_allowed():
    decision = decide(ask(tool="t", action=READ), bundle(**registry()))
    assert decision.effect is Effect.ALLOW
    assert decision.reason == "tool t may read within its grant"


@pytest.mark.parametrize("action", [WRITE, EXECUTE])
def test_write_and_execute_require_approval_in_every_environment(action: str):
    policy = bundle(
        tools={"t": tool(actions=["write", "execute"])},
        environments={"dev": {"requires_human_approval": False}},
    )
    for environment in ("", "dev", "prod", "elsewhere"):
        request = ask(tool="t", action=action, environment=environment)
        assert decide(request, policy).effect is Effect.REQUIRE_APPROVAL


def test_a_tool_that_requires_approval_requires_it_for_reads_too():
    policy = bundle(**registry(requires_approval=True, tier="two"), tiers={"two": TWO})
    decision = decide(ask(tool="t", action=READ), policy)
    assert (decision.effect, decision.risk_tier) == (Effect.REQUIRE_APPROVAL, "two")


TWO = {"roles": {"approver": {"weight": 1, "min_required": 2}}}


def test_a_bundle_may_say_that_no_kind_of_action_requires_approval():
    policy = bundle(**registry(actions=["write"]), approval_required_for=[])
    assert decide(ask(tool="t", action=WRITE), policy).effect is Effect.ALLOW


def test_an_unknown_tool_is_refused_and_no_rule_helps():
    policy = bundle({"id": "all", "decision": "allow"})
    decision = decide(ask(tool="t", action=READ), policy)
    assert (decision.effect, decision.reason) == (Effect.DENY, "tool t is not registered")


def test_a_label_names_the_tool_where_the_request_does_not():
    policy = bundle({"id": "all", "decision": "allow"}, **registry())
    assert decide(ask(action=READ, labels={"mcp.tool": "x"}), policy).effect is Effect.DENY
    assert decide(ask(action=READ, labels={"mcp.tool": "t"}), policy).effect is Effect.ALLOW


def test_a_label_can_widen_the_action_and_never_narrow_it():
    policy = bundle(**registry(actions=["read", "write"]))
    wide = ask(tool="t", action=READ, labels={"mcp.action": "write"})
    narrow = ask(tool="t", action=WRITE, labels={"mcp.action": "read"})
    unknown = ask(tool="t", action=READ, labels={"mcp.action": "fly"})
    assert decide(wide, policy).effect is Effect.REQUIRE_APPROVAL
    assert decide(narrow, policy).effect is Effect.REQUIRE_APPROVAL
    assert decide(unknown, policy).effect is Effect.ALLOW


def test_an_action_that_the_tool_does_not_list_is_refused():
    decision = decide(ask(tool="t", action=WRITE), bundle(**registry()))
    assert (decision.effect, decision.reason) == (Effect.DENY, "tool t: it may not write")


def test_a_registered_action_does_the_widest_that_is_allowed_whatever_the_request_says():
    policy = bundle(**registry(actions=["read", "write"], run=RUN))
    assert decide(ask(tool="t", action=READ), policy).effect is Effect.REQUIRE_APPROVAL


def test_what_is_executed_names_a_tool_with_a_registered_action():
    policy = bundle({"id": "all", "decision": "allow"}, **registry())
    unnamed, unplanned = ask(execute=True), ask(tool="t", action=READ, execute=True)
    assert (
        decide(unnamed, policy).reason == "an action that is executed for an agent names its tool"
    )
    assert decide(unnamed, policy).effect is Effect.DENY
    assert "no registered action" in decide(unplanned, policy).reason
    assert decide(unplanned, policy).effect is Effect.DENY


def test_the_plan_digest_covers_the_registered_action_and_only_stands_where_it_runs():
    policy = bundle(**registry(actions=["write"], run=RUN))
    executed = decide(ask(tool="t", action=WRITE, execute=True), policy)
    released = decide(ask(tool="t", action=WRITE), policy)
    assert executed.plan_digest == plan_digest("t", RUN) != plan_digest("u", RUN)
    assert released.plan_digest == ""


def test_a_tool_is_used_where_its_environments_say():
    policy = bundle(**registry(environments=["Dev"]), environments={"dev": {}})
    assert decide(ask(tool="t", action=READ, environment="dev"), policy).effect is Effect.ALLOW
    decision = decide(ask(tool="t", action=READ), policy)
    assert (decision.effect, decision.reason) == (
        Effect.DENY,
        "tool t: it may not be used in prod",
    )


@pytest.mark.parametrize(
    ("arguments", "labels", "says"),
    [
        ({"project": "SEC-1"}, {}, ""),
        ({"project": ["SEC-1", "SEC-2"]}, {}, ""),
        ({}, {"project": "SEC-1"}, ""),
        ({"project": "SEC-1"}, {"project": "OPS-1"}, "outside"),
        ({"project": "OPS-1"}, {"project": "SEC-1"}, "outside"),
        ({"project": ["SEC-1", "OPS-1"]}, {}, "outside"),
        ({"project": ["SEC-1", 5]}, {}, "outside"),
        ({"project": {"id": "SEC-1"}}, {}, "outside"),
        ({"project": True}, {}, "outside"),
        ({"project": 7}, {}, "outside"),
        ({"project": []}, {}, "names no project"),
        ({"project": None}, {}, "names no project"),
        ({}, {}, "names no project"),
    ],
)
def test_every_named_resource_has_to_lie_in_the_scope(
    arguments: dict[str, Json], labels: dict[str, str], says: str
):
    refusal = parse_scope("project:SEC-*").refusal(ask(arguments=arguments, labels=labels), AGENT)
    assert says in refusal
    assert bool(refusal) is bool(says)
    assert "OPS" not in refusal


def test_commas_in_a_scope_mean_and():
    scope = parse_scope("account:dev-env, region:us-east-1")
    fits = ask(arguments={"account": "dev-env", "region": "us-east-1"})
    assert not scope.refusal(fits, AGENT)
    misses = ask(arguments={"account": "dev-env", "region": "eu"})
    assert "region" in scope.refusal(misses, AGENT)


def test_a_number_is_compared_as_it_is_written():
    assert not parse_scope("account:12*").refusal(ask(arguments={"account": 123}), AGENT)


def test_what_is_executed_is_judged_by_its_arguments_and_not_by_a_label():
    scope = parse_scope("project:SEC-*")
    request = ask(execute=True, labels={"project": "SEC-1"})
    assert "names no project" in scope.refusal(request, AGENT)


def test_a_refusal_of_arguments_names_the_place_and_the_keyword_and_no_value():
    schema = ArgumentSchema({"properties": {"a": {"items": {"maximum": Decimal("0.5")}}}})
    assert schema.refusal({"a": [Decimal("0.5")]}) == ""
    refusal = schema.refusal({"a": [0, Decimal("0.50000000000000000000000000001")]})
    assert refusal == "its arguments do not fit its schema at /arguments/a/1 (maximum)"
    assert ArgumentSchema({"not": {}}).refusal({}).endswith("at /arguments (not)")


def test_arguments_that_do_not_fit_are_refused_before_anybody_is_asked():
    schema = {"type": "object", "required": ["page"]}
    mine = bundle(**registry(arguments=schema))
    actions = bundle(**registry(actions=["write"], run={**RUN, "arguments": schema}))
    for policy, action in ((mine, READ), (actions, WRITE)):
        assert decide(ask(tool="t", action=action), policy).effect is Effect.DENY
        good = ask(tool="t", action=action, arguments={"page": "x"})
        assert decide(good, policy).effect is not Effect.DENY


def test_the_registry_marks_a_tool_whatever_tags_the_agent_sends():
    policy = bundle(
        {"id": "no", "match": {"risk_tags": ["Destructive"]}, "decision": "deny"},
        **registry(risk_tags=["destructive"], capability="db.drop"),
    )
    decision = decide(ask(tool="t", action=READ, risk_tags=("harmless",)), policy)
    assert (decision.effect, decision.rule_ids) == (Effect.DENY, ("no",))
    assert decision.risk_tags == ("destructive", "harmless")


def test_a_tools_class_needs_its_clearance():
    policy = bundle(**registry(classification="Confidential"))
    decision = decide(ask(tool="t", action=READ), policy)
    assert decision.effect is Effect.DENY
    assert decision.reason == "no role of the requester is cleared for confidential data"
    assert decision.data_class == "confidential"


@pytest.mark.parametrize(
    ("fields", "pointer", "words"),
    [
        ({"classification": "secret"}, "/tools/t/classification", "'secret' is not known"),
        ({"scope": "project"}, "/tools/t/scope", "a scope is key:pattern"),
        ({"scope": "a:b,"}, "/tools/t/scope", "a scope is key:pattern"),
        ({"scope": "a:["}, "/tools/t/scope", "pattern"),
        ({"arguments": {"type": "objekt"}}, "/tools/t/arguments", "not a JSON Schema"),
        (
            {"arguments": {"$ref": "http://127.0.0.1:1/s"}},
            "/tools/t/arguments",
            "may not refer to another document",
        ),
        ({"arguments": {"pattern": "(?=a)a"}}, "/tools/t/arguments", "not a JSON Schema"),
        ({"run": {"arguments": "any"}}, "/tools/t/run/arguments", "not a mapping"),
        ({"actions": []}, "/tools/t/actions", "at least 1"),
        ({"actions": ["fly"]}, "/tools/t/actions/0", "'read', 'write' or 'execute'"),
        ({"tier": "none"}, "/tools/t/tier", "no tier 'none'"),
        ({"requires_approval": 1}, "/tools/t/requires_approval", "boolean"),
    ],
)
def test_a_tool_that_cannot_be_kept_is_refused(fields: dict[str, object], pointer: str, words: str):
    refused(registry(**fields), pointer, words)


def test_both_spellings_of_a_key_at_once_are_refused():
    refused(
        registry(requires_approval=False, requiresApproval=True),
        "/tools/t/requiresApproval",
        "not a key",
    )


def test_the_other_spelling_of_each_key_is_read():
    spelt = {"allowedActions": ["read"], "dataClassification": "internal", "requiresApproval": True}
    policy = bundle(tools={"t": spelt})
    assert [found.name for found in policy.tools] == ["t"]
    assert decide(ask(tool="t", action=READ), policy).effect is Effect.REQUIRE_APPROVAL


def test_a_target_that_is_not_what_the_arguments_say_is_denied():
    policy = bundle(**registry(target="path"))
    wanted = {"path": "app/settings.ini"}
    for target, effect in (
        ("", Effect.ALLOW),
        ("app/settings.ini", Effect.ALLOW),
        ("staging theme file", Effect.DENY),
    ):
        request = ask(tool="t", action=READ, target=target, arguments=wanted)
        assert decide(request, policy).effect is effect, target
    assert decide(ask(tool="t", action=READ, target="x"), policy).effect is Effect.ALLOW


def test_the_registry_derives_tags_that_the_agent_does_not_send():
    derive = [{"match": {"topics": ["job.git.push.main"]}, "add": ["Protected"]}]
    policy = bundle(
        {"id": "no", "match": {"risk_tags": ["protected"]}, "decision": "deny"},
        **registry(derive=derive),
    )
    pushed = decide(ask("job.git.push.main", tool="t", action=READ), policy)
    assert (pushed.effect, pushed.rule_ids) == (Effect.DENY, ("no",))
    assert pushed.risk_tags == ("protected",)
    other = decide(ask("job.git.push.topic", tool="t", action=READ), policy)
    assert (other.effect, other.risk_tags) == (Effect.ALLOW, ())


def test_a_derived_tag_that_rests_on_the_agents_word_restricts_and_never_loosens():
    derive = [{"match": {"labels": {"kind": "routine"}}, "add": ["routine"]}]
    sections = registry(actions=["write"], derive=derive)
    request = ask(tool="t", action=WRITE, labels={"kind": "routine"})
    eased = {"id": "ok", "match": {"risk_tags": ["routine"]}, "decision": "allow"}
    policy = bundle(eased, **sections, approval_required_for=[])
    lines = {line.id: line.verdict for line in decide(request, policy).trace}
    assert lines["ok"] == "not counted"
    stopped = {"id": "no", "match": {"risk_tags": ["routine"]}, "decision": "deny"}
    assert decide(request, bundle(stopped, **sections)).effect is Effect.DENY
    unclear = ask(tool="t", action=WRITE)  # the label is missing: the match cannot be judged
    assert decide(unclear, bundle(stopped, **sections)).effect is Effect.DENY


def test_a_derived_tag_of_what_is_vouched_for_counts_as_the_registrys_word():
    derive = [{"match": {"agents": [AGENT.id]}, "add": ["trusted"]}]
    policy = bundle(
        {"id": "ok", "match": {"risk_tags": ["trusted"]}, "decision": "allow"},
        **registry(derive=derive),
    )
    assert decide(ask(tool="t", action=READ), policy).rule_ids == ("ok",)


def test_tags_are_derived_from_what_the_arguments_say():
    derive = [{"match": {"when": "args.amount > 1000"}, "add": ["large"]}]
    policy = bundle(
        {"id": "no", "match": {"risk_tags": ["large"]}, "decision": "deny"},
        **registry(derive=derive),
    )
    for arguments, effect in (
        ({"amount": 1000}, Effect.ALLOW),
        ({"amount": 1001}, Effect.DENY),
        ({"amount": "1"}, Effect.DENY),  # cannot be judged, so it is not taken for small
        ({}, Effect.DENY),
    ):
        request = ask(tool="t", action=READ, arguments=arguments)
        assert decide(request, policy).effect is effect, arguments


@pytest.mark.parametrize(
    ("derive", "pointer", "words"),
    [
        ([{"match": {"topics": ["["]}, "add": ["x"]}], "/tools/t/derive/0/match/topics/0", "["),
        ([{"match": {}, "add": []}], "/tools/t/derive/0/add", "at least 1"),
        ([{"add": ["x"]}], "/tools/t/derive/0/match", "missing"),
    ],
)
def test_a_derivation_that_cannot_be_kept_is_refused(derive: object, pointer: str, words: str):
    refused(registry(derive=derive), pointer, re.escape(words))
