"""The calls that published clients and a published walkthrough make, by raw HTTP."""

import asyncio
import json

from tests.integration.api.world import World

GUARD_HEADERS = {"X-Tenant-ID": "default", "Content-Type": "application/json"}
ENDS = {"succeeded", "failed", "cancelled", "denied"}


class Guard:
    """A client that knows four decisions, sends meta, and polls until one of four states."""

    def __init__(self, world: World, name: str = "redeemer") -> None:
        self._world = world
        self._headers = {**GUARD_HEADERS, "X-API-Key": world.tokens[name]}

    async def call(self, method: str, path: str, body: object = None) -> dict[str, object]:
        data = None if body is None else json.dumps(body).encode()
        async with self._world.client.request(
            method, f"/api/v1/{path}", data=data, headers=self._headers
        ) as response:
            assert response.status < 400, await response.text()
            told: dict[str, object] = json.loads(await response.read())
            return told

    async def wait(self, name: str) -> str:
        """Poll, as it does every two seconds, here without the pause."""
        while True:
            told = await self.call("GET", f"jobs/{name}?wait=1s")
            for key in ("state", "topic", "result_ptr", "failure_reason", "tenant_id"):
                assert isinstance(told[key], str), key
            if str(told["state"]).lower() in ENDS:
                return str(told["state"]).lower()


async def test_a_guarded_call_runs_once_a_person_approved_it(world: World):
    guard = Guard(world)
    meta = {"capability": "merge", "risk_tags": ["prod"], "labels": {"team": "core"}}
    decided = await guard.call("POST", "policy/evaluate", {"topic": "job.guard", "meta": meta})
    assert str(decided["decision"]).lower() == "require_approval"
    for key, kind in (
        ("reason", str),
        ("matched_rules", list),
        ("remediations", list),
        ("throttle_duration_seconds", int),
    ):
        assert isinstance(decided[key], kind)
    job = await guard.call(
        "POST",
        "jobs",
        {
            "prompt": "Approval required: merge(branch='main')",
            "topic": "job.guard",
            "capability": "merge",
            "risk_tags": ["prod"],
            "labels": {"function": "merge"},
            "priority": "interactive",
        },
    )
    waiting = asyncio.create_task(guard.wait(str(job["job_id"])))
    person = Guard(world, "olga")
    listed = await person.call("GET", "approvals")
    items = listed["items"]
    assert isinstance(items, list)
    assert [item["job_id"] for item in items] == [job["job_id"]]
    for key in ("topic", "tenant_id", "capability", "reason", "created_at"):
        assert isinstance(items[0][key], str)
    assert isinstance(items[0]["risk_tags"], list)
    await person.call("POST", f"approvals/{job['job_id']}/approve")
    async with asyncio.timeout(5):
        assert await waiting == "succeeded"


async def test_a_guarded_call_ends_when_a_person_rejected_it(world: World):
    guard = Guard(world)
    job = await guard.call("POST", "jobs", {"prompt": "p", "topic": "job.guard"})
    await Guard(world, "olga").call("POST", f"approvals/{job['job_id']}/reject")
    assert await guard.wait(str(job["job_id"])) == "denied"


async def test_a_guarded_call_ends_when_its_time_is_over(world: World):
    guard = Guard(world)
    job = await guard.call("POST", "jobs", {"prompt": "p", "topic": "job.guard"})
    world.clock.pass_(3_601)
    told = await world.post(f"approvals/{job['job_id']}/approve", "olga")
    assert told["code"] == "expired"
    assert await guard.wait(str(job["job_id"])) == "denied"


async def test_a_guarded_call_can_be_cancelled_without_a_body(world: World):
    guard = Guard(world)
    job = await guard.call("POST", "jobs", {"prompt": "p", "topic": "job.guard"})
    await guard.call("POST", f"jobs/{job['job_id']}/cancel")
    assert await guard.wait(str(job["job_id"])) == "cancelled"


async def test_a_generated_client_submits_reads_lists_and_cancels(world: World):
    headers = {
        "X-API-Key": world.tokens["agent"],
        "X-Tenant-ID": "default",
        "X-Cordum-Tenant": "default",
        "User-Agent": "cordum-sdk-python/0.1.0",
        "Idempotency-Key": "9d1c5b6e-7a39-4e0e-8a1c-6f1f2b1c9a11",
    }
    body = {
        "prompt": "merge",
        "topic": "job.merge",
        "priority": "batch",
        "context": {},
        "labels": {},
        "tenant_id": "default",
        "actor_id": "x",
        "actor_type": "service",
        "risk_tags": ["prod"],
        "requires": [],
        "pack_id": "p",
        "org_id": "o",
        "team_id": "t",
        "deadline_ms": 60_000,
        "max_input_tokens": 10,
        "max_output_tokens": 10,
    }
    first = await world.post("jobs", "", body, headers=headers)
    again = await world.post("jobs", "", body, headers=headers)
    assert (first.status, again["job_id"]) == (200, first["job_id"])
    job = await world.get(f"jobs/{first['job_id']}", "", headers=headers)
    assert (job["id"], job["tenant"], job["labels"]) == (first["job_id"], "default", {})
    page = await world.get("jobs", "", headers=headers, params={"limit": "10"})
    assert page["next_cursor"] is None
    assert {"id", "state", "topic", "tenant", "updated_at"} <= set(page["items"][0])
    traced = await world.get(f"traces/{first['trace_id']}", "", headers=headers)
    assert [entry["id"] for entry in json.loads(traced.text)] == [first["job_id"]]
    assert json.loads(traced.text)[0]["events"][0]["type"] == "TicketOpened"
    item = (await world.get("approvals", "olga", params={"limit": "10"}))["items"][0]
    assert {"job", "decision", "policy_snapshot", "requested_at", "decided_by"} <= set(item)
    told = await world.post(f"jobs/{first['job_id']}/cancel", "", headers=headers)
    assert {"id", "state"} <= set(json.loads(told.text))
    upper = await world.post("policy/explain", "", {"topic": "job.x"}, headers=headers)
    assert upper["decision"] in {"ALLOW", "DENY", "REQUIRE_APPROVAL"}


async def test_a_generated_client_rejects_with_a_reason_and_a_note(world: World):
    name = await world.job()
    told = await world.post(f"approvals/{name}/reject", "olga", {"reason": "no", "note": "later"})
    assert (told.status, told["job_id"]) == (200, name)
    vote = (await world.get(f"approvals/{name}", "sara"))["votes"][0]
    assert vote["comment"] == "later\nno"


async def test_the_walkthrough_of_submit_list_and_approve_works_with_a_credential(world: World):
    json_type = {"Content-Type": "application/json"}
    told = await world.post(
        "jobs",
        headers=json_type,
        data=b"""{
"topic":"job.mcp-bridge.write.update_ticket",
"tenant_id":"default",
"risk_tags":["prod"],
"labels":{"mcp.action":"write"}
}""",
    )
    assert (told.status, told["status"]) == (200, "approval_required")
    name = told["job_id"]
    listed = await world.get("approvals?include_resolved=false", "olga")
    assert [item["job_id"] for item in listed["items"]] == [name]
    assert listed["items"][0]["action"] == "write"
    for who in ("olga", "sara"):
        told = await world.post(
            f"approvals/{name}/approve",
            who,
            headers=json_type,
            data=b'{"note":"approved after policy review"}',
        )
        assert told.status == 200
    assert (await world.get(f"jobs/{name}"))["state"] == "SCHEDULED"
    whole = await world.get(f"approvals/{name}", "olga")
    assert whole["content"]["prompt"] == ""
