"""The composed service with a company's directory and a channel for the weekly figures."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from bot.compose.serve import run_serve
from bot.emulator.emulator import Emulator
from bot.manifest import manifest
from bot.settings import Settings, SlackMode
from tests.integration.slack.world import SEED, TEAM

pytestmark = [pytest.mark.slow]

BUNDLE = {
    "version": "v1",
    "rules": [{"id": "jobs", "match": {"topics": ["job.*"]}, "decision": "require_approval"}],
    "tiers": {"one": {"roles": {"payer": {"weight": 1, "min_required": 1}}, "ttl": "1h"}},
    "directory": {"roles": {"payer": {"directory_groups": ["Payments"]}}},
}


async def _groups(request: web.Request) -> web.Response:
    assert request.headers["Authorization"] == "Bearer t0ken"
    found = {"displayName": "Payments", "members": [{"value": "1"}]}
    return web.json_response({"Resources": [found]})


async def _user(_: web.Request) -> web.Response:
    return web.json_response({"active": True, "emails": [{"value": "Olga@example.com"}]})


async def test_a_role_from_the_company_opens_the_figures_and_a_week_is_posted_once(
    tmp_path: Path,
) -> None:
    application = web.Application()
    application.router.add_get("/scim/v2/Groups", _groups)
    application.router.add_get("/scim/v2/Users/{id}", _user)
    company = TestServer(application, host="127.0.0.1")
    await company.start_server()
    users = tuple(
        replace(one, email=f"{one.name}@example.com") if one.name in ("olga", "otto") else one
        for one in SEED.users
    )
    emulator = Emulator(replace(SEED, users=users), manifest())
    await emulator.start()
    bundle, token = tmp_path / "bundle.yaml", tmp_path / "token"
    bundle.write_text(json.dumps(BUNDLE), encoding="utf-8")
    token.write_text("t0ken\n", encoding="utf-8")
    settings = Settings(
        database=f"sqlite:///{tmp_path / 'people.db'}",
        policies=bundle,
        keys=tmp_path / "keys",
        checkpoints=tmp_path / "checkpoints.txt",
        port=0,
        slack_mode=SlackMode.SOCKET,
        slack_bot_token=SecretStr(emulator.bot_token),
        slack_app_token=SecretStr(emulator.app_token),
        slack_team=TEAM,
        slack_app_id=SEED.app_id,
        slack_approvals_channel="C0APPROVE",
        slack_audit_channel="C0APPROVE",
        slack_stats_channel="C0APPROVE",
        slack_api_url=emulator.base_url,
        scim_url=str(company.make_url("/scim/v2")),
        scim_token_file=token,
    )
    try:
        await emulator.connect(socket_mode=True)
        for _ in range(2):  # a restart posts no second one
            async with run_serve(settings) as serving:
                await emulator.sockets.wait_for(1)
                emulator.busy = lambda: not serving.is_idle()
                async with asyncio.timeout(60):
                    while not [one for one in emulator.messages("approvals") if one.files]:
                        await serving.core.ledger.changed(10**9, 0.05)
                shown = await emulator.command("olga", "/placet", "stats 1", "approvals")
                async with asyncio.timeout(60):
                    while not emulator.ephemerals("olga"):
                        await serving.core.ledger.changed(10**9, 0.05)
                assert "How approving went" in str(emulator.ephemerals("olga")[-1].blocks)
                refused = await emulator.command("otto", "/placet", "stats", "approvals")
                assert "forbidden" in str(refused.ephemerals)
                assert shown.is_delivered
        texts = [one.current.text for one in emulator.messages("approvals")]
        assert len([text for text in texts if text.startswith("How approving went")]) == 1
    finally:
        await emulator.stop()
        await company.close()
