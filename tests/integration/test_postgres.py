"""The whole product on PostgreSQL: two services and two executors on one log, over real HTTP."""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

import pytest

from bot.compose.databases import apply_roles
from bot.compose.verification import verify_ledger
from bot.demo import jobs, seed
from bot.demo.client import Client
from bot.demo.world import World, executor_environment, run_world
from bot.settings import PREFIX, Settings
from bot.slack import names
from governance.ports import Logged
from governance.tickets.ticket import TicketId, TicketState
from tests.support.postgres import Postgres, server

pytestmark = [pytest.mark.slow, pytest.mark.sandbox]

ROLES = "whole"
READY_WITHIN_S = 60
OPERATOR = "U0OLIVIA"
REVIEWERS = ("U0RIN", "U0RAVI", "U0RUTH")
AFTER_THE_VOTES = ("TicketApproved", "ExecutionStarted", "ExecutionSucceeded")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """A world, and a second service beside its own."""

    world: World
    second: Client
    owner: str


def service_environment(settings: Settings) -> dict[str, str]:
    """The environment of another service on the same log and the same workspace."""
    bot_token, secret = settings.slack_bot_token, settings.slack_signing_secret
    assert bot_token is not None
    assert secret is not None
    return {
        **executor_environment(settings),
        "PLACET_KEYS": str(settings.keys),
        "PLACET_CHECKPOINTS": str(settings.checkpoints),
        "PLACET_PORT": "0",
        "PLACET_SLACK_MODE": "http",
        "PLACET_SLACK_BOT_TOKEN": bot_token.get_secret_value(),
        "PLACET_SLACK_SIGNING_SECRET": secret.get_secret_value(),
        "PLACET_SLACK_TEAM": settings.slack_team,
        "PLACET_SLACK_APP_ID": settings.slack_app_id,
        "PLACET_SLACK_APPROVALS_CHANNEL": settings.slack_approvals_channel,
        "PLACET_SLACK_AUDIT_CHANNEL": settings.slack_audit_channel,
        "PLACET_SLACK_API_URL": settings.slack_api_url,
    }


@asynccontextmanager
async def command(name: str, environment: dict[str, str]) -> AsyncIterator[dict[str, str]]:
    """``placet NAME`` until the context ends; what it said when it was ready."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith(PREFIX)}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", name, "--json"),
        env=clean | environment,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_WITHIN_S):
            line = await process.stdout.readline()
        assert b'"ready"' in line, line + await process.stdout.read()
        yield json.loads(line)
    finally:
        process.terminate()
        await process.communicate()


@pytest.fixture
async def cluster(postgres: Postgres) -> AsyncIterator[Cluster]:
    async with cluster_on(postgres) as made:
        yield made


@asynccontextmanager
async def cluster_on(postgres: Postgres) -> AsyncIterator[Cluster]:
    """Two services and two executors on a new database."""
    owner = postgres.url(postgres.ready())
    await asyncio.to_thread(apply_roles, owner, ROLES)

    def as_(role: str) -> str:
        return owner.replace("postgres:@", f"{ROLES}_{role}:@")

    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(
            run_world(port=0, policies=None, with_executor=False, database=as_("serve"))
        )
        other = await stack.enter_async_context(
            command("serve", service_environment(world.settings))
        )
        for number in (1, 2):
            environment = executor_environment(world.settings) | {
                "PLACET_DATABASE": as_("executor"),
                "PLACET_EXECUTOR_NAME": f"executor-{number}",
            }
            await stack.enter_async_context(command("executor", environment))
        second = await stack.enter_async_context(Client(other["base_url"]))
        yield Cluster(world=world, second=second, owner=owner)


async def reaches(world: World, ticket_id: TicketId, state: TicketState) -> None:
    async with asyncio.timeout(60):
        while (await world.core.service.ticket(ticket_id)).state is not state:
            await world.core.ledger.changed(0, 0.05)


def settled_once(history: Sequence[Logged]) -> bool:
    """Whether people voted once each until it was enough and no longer, and one run followed.

    Whose votes come first is chance: two reviewers and the operator are enough, and three
    reviewers before the operator are four votes.
    """
    steps = [record.type for record in history if record.type != "ExecutionCleared"]
    voters = [record.header.actor for record in history if record.type == "VoteCast"]
    return (
        steps == ["TicketOpened", *(["VoteCast"] * len(voters)), *AFTER_THE_VOTES]
        and {record.header.revision for record in history} == {1}
        and len(set(voters)) == len(voters)
        and enough(voters)
        and not enough(voters[:-1])
    )


def enough(voters: Sequence[str]) -> bool:
    """What the demo's rule for a write asks: an operator, and two reviewers."""
    operators = sum(voter.endswith(OPERATOR) for voter in voters)
    return operators >= 1 and len(voters) - operators >= 2


async def test_two_services_and_two_executors_settle_everything_once(cluster: Cluster):
    world, doors = cluster.world, (cluster.world.client, cluster.second)
    token = world.tokens["deploy-bot"]
    asked = jobs.EXECUTED.body
    bodies = [
        {
            **asked,
            "idempotency_key": f"key-{n}",
            "arguments": asked["arguments"] | {"value": f"{n}"},
        }
        for n in range(4)
    ]
    answers = await asyncio.gather(
        *(
            door.post("/api/v1/jobs", body, token=token)
            for body in bodies
            for door in doors
            for _ in range(3)
        )
    )
    assert {answer.status for answer in answers} == {200}, [answer.body for answer in answers]
    tickets = list(dict.fromkeys(TicketId(answer.body["job_id"]) for answer in answers))
    assert len(tickets) == len(bodies)
    async with asyncio.timeout(60):
        while any(world.hands.card(ticket_id) is None for ticket_id in tickets):
            await world.core.ledger.changed(0, 0.05)
    await world.hands.press(OPERATOR, tickets[0], names.APPROVE)
    votes = await asyncio.gather(
        *(
            door.post(f"/api/v1/approvals/{ticket_id}/approve", token=world.tokens[user])
            for ticket_id in tickets
            for user in (OPERATOR, *REVIEWERS)
            for door in doors
        )
    )
    assert {answer.status for answer in votes} <= {200, 409}, [answer.body for answer in votes]
    for ticket_id in tickets:
        await reaches(world, ticket_id, TicketState.EXECUTED)
        history = await world.core.ledger.history(ticket_id)
        assert settled_once(history), [(record.seq, record.type) for record in history]
    verdict = await asyncio.to_thread(verify_ledger, cluster.owner)
    assert verdict.problems == ()


async def test_of_two_services_one_posts_the_audit_channel(cluster: Cluster):
    world = cluster.world
    token = world.tokens["deploy-bot"]
    for number in range(6):
        body = {**jobs.DENIED.body, "idempotency_key": f"denied-{number}"}
        await world.client.post("/api/v1/jobs", body, token=token)
        await cluster.second.post("/api/v1/jobs", body, token=token)
    size, _ = await world.core.ledger.head()
    async with asyncio.timeout(60):
        while await world.core.ledger.cursor("slack-audit") < size:
            await world.core.ledger.changed(10**9, 0.2)
    posted = [message.text for message in world.emulator.messages(seed.AUDIT) if message.text]
    assert posted
    assert max(Counter(posted).values()) == 1


async def test_a_service_that_dies_leaves_the_other_at_work(cluster: Cluster):
    world = cluster.world
    await world.serving.core.ledger.close()
    answer = await cluster.second.post(
        "/api/v1/jobs", jobs.ALLOWED.body, token=world.tokens["deploy-bot"]
    )
    assert answer.status == 200, answer.body


async def test_a_server_that_is_away_and_comes_back_costs_nothing_that_was_acknowledged():
    with server() as own:
        async with cluster_on(own) as cluster:
            world, doors = cluster.world, (cluster.world.client, cluster.second)
            token, asked = world.tokens["deploy-bot"], jobs.EXECUTED.body
            first = await doors[0].post(
                "/api/v1/jobs", {**asked, "idempotency_key": "1"}, token=token
            )
            ticket_id = TicketId(first.body["job_id"])
            other = {**asked, "idempotency_key": "2"}
            await asyncio.to_thread(own.stop)
            for door in doors:
                away = await door.post("/api/v1/jobs", other, token=token)
                assert (away.status, away.body["code"]) == (503, "ledger_unavailable")
            await asyncio.to_thread(own.start)
            for door in doors:
                assert (await door.post("/api/v1/jobs", other, token=token)).status == 200
            for user in (OPERATOR, *REVIEWERS[:2]):
                path = f"/api/v1/approvals/{ticket_id}/approve"
                assert (await doors[1].post(path, token=world.tokens[user])).status == 200
            await asyncio.to_thread(own.stop)  # while the run is due
            await asyncio.to_thread(own.start)
            await reaches(world, ticket_id, TicketState.EXECUTED)
            assert settled_once(await world.core.ledger.history(ticket_id))
            verdict = await asyncio.to_thread(verify_ledger, cluster.owner)
            assert verdict.problems == ()
