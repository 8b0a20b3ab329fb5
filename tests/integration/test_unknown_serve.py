"""The composed service finds at its start what nobody was told of: a run that ended in the dark."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.compose.serve import Serving, run_serve
from bot.demo.client import Client
from bot.emulator.emulator import Emulator
from bot.manifest import manifest
from bot.settings import Settings, SlackMode
from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.execution import SandboxTier
from governance.outbox import OwedKind
from governance.principal import Agent, AgentId, TenantId
from governance.tickets import commands as cmd
from governance.tickets.ticket import TicketId, TicketState
from tests.integration.slack.test_unknown import TOOL
from tests.integration.slack.world import SEED, TEAM

pytestmark = [pytest.mark.slow]
AGENT = Agent(id=AgentId("deploy-bot"), tenant=TenantId("default"))
BUNDLE = {
    "version": "v1",
    "rules": [{"id": "looks", "match": {"topics": ["job.look"]}, "decision": "allow"}],
    "tools": {"site.look": {**TOOL, "actions": ["read"]}},
    "minimum_sandbox": "A-",
    "directory": {"roles": {"operator": {"people": [f"slack:{TEAM}/U0OLGA"]}}},
}


@pytest.fixture
async def emulator() -> AsyncIterator[Emulator]:
    running = Emulator(SEED, manifest())
    await running.start()
    yield running
    await running.stop()


@pytest.fixture
def alone(tmp_path: Path) -> Settings:
    """A service that has no Slack."""
    bundle = tmp_path / "bundle.yaml"
    bundle.write_text(json.dumps(BUNDLE), encoding="utf-8")
    return Settings(
        database=f"sqlite:///{tmp_path / 'unknown.db'}",
        policies=bundle,
        keys=tmp_path / "keys",
        checkpoints=tmp_path / "checkpoints.txt",
        port=0,
        slack_mode=SlackMode.OFF,
    )


async def vanish(serving: Serving) -> TicketId:
    """Something is started, its executor vanishes, and the sweep notices."""
    service = serving.core.service
    request = ActionRequest(
        tenant=AGENT.tenant,
        agent=AGENT.id,
        topic="job.look",
        tool="site.look",
        target="web-1",
        action=ActionKind.READ,
        content=Content(arguments={"host": "web-1"}),
        dispatch=Dispatch.EXECUTE,
        trace_id="a" * 32,
        idempotency_key="k-1",
    )
    ticket = (await service.submit(request, AGENT)).ticket
    assert ticket is not None
    await service.clear(ticket.id)
    start = cmd.StartExecution(
        ticket_id=ticket.id,
        run_id="run-1",
        executor="exec-1",
        lease_s=1,
        action_digest=ticket.ask.action_digest,
        plan_digest=ticket.ruling.plan_digest,
        sandbox=SandboxTier.A,
    )
    await service.handle(start)
    async with asyncio.timeout(20):
        while (await service.ticket(ticket.id)).state is not TicketState.UNKNOWN:
            await serving.core.ledger.changed(10**9, 0.05)
    return ticket.id


async def test_the_channel_is_told_of_what_was_unknown_before_the_start(
    alone: Settings, emulator: Emulator
) -> None:
    async with run_serve(alone) as serving:
        await vanish(serving)
        async with Client(serving.base_url) as client:
            assert (await client.get("/readyz")).body["unknown"] == 1
    with closing(sqlite3.connect(alone.database.removeprefix("sqlite:///"))) as file, file:
        file.execute("DELETE FROM outbox WHERE kind = 'watch'")  # a version that told nobody
    slack = alone.model_copy(
        update={
            "slack_mode": SlackMode.SOCKET,
            "slack_bot_token": SecretStr(emulator.bot_token),
            "slack_app_token": SecretStr(emulator.app_token),
            "slack_team": TEAM,
            "slack_approvals_channel": "C0APPROVE",
            "slack_audit_channel": "C0APPROVE",
            "slack_api_url": emulator.base_url,
        }
    )
    await emulator.connect(socket_mode=True)
    async with run_serve(slack) as serving:
        ledger = serving.core.ledger
        async with asyncio.timeout(20):
            while not any("still unknown" in one.text for one in emulator.messages("approvals")):
                await ledger.changed(10**9, 0.05)
        waits = {(one.kind, one.is_dead) for one in await ledger.backlog()}
        assert (OwedKind.REMIND_UNKNOWN, False) in waits  # for some minutes
