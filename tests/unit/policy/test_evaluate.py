from dataclasses import replace
from datetime import datetime

import pytest

from governance.action import ActionRequest, Content
from governance.execution import SandboxTier
from governance.policy.decision import Constraints, Effect, TraceLine
from governance.policy.evaluate import evaluate, unavailable
from governance.principal import AgentId, PersonId, TenantId
from tests.unit.policy.asking import (
    AGENT,
    AT,
    BOUND,
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


def test_the_most_restrictive_rule_wins_and_all_that_match_are_told():
    policy = bundle(rule("a", "allow"), rule("d", "deny", reason="Not here"), rule("b", "allow"))
    decision = decide(ask(), policy)
    assert (decision.effect, decision.reason) == (Effect.DENY, "Not here")
    assert decision.rule_ids == ("d", "a", "b")
    assert [line.id for line in decision.trace if line.source == "rule"] == list("adb") * 2


def test_the_first_rule_decides_only_where_that_is_written():
    policy = bundle(rule("a", "allow"), rule("d", "deny"), strategy="first_match")
    decision = decide(ask(), policy)
    assert (decision.effect, decision.rule_ids) == (Effect.ALLOW, ("a",))


def test_no_claim_pulls_a_mild_rule_in_front_of_a_strict_one():
    policy = bundle(
        rule("mild", "require_approval", risk_tags=["checked"]),
        rule("strict", "deny", tools=["t"]),
        tools={"t": tool()},
        strategy="first_match",
    )
    for tags in ((), ("checked",)):
        request = ask(tool="t", action=READ, risk_tags=tags)
        assert decide(request, policy).effect is Effect.DENY


def test_an_allow_that_only_claims_reach_does_not_shield_under_first_match():
    for claim, match in (
        ({"risk_tags": ("safe",)}, {"risk_tags": ["safe"]}),
        ({"labels": {"team": "blue"}}, {"labels": {"team": "blue"}}),
        ({"requires": ("gpu",)}, {"requires": ["gpu"]}),
        ({"capability": "safe"}, {"capabilities": ["safe"]}),
        ({"data_classes": ("public",)}, {"data_classes": ["public"]}),
    ):
        policy = bundle(
            rule("safe", "allow", **match),
            rule("strict", "deny", tools=["t"]),
            tools={"t": tool()},
            strategy="first_match",
        )
        decision = decide(ask(tool="t", action=READ, **claim), policy)
        assert (decision.effect, decision.rule_ids) == (Effect.DENY, ("strict",))
        assert ("safe", "not counted") in {(line.id, line.verdict) for line in decision.trace}


def test_a_rule_that_cannot_be_judged_loosens_nothing():
    labelled = {"labels": {"region": "eu"}}
    assert decide(ask(), bundle(rule("a", "allow", **labelled))).effect is Effect.DENY
    policy = bundle(rule("all", "allow"), rule("r", "require_approval", **labelled))
    decision = decide(ask(), policy)
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert any("label region is missing" in line.note for line in decision.trace)
    assert decide(ask(labels={"region": "us"}), policy).effect is Effect.ALLOW


def test_isolation_that_one_rule_asks_for_holds_for_all():
    policy = bundle(
        rule("a", "allow", constraints={"isolated": True}),
        rule("b", "allow", constraints={"max_retries": 3}),
        rule("c", "allow"),
    )
    constraints = decide(ask(), policy).constraints
    assert (constraints.isolated, constraints.max_retries) == (True, 3)


def test_the_constraints_of_all_matching_rules_merge_to_the_tightest():
    policy = bundle(
        rule("a", "allow", constraints={"max_retries": 3, "network_allow": ["x", "y"]}),
        rule("b", "allow", constraints={"max_retries": 1, "network_allow": ["y", "z"]}),
        rule("c", "require_approval", constraints={"paths_deny": ["/etc"]}),
    )
    decision = decide(ask(), policy)
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert decision.constraints.to_json() == {
        "max_retries": 1,
        "network_allow": ["y"],
        "paths_deny": ["/etc"],
    }


def test_an_empty_allow_list_lets_nothing_through_and_is_shown():
    left = Constraints(network_allow=("a",)).merge(Constraints(network_allow=("b",)))
    assert left.to_json() == {"network_allow": []}
    assert Constraints().is_empty


RATE = {"per": "agent", "count": 3, "window_s": 60}


def test_a_throttle_without_a_rate_always_throttles():
    decision = decide(ask(), bundle(rule("a", "allow"), rule("t", "throttle")))
    assert (decision.effect, decision.retry_after_s) == (Effect.THROTTLE, 30)


def test_a_throttle_with_a_rate_is_silent_and_demands_a_token():
    decision = decide(ask(), bundle(rule("a", "allow"), rule("t", "throttle", rate=RATE)))
    assert (decision.effect, decision.retry_after_s) == (Effect.ALLOW, 0)
    (demand,) = decision.demands
    assert (demand.rule_id, demand.capacity, demand.refill_ms) == ("t", 3, 20_000)
    assert decision.rule_ids == ("a",)


def test_a_throttle_with_a_rate_is_no_answer():
    decision = decide(ask(), bundle(rule("t", "throttle", rate=RATE)))
    assert (decision.effect, decision.demands) == (Effect.DENY, ())


def test_no_token_is_demanded_where_something_denies_or_throttles():
    for word in ("deny", "throttle"):
        policy = bundle(rule("x", word), rule("t", "throttle", rate=RATE))
        assert decide(ask(), policy).demands == ()


@pytest.mark.parametrize("per", ["agent", "tenant", "tool"])
def test_buckets_are_kept_apart_by_what_the_rate_says(per: str):
    policy = bundle(
        rule("a", "allow"),
        rule("t", "throttle", rate={**RATE, "per": per}),
        tools={"one": tool(), "two": tool()},
    )
    other = replace(AGENT, id=AgentId("other"))
    first = decide(ask(tool="one", action=READ), policy).demands
    by_agent = decide(ask(tool="one", action=READ, agent=other.id), policy, agent=other).demands
    by_tool = decide(ask(tool="two", action=READ), policy).demands
    assert (first != by_agent) is (per == "agent")
    assert (first != by_tool) is (per == "tool")


def test_first_match_passes_a_throttle_whose_bucket_may_be_full():
    policy = bundle(rule("t", "throttle", rate=RATE), rule("a", "allow"), strategy="first_match")
    decision = decide(ask(), policy)
    assert (decision.effect, len(decision.demands)) == (Effect.ALLOW, 1)


def test_a_default_that_allows_still_asks_for_write_and_execute():
    policy = bundle(default_decision="allow")
    assert decide(ask(), policy).effect is Effect.REQUIRE_APPROVAL
    assert decide(ask(action=READ), policy).effect is Effect.ALLOW


def test_an_explicit_rule_answers_for_a_request_that_names_no_tool():
    assert decide(ask(action=WRITE), bundle(rule("a", "allow"))).effect is Effect.ALLOW


def test_an_explicit_rule_does_not_excuse_a_tools_write_from_approval():
    policy = bundle(rule("a", "allow"), tools={"t": tool(actions=["write"])})
    assert decide(ask(tool="t", action=WRITE), policy).effect is Effect.REQUIRE_APPROVAL


GATES = {"dev": {}, "prod": {"requires_human_approval": True, "tier": "high"}}


@pytest.mark.parametrize("environment", ["", "prod", "PROD ", "staging", "develop"])
def test_a_missing_environment_and_one_without_a_gate_are_prod(environment: str):
    policy = bundle(rule("a", "allow"), environments=GATES, tiers={"high": HEAVY, "light": LIGHT})
    decision = decide(ask(action=READ, environment=environment), policy)
    assert (decision.effect, decision.environment) == (Effect.REQUIRE_APPROVAL, "prod")
    assert decision.risk_tier == "high"
    assert decision.reason == "every action in prod requires approval"


def test_an_environment_with_a_gate_is_itself():
    policy = bundle(rule("a", "allow"), environments=GATES, tiers={"high": HEAVY})
    decision = decide(ask(environment="Dev"), policy, agent=BOUND)
    assert (decision.effect, decision.environment) == (Effect.ALLOW, "dev")


def test_an_environment_that_only_the_agent_names_does_not_loosen():
    """A credential bound to no environment vouches for none: the stricter of both gates holds."""
    gates = {"prod": {"requires_human_approval": True}, "dev": {}}
    policy = bundle(rule("a", "allow"), environments=gates, tiers={"high": HEAVY})
    claimed = decide(ask(environment="dev"), policy)
    assert claimed.effect is Effect.REQUIRE_APPROVAL
    assert decide(ask(environment="dev"), policy, agent=BOUND).effect is Effect.ALLOW
    only_dev = bundle(
        rule("a", "allow", environments=["dev"]), environments={"prod": {}, "dev": {}}
    )
    assert decide(ask(environment="dev"), only_dev).effect is Effect.DENY
    assert decide(ask(environment="dev"), only_dev, agent=BOUND).effect is Effect.ALLOW


def test_a_gate_is_no_answer_where_no_rule_matches():
    policy = bundle(environments=GATES, tiers={"high": HEAVY})
    assert decide(ask(), policy).effect is Effect.DENY


def test_a_rule_for_an_environment_without_a_gate_restricts_and_never_loosens():
    allow = bundle(rule("a", "allow", environments=["staging"]))
    assert decide(ask(environment="staging"), allow).effect is Effect.DENY
    deny = bundle(rule("a", "allow"), rule("d", "deny", environments=["staging"]))
    assert decide(ask(environment="staging"), deny).rule_ids[0] == "d"


def test_an_agent_may_only_name_the_environments_of_its_credential():
    policy = bundle(rule("a", "allow"), environments={"dev": {}, "prod": {}})
    agent = replace(AGENT, environments=("dev",))
    assert decide(ask(environment="dev"), policy, agent=agent).effect is Effect.ALLOW
    for environment in ("prod", "", "staging"):
        decision = decide(ask(environment=environment), policy, agent=agent)
        assert decision.effect is Effect.DENY
        assert "may not act in" in decision.reason


def test_a_request_in_the_name_of_another_agent_or_tenant_is_denied():
    policy = bundle(rule("a", "allow"))
    for other in (replace(AGENT, id=AgentId("x")), replace(AGENT, tenant=TenantId("x"))):
        decision = decide(ask(), policy, agent=other)
        assert decision.effect is Effect.DENY
        assert "belongs to another" in decision.reason


def test_an_environment_gate_names_groups_and_tools():
    policy = bundle(
        tools={"a": tool(), "b": tool(), "c": tool()},
        tool_groups={"scanners": ["a"]},
        environments={"prod": {"allowed_tools": ["scanners", "b", "undeclared"]}},
    )
    effects = {name: decide(ask(tool=name, action=READ), policy).effect for name in "abc"}
    assert effects == {"a": Effect.ALLOW, "b": Effect.ALLOW, "c": Effect.DENY}


def test_the_requesters_roles_come_from_its_credential():
    policy = bundle(rule("r", "allow", roles=["sre"]), clearance={"restricted": ["sre"]})
    sre = replace(AGENT, roles=("sre",))
    request = ask(data_classes=("Restricted",))
    assert decide(request, policy, agent=sre).effect is Effect.ALLOW
    assert decide(request, policy).effect is Effect.DENY
    assert decide(request, policy, agent=sre).data_classes == ("internal", "restricted")


@pytest.mark.parametrize(
    ("rule_tier", "tool_tier", "wins"),
    [("", "", "high"), ("light", "", "light"), ("", "light", "light"), ("light", "high", "high")],
)
def test_the_strictest_of_the_named_tiers_applies_else_the_default(
    rule_tier: str, tool_tier: str, wins: str
):
    policy = bundle(
        rule("r", "require_approval", **({"tier": rule_tier} if rule_tier else {})),
        tools={"t": tool(actions=["write"], **({"tier": tool_tier} if tool_tier else {}))},
        tiers={"light": LIGHT, "high": HEAVY},
        default_tier="high",
        minimum_sandbox="A-",
    )
    decision = decide(ask(tool="t", action=WRITE), policy)
    assert decision.requirement is not None
    assert (decision.risk_tier, decision.requirement.tier) == (wins, wins)
    assert decision.sandbox is decision.requirement.sandbox is SandboxTier.A_MINUS
    assert decision.requirement.weight_of("operator") == (1 if wins == "light" else 2)
    assert decision.requirement.weight_of("stranger") is None


def test_nothing_but_an_approval_has_a_requirement():
    for word in ("allow", "deny", "throttle"):
        decision = decide(ask(), bundle(rule("r", word)))
        assert (decision.requirement, decision.risk_tier) == (None, "")


def test_a_tier_without_release_is_never_released():
    tiers = {"t": {**LIGHT, "release": False}}
    tools = {"t": tool(actions=["write"], run={"x": 1})}
    policy = bundle(tiers=tiers, tools=tools)
    released = decide(ask(tool="t", action=WRITE), policy)
    assert (released.effect, released.requirement) == (Effect.DENY, None)
    assert released.reason == "tier t is executed by the service, never released"
    executed = decide(ask(tool="t", action=WRITE, execute=True), policy)
    assert executed.effect is Effect.REQUIRE_APPROVAL


def test_a_ticket_without_a_required_field_is_not_opened():
    fields = ["justification", "target", "on_behalf_of", "expires_at"]
    policy = bundle(rule("r", "require_approval"), ticket={"required_fields": fields})
    decision = decide(ask(target="x"), policy)
    assert (decision.effect, decision.reason) == (
        Effect.DENY,
        "a ticket needs justification and on_behalf_of",
    )
    full = ask(
        target="x",
        on_behalf_of=PersonId("slack:T0A/U0B"),
        content=Content(justification="because"),
    )
    assert decide(full, policy).effect is Effect.REQUIRE_APPROVAL


def test_the_trace_tells_every_source_and_the_default():
    policy = bundle(environments={"prod": {"requires_human_approval": True}})
    decision = decide(ask(), policy)
    assert [(line.source, line.verdict) for line in decision.trace] == [
        ("environment", "REQUIRE_APPROVAL"),
        ("default", "DENY"),
        ("signals", "considered"),
        ("rules", "considered"),
    ]
    assert decision.trace[-1] == TraceLine(
        source="rules", id="", verdict="considered", note="0 rules, 0 judged, 0 match"
    )


def test_the_same_request_under_the_same_bundle_has_the_same_decision():
    policy = bundle(rule("b", "require_approval"), rule("a", "require_approval"))
    assert decide(ask(), policy) == decide(ask(), policy)
    assert decide(ask(), policy).snapshot == policy.snapshot
    assert decide(ask(), policy).reason == "rule a"


def broken(**fields: object) -> ActionRequest:
    return ask(labels=None, **fields)


def test_an_error_outside_a_rule_is_a_denial():
    decision = decide(broken(), bundle(rule("a", "allow")))
    assert decision.effect is Effect.DENY
    assert decision.reason == "policy_unavailable: evaluation failed (AttributeError)"
    assert not decision.safety_bypassed


def test_a_time_without_zone_is_an_error():
    naive = datetime(2026, 3, 2)  # noqa: DTZ001  # the very mistake
    decision = evaluate(ask(), AGENT, bundle(rule("a", "allow")), at=naive)
    assert decision.reason.startswith("policy_unavailable")


OPEN = bundle(environments={"dev": {"fail_mode": "unsafe_open"}})


def test_an_open_environment_lets_a_release_through_and_says_so():
    decision = decide(broken(environment="dev"), OPEN, agent=BOUND)
    assert (decision.effect, decision.safety_bypassed) == (Effect.ALLOW, True)
    assert decision.trace[0].source == "fail_mode"


def test_what_is_executed_or_not_the_agents_to_name_stays_closed():
    executed = broken(environment="dev", execute=True)
    assert decide(executed, OPEN, agent=BOUND).effect is Effect.DENY
    assert decide(broken(environment="prod"), OPEN, agent=BOUND).effect is Effect.DENY
    assert decide(broken(environment="dev"), OPEN).effect is Effect.DENY
    elsewhere = replace(AGENT, environments=("qa",))
    assert decide(broken(environment="dev"), OPEN, agent=elsewhere).effect is Effect.DENY
    impostor = replace(AGENT, id=AgentId("x"))
    assert decide(broken(environment="dev"), OPEN, agent=impostor).effect is Effect.DENY


def test_without_a_bundle_the_answer_is_no():
    decision = unavailable(ask(environment="dev"), AGENT, None, "no bundle is loaded")
    assert (decision.effect, decision.snapshot) == (Effect.DENY, "")
    assert decision.reason == "policy_unavailable: no bundle is loaded"


@pytest.mark.parametrize(
    ("gate", "key", "words"),
    [
        ({"fail_mode": "unsafe_open"}, "fail_mode", "i_understand"),
        ({"fail_mode": "open"}, "fail_mode", "'closed' or 'unsafe_open'"),
        ({"i_understand": True}, "i_understand", "only goes with"),
    ],
)
def test_opening_prod_takes_two_written_words(gate: dict[str, object], key: str, words: str):
    refused({"environments": {"prod": gate}}, f"/environments/prod/{key}", words)
    bundle(environments={"prod": {"fail_mode": "unsafe_open", "i_understand": True}})


def test_a_gate_names_a_tier_that_exists():
    refused({"environments": {"dev": {"tier": "x"}}}, "/environments/dev/tier", "no tier 'x'")


def test_evaluation_never_needs_the_clock():
    later = evaluate(ask(), AGENT, OPEN, at=AT.replace(year=2027))
    assert later == decide(ask(), OPEN)
