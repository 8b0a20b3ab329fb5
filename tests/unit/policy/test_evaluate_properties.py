"""Laws of the decision over random bundles and requests, against naive readings of them."""

from collections.abc import Mapping
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.action import ActionRequest
from governance.policy.bundle import Bundle
from governance.policy.decision import Decision, Effect
from governance.policy.facts import Facts
from governance.policy.vouching import judged
from tests.unit.policy.asking import AGENT, AT, HEAVY, LIGHT, READ, ask, bundle, decide, tool

TOPICS = ["job.a", "job.a.b", "job.a.b.c", "job", "x", ".", "job..é", "job.a/b"]
GLOBS = [*TOPICS, "job.*", "job.a.*", "*.b", "job.?", "jo*", "*", "job.[ab].*", r"job\.a"]
TAGS = ["prod", "pii", "Safe", "café"]
WORDS = ["allow", "deny", "require_approval", "throttle", "allow_with_constraints"]
NAMES = ["one", "two", "three"]


def some(values: list[str], most: int = 2) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), max_size=most, unique=True)


@st.composite
def rules(draw: st.DrawFn, labels: bool = True) -> list[dict[str, object]]:
    found: list[dict[str, object]] = []
    for number in range(draw(st.integers(0, 6))):
        match: dict[str, object] = {
            "topics": draw(some(GLOBS)),
            "tools": draw(some(NAMES)),
            "risk_tags": draw(some(TAGS)),
            "environments": draw(some(["dev", "prod", "lab"])),
            "data_classes": draw(some(["public", "restricted"], 1)),
            "actions": draw(some(["read", "write", "execute"], 2)),
        }
        if labels:
            match["labels"] = dict.fromkeys(draw(some(["team", "region"], 1)), "blue")
        word = draw(st.sampled_from(WORDS))
        item: dict[str, object] = {"id": f"r{number}", "match": match, "decision": word}
        if word == "allow_with_constraints":
            item["constraints"] = {"max_retries": draw(st.integers(0, 3))}
        if word == "throttle" and draw(st.booleans()):
            item["rate"] = {"per": "agent", "count": 1, "window_s": 1}
        if word == "require_approval":
            item["tier"] = draw(st.sampled_from(["light", "high"]))
        found.append(item)
    return found


def policy_of(items: list[dict[str, object]], strategy: str = "most_restrictive") -> Bundle:
    return bundle(
        *items,
        strategy=strategy,
        tools={
            "one": tool(actions=["read", "write"], risk_tags=["prod"]),
            "two": tool(classification="restricted", capability="c"),
        },
        environments={"dev": {}, "prod": {}},
        tiers={"light": LIGHT, "high": HEAVY},
    )


@st.composite
def requests(draw: st.DrawFn) -> ActionRequest:
    return ask(
        draw(st.sampled_from(TOPICS)),
        tool=draw(st.sampled_from(["", "", *NAMES])),
        action=draw(st.sampled_from(["read", "write", "execute"]).map(READ.__class__)),
        risk_tags=tuple(draw(some(TAGS))),
        environment=draw(st.sampled_from(["", "dev", "prod", "lab"])),
        labels=draw(
            st.dictionaries(st.sampled_from(["team", "region"]), st.sampled_from(["blue", "red"]))
        ),
        data_classes=tuple(draw(some(["public", "restricted"], 1))),
    )


@settings(max_examples=150, deadline=None)
@given(rules(), requests())
def test_the_index_finds_what_a_linear_scan_finds(
    items: list[dict[str, object]], request: ActionRequest
):
    policy = policy_of(items)
    claims = judged(request, AGENT, policy, Facts(at=AT)).claims
    candidates = policy.rules.candidates(claims)
    linear = [rule for rule in policy.rules.rules if rule.match.judge(claims) != "not_matched"]
    assert [rule for rule in candidates if rule.match.judge(claims) != "not_matched"] == linear
    assert [rule.position for rule in candidates] == sorted({rule.position for rule in candidates})


def _without_trace(decision: Decision) -> tuple[object, ...]:
    return (
        decision.effect,
        decision.reason,
        decision.rule_ids,
        decision.constraints,
        decision.requirement,
        decision.risk_tier,
        {demand.key for demand in decision.demands},
    )


@settings(max_examples=100, deadline=None)
@given(rules(), requests(), st.randoms(use_true_random=False))
def test_the_order_of_rules_plays_no_part_in_most_restrictive(
    items: list[dict[str, object]], request: ActionRequest, chance: Random
):
    shuffled = [*items]
    chance.shuffle(shuffled)
    one, other = decide(request, policy_of(items)), decide(request, policy_of(shuffled))
    assert _without_trace(one) == _without_trace(other)


@settings(max_examples=60, deadline=None)
@given(rules(), requests())
def test_one_more_denial_never_loosens(items: list[dict[str, object]], request: ActionRequest):
    more = policy_of([*items, {"id": "no", "decision": "deny"}])
    assert decide(request, more).effect is Effect.DENY


CLAIMS: st.SearchStrategy[Mapping[str, Any]] = st.fixed_dictionaries(
    {},
    optional={
        "risk_tags": some(TAGS).map(tuple),
        "requires": some(["gpu", "net"]).map(tuple),
        "data_classes": some(["public", "restricted", "pii", "odd"]).map(tuple),
        "labels": st.dictionaries(st.sampled_from(["team", "region"]), st.just("blue")),
        "capability": st.sampled_from(["c", "safe"]),
        "environment": st.just("lab"),
    },
)


@settings(max_examples=200, deadline=None)
@given(
    items=rules(labels=False),
    name=st.sampled_from(["one", "two"]),
    claims=CLAIMS,
    topic=st.sampled_from(TOPICS),
    strategy=st.sampled_from(["most_restrictive", "first_match"]),
)
def test_claims_loosen_nothing_where_a_registry_vouches_for_the_tool(
    items: list[dict[str, object]],
    name: str,
    claims: Mapping[str, Any],
    topic: str,
    strategy: str,
):
    policy = policy_of(items, strategy)
    bare = decide(ask(topic, tool=name, action=READ), policy)
    request = ask(topic, tool=name, action=READ, **claims)
    claimed = decide(request, policy)
    assert claimed.effect.rank >= bare.effect.rank
    if bare.requirement is not None and claimed.requirement is not None:
        assert claimed.requirement.threshold >= bare.requirement.threshold
    assert bare.constraints.merge(claimed.constraints) == claimed.constraints
