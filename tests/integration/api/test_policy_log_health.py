"""Questions to policy and the log, probes, and the published document."""

import json

import pytest
from aiohttp import web

from bot.api.openapi import document
from governance.json_text import to_text
from governance.principal import Scope
from tests.integration.api.world import MERGE, World, running

EFFECTS = [
    ({"topic": "job.mcp-bridge.read.x"}, "ALLOW"),
    ({"topic": "job.agent.exec.x"}, "ALLOW_WITH_CONSTRAINTS"),
    (MERGE, "REQUIRE_APPROVAL"),
    ({"topic": "job.unheard.of"}, "DENY"),
]


@pytest.mark.parametrize(("body", "effect"), EFFECTS)
async def test_an_evaluated_decision_is_recorded_and_opens_no_ticket(
    world: World, body: dict[str, object], effect: str
):
    size = await world.size()
    told = await world.post("policy/evaluate", body=body)
    assert (told.status, told["decision"], told["effect"]) == (200, effect, effect)
    assert isinstance(told["reason"], str)
    assert told["approval_required"] is (effect == "REQUIRE_APPROVAL")
    assert told["policy_snapshot"].startswith("v1:")
    assert told["remediations"] == []
    assert await world.size() == size + 1
    assert (await world.get("jobs"))["items"] == []


async def test_an_evaluation_is_charged_and_an_explanation_is_neither_charged_nor_recorded(
    world: World,
):
    body = {"topic": "job.notify"}
    size = await world.size()
    for path in ("policy/explain", "policy/simulate") * 2:
        told = await world.post(path, body=body)
        assert (told.status, told["decision"]) == (200, "ALLOW")
        assert any(line["id"] == "notify" for line in told["evaluations"])
    assert await world.size() == size
    assert (await world.post("policy/evaluate", body=body))["decision"] == "ALLOW"
    told = await world.post("policy/evaluate", body=body)
    assert (told.status, told["decision"]) == (200, "THROTTLE")
    assert told["throttle_duration_seconds"] > 0


async def test_a_stock_client_is_never_told_to_run_a_constrained_action_freely(world: World):
    stock = {"topic": "job.agent.exec.x", "meta": {"risk_tags": ["medium"]}}
    told = await world.post("policy/evaluate", body=stock)
    assert (told["decision"], told["effect"]) == ("DENY", "ALLOW_WITH_CONSTRAINTS")
    bare = {"topic": "job.agent.exec.x"}
    key = {"X-API-Key": world.tokens["agent"]}
    for who, headers in (("", key), ("agent", {"User-Agent": "cordum-sdk-python/0.1.0"})):
        told = await world.post("policy/evaluate", who, bare, headers=headers)
        assert (told["decision"], told["effect"]) == ("DENY", "ALLOW_WITH_CONSTRAINTS")
        assert told["constraints"] == {"max_runtime_s": 45, "max_retries": 1}


async def test_a_reader_may_ask_for_explanations_and_for_no_decision(world: World):
    assert (await world.post("policy/explain", "reader", MERGE)).status == 200
    assert (await world.post("policy/evaluate", "reader", MERGE)).status == 403


async def test_a_trace_tells_the_whole_story_in_order(world: World):
    trace = "story-1"
    name = await world.approved(trace_id=trace)
    await world.post(f"jobs/{name}/consume")
    told = await world.get(f"traces/{trace}")
    assert told["jobs"] == [name]
    kinds = [event["type"] for event in told["events"]]
    assert kinds == [
        "TicketOpened",
        "VoteCast",
        "VoteCast",
        "TicketApproved",
        "ExecutionCleared",
        "GrantRedeemed",
    ]
    seqs = [event["seq"] for event in told["events"]]
    assert seqs == sorted(seqs)
    assert (await world.get("traces/unheard")).status == 404
    assert (await world.get(f"traces/{trace}", "olga"))["jobs"] == [name]


async def test_decisions_are_a_list_that_stock_clients_read(world: World):
    told = await world.get(f"jobs/{await world.job()}/decisions")
    assert isinstance(told.body, list)
    assert json.loads(told.text)[0]["action"] == "REQUIRE_APPROVAL"
    assert json.loads(told.text)[0]["evaluated_at"].endswith("Z")


async def test_the_head_is_the_newest_record(world: World):
    before = await world.get("audit/head", "reader")
    await world.job()
    after = await world.get("audit/head", "reader")
    assert after["seq"] == before["seq"] + 1
    assert len(after["hash"]) == 64


async def test_probes_need_no_credential(world: World):
    assert (await world.get("/healthz", ""))["status"] == "alive"
    told = await world.get("/readyz", "")
    assert (told.status, told["status"], told["reasons"]) == (200, "ready", [])
    assert told["fail_modes"]["staging"] == "closed"


async def test_a_process_that_may_not_work_says_why(world: World):
    world.unready.append("slack: not authenticated")
    told = await world.get("/readyz", "")
    assert (told.status, told["reasons"]) == (503, ["slack: not authenticated"])
    assert told.headers["Retry-After"]
    world.unready.clear()
    async with running(name="another") as other:
        await world.administration.activate(other.service.bundle, actor="test")
    told = await world.get("/readyz", "")
    assert (told.status, told["status"]) == (503, "not_ready")
    assert "bundle" in told["reasons"][0]
    refused = await world.post("jobs", body=MERGE)
    assert (refused.status, refused["code"]) == (503, "snapshot_changed")
    assert refused.headers["Retry-After"]


async def test_the_document_and_the_served_routes_are_equal(world: World):
    told = await world.get("openapi.json", "")
    assert json.loads(told.text) == json.loads(to_text(document()))
    served = {
        (route.method, resource.canonical)
        for resource in world.client.app.router.resources()
        for route in resource
    }
    written = {
        (method.upper(), path)
        for path, methods in json.loads(told.text)["paths"].items()
        for method in methods
    }
    assert served == written | {("GET", "/api/v1/openapi.json")}


async def test_every_reference_of_the_document_leads_somewhere(world: World):
    told = json.loads((await world.get("openapi.json", "")).text)
    names = set(told["components"]["schemas"])
    used = set(json.dumps(told).split('"#/components/schemas/')[1:])
    assert {item.split('"')[0] for item in used} <= names
    operations = [op for methods in told["paths"].values() for op in methods.values()]
    assert len({op["operationId"] for op in operations}) == len(operations)
    assert all(op["summary"] for op in operations)


async def test_a_mounted_route_gets_our_headers_and_no_check_of_ours():
    async def slack(_request: web.Request) -> web.Response:
        return web.Response(text="ok")

    async with running(routes=[web.post("/slack/events", slack)]) as world:
        told = await world.post("/slack/events", "")
        assert (told.status, told.text) == (200, "ok")
        assert told.headers["X-Content-Type-Options"] == "nosniff"


async def test_a_fault_of_ours_is_told_without_detail_and_logged_without_text(
    caplog: pytest.LogCaptureFixture,
):
    async def broken(request: web.Request) -> web.Response:
        raise KeyError(request.query["said"])

    async with running(routes=[web.get("/broken", broken)]) as world:
        told = await world.get("/broken?said=payload-of-a-client", "")
    assert (told.status, told["code"]) == (500, "internal_error")
    assert "payload" not in told.text
    assert "KeyError" in caplog.text
    assert "payload-of-a-client" not in caplog.text


async def test_every_answer_carries_ids_and_security_headers(world: World):
    for told in (
        await world.get("jobs"),
        await world.get("jobs", ""),
        await world.get("/nowhere", ""),
        await world.post("/healthz", ""),
    ):
        assert told.headers["X-Request-Id"]
        assert told.headers["X-Trace-Id"]
        assert told.headers["Cache-Control"] == "no-store"
        assert told.headers["Server"] == "placet"
        assert "Python" not in str(told.headers)
    told = await world.get("/nowhere", "", headers={"X-Request-Id": "r-1"})
    assert (told.status, told["code"], told["request_id"]) == (404, "not_found", "r-1")
    told = await world.post("/healthz", "")
    assert (told.status, told["code"]) == (405, "method_not_allowed")
    assert "GET" in told.headers["Allow"]


async def test_a_full_queue_is_429_with_retry_after():
    async with running(max_pending=1) as world:
        await world.job()
        told = await world.post("jobs", body={**MERGE, "prompt": "another"})
        assert (told.status, told["code"]) == (429, "queue_full")
        assert told.headers["Retry-After"]


async def test_an_approval_that_nobody_could_give_is_refused(world: World):
    world.people.roles.clear()
    told = await world.post("jobs", body=MERGE)
    assert (told.status, told["code"]) == (409, "quorum_unreachable")


async def test_an_agent_without_read_scope_may_submit_and_not_look(world: World):
    from tests.integration.api.world import agent

    await world.issue("writer", Scope.SUBMIT, agent=agent("writer"))
    name = (await world.post("jobs", "writer", MERGE))["job_id"]
    assert (await world.get(f"jobs/{name}", "writer"))["code"] == "forbidden"
