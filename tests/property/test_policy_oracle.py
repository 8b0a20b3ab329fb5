"""The indexed decision against a scan over all rules, on random bundles and requests.

``PLACET_ORACLE_PAIRS=100000`` asks for that many pairs; each bundle's seed is in the message of a
failure.
"""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from typing import Any

from governance.action import ActionKind, ActionRequest, Content
from governance.policy.bundle import load
from governance.policy.decision import Decision
from governance.policy.evaluate import evaluate
from governance.principal import Agent, AgentId, TenantId
from tests.support.policy_oracle import Opinion, opinion
from tests.unit.policy.asking import AT

PAIRS = int(os.environ.get("PLACET_ORACLE_PAIRS", "4000"))
REQUESTS_A_BUNDLE = 40
BIG_EVERY = 25
TENANTS = ("acme", "Globex")
AGENTS = ("deployer", "reader", "café")
ROLES = ("admin", "operator", "Müller")
RARE = tuple(f"rare{number}" for number in range(200))
"""Words so rare that an index keeps them in another way."""
TAGS = ("prod", "pii", "Straße", "STRASSE", " bulk ", "ﬁle", "İzmir", "écrit")
LABELS = {"team": ("blue", "red", "Über"), "région": ("eu", "us"), "": ("x",), "n": ("1", "2")}
ENVIRONMENTS = ("dev", "PROD", "lab", "prod")
CLASSES = ("public", "internal", "Restricted", "pii")
CAPABILITIES = ("net.scan", "Réseau")
REQUIRES = ("gpu", "net", "GPU ", "disk")
TOOLS = ("one", "two", "three", "four")
VERBS = ("read", "write", "löschen", "")
WORDS = ("allow", "deny", "require_approval", "throttle", "allow_with_constraints")


def _some(chance: Random, pool: Sequence[str], share: float, most: int = 2) -> list[str]:
    if chance.random() >= share:
        return []
    return chance.sample(pool, chance.randint(1, min(most, len(pool))))


def _team(chance: Random, teams: int) -> str:
    return f"té{chance.randrange(teams)}"


def _topic(chance: Random, teams: int) -> str:
    parts = [_team(chance, teams), *(chance.choice(VERBS) for _ in range(chance.randrange(4)))]
    text = ".".join(parts)
    return text.replace(".", "/", 1) if chance.random() < 0.1 else text


def _glob(chance: Random, teams: int) -> str:
    text = _topic(chance, teams)
    kind = chance.randrange(8)
    if kind == 0:
        return chance.choice(("*", "*.read", "t*", "**", "té[0-4]*", "té?.*", "[^t]*", "*.*.*"))
    if kind < 4:
        return text + ".*"
    place = chance.randrange(len(text) + 1)
    if kind == 4:
        return text[:place] + "*" + text[place + 2 :]
    if kind == 5:
        return text[:place] + "?" + text[place + 1 :]
    if kind == 6:
        return text[:place] + f"[{text[place : place + 1] or 'a'}x-z]" + text[place + 1 :]
    return text or "*"


def _rule(chance: Random, number: int, teams: int, share: float) -> dict[str, Any]:
    word = chance.choice(WORDS)
    match: dict[str, Any] = {
        "topics": [_glob(chance, teams) for _ in range(chance.choice((0, 1, 1, 1, 2, 3)))],
        "tools": _some(chance, TOOLS, share),
        "actions": _some(chance, ("read", "write", "execute"), share),
        "capabilities": _some(chance, CAPABILITIES, share / 3),
        "risk_tags": _some(chance, TAGS, share, 3) + _some(chance, RARE, 0.1, 1),
        "requires": _some(chance, REQUIRES, share / 3),
        "tenants": _some(chance, TENANTS, share / 2),
        "agents": _some(chance, AGENTS, share / 2),
        "roles": _some(chance, ROLES, share / 2),
        "environments": _some(chance, ENVIRONMENTS, share),
        "data_classes": _some(chance, CLASSES, share),
        "labels": {key: chance.choice(LABELS[key]) for key in _some(chance, tuple(LABELS), share)},
    }
    rule: dict[str, Any] = {"id": f"r{number}", "decision": word, "match": match}
    if word == "allow_with_constraints":
        rule["constraints"] = {"max_retries": chance.randrange(4)}
    if word == "throttle" and chance.random() < 0.5:
        rule["rate"] = {"per": "agent", "count": 1, "window_s": 1}
    return rule


def _bundle(chance: Random, *, is_big: bool) -> tuple[dict[str, Any], int]:
    """A bundle, and among how many teams its topics are spread: few make it dense."""
    count = chance.randint(1_100, 1_400) if is_big else chance.randint(0, 90)
    teams = chance.choice((1, 3, 40))
    share = chance.choice((0.1, 0.3, 0.5))
    bundle = {
        "version": "v1",
        "strategy": chance.choice(("most_restrictive", "first_match")),
        "default_decision": chance.choice(("deny", "allow", "throttle", "require_approval")),
        "approval_required_for": _some(chance, ("write", "execute"), 0.5),
        "restricted_data_classes": [],
        "clearance": {},
        "environments": {"dev": {}, "prod": {}},
        "tools": {
            "one": {
                "actions": ["read", "write"],
                "classification": "internal",
                "risk_tags": ["prod", "straße"],
            },
            "two": {
                "actions": ["read", "write", "execute"],
                "classification": "restricted",
                "risk_tags": [],
                "capability": "net.scan",
            },
            "three": {"actions": ["read"], "classification": "public", "risk_tags": []},
        },
        "rules": [_rule(chance, number, teams, share) for number in range(count)],
    }
    return bundle, teams


def _request(chance: Random, teams: int) -> tuple[ActionRequest, Agent]:
    agent = Agent(
        id=AgentId(chance.choice(AGENTS)),
        tenant=TenantId(chance.choice(TENANTS)),
        environments=chance.choice(((), ("dev", "prod", "lab"), ("dev",))),
        roles=tuple(_some(chance, ROLES, 0.5)),
    )
    labels = {key: chance.choice(LABELS[key]) for key in _some(chance, tuple(LABELS), 0.6, 4)}
    if chance.random() < 0.1:
        labels["mcp.tool"] = chance.choice(TOOLS)
    if chance.random() < 0.1:
        labels["mcp.action"] = chance.choice(("read", "execute", "other"))
    request = ActionRequest(
        tenant=agent.tenant,
        agent=agent.id,
        topic=_topic(chance, teams) if chance.random() < 0.9 else chance.choice((".", "", "a/b")),
        tool=chance.choice(("", "", *TOOLS)),
        action=chance.choice(tuple(ActionKind)),
        environment=chance.choice(("", *ENVIRONMENTS)),
        capability=chance.choice(("", *CAPABILITIES)),
        risk_tags=tuple(_some(chance, TAGS, 0.6, 4) + _some(chance, RARE, 0.5, 4)),
        requires=tuple(_some(chance, REQUIRES, 0.5, 4)),
        labels=labels,
        data_classes=tuple(_some(chance, CLASSES, 0.5)),
        content=Content(),
        trace_id="trace",
        idempotency_key="key",
    )
    return request, agent


def _seen(decision: Decision) -> Opinion:
    """What ``decision`` says, in the oracle's words."""
    lines = [(line.id, line.verdict) for line in decision.trace if line.source == "rule"]
    return Opinion(
        effect=decision.effect.value,
        rule_ids=decision.rule_ids,
        # First come the deciding rules' words, then every rule that matches.
        lines=tuple(lines[len(decision.rule_ids) :]),
        demands=tuple(demand.rule_id for demand in decision.demands),
        max_retries=decision.constraints.max_retries,
    )


def _compare(pairs: int) -> Counter[str]:
    """Judge ``pairs`` random pairs both ways; what was met is counted."""
    met: Counter[str] = Counter()
    for seed in range(-(-pairs // REQUESTS_A_BUNDLE)):
        chance = Random(seed)  # noqa: S311  # a workload, not a secret
        mapping, teams = _bundle(chance, is_big=seed % BIG_EVERY == 0)
        bundle = load(mapping)
        for number in range(REQUESTS_A_BUNDLE):
            request, agent = _request(chance, teams)
            expected = opinion(mapping, request, agent)
            decision = evaluate(request, agent, bundle, at=AT)
            assert _seen(decision) == expected, f"seed {seed}, request {number}: {request}"
            met["pairs"] += 1
            met[expected.effect] += 1
            met["many"] += len(expected.lines) > 8
            met["not counted"] += any(said == "not counted" for _, said in expected.lines)
            met["demands"] += bool(expected.demands)
    return met


def test_the_decision_is_that_of_a_scan_over_all_rules():
    met = _compare(PAIRS)
    assert met["pairs"] >= PAIRS
    effects = {"ALLOW", "ALLOW_WITH_CONSTRAINTS", "REQUIRE_APPROVAL", "THROTTLE", "DENY"}
    # A comparison of nothing but denials would agree too easily.
    for seen in (*effects, "many", "not counted", "demands"):
        assert met[seen] > PAIRS / 200, met


def test_the_oracle_can_disagree():
    mapping, teams = _bundle(Random(0), is_big=True)  # noqa: S311
    bundle = load(mapping)
    without = {**mapping, "rules": mapping["rules"][1:]}
    chance = Random(1)  # noqa: S311
    pairs = [_request(chance, teams) for _ in range(200)]
    disagreements = [
        request
        for request, agent in pairs
        if _seen(evaluate(request, agent, bundle, at=AT)) != opinion(without, request, agent)
    ]
    assert disagreements
    request, agent = pairs[0]
    stranger = replace(agent, id=AgentId("stranger"))
    assert _seen(evaluate(request, stranger, bundle, at=AT)).effect == "DENY"
