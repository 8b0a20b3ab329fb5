"""Threat: by asking why, somebody learns of rules, tools and agents that are none of theirs."""

from collections.abc import AsyncIterator, Mapping

import pytest

from governance.principal import Scope
from tests.integration.api.world import NOBODY, OWNER, World, agent, running

OTHERS: list[dict[str, object]] = [
    {"id": "near-by-name", "match": {"agents": ["payer-1"]}, "reason": "payer-1 pays"},
    {"id": "near-by-role", "match": {"roles": ["payer-2"]}, "reason": "payer-2 pays"},
    {"id": "near-by-words", "match": {"when": "agent == 'payer-3'"}, "reason": "payer-3 pays"},
    {"id": "near-by-held", "match": {"when": "'payer-4' in roles"}, "reason": "payer-4 pays"},
]
"""Each fits a request of ours but for who asks."""
OURS: list[dict[str, object]] = [
    {"id": "ours", "match": {"agents": ["merge-bot", "payer-5"]}, "decision": "require_approval"},
    {
        "id": "uncounted",
        "match": {"when": "environment == 'staging' && agent != 'payer-6'"},
    },
    {"id": "unclear", "match": {"when": "labels.x == 'y' && agent != 'payer-7'"}},
]
"""Each matches it, and has a condition that is not for us to read."""
RULES = [
    {"decision": "allow", **rule, "match": {"topics": ["job.pay"], **_match}}
    for rule in (*OTHERS, *OURS)
    if isinstance(_match := rule["match"], Mapping)
]
RULES.append({"id": "open", "match": {"topics": ["job.open"]}, "decision": "allow"})
TOOLS = {
    "payer.wipe": {
        "actions": ["read"],
        "classification": "public",
        "scope": "path:payer-8/*",
    },
}
OPEN = {"topic": "job.open", "action": "read", "dispatch": "release"}
ASKED = {"topic": "job.pay", "environment": "staging", "action": "read"}


@pytest.fixture
async def world() -> AsyncIterator[World]:
    places: Mapping[str, object] = {"staging": {}, "payer-9": {"requires_human_approval": True}}
    async with running(rules=RULES, tools=TOOLS, environments=places) as made:
        made.people.roles[OWNER] = frozenset()
        await made.issue("both", Scope.SUBMIT, Scope.READ, agent=agent("both-bot"), person=NOBODY)
        yield made


@pytest.mark.parametrize("path", ["policy/explain", "policy/simulate"])
@pytest.mark.parametrize("who", ["agent", "both", "nobody", "owner"])
async def test_who_may_not_read_all_is_told_of_no_rule_for_others(
    world: World, who: str, path: str
):
    told = await world.post(path, who, ASKED)
    assert told.status == 200
    assert "payer" not in told.text
    assert {rule["rule_id"] for rule in told["explanation"]["rules"]} >= {"uncounted", "unclear"}


async def test_who_answers_for_an_agent_is_told_of_its_job_what_the_agent_is_told(world: World):
    job = (await world.post("jobs", "agent", ASKED))["job_id"]
    whys = [
        await world.post("policy/explain", who, {"ticket_id": job}) for who in ("agent", "owner")
    ]
    assert whys[0]["explanation"] == whys[1]["explanation"]
    assert "payer" not in str(whys[0]["explanation"])


@pytest.mark.parametrize("who", ["olga", "reader", "admin"])
async def test_who_may_read_all_is_told_all(world: World, who: str):
    told = await world.post("policy/explain", who, ASKED)
    assert told.status == 200
    assert {rule["rule_id"] for rule in told["explanation"]["near"]} >= {
        str(rule["id"]) for rule in OTHERS
    }
    for number in range(1, 8):
        assert f"payer-{number}" in told.text, number


async def test_tools_and_places_that_help_nobody_are_not_told_to_who_asks(world: World):
    own = await world.post("policy/explain", "agent", OPEN)
    whole = await world.post("policy/explain", "olga", OPEN)
    assert (own["effect"], whole["effect"]) == ("ALLOW", "ALLOW")
    assert "payer" not in own.text
    for word in ("payer.wipe", "path:payer-8/*", "payer-9"):
        assert word in whole.text, word
