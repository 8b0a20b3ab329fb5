"""Threat: what is sent to /slack/events makes it fail, hang, or answer 500."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator
from time import time
from typing import Any
from urllib.parse import urlencode

import pytest
from aiohttp import web

import bot.slack.app as slack_app
from bot.api import server
from tests.integration.slack.world import SEED, TEAM, World, open_world
from tests.support.signed import FORM, click, signed

_JSON = "application/json"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Served as ``placet serve`` does."""
    application = web.Application()
    async with open_world() as opened:
        application.router.add_post("/slack/events", opened.app.handle_http)
        runner = server.runner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        opened.url = f"http://127.0.0.1:{runner.addresses[0][1]}/slack/events"
        yield opened
        await runner.cleanup()


_OURS = {"team": {"id": TEAM}, "api_app_id": SEED.app_id}


async def _send(world: World, payload: dict[str, Any], kind: str = FORM) -> tuple[int, str]:
    text = json.dumps(payload)
    body = text.encode() if kind == _JSON else urlencode({"payload": text}).encode()
    now = int(time())
    headers = signed(body, at=now, secret=world.emu.signing_secret, kind=kind)
    sent = {name: values[0] for name, values in headers.items()}
    async with world.session.post(world.url, data=body, headers=sent) as answer:
        return answer.status, await answer.text()


_VIEW = {"id": "V1", "callback_id": "placet.ballot", "private_metadata": "", "hash": "1"}
_EVENT = {"type": "event_callback", "team_id": TEAM}
INTERACTIONS: dict[str, dict[str, Any]] = {
    "no actions": click(actions=[]),
    "actions null": click(actions=None),
    "actions of numbers": click(actions=[5]),
    "actions of nameless": click(actions=[{}]),
    "actions is a dict": click(actions={"0": {"action_id": "placet.approve"}}),
    "channel is a number": click(channel=5),
    "view is text": click(view="x", type="view_submission"),
    "response_urls is text": click(response_urls="x"),
    "response_urls of text": click(response_urls=["x"]),
    "view null": click(type="view_submission", view=None),
    "closed view null": click(type="view_closed", view=None),
    "view nameless": click(type="view_submission", view={"id": "V1"}),
    "values is a list": click(type="view_submission", view={**_VIEW, "state": {"values": []}}),
    "state null": click(type="view_submission", view={**_VIEW, "state": None}),
    "suggestion nameless": click(type="block_suggestion"),
    "shortcut nameless": click(type="shortcut"),
}
EVENTS: dict[str, dict[str, Any]] = {
    "user is a number": {"event": {"type": "user_change", "user": 5}},
    "user is text": {"event": {"type": "user_change", "user": "U1"}},
    "authorizations is text": {
        "event": {"type": "app_home_opened", "user": "U0OLGA", "tab": "home"},
        "authorizations": "x",
    },
    "authorizations of numbers": {"event": {"type": "x"}, "authorizations": [5]},
    "authorizations is a number": {"event": {"type": "x"}, "authorizations": 5},
    "authorizations in the event": {"event": {"type": "x", "authorizations": [1]}},
    "channel is a number": {"event": {"type": "x", "channel": 5}},
    "team is a number": {"event": {"type": "x", "team": 5}},
    "enterprise in the event": {"event": {"type": "x", "enterprise": 5}},
    "user in a message": {"event": {"type": "message", "message": {"user": 5}}},
    "nested without end": {"event": {"type": "x", "message": None}},
}
_DEEP: dict[str, Any] = {}
for _ in range(200):
    _DEEP = {"message": _DEEP}
EVENTS["nested without end"] = {"event": {"type": "x", **_DEEP}}


@pytest.mark.parametrize("name", INTERACTIONS)
async def test_a_signed_but_malformed_interaction_is_400(
    world: World, name: str, caplog: pytest.LogCaptureFixture
):
    status, text = await _send(world, {**INTERACTIONS[name], **_OURS})
    assert status == 400, text
    assert json.loads(text)["error"]["code"] == "invalid_field"
    assert "Traceback" not in caplog.text


@pytest.mark.parametrize("name", EVENTS)
async def test_a_signed_but_malformed_event_is_400(
    world: World, name: str, caplog: pytest.LogCaptureFixture
):
    status, text = await _send(world, {**_EVENT, **_OURS, **EVENTS[name]}, _JSON)
    assert status == 400, text
    assert json.loads(text)["error"]["code"] == "invalid_field"
    assert "Traceback" not in caplog.text


async def test_what_bolt_itself_fails_over_is_400_and_logged_by_type_only(
    world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def fail(*_: object, **__: object) -> None:
        raise KeyError("LEAK")

    monkeypatch.setattr(slack_app, "AsyncBoltRequest", fail)
    status, text = await _send(world, {**click(), **_OURS})
    assert status == 400
    assert json.loads(text)["error"]["code"] == "invalid_field"
    assert "KeyError" in caplog.text
    assert "LEAK" not in caplog.text + text


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, identity", "x", ""])
async def test_a_compressed_body_is_415_before_its_signature_is_looked_at(
    world: World, encoding: str, caplog: pytest.LogCaptureFixture
):
    for body in (gzip.compress(b"payload={}"), b"not gzip at all"):
        headers = {"Content-Encoding": encoding, "Content-Type": FORM}
        async with world.session.post(world.url, data=body, headers=headers) as answer:
            assert answer.status == 415
            assert "code" in (await answer.json())["error"]
    assert "Traceback" not in caplog.text


async def _raw(world: World, *parts: bytes, eof: bool = False) -> bytes:
    host, port = world.url.split("/")[2].split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST /slack/events HTTP/1.1\r\nHost: x\r\nContent-Type: {FORM}\r\n"
    try:
        for part in (head.encode(), *parts):
            writer.write(part)
        await writer.drain()
        if eof:
            writer.write_eof()
        async with asyncio.timeout(15):
            return await reader.readuntil(b"}}")
    except asyncio.IncompleteReadError as error:
        return error.partial
    finally:
        writer.close()


@pytest.mark.parametrize(
    "parts",
    [(b"Content-Length: 100\r\n\r\n",), (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\nab")],
)
async def test_a_body_that_does_not_arrive_is_408_and_closed(
    world: World, parts: tuple[bytes, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(slack_app, "BODY_WITHIN_S", 0.05)
    told = await _raw(world, *parts)
    assert told.startswith(b"HTTP/1.1 408"), told
    assert b"Connection: close" in told


@pytest.mark.parametrize(
    "parts",
    [
        (b"Content-Length: 100\r\n\r\n", b"payload="),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"zz\r\n{}\r\n"),
        (b"Transfer-Encoding: chunked\r\n\r\n", b"5\r\n{}"),
    ],
)
async def test_a_body_that_breaks_off_is_no_500(
    world: World, parts: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
):
    told = await _raw(world, *parts, eof=True)
    assert told == b"" or told.startswith(b"HTTP/1.1 4"), told
    assert "PayloadError" not in caplog.text


def test_a_body_has_ten_seconds():
    assert slack_app.BODY_WITHIN_S == 10.0
