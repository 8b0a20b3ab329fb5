"""Requests, agents and bundles for the tests of policy, in few words."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.canonical import Json
from governance.errors import Code, InvalidInput
from governance.policy.bundle import Bundle, load
from governance.policy.decision import Decision
from governance.policy.evaluate import evaluate
from governance.principal import Agent, AgentId, TenantId

AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
AGENT = Agent(id=AgentId("deployer"), tenant=TenantId("acme"))
BOUND = Agent(
    id=AgentId("deployer"), tenant=TenantId("acme"), environments=("prod", "dev", "staging")
)
"""The same agent with a credential that vouches for where it says it works."""
READ, WRITE, EXECUTE = ActionKind
LIGHT: Mapping[str, object] = {"roles": {"operator": {"weight": 1, "min_required": 1}}}
HEAVY: Mapping[str, object] = {
    "roles": {
        "operator": {"weight": 2, "min_required": 1},
        "reviewer": {"weight": 1, "min_required": 2},
    }
}


def ask(
    topic: str = "job.default", *, arguments: Mapping[str, Json] | None = None, **fields: object
) -> ActionRequest:
    request = ActionRequest(
        tenant=AGENT.tenant,
        agent=AGENT.id,
        topic=topic,
        trace_id="trace",
        idempotency_key="key",
        content=Content(arguments=arguments or {}),
    )
    if fields.pop("execute", False):
        fields["dispatch"] = Dispatch.EXECUTE
    return replace(request, **fields)


def rule(rule_id: str, decision: str, **fields: object) -> dict[str, object]:
    """One rule; what is no key of a rule is a condition of its match."""
    own = {"reason", "constraints", "tier", "rate"}
    found: dict[str, object] = {"id": rule_id, "decision": decision}
    found |= {key: value for key, value in fields.items() if key in own}
    found["match"] = {key: value for key, value in fields.items() if key not in own}
    return found


def bundle(*rules: Mapping[str, object], **sections: object) -> Bundle:
    return load({"version": "v1", "rules": list(rules), **sections})


def tool(**fields: object) -> dict[str, object]:
    return {"actions": ["read"], "classification": "internal", **fields}


def decide(request: ActionRequest, policy: Bundle, *, agent: Agent = AGENT) -> Decision:
    return evaluate(request, agent, policy, at=AT)


def refused(mapping: Mapping[str, object], pointer: str, words: str) -> None:
    """Assert that ``mapping`` is no bundle, because of what stands at ``pointer``."""
    with pytest.raises(InvalidInput, match=words) as caught:
        load(mapping)
    assert caught.value.code is Code.INVALID_BUNDLE
    assert caught.value.pointer == pointer
