"""Explaining and simulating over real HTTP: nothing recorded, nothing of others, nothing hangs."""

import asyncio
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bot.api.explaining import SIMULATIONS
from bot.api.read_answers import SimulationAnswer
from governance.principal import Scope
from governance.recorded import UNKEPT_CONTENT
from tests.integration.api.world import BUNDLE, MERGE, World, agent, running
from tests.support.commits import erase

STRICTER = {
    **BUNDLE,
    "rules": [
        {"id": "no-merges", "match": {"topics": ["job.merge"]}, "decision": "deny"},
        {"id": "open", "match": {"topics": ["job.unheard.*"]}, "decision": "allow"},
        *BUNDLE["rules"],
        {"id": "idle", "match": {"topics": ["job.never"]}, "decision": "deny"},
    ],
}


async def asked(world: World) -> None:
    """A ledger with one of each effect."""
    bodies: list[dict[str, object]] = [
        MERGE,
        {"topic": "job.mcp-bridge.read.x"},
        {"topic": "job.agent.exec.x"},
        {"topic": "job.unheard.of"},
        {"topic": "job.notify"},
        {"topic": "job.notify"},
        {"topic": "job.guard", "requires": ["gpu"], "data_classes": ["internal"]},
    ]
    for body in bodies:
        await world.post("jobs", body=body)
        await world.post("policy/evaluate", body=body)


async def simulated(world: World, name: str = "reader", **fields: object) -> Any:
    told = await world.post("policy/simulate", name, fields)
    assert told.status == 200, told
    SimulationAnswer.model_validate_json(told.text, strict=True)  # what the document promises
    return told


def effects(told: Any) -> dict[tuple[str, str], int]:
    return {(row["old"], row["new"]): row["count"] for row in told["matrix"]}


async def test_a_rule_is_told_once_with_its_conditions_and_what_would_change(world: World):
    told = await world.post("policy/explain", body={**MERGE, "risk_tags": ["prod", "destructive"]})
    assert (told.status, told["effect"]) == (200, "DENY")
    ids = [line["id"] for line in told["evaluations"] if line["source"] == "rule"]
    assert sorted(ids) == ["deny-destructive", "require-approval-prod-write"]
    why = told["explanation"]
    assert {rule["rule_id"]: rule["standing"] for rule in why["rules"]} == {
        "deny-destructive": "decides",
        "require-approval-prod-write": "decides",
    }
    first = why["changes"][0]
    assert (first["change"], first["value"]) == ("without risk tag", "destructive")
    assert (first["effect"], first["is_looser"]) == ("REQUIRE_APPROVAL", True)
    assert told["recorded"] is None


async def test_a_job_is_explained_by_its_record_beside_what_would_be_said_now(world: World):
    name = await world.job(arguments={"branch": "main"})
    size = await world.size()
    for path in ("policy/explain", "policy/simulate"):
        told = await world.post(path, "reader", {"ticket_id": name})
        assert (told.status, told["effect"]) == (200, "REQUIRE_APPROVAL")
        assert told["recorded"]["job_id"] == name
        assert told["recorded"]["cannot_be_judged"] == ""
        assert told["explanation"]["effect"] == "REQUIRE_APPROVAL"
        ids = [line["id"] for line in told["recorded"]["trace"] if line["source"] == "rule"]
        assert ids == ["require-approval-prod-write"]
    assert await world.size() == size


async def test_a_job_whose_words_are_erased_is_not_guessed_at(world: World):
    name = await world.job(arguments={"branch": "main"})
    await erase(world.ledger, (await world.ticket(name)).ask.content_digest)
    told = await world.post("policy/explain", body={"ticket_id": name})
    assert (told.status, told["effect"]) == (200, "REQUIRE_APPROVAL")
    assert told["explanation"] is None
    assert told["recorded"]["cannot_be_judged"] == UNKEPT_CONTENT


async def test_an_agent_is_explained_its_own_jobs_alone(world: World):
    name = await world.job()
    told = await world.post("policy/explain", "other", {"ticket_id": name})
    assert (told.status, told["code"]) == (404, "not_found")
    assert (await world.post("policy/explain", "agent", {"ticket_id": name})).status == 200
    assert (await world.post("policy/explain", "olga", {"ticket_id": "t-none"})).status == 404


async def test_a_job_and_a_request_do_not_go_together(world: World):
    name = await world.job()
    told = await world.post("policy/explain", body={"ticket_id": name, "topic": "job.x"})
    assert (told.status, told["pointer"]) == (400, "/topic")
    told = await world.post("policy/simulate", "reader", {"bundle": BUNDLE, "topic": "job.x"})
    assert (told.status, told["pointer"]) == (400, "/topic")


async def test_an_agent_is_not_told_what_it_could_not_find_by_asking():
    rule = {
        "id": "theirs",
        "match": {"topics": ["job.pay"], "agents": ["payer"]},
        "decision": "allow",
    }
    async with running(rules=[rule]) as world:
        own = await world.post("policy/explain", "agent", {"topic": "job.pay", "tool": "none"})
        assert "payer" not in own.text
        assert "if registered" not in own.text
        told = await world.post("policy/explain", "reader", {"topic": "job.pay", "tool": "none"})
        assert [rule["rule_id"] for rule in told["explanation"]["near"]] == ["theirs"]


@pytest.mark.parametrize("path", ["policy/explain", "policy/simulate"])
async def test_reading_is_all_that_is_needed_and_nothing_less(world: World, path: str):
    await world.issue("writer", Scope.SUBMIT, agent=agent("writer"))
    for body in (MERGE, {"bundle": BUNDLE}, {"ticket_id": "t-1"}):
        assert (await world.post(path, "writer", body))["code"] == "forbidden"
        assert (await world.post(path, "", body)).status == 401


async def test_the_active_bundle_differs_in_nothing_from_history(world: World):
    await asked(world)
    size = await world.size()
    told = await simulated(world, bundle=dict(world.service.bundle.source), limit=1000)
    assert told["differing_total"] == told["drift_total"] == told["not_rederived"] == 0
    assert told["differing"] == told["drift"] == []
    assert told["snapshot"] == world.service.bundle.snapshot
    assert told["judged"] + sum(row["count"] for row in told["not_judged"]) >= 10
    assert told["may_throttle"] > 0
    assert await world.size() == size


async def test_what_a_candidate_changes_is_counted_and_listed_the_looser_first(world: World):
    await asked(world)
    told = await simulated(world, bundle=STRICTER)
    found = effects(told)
    assert found["REQUIRE_APPROVAL", "DENY"] == told["newly_denied"] > 0
    assert found["DENY", "ALLOW"] == told["newly_allowed"] == told["looser"] > 0
    assert told["differing_total"] == told["newly_denied"] + told["newly_allowed"]
    assert [item["is_looser"] for item in told["differing"]] == sorted(
        (item["is_looser"] for item in told["differing"]), reverse=True
    )
    first = told["differing"][0]
    assert (first["topic"], first["new"]["rule_ids"]) == ("job.unheard.of", ["open"])
    assert told["people_old"] > told["people_new"]
    assert "idle" in told["never_fire"]
    assert "no-merges" not in told["never_fire"]


async def test_the_newest_or_one_trace_or_since_a_moment(world: World):
    await world.post("jobs", body={**MERGE, "trace_id": "one"})
    world.clock.pass_(3600)
    later = world.clock.now()
    for number in range(3):
        await world.post("jobs", body={"topic": f"job.mcp-bridge.read.{number}"})
    bundle = dict(world.service.bundle.source)
    assert (await simulated(world, bundle=bundle))["judged"] == 4
    assert (await simulated(world, bundle=bundle, limit=2))["judged"] == 2
    assert (await simulated(world, bundle=bundle, trace_id="one"))["judged"] == 1
    assert (await simulated(world, bundle=bundle, since=later.isoformat()))["judged"] == 3
    told = await world.post("policy/simulate", "reader", {"bundle": bundle, "since": "yesterday"})
    assert (told.status, told["pointer"]) == (400, "/since")
    told = await world.post("policy/simulate", "reader", {"bundle": bundle, "limit": 1001})
    assert (told.status, told["pointer"]) == (400, "/limit")


async def test_an_agent_simulates_over_its_own_requests(world: World):
    await world.job()
    await world.job("other")
    bundle = dict(world.service.bundle.source)
    assert (await simulated(world, "agent", bundle=STRICTER))["judged"] == 1
    assert (await simulated(world, "reader", bundle=bundle))["judged"] == 2


async def test_erased_words_are_counted_and_not_judged(world: World):
    name = await world.job(arguments={"a": 1})
    await erase(world.ledger, (await world.ticket(name)).ask.content_digest)
    told = await simulated(world, bundle=STRICTER)
    assert told["judged"] == 0
    assert told["not_judged"] == [{"reason": UNKEPT_CONTENT, "count": 1}]


async def test_a_decision_of_a_bundle_that_is_not_active_any_more_is_rederived_by_it(world: World):
    await world.job()
    async with running(name="another") as other:
        await world.administration.activate(other.service.bundle, actor="test")
    told = await simulated(world, bundle=STRICTER)
    assert (told["judged"], told["not_rederived"], told["drift_total"]) == (1, 0, 0)


@pytest.mark.parametrize(
    ("bundle", "pointer"),
    [
        ({"version": "v2"}, "/bundle/version"),
        (
            {"version": "v1", "rules": [{"id": "x", "decision": "maybe"}]},
            "/bundle/rules/0/decision",
        ),
        ({"version": "v1", "surprise": 1}, "/bundle/surprise"),
    ],
)
async def test_a_candidate_that_does_not_load_says_where(
    world: World, bundle: dict[str, object], pointer: str
):
    told = await world.post("policy/simulate", "reader", {"bundle": bundle})
    assert (told.status, told["code"], told["pointer"]) == (400, "invalid_bundle", pointer)


def bomb() -> dict[str, object]:
    """A schema whose evaluation doubles with every level."""
    deep = 40
    levels: dict[str, object] = {
        f"a{n}": {"allOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(deep)
    }
    levels[f"a{deep}"] = {"type": "object"}
    return {"$ref": "#/$defs/a0", "$defs": levels}


async def test_a_hostile_candidate_ends_and_the_service_goes_on(world: World):
    simulations = world.client.app[SIMULATIONS]
    simulations.cpu_s, simulations.wall_s = 2, 600  # so that it is not the clock that ends it
    tool = {"actions": ["read"], "classification": "public", "arguments": bomb()}
    hostile = {"version": "v1", "tools": {"site.read": tool}}
    await world.post("jobs", body={"topic": "job.x", "tool": "site.read", "dispatch": "release"})
    told = await world.post("policy/simulate", "reader", {"bundle": hostile})
    assert (told.status, told["code"]) == (400, "invalid_bundle")
    assert (await world.get("/healthz", "")).status == 200
    assert (await simulated(world, bundle=STRICTER))["judged"] == 1


@pytest.mark.parametrize(
    ("spend", "signals"),
    [
        ("while True: pass", (-signal.SIGKILL, -signal.SIGXCPU)),
        ("bytearray(2 << 30)", (1,)),
        ("open('grown', 'wb', buffering=0).write(b'x')", (1, -signal.SIGXFSZ)),
    ],
)
def test_what_judges_a_candidate_is_bounded_from_within(
    spend: str, signals: tuple[int, ...], tmp_path: Path
):
    code = f"from bot.candidate_child import limit\nlimit(1)\n{spend}"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, timeout=60, check=False, cwd=tmp_path
    )
    assert ran.returncode in signals, ran.stderr


@pytest.mark.parametrize("said", ["raise SystemExit(3)", "print('{}')", "print('no json')"])
async def test_a_child_that_dies_or_talks_nonsense_is_no_answer(
    world: World, said: str, monkeypatch: pytest.MonkeyPatch
):
    async def start(*_: object, **more: Any) -> asyncio.subprocess.Process:
        return await asyncio.subprocess.create_subprocess_exec(sys.executable, "-c", said, **more)

    monkeypatch.setattr("bot.candidate.create_subprocess_exec", start)
    told = await world.post("policy/simulate", "reader", {"bundle": STRICTER})
    assert (told.status, told["code"], told["pointer"]) == (400, "invalid_bundle", "/bundle")


async def test_one_simulation_at_a_time_for_a_credential(world: World):
    running_now = world.client.app[SIMULATIONS]
    running_now._running.add(world.credentials["reader"].id)
    told = await world.post("policy/simulate", "reader", {"bundle": STRICTER})
    assert (told.status, told["code"]) == (429, "throttled")
    assert (await world.post("policy/simulate", "olga", {"bundle": STRICTER})).status == 200
    running_now._running.add("another")
    assert (await world.post("policy/simulate", "olga", {"bundle": STRICTER})).status == 429


async def test_too_long_a_simulation_is_stopped(world: World):
    world.client.app[SIMULATIONS].wall_s = 0.001
    told = await world.post("policy/simulate", "reader", {"bundle": STRICTER})
    assert (told.status, told["code"]) == (400, "invalid_bundle")
    assert not world.client.app[SIMULATIONS]._running
