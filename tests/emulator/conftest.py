"""A small real Bolt app on aiohttp, served beside an emulator, for the tests of this folder."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from aiohttp import web
from slack_bolt.adapter.aiohttp import to_aiohttp_response, to_bolt_request
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.context.ack.async_ack import AsyncAck
from slack_bolt.context.respond.async_respond import AsyncRespond
from slack_sdk.web.async_client import AsyncWebClient

from bot.emulator.emulator import Emulator
from bot.emulator.values import ChannelSeed, UsergroupSeed, UserSeed, WorkspaceSeed

MANIFEST: dict[str, Any] = {
    "display_information": {"name": "Tiny"},
    "features": {
        "app_home": {"home_tab_enabled": True, "messages_tab_enabled": True},
        "bot_user": {"display_name": "tiny"},
        "slash_commands": [{"command": "/tiny", "description": "x", "should_escape": True}],
    },
    "oauth_config": {
        "scopes": {"bot": ["chat:write", "commands", "users:read", "usergroups:read"]}
    },
    "settings": {
        "event_subscriptions": {"bot_events": ["app_home_opened", "user_change"]},
        "interactivity": {"is_enabled": True},
    },
}
SEED = WorkspaceSeed(
    users=(
        UserSeed(id="U0ALICE", name="alice", real_name="Alice Ames", email="alice@example.com"),
        UserSeed(id="U0BOB", name="bob", real_name="Bob Berg", title="Treasury"),
        UserSeed(id="U0GUEST", name="gus", real_name="Gus Guest", is_ultra_restricted=True),
    ),
    channels=(
        ChannelSeed(id="C0OPS", name="ops", members=("U0ALICE", "U0BOB", "U0EMUBOT")),
        ChannelSeed(id="C0ELSE", name="elsewhere", members=("U0ALICE",)),
        ChannelSeed(id="C0OLD", name="old", members=("U0ALICE", "U0EMUBOT"), is_archived=True),
        ChannelSeed(id="G0SECRET", name="secret", members=("U0BOB",), is_private=True),
    ),
    usergroups=(
        UsergroupSeed(id="S0TREAS", handle="treasury", name="Treasury", users=("U0BOB",)),
        UsergroupSeed(id="S0GONE", handle="gone", name="Gone", users=("U0BOB",), is_disabled=True),
    ),
)


class SteppedClock:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def step(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


def button(action_id: str = "approve", value: str = "1", **more: object) -> dict[str, Any]:
    return {
        "type": "button",
        "action_id": action_id,
        "value": value,
        "text": {"type": "plain_text", "text": action_id.title()},
        **more,
    }


def card(*elements: dict[str, Any], text: str = "Pay *ACME*?") -> list[dict[str, Any]]:
    return [
        {"type": "section", "text": {"type": "mrkdwn", "text": text}},
        {"type": "actions", "block_id": "acts", "elements": list(elements) or [button()]},
    ]


def modal(**more: object) -> dict[str, Any]:
    reason = {"type": "plain_text_input", "action_id": "reason", "max_length": 20}
    return {
        "type": "modal",
        "callback_id": "why",
        "title": {"type": "plain_text", "text": "Why"},
        "submit": {"type": "plain_text", "text": "Send"},
        "blocks": [
            {
                "type": "input",
                "block_id": "b_reason",
                "label": {"type": "plain_text", "text": "Reason"},
                "element": reason,
            }
        ],
        **more,
    }


@dataclass
class Bench:
    """An emulator and an app that reaches it and is reached by it."""

    emulator: Emulator
    app: AsyncApp
    client: AsyncWebClient
    clock: SteppedClock
    heard: list[dict[str, Any]] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)
    request_url: str = ""

    async def post_card(self, *elements: dict[str, Any], text: str = "Pay *ACME*?") -> str:
        sent = await self.client.chat_postMessage(
            channel="C0OPS", text="Pay ACME?", blocks=card(*elements, text=text)
        )
        return str(sent["ts"])


def listen(bench: Bench) -> None:
    """Register the listeners of the small app."""
    app = bench.app

    @app.action("approve")
    async def approve(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        bench.heard.append(body)
        await ack()
        await client.chat_update(
            channel=body["channel"]["id"], ts=body["message"]["ts"], text="Approved", blocks=[]
        )

    @app.action("whisper")
    async def whisper(ack: AsyncAck, respond: AsyncRespond) -> None:
        await ack()
        await respond("only you")

    @app.action("ask")
    async def ask(ack: AsyncAck, body: dict[str, Any], client: AsyncWebClient) -> None:
        await ack()
        await client.views_open(trigger_id=body["trigger_id"], view=modal())

    @app.action("note")
    async def note(ack: AsyncAck, body: dict[str, Any]) -> None:
        bench.heard.append(body)
        await ack()

    @app.view("why")
    async def why(ack: AsyncAck, body: dict[str, Any]) -> None:
        bench.heard.append(body)
        said = body["view"]["state"]["values"]["b_reason"]["reason"]["value"]
        if said == "bad":
            await ack(response_action="errors", errors={"b_reason": "Say more"})
        elif said == "more":
            await ack(response_action="push", view=modal(callback_id="why"))
        else:
            await ack()

    @app.view_closed("why")
    async def closed(ack: AsyncAck, body: dict[str, Any]) -> None:
        bench.heard.append(body)
        await ack()

    @app.command("/tiny")
    async def tiny(ack: AsyncAck, body: dict[str, Any]) -> None:
        bench.heard.append(body)
        await ack(f"You said {body['text']}")

    @app.event("app_home_opened")
    async def home(event: dict[str, Any], client: AsyncWebClient) -> None:
        blocks = card(text=f"Hello <@{event['user']}>")
        await client.views_publish(user_id=event["user"], view={"type": "home", "blocks": blocks})

    @app.event("user_change")
    async def changed(body: dict[str, Any]) -> None:
        bench.heard.append(body)


async def serve(bench: Bench) -> web.AppRunner:
    """Serve the app over HTTP on a free loopback port."""

    async def events(request: web.Request) -> web.Response:
        bench.headers.append(dict(request.headers))
        answer = await bench.app.async_dispatch(await to_bolt_request(request))
        bench.statuses.append(answer.status)
        return await to_aiohttp_response(answer)

    application = web.Application()
    application.router.add_post("/slack/events", events)
    bound = socket.socket()
    bound.bind(("127.0.0.1", 0))
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.SockSite(runner, bound).start()
    bench.request_url = f"http://127.0.0.1:{bound.getsockname()[1]}/slack/events"
    return runner


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        monkeypatch.delenv(name, raising=False)


def make_bench(*, manifest: dict[str, Any] = MANIFEST, **options: object) -> Bench:
    """Build an emulator that can be contradicted quickly: instant retries, a stepped clock."""
    clock = SteppedClock()
    options = {"ack_timeout_s": 3.0, "retry_delays_s": (0.0, 0.0, 0.0), **options}
    emulator = Emulator(SEED, manifest, clock=clock, **options)
    client = AsyncWebClient(token=emulator.bot_token, retry_handlers=[])
    app = AsyncApp(signing_secret=emulator.signing_secret, client=client)
    return Bench(emulator=emulator, app=app, client=client, clock=clock)


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """The app connected over HTTP."""
    made = make_bench()
    await made.emulator.start()
    made.client.base_url = made.emulator.base_url
    listen(made)
    runner = await serve(made)
    await made.emulator.connect(request_url=made.request_url)
    yield made
    await made.emulator.settle()
    await made.emulator.stop()
    await runner.cleanup()
    await asyncio.sleep(0)
