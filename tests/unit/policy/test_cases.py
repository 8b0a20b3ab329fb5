"""A case is decided as an agent's request is, and what it leaves untested is known."""

from dataclasses import replace
from typing import Any

import pytest

from governance.policy.bundle import Bundle
from governance.policy.cases import Case, Coverage, Difference, Expected, Outcome, coverage, run
from governance.policy.decision import Constraints, Effect
from tests.unit.policy.asking import AGENT, AT, HEAVY, READ, ask, bundle, rule

RATE = {"per": "agent", "count": 1, "window_s": 60}
POLICY = bundle(
    rule("look", "allow", topics=["job.look.*"], reason="Looking is free"),
    rule("limit", "allow", topics=["job.look.far"], constraints={"max_files": 1}),
    rule("slow", "throttle", topics=["job.look.*"], rate=RATE),
    rule("asks", "require_approval", topics=["job.change.*"]),
    rule("claims", "allow", topics=["job.change.*"], environments=["dev"]),
    tiers={"two": HEAVY},
    environments={"dev": {}},
    constraints=[
        {
            "id": "no-x",
            "description": "d",
            "violationAction": "BLOCK",
            "match": {"risk_tags": ["x"]},
        },
        {
            "id": "warn-y",
            "description": "d",
            "violationAction": "WARN",
            "match": {"risk_tags": ["y"]},
        },
    ],
)


def case(expected: Expected, topic: str = "job.look.near", **fields: Any) -> Case:
    empty = frozenset(fields.pop("empty", ()))
    request = ask(topic, action=READ, **fields)
    return Case(name="c", request=request, agent=AGENT, at=AT, expected=expected, empty=empty)


def outcome(expected: Expected, topic: str = "job.look.near", **fields: Any) -> Outcome:
    return run(case(expected, topic, **fields), POLICY)


ALLOW = Expected(effect=Effect.ALLOW)
APPROVAL = Expected(effect=Effect.REQUIRE_APPROVAL)


@pytest.mark.parametrize(
    ("topic", "fields", "expected"),
    [
        ("job.look.near", {}, replace(ALLOW, rules=frozenset({"look"}), reason="looking IS")),
        ("job.look.near", {}, replace(ALLOW, throttled_by=frozenset({"slow"}), people=0, tier="")),
        (
            "job.look.far",
            {},
            Expected(
                effect=Effect.ALLOW_WITH_CONSTRAINTS,
                rules=frozenset({"look", "limit"}),
                limits=Constraints(max_files=1),
            ),
        ),
        (
            "job.look.near",
            {"empty": ["slow"]},
            Expected(effect=Effect.THROTTLE, rules=frozenset({"slow"}), reason="too many", tier=""),
        ),
        ("job.change.a", {}, replace(APPROVAL, tier="two", people=3, rules=frozenset({"asks"}))),
        ("job.change.a", {"empty": ["slow"]}, APPROVAL),
        ("job.look.a", {"risk_tags": ("x",)}, Expected(effect=Effect.DENY, constraint="no-x")),
        ("job.look.a", {"risk_tags": ("y",)}, replace(ALLOW, warnings=frozenset({"warn-y"}))),
    ],
)
def test_a_case_passes_where_all_that_it_says_is_so(
    topic: str, fields: dict[str, Any], expected: Expected
):
    found = outcome(expected, topic, **fields)
    assert found.differences == ()
    assert found.passed


@pytest.mark.parametrize(
    ("topic", "expected", "what"),
    [
        ("job.look.a", Expected(effect=Effect.DENY), ("effect", "DENY", "ALLOW")),
        ("job.look.a", replace(ALLOW, rules=frozenset()), ("rules", "none", "look")),
        ("job.look.a", replace(ALLOW, rules=frozenset("ab")), ("rules", "a, b", "look")),
        ("job.change.a", replace(APPROVAL, tier="one"), ("tier", "one", "two")),
        ("job.change.a", replace(APPROVAL, people=2), ("people", "2", "3")),
        ("job.look.a", replace(ALLOW, constraint="no-x"), ("constraint", "no-x", "none")),
        ("job.look.a", replace(ALLOW, reason="no"), ("reason", "... no ...", "Looking is free")),
        ("job.look.a", replace(ALLOW, warnings=frozenset("w")), ("warnings", "w", "none")),
        ("job.look.a", replace(ALLOW, throttled_by=frozenset()), ("throttled_by", "none", "slow")),
        (
            "job.look.a",
            replace(ALLOW, limits=Constraints(max_files=2)),
            ("limits", "{'max_files': 2}", "{}"),
        ),
    ],
)
def test_each_difference_says_what_was_expected_and_what_came(
    topic: str, expected: Expected, what: tuple[str, str, str]
):
    found = outcome(expected, topic)
    assert not found.passed
    name, wanted, got = what
    assert found.differences == (Difference(what=name, expected=wanted, got=got),)


def _coverage(*outcomes: Outcome, policy: Bundle = POLICY) -> Coverage:
    return coverage(outcomes, policy)


def test_a_rule_is_reached_only_by_a_part_in_an_answer():
    nothing = _coverage()
    assert nothing.unreached == ("look", "limit", "slow", "asks", "claims")
    assert nothing.constraints_unreached == ("no-x", "warn-y")
    assert nothing.unseen == (
        Effect.ALLOW,
        Effect.ALLOW_WITH_CONSTRAINTS,
        Effect.REQUIRE_APPROVAL,
        Effect.THROTTLE,
    )
    assert (nothing.percent, nothing.is_full) == (0, False)
    claimed = outcome(APPROVAL, "job.change.a", environment="dev")
    assert "claims" not in claimed.reached
    some = _coverage(outcome(ALLOW), claimed)
    assert some.unreached == ("limit", "claims")
    assert some.unseen == (Effect.ALLOW_WITH_CONSTRAINTS, Effect.THROTTLE)
    assert some.percent == 60


def test_constraints_count_whether_they_block_or_warn():
    found = _coverage(
        outcome(ALLOW, risk_tags=("y",)), outcome(Expected(effect=Effect.DENY), risk_tags=("x",))
    )
    assert found.constraints_unreached == ()


def test_a_bundle_without_rules_is_covered():
    found = _coverage(policy=bundle())
    assert (found.percent, found.is_full) == (100, True)
