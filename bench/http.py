"""Durable decisions per second beside a bare echo, and how long a click waits for its ack.

``python -m bench.http`` starts both servers as processes of their own, drives them in turn (three
rounds each) over the same number of connections, then clicks Approve in the emulated workspace.
Every decision is committed (SQLite, synchronous=FULL) before it is answered. Ratios are what to
quote: absolute figures are this machine's. The last line is JSON.
"""

import argparse
import asyncio
import itertools
import json
import statistics
import tempfile
from pathlib import Path
from typing import Any

from bench.load import Measured, drive, percentile, post
from bench.processes import Started, launch, run_json, start
from bot.bundles import shipped
from bot.demo import jobs, seed
from bot.demo.client import Client
from bot.emulator.emulator import Emulator
from bot.manifest import manifest
from bot.slack import names

CONNECTIONS = 64
ROUNDS = 3


def _settings(home: Path) -> dict[str, str]:
    return {
        "PLACET_DATABASE": f"sqlite:///{home / 'bench.db'}",
        "PLACET_KEYS": str(home / "keys"),
        "PLACET_CHECKPOINTS": str(home / "checkpoints.txt"),
        "PLACET_POLICIES": str(shipped("demo")),
        "PLACET_PORT": "0",
    }


def _port(started: Started) -> int:
    return int(str(started.ready["base_url"]).rsplit(":", 1)[1])


async def decisions(seconds: float) -> dict[str, Any]:
    """Echo and durable ALLOW decisions, in turn."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        settings = _settings(Path(folder))
        token = (await run_json(settings, "token", "create", "--agent", "bench"))["token"]
        echo, serve = await launch(["-m", "bench.echo"], {}), await start("serve", settings)
        numbers = itertools.count()

        def job() -> bytes:
            body = {**jobs.ALLOWED.body, "idempotency_key": f"bench-{next(numbers)}"}
            return post("/api/v1/jobs", json.dumps(body).encode(), token)

        plain = post("/echo", json.dumps(jobs.ALLOWED.body).encode())
        echoed: list[Measured] = []
        decided: list[Measured] = []
        try:
            for _ in range(ROUNDS):
                echoed.append(await _drive(echo, lambda: plain, seconds))
                decided.append(await _drive(serve, job, seconds))
        finally:
            await serve.stop()
            await echo.stop()
    ratios = [a.per_second / b.per_second for a, b in zip(decided, echoed, strict=True)]
    return {
        "echo_per_s": round(statistics.median(item.per_second for item in echoed)),
        "decisions_per_s": round(statistics.median(item.per_second for item in decided)),
        "ratio": round(statistics.median(ratios), 3),
        "decision_p50_ms": round(statistics.median(item.p50_ms for item in decided), 1),
        "decision_p99_ms": round(statistics.median(item.p99_ms for item in decided), 1),
        "not_200": sum(item.other_statuses for item in decided),
    }


async def _drive(server: Started, request: Any, seconds: float) -> Measured:  # noqa: ANN401
    return await drive(_port(server), request, connections=CONNECTIONS, seconds=seconds)


async def clicks(count: int) -> dict[str, Any]:
    """How long Slack waits for the ack of an approving click: committed before it is sent."""
    emulator = Emulator(seed.WORKSPACE, manifest())
    await emulator.start()
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        settings = {
            **_settings(Path(folder)),
            "PLACET_SLACK_MODE": "http",
            "PLACET_SLACK_BOT_TOKEN": emulator.bot_token,
            "PLACET_SLACK_SIGNING_SECRET": emulator.signing_secret,
            "PLACET_SLACK_TEAM": seed.TEAM,
            "PLACET_SLACK_APP_ID": seed.APP,
            "PLACET_SLACK_APPROVALS_CHANNEL": seed.APPROVALS,
            "PLACET_SLACK_AUDIT_CHANNEL": seed.AUDIT,
            "PLACET_SLACK_API_URL": emulator.base_url,
        }
        token = (await run_json(settings, "token", "create", "--agent", "bench"))["token"]
        serve = await start("serve", settings)
        try:
            await emulator.connect(request_url=f"{serve.ready['base_url']}/slack/events")
            async with Client(str(serve.ready["base_url"])) as client:
                for number in range(count):
                    body = {**jobs.EXECUTED.body, "idempotency_key": f"click-{number}"}
                    await client.post("/api/v1/jobs", body, token=token)
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
    async with asyncio.timeout(60):
        while True:
            shown = [message.ts for message in emulator.messages(seed.APPROVALS)]
            if len(shown) >= count:
                return shown
            await asyncio.sleep(0.1)


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--clicks", type=int, default=50, help="at most 50 wait per agent")
    options = parser.parse_args()
    found = asyncio.run(decisions(options.seconds))
    print(
        f"bare aiohttp echo      {found['echo_per_s']:>7} /s\n"
        f"durable decisions      {found['decisions_per_s']:>7} /s   {found['ratio']} of the echo; "
        f"p50 {found['decision_p50_ms']} ms, p99 {found['decision_p99_ms']} ms "
        f"at {CONNECTIONS} connections"
    )
    pressed = asyncio.run(clicks(options.clicks))
    print(
        f"click to ack           p50 {pressed['click_to_ack_p50_ms']} ms, "
        f"p99 {pressed['click_to_ack_p99_ms']} ms over {pressed['clicks']} approving clicks"
    )
    print(json.dumps({**found, **pressed}))


if __name__ == "__main__":
    main()
