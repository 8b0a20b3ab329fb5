"""The composed service in Socket Mode: the same story without any address of ours."""

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from bot.api.auth import make_token
from bot.bundles import shipped
from bot.compose.serve import run_serve
from bot.demo import jobs, seed
from bot.demo.client import Client
from bot.demo.hands import Hands
from bot.emulator.emulator import Emulator
from bot.manifest import manifest
from bot.settings import Settings, SlackMode
from bot.slack import names
from governance.principal import Agent, AgentId, Scope, TenantId
from governance.tickets.ticket import TicketId, TicketState

pytestmark = [pytest.mark.slow]


async def test_a_click_over_the_socket_is_a_vote(tmp_path: Path) -> None:
    emulator = Emulator(seed.WORKSPACE, manifest())
    await emulator.start()
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'socket.db'}",
        policies=shipped("demo"),
        keys=tmp_path / "keys",
        checkpoints=tmp_path / "checkpoints.txt",
        port=0,
        slack_mode=SlackMode.SOCKET,
        slack_bot_token=SecretStr(emulator.bot_token),
        slack_app_token=SecretStr(emulator.app_token),
        slack_team=seed.TEAM,
        slack_app_id=seed.APP,
        slack_approvals_channel=seed.APPROVALS,
        slack_audit_channel=seed.AUDIT,
        slack_api_url=emulator.base_url,
    )
    try:
        await emulator.connect(socket_mode=True)
        async with run_serve(settings) as serving:
            await emulator.sockets.wait_for(1)
            emulator.busy = lambda: not serving.is_idle()
            tenant = TenantId("default")
            credential, token = make_token(
                tenant=tenant,
                scopes=(Scope.SUBMIT, Scope.READ),
                at=serving.core.clock.now(),
                agent=Agent(id=AgentId("deploy-bot"), tenant=tenant),
            )
            await serving.core.administration.issue(credential, actor="test")
            hands = Hands(emulator)
            async with Client(serving.base_url) as client:
                answer = await client.post("/api/v1/jobs", jobs.RELEASED.body, token=token)
                ticket_id = TicketId(answer.body["job_id"])
                async with asyncio.timeout(20):
                    while hands.card(ticket_id) is None:
                        await serving.core.ledger.changed(10**9, 0.05)
                pressed = await hands.press("U0OMAR", ticket_id, names.APPROVE)
                assert not pressed.code
                ticket = await serving.core.service.ticket(ticket_id)
                assert ticket.state is TicketState.APPROVED
                refused = await client.post("/slack/events", {}, token=token)
                assert refused.status in (404, 503)
    finally:
        await emulator.stop()
