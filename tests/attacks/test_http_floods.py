"""Threat: an agent fills the log with refusals, or hides how many there were."""

import asyncio
from collections import Counter

import pytest

from bot.api import server
from bot.api.deps import Limits
from bot.api.pace import AT_ONCE
from tests.integration.api.world import World, running
from tests.support.commits import whole

NEVER = {"topic": "job.wipe", "risk_tags": ["destructive"]}


@pytest.fixture
async def world():
    async with running() as made:
        yield made


async def test_a_thousand_denied_posts_leave_a_handful_of_records(world: World):
    before = await world.size()
    answers = Counter[object]()
    for number in range(1_000):
        # Everything that the agent chooses differs from one to the next.
        told = await world.post(
            "jobs",
            body={
                **NEVER,
                "topic": f"job.wipe-{number}",
                "target": f"disk-{number}",
                "trace_id": f"{number:032x}",
                "labels": {"n": str(number)},
            },
        )
        assert (told.status, told["code"], told["state"]) == (403, "policy_denied", "DENIED")
        assert (told["rule_id"], told["trace_id"]) == ("deny-destructive", f"{number:032x}")
        assert isinstance(told.body, dict)
        answers["job_id" in told.body, told.body.get("is_only_counted", False)] += 1
    assert answers == {(True, False): 5, (False, True): 995}
    assert await world.size() - before == 5
    world.clock.pass_(60)
    due = await world.ledger.due(world.clock.now(), clearance_age_s=3600, limit=10)
    await world.service.close_floods(due.floods)
    records = (await whole(world.ledger))[before:]
    assert Counter(record.type for record in records) == {"TicketOpened": 5, "RefusalsCoalesced": 1}
    payload = records[-1].payload
    assert isinstance(payload, dict)
    assert (payload["count"], payload["rule_id"]) == (995, "deny-destructive")


async def test_two_hundred_throttled_posts_keep_their_429_and_leave_a_handful(world: World):
    assert (await world.post("jobs", body={"topic": "job.notify"})).status == 200
    before = await world.size()
    for _ in range(200):
        told = await world.post("jobs", body={"topic": "job.notify"})
        assert (told.status, told["code"]) == (429, "throttled")
        assert int(told.headers["Retry-After"]) > 0
    assert await world.size() - before == 5


async def test_a_loop_under_one_credential_is_answered_429_and_the_others_go_on():
    async with running(limits=Limits(requests_per_s=1)) as world:
        for number in range(50):
            size = await world.size()
            told = await world.post("jobs", body={**NEVER, "target": f"disk-{number}"})
            if told.status != 403:
                break
        assert (told.status, told["code"]) == (429, "too_many_requests")
        assert int(told.headers["Retry-After"]) >= 1
        assert number >= AT_ONCE
        assert await world.size() == size
        assert (await world.get("jobs", "other")).status == 200
        assert (await world.get("/healthz", "")).status == 200


async def test_whoever_proves_nothing_spends_nobodys_requests():
    async with running(limits=Limits(requests_per_s=1)) as world:
        stolen = world.tokens["agent"][:-1] + "!"
        for _ in range(2 * AT_ONCE):
            told = await world.get("jobs", "", headers={"X-API-Key": stolen})
            assert told.status == 401
        assert (await world.get("jobs")).status == 200


@pytest.mark.parametrize("begun", [b"", b"G", b"GET /healthz HTTP/1.1\r\nHost: x\r\n"])
async def test_a_connection_that_never_asks_to_the_end_is_closed(
    monkeypatch: pytest.MonkeyPatch, begun: bytes
):
    assert server.IDLE_S <= 120
    monkeypatch.setattr(server, "IDLE_S", 0.05)
    async with running() as world:
        silent, writer = await asyncio.open_connection("127.0.0.1", world.client.port)
        writer.write(begun)
        async with asyncio.timeout(10):
            assert await silent.read() == b""
        writer.close()


async def test_whoever_waits_for_an_answer_is_not_taken_for_idle(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(server, "IDLE_S", 0.05)
    async with running() as world:
        job = await world.job()
        assert (await world.get(f"jobs/{job}?wait=300ms")).status == 200
