"""Bundles and requests at random, over few words, so that rules meet each other and requests."""

from random import Random
from typing import Any

from hypothesis import strategies as st

from governance.action import ActionKind, ActionRequest
from governance.policy.bundle import Bundle
from governance.principal import Agent
from tests.unit.policy.asking import AGENT, BOUND, HEAVY, LIGHT, ask, bundle, rule, tool

WORDS = st.lists(st.sampled_from(["x", "y"]), max_size=2, unique=True)
ENVIRONMENTS = st.lists(st.sampled_from(["dev", "prod", "lab"]), max_size=2, unique=True)
MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "topics": st.lists(
            st.sampled_from(["job.*", "job.a*", "job.ab", "*b", "job.[ab]?"]), max_size=2
        ),
        "tools": st.lists(st.sampled_from(["t", "u", "w"]), min_size=1, max_size=2, unique=True),
        "actions": st.lists(st.sampled_from(["read", "write"]), max_size=1),
        "risk_tags": WORDS,
        "requires": WORDS,
        "labels": st.dictionaries(st.sampled_from("kl"), st.sampled_from("vw"), max_size=1),
        "environments": ENVIRONMENTS,
        "capabilities": st.lists(st.sampled_from(["c", "d"]), max_size=1),
        "data_classes": st.lists(st.sampled_from(["internal", "public"]), max_size=1),
    },
)
DECISIONS = st.sampled_from(["allow", "allow", "require_approval", "throttle", "deny", "limits"])
STRATEGIES = st.sampled_from(["most_restrictive", "first_match"])
TOOLS = {
    "t": tool(actions=["read", "write"], risk_tags=["x"], capability="c"),
    "u": tool(environments=["dev"], classification="public"),
}


@st.composite
def rule_lists(draw: st.DrawFn) -> list[dict[str, Any]]:
    made = []
    for number in range(draw(st.integers(1, 4))):
        decision = draw(DECISIONS)
        fields: dict[str, Any] = dict(draw(MATCHES))
        if decision == "limits":
            decision, fields["constraints"] = "allow", {"max_files": draw(st.integers(1, 2))}
        if decision == "throttle" and draw(st.booleans()):
            fields["rate"] = {"per": "agent", "count": 1, "window_s": 1}
        if decision == "require_approval" and draw(st.booleans()):
            fields["tier"] = draw(st.sampled_from(["one", "two"]))
        made.append(rule(f"r{number}", decision, **fields))
    return made


def asked_at_random(dice: Random) -> tuple[ActionRequest, Agent]:
    """Any request: what it claims and what is vouched for differ as often as not."""
    words = [(), ("x",), ("y",), ("x", "y")]
    request = ask(
        dice.choice(["job.ab", "job.a", "job.b", "other.b"]),
        tool=dice.choice(["", "", "t", "u", "w"]),
        action=dice.choice(list(ActionKind)),
        environment=dice.choice(["", "dev", "prod", "lab"]),
        risk_tags=dice.choice(words),
        requires=dice.choice(words),
        labels=dice.choice([{}, {"k": "v"}, {"l": "v"}, {"k": "w", "l": "v"}]),
        capability=dice.choice(["", "c", "d"]),
        data_classes=dice.choice([(), ("internal",), ("public",)]),
    )
    return request, dice.choice([AGENT, BOUND])


DICE = Random(7)  # noqa: S311  # the same requests in every run
ASKED = [asked_at_random(DICE) for _ in range(400)]


def policy_of(rules: list[dict[str, Any]], strategy: str) -> Bundle:
    return bundle(
        *rules,
        strategy=strategy,
        tools=TOOLS,
        environments={"dev": {}, "prod": {"allowed_tools": ["t"]}},
        tiers={"one": LIGHT, "two": HEAVY},
    )
