"""The bundles that come with the product answer as their comments say."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bot.bundles import load_bundle, read, schema, shipped
from bot.executor.action_parsing import parse_action
from governance.execution import SandboxTier
from governance.json_text import to_text
from governance.policy.decision import Effect
from governance.policy.tiers import people_needed
from tests.unit.policy.asking import AGENT, EXECUTE, READ, WRITE, ask, decide

DEMO, DEFAULT = load_bundle(shipped("demo")), load_bundle(shipped("default"))
READER = replace(AGENT, roles=("data-reader",))
SETTING = {"path": "app.ini", "key": "retries", "value": 3}
SEEDS = Path(__file__).parents[2] / "fixtures" / "bundles"


@pytest.mark.parametrize(
    ("fields", "effect", "tier"),
    [
        ({"tool": "docs.read", "action": READ, "arguments": {"page": "a"}}, Effect.ALLOW, ""),
        ({"topic": "job.agent.exec.sum"}, Effect.ALLOW_WITH_CONSTRAINTS, ""),
        (
            {"tool": "settings.set", "action": WRITE, "arguments": SETTING, "execute": True},
            Effect.REQUIRE_APPROVAL,
            "high",
        ),
        (
            {
                "tool": "records.report",
                "action": READ,
                "arguments": {"path": "records/a.csv"},
                "execute": True,
            },
            Effect.REQUIRE_APPROVAL,
            "data",
        ),
        (
            {
                "tool": "notes.publish",
                "action": WRITE,
                "arguments": {"title": "a", "body": "long " * 10_000},
            },
            Effect.REQUIRE_APPROVAL,
            "light",
        ),
        ({"tool": "pause.lift", "action": WRITE}, Effect.REQUIRE_APPROVAL, "exception"),
        ({"topic": "job.urgent.key"}, Effect.REQUIRE_APPROVAL, "five-minutes"),
        (
            {"topic": "job.mcp-bridge.write.update_ticket", "risk_tags": ("prod",)},
            Effect.REQUIRE_APPROVAL,
            "high",
        ),
        ({"tool": "database.drop", "action": EXECUTE}, Effect.DENY, ""),
        ({"topic": "job.notify.team", "risk_tags": ("bulk-export",)}, Effect.DENY, ""),
        ({"topic": "job.unheard.of"}, Effect.DENY, ""),
    ],
)
def test_the_demo_tells_its_story(fields: dict[str, Any], effect: Effect, tier: str):
    decision = decide(ask(**fields), DEMO, agent=READER)
    assert (decision.effect, decision.risk_tier) == (effect, tier)


def test_the_demo_throttles_notifications_and_warns_of_wide_ones():
    decision = decide(ask("job.notify.everyone"), DEMO)
    assert decision.effect is Effect.ALLOW
    assert [(demand.capacity, demand.refill_ms) for demand in decision.demands] == [(3, 20_000)]
    assert [warning.constraint_id for warning in decision.warnings] == ["wide-audience"]


def test_the_demos_restricted_report_is_for_cleared_agents():
    request = ask(tool="records.report", action=READ, arguments={"path": "records/a.csv"})
    assert decide(request, DEMO).effect is Effect.DENY
    assert decide(request, DEMO, agent=READER).data_class == "restricted"


def test_the_demos_high_tier_takes_three_people_of_the_demos_team():
    high = DEMO.tiers["high"]
    assert (people_needed(high), high.threshold, high.sandbox) == (3, 4, SandboxTier.A_MINUS)
    roles = {role: len(members.people) for role, members in DEMO.directory.items()}
    assert roles == {"operator": 2, "reviewer": 3, "security-admin": 1}
    assert DEMO.tiers["five-minutes"].ttl_s == 300


def test_the_demos_registered_actions_are_ones_that_the_executor_knows():
    plans = {found.name: found.run for found in DEMO.tools if found.run is not None}
    assert sorted(plans) == ["records.report", "settings.set"]
    for name, run in plans.items():
        assert parse_action(name, run).name == name


def test_the_default_denies_everything_and_needs_two_people():
    for request in (ask(), ask(action=READ), ask(tool="t", action=READ), ask(execute=True)):
        assert decide(request, DEFAULT).effect is Effect.DENY
    assert people_needed(DEFAULT.tiers[DEFAULT.default_tier]) == 2
    assert DEFAULT.minimum_sandbox is SandboxTier.A
    assert DEFAULT.directory == {}


def test_no_shipped_bundle_has_a_key_without_effect():
    assert (DEMO.not_enforced, DEFAULT.not_enforced) == ((), ())


def test_the_json_schema_is_up_to_date():
    shown = (shipped("demo").parent / "bundle.schema.json").read_text("utf-8")
    assert json.loads(shown) == schema(), "run: python -m bot.bundles > policies/bundle.schema.json"


@pytest.mark.parametrize(
    "path",
    [shipped("demo"), shipped("default"), *(SEEDS / f"s{n}.yaml" for n in range(3))],
    ids=lambda path: path.name,
)
def test_the_json_schema_accepts_what_the_loader_accepts(path: Path):
    jsonschema.validate(json.loads(to_text(read(path).mapping)), schema())


def test_the_json_schema_knows_every_spelling():
    spelt = {"allowedActions": ["read"], "dataClassification": "internal", "requiresApproval": True}
    jsonschema.validate({"tools": {"t": spelt}}, schema())
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"tools": {"t": {"requiresApproval": True}}}, schema())
