"""What an agent does with its own requests, over real HTTP."""

import asyncio

import pytest

from bot.api.deps import Limits
from bot.api.jobs import WAITING
from governance.tickets.ticket import TicketState
from tests.integration.api.world import MERGE, World, running


async def test_an_allowed_job_is_answered_with_its_id_and_trace(world: World):
    told = await world.post("jobs", body={"topic": "job.mcp-bridge.read.ticket"})
    assert told.status == 200
    assert told["job_id"]
    assert told["trace_id"] == told.headers["X-Trace-Id"]
    assert (told["state"], told["decision"]) == ("SCHEDULED", "ALLOW")
    assert (await world.ticket(told["job_id"])).state is TicketState.APPROVED


async def test_a_job_that_needs_people_says_so_and_why(world: World):
    told = await world.post("jobs", body=MERGE)
    assert told.status == 200
    assert told["status"] == "approval_required"
    assert told["reason"] == "Production writes require human review"
    assert told["rule_id"] == "require-approval-prod-write"


async def test_a_denied_job_is_403_with_its_record(world: World):
    told = await world.post("jobs", body={**MERGE, "risk_tags": ["prod", "destructive"]})
    assert told.status == 403
    assert told["code"] == "policy_denied"
    assert told["status"] == 403
    assert told["state"] == "DENIED"
    assert (await world.ticket(told["job_id"])).state is TicketState.DENIED


async def test_a_throttled_job_is_429_with_retry_after_and_no_ticket(world: World):
    assert (await world.post("jobs", body={"topic": "job.notify"})).status == 200
    told = await world.post("jobs", body={"topic": "job.notify"})
    assert told.status == 429
    assert (told["code"], told["state"]) == ("throttled", "THROTTLED")
    assert 1 <= int(told.headers["Retry-After"]) <= 60
    assert told["trace_id"] == told.headers["X-Trace-Id"]
    assert len((await world.get("jobs"))["items"]) == 1


async def test_constraints_travel_with_the_answer(world: World):
    told = await world.post("jobs", body={"topic": "job.agent.exec.sum"})
    assert told["decision"] == "ALLOW_WITH_CONSTRAINTS"
    assert told["constraints"] == {"max_runtime_s": 45, "max_retries": 1}
    job = await world.get(f"jobs/{told['job_id']}")
    assert job["constraints"] == told["constraints"]


async def test_a_repeated_key_finds_the_same_job_whatever_became_of_it(world: World):
    body = {**MERGE, "idempotency_key": "k-1"}
    first = await world.post("jobs", body=body)
    again = await world.post("jobs", body=body)
    assert (again.status, again["job_id"], again["is_repeat"]) == (200, first["job_id"], True)
    assert again["trace_id"] == first["trace_id"]
    denied = {**body, "risk_tags": ["destructive"], "idempotency_key": "k-2"}
    first, again = [await world.post("jobs", body=denied) for _ in range(2)]
    assert (again.status, again["job_id"]) == (403, first["job_id"])


async def test_a_key_used_for_another_request_is_a_conflict_that_shows_nothing(world: World):
    first = await world.post("jobs", body={**MERGE, "idempotency_key": "k-1"})
    told = await world.post("jobs", body={**MERGE, "prompt": "else", "idempotency_key": "k-1"})
    assert (told.status, told["code"]) == (409, "idempotency_conflict")
    assert first["job_id"] not in told.text


async def test_two_agents_never_share_a_key(world: World):
    body = {**MERGE, "idempotency_key": "k-1"}
    ids = {(await world.post("jobs", who, body))["job_id"] for who in ("agent", "other")}
    assert len(ids) == 2


async def test_200_parallel_repeats_of_one_key_open_one_ticket(world: World):
    body = {**MERGE, "idempotency_key": "k-1"}
    told = await asyncio.gather(*(world.post("jobs", body=body) for _ in range(200)))
    assert {item.status for item in told} == {200}
    assert len({item["job_id"] for item in told}) == 1
    assert len((await world.get("jobs", params={"limit": "200"}))["items"]) == 1


@pytest.mark.parametrize("header", ["Idempotency-Key", "X-Idempotency-Key"])
async def test_a_key_may_come_as_a_header_and_the_body_wins(world: World, header: str):
    headers = {header: "k-head"}
    first = await world.post("jobs", body=MERGE, headers=headers)
    again = await world.post("jobs", body=MERGE, headers=headers)
    assert again["job_id"] == first["job_id"]
    named = await world.post("jobs", body={**MERGE, "idempotency_key": "k"}, headers=headers)
    assert named["job_id"] != first["job_id"]


async def test_requests_without_a_key_are_never_taken_for_repeats(world: World):
    assert await world.job() != await world.job()


async def test_numbers_come_back_as_they_were_written(world: World):
    raw = '{"topic": "job.merge", "risk_tags": ["prod"], "arguments": {"n": 12345678901234567890,'
    raw += ' "rate": 0.10}}'
    told = await world.post("jobs", data=raw.encode(), headers={"Content-Type": "application/json"})
    whole = await world.get(f"approvals/{told['job_id']}", "olga")
    assert '"n": 12345678901234567890' in whole.text
    assert '"rate": 0.10' in whole.text


async def test_labels_tags_and_capability_under_meta_count_like_those_at_the_top(world: World):
    meta = {"capability": "merge", "risk_tags": ["prod"], "labels": {"team": "core", "_x": "y"}}
    told = await world.post("jobs", body={"topic": "job.merge", "meta": meta})
    job = await world.get(f"jobs/{told['job_id']}")
    assert job["capability"] == "merge"
    assert "prod" in job["risk_tags"]
    assert job["labels"] == {"team": "core"}


async def test_mcp_labels_fill_empty_fields(world: World):
    labels = {"mcp.server": "tickets", "mcp.tool": "site.read", "mcp.action": "read"}
    told = await world.post(
        "jobs", body={"topic": "job.mcp-bridge.read.page", "labels": labels, "dispatch": "release"}
    )
    job = await world.get(f"jobs/{told['job_id']}")
    assert (job["tool"], job["action"], job["target"]) == ("site.read", "read", "tickets")


async def test_a_tool_with_a_registered_action_is_executed_and_any_other_released(world: World):
    for tool, wanted in (("site.read", "execute"), ("", "release")):
        told = await world.post("jobs", body={"topic": "job.mcp-bridge.read.page", "tool": tool})
        assert told["dispatch"] == wanted, told


async def test_agent_tenant_and_owners_come_from_the_credential_alone(world: World):
    name = await world.job(actor_id="root", actor_type="human", org_id="x", max_output_tokens=5)
    ask = (await world.ticket(name)).ask
    assert (ask.agent, ask.tenant, ask.owners) == ("merge-bot", "default", ("slack:T1/UOWNER",))


async def test_another_tenant_named_anywhere_is_refused(world: World):
    for told in (
        await world.post("jobs", body={**MERGE, "tenant_id": "other"}),
        await world.post("jobs", body={**MERGE, "tenant": "other"}),
        await world.post("jobs", body=MERGE, headers={"X-Tenant-ID": "other"}),
        await world.get("jobs", headers={"X-Cordum-Tenant": "other"}),
    ):
        assert (told.status, told["code"]) == (403, "forbidden")


async def test_the_sooner_of_two_lives_holds_and_none_is_longer_than_the_tier_allows(world: World):
    for fields, wanted in (
        ({"ttl_seconds": 60, "deadline_ms": 1_500}, 2),
        ({"ttl_seconds": 60}, 60),
        ({"ttl_seconds": 7_200}, 3_600),
    ):
        ticket = await world.ticket(await world.job(**fields))
        assert (ticket.expires_at - ticket.created_at).total_seconds() == wanted
    for fields in (
        {"ttl_seconds": 0},
        {"ttl_seconds": 200_000},
        {"deadline_ms": 1_790_000_000_000},
    ):
        told = await world.post("jobs", body={**MERGE, **fields})
        assert (told.status, told["code"]) == (400, "ttl_out_of_range")


@pytest.mark.parametrize(
    ("headers", "fields", "wanted"),
    [
        ({"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, {"trace_id": "t-body"}, "a" * 32),
        ({"X-Trace-Id": "t-head"}, {"trace_id": "t-body"}, "t-head"),
        ({}, {"trace_id": "t-body"}, "t-body"),
        ({"traceparent": f"00-{'0' * 32}-{'b' * 16}-01", "X-Trace-Id": "t-head"}, {}, "t-head"),
        ({"traceparent": "nonsense", "X-Trace-Id": "a b"}, {"trace_id": "a\u0000b"}, None),
    ],
)
async def test_the_trace_is_the_clients_where_it_is_well_formed_and_new_otherwise(
    world: World, headers: dict[str, str], fields: dict[str, str], wanted: str | None
):
    told = await world.post("jobs", body={**MERGE, **fields}, headers=headers)
    assert told.status == 200
    assert told["trace_id"] == told.headers["X-Trace-Id"]
    if wanted is None:
        assert len(told["trace_id"]) == 32
    else:
        assert told["trace_id"] == wanted


async def test_a_job_tells_every_field_that_stock_clients_read_as_text(world: World):
    job = await world.get(f"jobs/{await world.job()}")
    for key in ("id", "job_id", "state", "topic", "tenant", "tenant_id", "result_ptr"):
        assert isinstance(job[key], str), key
    assert job["failure_reason"] == ""
    assert job["state"] == "APPROVAL_REQUIRED"
    assert job["decisions"][0]["action"] == "REQUIRE_APPROVAL"


async def test_what_is_another_agents_does_not_exist(world: World):
    name = await world.job()
    for method, path in (
        ("GET", f"jobs/{name}"),
        ("GET", f"jobs/{name}/decisions"),
        ("GET", f"approvals/{name}"),
        ("GET", f"traces/{(await world.ticket(name)).ask.trace_id}"),
        ("POST", f"jobs/{name}/cancel"),
        ("POST", f"jobs/{name}/consume"),
    ):
        told = await world.send(method, path, "other")
        assert (told.status, told["code"]) == (404, "not_found"), path
    told = await world.post(f"jobs/{name}/outcome", "other", {"status": "succeeded"})
    assert told.status == 404
    assert (await world.get("jobs", "other"))["items"] == []
    assert (await world.get("approvals", "other"))["items"] == []


async def test_people_and_readers_see_the_jobs_of_every_agent(world: World):
    name = await world.job()
    for who in ("olga", "reader", "admin"):
        assert (await world.get(f"jobs/{name}", who)).status == 200


async def test_a_list_is_paged_newest_first_and_filtered(world: World):
    names = [await world.job(prompt=str(number)) for number in range(5)]
    await world.post("jobs", body={"topic": "job.mcp-bridge.read.x"})
    seen: list[str] = []
    params = {"limit": "2", "state": "APPROVAL_REQUIRED"}
    for _ in range(4):
        page = await world.get("jobs", params=params)
        seen += [item["id"] for item in page["items"]]
        if page["next_cursor"] is None:
            break
        params["cursor"] = page["next_cursor"]
    assert seen == names[::-1]
    assert len((await world.get("jobs", params={"topic": "job.mcp-bridge.read.x"}))["items"]) == 1
    assert (await world.get("jobs", params={"state": "RETRYING"}))["items"] == []
    assert (await world.get("jobs", params={"tenant": "other"}))["items"] == []


async def test_a_job_can_be_taken_back_by_its_agent_and_by_its_owner(world: World):
    for who in ("agent", "owner"):
        name = await world.job()
        told = await world.post(f"jobs/{name}/cancel", who)
        assert (told.status, told["state"]) == (200, "CANCELLED")
        assert (await world.post(f"jobs/{name}/cancel", who)).status == 200
    name = await world.job()
    assert (await world.post(f"jobs/{name}/cancel", "olga")).status == 404
    assert (await world.ticket(name)).state is TicketState.PENDING


async def test_a_long_poll_wakes_when_people_have_decided(world: World):
    name = await world.job()
    poll = asyncio.create_task(world.get(f"jobs/{name}", params={"wait": "30s"}))
    for who in ("olga", "sara"):
        assert not poll.done()
        await world.post(f"approvals/{name}/approve", who)
    async with asyncio.timeout(5):
        assert (await poll)["state"] == "SCHEDULED"


async def test_a_long_poll_past_its_time_tells_what_is(world: World):
    name = await world.job()
    told = await world.get(f"jobs/{name}", params={"wait": "10ms"})
    assert (told.status, told["state"]) == (200, "APPROVAL_REQUIRED")


async def test_a_long_poll_is_answered_when_the_process_shuts_down(world: World):
    name = await world.job()
    poll = asyncio.create_task(world.get(f"jobs/{name}", params={"wait": "30s"}))
    waiting = world.client.app[WAITING]
    while not waiting.open:
        assert (await world.get("/healthz", "")).status == 200
    async with asyncio.timeout(5):
        await waiting.close(world.client.app)
        assert (await poll)["state"] == "APPROVAL_REQUIRED"
        late = await world.get(f"jobs/{name}", params={"wait": "30s"})
    assert (late.status, waiting.open) == (200, set())


async def test_past_the_limit_of_open_polls_the_answer_comes_at_once():
    async with running(limits=Limits(max_waiting=0)) as world:
        name = await world.job()
        async with asyncio.timeout(5):
            told = await world.get(f"jobs/{name}", params={"wait": "30s"})
        assert told["state"] == "APPROVAL_REQUIRED"


@pytest.mark.parametrize("wait", ["-1", "30 s", "1h", "soon", "9999999"])
async def test_a_wait_that_is_no_duration_is_refused(world: World, wait: str):
    told = await world.get(f"jobs/{await world.job()}", params={"wait": wait})
    assert (told.status, told["pointer"]) == (400, "/query/wait")


async def test_a_rejected_job_tells_who_said_no_and_why(world: World):
    name = await world.job()
    told = await world.post(f"approvals/{name}/reject", "olga", {"reason": "not on a Friday"})
    assert (told.status, told["status"]) == (200, "rejected")
    job = await world.get(f"jobs/{name}")
    assert job["state"] == "DENIED"
    assert "not on a Friday" in job["failure_reason"]
    assert "UOLGA" in job["failure_reason"]
