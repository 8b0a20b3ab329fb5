"""Threat: an agent words a request so that policy looks at something else than what will run."""

from decimal import Decimal

import pytest

from governance.errors import InvalidInput
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.imported.documents import Kind, imported
from tests.unit.policy.asking import AGENT, BOUND, LIGHT, READ, ask, bundle, decide, refused, rule
from tests.unit.policy.asking import tool as registered

SHADOW = {"path": "/etc/shadow"}


@pytest.mark.parametrize("target", ["", "tmp/x", "/etc/shadow"])
def test_a_target_that_only_the_agent_names_lets_no_registered_tool_through(target: str):
    rules = (rule("tmp", "allow", when="!target.startsWith('/etc')"), rule("rest", "deny"))
    policy = bundle(*rules, tools={"read": registered()}, strategy="first_match")
    asked = ask(tool="read", action=READ, arguments=SHADOW, target=target)
    assert decide(asked, policy, agent=BOUND).effect is Effect.DENY


@pytest.mark.parametrize("target", ["", "/etc/shadow"])
@pytest.mark.parametrize("restricts", ["rule", "constraint"])
def test_leaving_out_the_target_talks_no_rule_out_of_the_argument_that_is_it(
    target: str, restricts: str
):
    when = "target.startsWith('/etc')"
    rules = (rule("etc", "deny", when=when),) if restricts == "rule" else ()
    named = {"id": "shadow", "description": "no", "violationAction": "BLOCK"}
    constraints = [named] if restricts == "constraint" else []
    policy = bundle(*rules, constraints=constraints, tools={"read": registered(target="path")})
    asked = ask(tool="read", action=READ, arguments=SHADOW, target=target)
    assert decide(asked, policy, agent=BOUND).effect is Effect.DENY
    for arguments in ({"path": "tmp"}, {}):
        harmless = ask(tool="read", action=READ, arguments=arguments)
        assert decide(harmless, policy, agent=BOUND).effect is Effect.ALLOW


def test_no_emergency_template_is_opened_by_a_target_that_the_agent_names():
    line = {"id": "freeze", "description": "no", "violationAction": "BLOCK"}
    template = {"constraints": ["freeze"], "tier": "two", "match": {"when": "target == 'db'"}}
    tiers = {"two": {"roles": {"operator": {"weight": 1, "min_required": 2}}}}
    sections = {"constraints": [line], "tiers": tiers, "emergency": {"now": template}}
    refused({"version": "v1", **sections}, "/emergency/now/match", "the agent's own words")


@pytest.mark.parametrize("open_dev", [False, True])
def test_of_several_environments_of_a_tool_the_agent_picks_no_gate(open_dev: bool):
    dev = {"fail_mode": "unsafe_open"} if open_dev else {}
    policy = bundle(
        tools={
            "wide": registered(environments=["dev", "prod"]),
            "narrow": registered(environments=["dev"]),
        },
        environments={"dev": dev, "prod": {"requires_human_approval": True}},
        tiers={"light": LIGHT},
        default_tier="light",
    )
    effects = {
        (name, who is BOUND): decide(
            ask(tool=name, action=READ, environment="dev"), policy, agent=who
        ).effect
        for name in ("wide", "narrow")
        for who in (AGENT, BOUND)
    }
    assert effects == {
        ("wide", False): Effect.REQUIRE_APPROVAL,
        ("wide", True): Effect.ALLOW,
        ("narrow", False): Effect.ALLOW,
        ("narrow", True): Effect.ALLOW,
    }
    unjudged = ask(tool="wide", action=READ, environment="dev", labels=None)
    assert decide(unjudged, policy, agent=AGENT).effect is Effect.DENY


UNTAGGED_IN_DEV = {"environments": ["dev"], "when": "!('calm' in risk_tags)"}


@pytest.mark.parametrize("of_the_tool", [[], ["dev", "staging"]])
@pytest.mark.parametrize("restricts", ["rule", "constraint", "derived tag"])
def test_no_tag_talks_a_rule_out_of_the_environment_that_the_agent_names(
    of_the_tool: list[str], restricts: str
):
    line = {"id": "c", "description": "no", "violationAction": "BLOCK", "match": UNTAGGED_IN_DEV}
    derive = [{"match": UNTAGGED_IN_DEV, "add": ["loud"]}] if restricts == "derived tag" else []
    policy = bundle(
        *([rule("d", "deny", **UNTAGGED_IN_DEV)] if restricts == "rule" else []),
        rule("loud", "deny", risk_tags=["loud"]),
        constraints=[line] if restricts == "constraint" else [],
        tools={"t": registered(environments=of_the_tool, derive=derive)},
        environments={"dev": {}, "staging": {}},
    )
    for tags in ((), ("calm",)):
        asked = ask(tool="t", action=READ, environment="dev", risk_tags=tags)
        assert decide(asked, policy).effect is Effect.DENY


@pytest.mark.parametrize("tags", [(), ("small",)])
def test_no_tag_pulls_a_mild_rule_in_front_of_one_for_the_environment_that_is_named(
    tags: tuple[str, ...],
):
    policy = bundle(
        rule("mild", "require_approval", risk_tags=["small"]),
        rule("strict", "deny", environments=["dev"]),
        rule("rest", "allow"),
        strategy="first_match",
        tools={"t": registered()},
        environments={"dev": {}},
        tiers={"light": LIGHT},
        default_tier="light",
    )
    asked = ask(tool="t", action=READ, environment="dev", risk_tags=tags)
    assert decide(asked, policy).effect is Effect.DENY


# What an import makes of a file


def test_a_number_as_a_label_is_imported_as_it_is_written():
    deny = {"id": "d", "decision": "deny", "match": {"labels": {"m": Decimal("0.0000001")}}}
    source = {"rules": [deny], "default_decision": "allow"}
    policy = load(imported(source, Kind.RULES).bundle)
    asked = ask(action=READ, labels={"m": "0.0000001"})
    assert decide(asked, policy, agent=BOUND).effect is Effect.DENY


@pytest.mark.parametrize("priority", [100, "high", 0])
def test_rules_that_are_not_judged_in_the_order_of_the_file_are_not_imported(priority: object):
    rules = [
        {"id": "a", "decision": "allow"},
        {"id": "d", "decision": "deny", "priority": priority},
    ]
    with pytest.raises(InvalidInput, match="order of the file") as caught:
        imported({"rules": rules}, Kind.RULES)  # type: ignore[dict-item]
    assert caught.value.pointer == "/rules/1/priority"
