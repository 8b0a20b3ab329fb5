"""How long a click in Slack waits for its ack.

Lives here: cards in the emulated workspace and presses of Approve. Must not live here: decisions
over HTTP (``http``). Law: a vote is committed before the ack is sent, so this is the ledger's time
as well.
"""

import asyncio
import tempfile
from http import HTTPStatus
from math import ceil
from pathlib import Path
from typing import Any

from bench.load import percentile
from bench.processes import run_json, settings_in, start
from bot.bundles import shipped
from bot.demo import jobs, seed
from bot.demo.client import Client
from bot.emulator.emulator import Emulator
from bot.manifest import manifest
from bot.slack import names

_WAITING_OF_ONE = 20
"""So many of one agent may wait, unless the bundle says otherwise."""


async def clicks(count: int) -> dict[str, Any]:
    """How long Slack waits for the ack of an approving click: committed before it is sent."""
    emulator = Emulator(seed.WORKSPACE, manifest())
    await emulator.start()
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        settings = {
            **settings_in(Path(folder), shipped("demo")),
            "PLACET_SLACK_MODE": "http",
            "PLACET_SLACK_BOT_TOKEN": emulator.bot_token,
            "PLACET_SLACK_SIGNING_SECRET": emulator.signing_secret,
            "PLACET_SLACK_TEAM": seed.TEAM,
            "PLACET_SLACK_APP_ID": seed.APP,
            "PLACET_SLACK_APPROVALS_CHANNEL": seed.APPROVALS,
            "PLACET_SLACK_AUDIT_CHANNEL": seed.AUDIT,
            "PLACET_SLACK_API_URL": emulator.base_url,
        }
        tokens = [
            (await run_json(settings, "token", "create", "--agent", f"bench-{number}"))["token"]
            for number in range(ceil(count / _WAITING_OF_ONE))
        ]
        serve = await start("serve", settings)
        try:
            await emulator.connect(request_url=f"{serve.ready['base_url']}/slack/events")
            async with Client(str(serve.ready["base_url"])) as client:
                for number in range(count):
                    body = {**jobs.EXECUTED.body, "idempotency_key": f"click-{number}"}
                    token = tokens[number // _WAITING_OF_ONE]
                    asked = await client.post("/api/v1/jobs", body, token=token)
                    assert asked.status == HTTPStatus.OK, asked
            cards = await _cards(emulator, count)
            for ts in cards:
                await emulator.click("U0OLIVIA", seed.APPROVALS, ts, names.APPROVE, settle=False)
            taken = [item.elapsed_ms for item in emulator.deliveries("block_actions")]
        finally:
            await serve.stop()
            await emulator.stop()
    return {
        "clicks": len(taken),
        "click_to_ack_p50_ms": round(percentile(taken, 0.5), 1),
        "click_to_ack_p99_ms": round(percentile(taken, 0.99), 1),
    }


async def _cards(emulator: Emulator, count: int) -> list[str]:
    async with asyncio.timeout(60 + 2 * count):  # about one card a second
        while True:
            # Where many wait, one message besides says how many.
            said = emulator.messages(seed.APPROVALS)
            shown = [message.ts for message in said if names.APPROVE in str(message.blocks)]
            if len(shown) >= count:
                return shown
            await asyncio.sleep(0.1)
