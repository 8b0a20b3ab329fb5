"""Socket Mode delivers as HTTP does; nothing but this page, on this machine, gets in."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_sdk.web.async_client import AsyncWebClient

from tests.emulator.conftest import Bench, button, listen, make_bench


@pytest.fixture
async def socketed() -> AsyncIterator[Bench]:
    """The app connected over a socket."""
    made = make_bench(ack_timeout_s=0.5)
    await made.emulator.start()
    made.client.base_url = made.emulator.base_url
    listen(made)
    opener = AsyncWebClient(token=made.emulator.app_token, base_url=made.emulator.base_url)
    handler = AsyncSocketModeHandler(made.app, made.emulator.app_token, web_client=opener)
    handler.client.auto_reconnect_enabled = False
    await made.emulator.connect(socket_mode=True)
    await handler.connect_async()
    await made.emulator.sockets.wait_for(1)
    yield made
    await made.emulator.settle()
    await handler.close_async()
    await made.emulator.stop()


async def test_a_click_goes_round_over_a_socket(socketed: Bench) -> None:
    ts = await socketed.post_card()
    result = await socketed.emulator.click("alice", "ops", ts, "approve")
    assert result.status == 200
    assert socketed.emulator.messages("ops")[0].text == "Approved"
    assert socketed.emulator.deliveries("block_actions")[0].transport == "socket"


async def test_a_command_answers_in_its_acknowledgement(socketed: Bench) -> None:
    result = await socketed.emulator.command("alice", "/tiny", "hi", "ops")
    assert result.ephemerals[0].text == "You said hi"


async def test_form_errors_come_back_over_a_socket(socketed: Bench) -> None:
    ts = await socketed.post_card(button("ask"))
    await socketed.emulator.click("alice", "ops", ts, "ask")
    view = socketed.emulator.modal("alice")
    assert view is not None
    result = await socketed.emulator.submit("alice", view.id, {"reason": "bad"})
    assert result.errors == {"b_reason": "Say more"}


async def _link(bench: Bench, session: aiohttp.ClientSession) -> aiohttp.ClientWebSocketResponse:
    client = AsyncWebClient(token=bench.emulator.app_token, base_url=bench.emulator.base_url)
    opened = await client.apps_connections_open(app_token=bench.emulator.app_token)
    socket = await session.ws_connect(opened["url"])
    assert (await socket.receive_json())["type"] == "hello"
    return socket


async def test_an_unacknowledged_envelope_goes_to_another_connection() -> None:
    bench = make_bench(ack_timeout_s=0.1)
    await bench.emulator.start()
    await bench.emulator.connect(socket_mode=True)
    got: list[tuple[int, dict[str, Any]]] = []
    async with aiohttp.ClientSession() as session:
        sockets = [await _link(bench, session), await _link(bench, session)]
        await bench.emulator.sockets.wait_for(2)

        async def read(number: int) -> None:
            envelope = json.loads((await sockets[number].receive()).data)
            got.append((number, envelope))
            if len(got) == 2:
                await sockets[number].send_json({"envelope_id": envelope["envelope_id"]})

        readers = [asyncio.create_task(read(0)), asyncio.create_task(read(1))]
        result = await bench.emulator.command("alice", "/tiny", "x", "ops")
        await asyncio.wait_for(asyncio.gather(*readers), 5)
    assert result.status == 200
    assert {number for number, _ in got} == {0, 1}
    first, second = (envelope for _, envelope in got)
    assert first["envelope_id"] == second["envelope_id"]
    assert (first["retry_attempt"], second["retry_attempt"]) == (0, 1)
    assert second["retry_reason"] == "timeout"
    await bench.emulator.stop()


async def test_an_app_without_a_socket_cannot_be_reached() -> None:
    bench = make_bench()
    await bench.emulator.start()
    await bench.emulator.connect(socket_mode=True)
    result = await bench.emulator.command("alice", "/tiny", "x", "ops")
    assert "dispatch_failed" in result.banner
    await bench.emulator.stop()


async def test_a_refresh_tells_connections_to_come_back() -> None:
    bench = make_bench()
    await bench.emulator.start()
    async with aiohttp.ClientSession() as session:
        socket = await _link(bench, session)
        await bench.emulator.sockets.wait_for(1)
        told, _ = await asyncio.gather(socket.receive_json(), bench.emulator.sockets.refresh())
        assert (told["type"], told["reason"]) == ("disconnect", "refresh_requested")
    await bench.emulator.stop()


async def test_a_socket_ticket_opens_one_connection() -> None:
    bench = make_bench()
    await bench.emulator.start()
    async with aiohttp.ClientSession() as session:
        url = f"{bench.emulator.origin}/link?ticket=guessed"
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(url)
    await bench.emulator.stop()


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
    ],
)
@pytest.mark.parametrize("path", ["/", "/ui/state", "/api/auth.test"])
async def test_a_foreign_host_or_origin_gets_nothing(
    bench: Bench, headers: dict[str, str], path: str
) -> None:
    async with aiohttp.ClientSession() as session:
        async with session.get(bench.emulator.origin + path, headers=headers) as answer:
            assert answer.status == 403
        async with session.get(
            bench.emulator.origin + path, headers={"Origin": bench.emulator.origin}
        ) as answer:
            assert answer.status == 200


async def test_an_act_of_a_cross_site_form_is_refused(bench: Bench) -> None:
    ts = await bench.post_card()
    told = {"user": "U0ALICE", "channel": "C0OPS", "ts": ts, "action_id": "approve"}
    url = f"{bench.emulator.origin}/ui/act/click"
    async with aiohttp.ClientSession() as session:
        for kind in ("text/plain", "application/x-www-form-urlencoded"):
            async with session.post(
                url, data=json.dumps(told), headers={"Content-Type": kind}
            ) as answer:
                assert answer.status == 415
        assert bench.heard == []
        async with session.post(url, json=told) as answer:
            assert answer.status == 200
    await bench.emulator.settle()
    assert len(bench.heard) == 1


async def test_the_page_may_load_nothing_from_elsewhere(bench: Bench) -> None:
    async with (
        aiohttp.ClientSession() as session,
        session.get(bench.emulator.workspace_url) as answer,
    ):
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in text.replace("http-equiv", "")
    for script in text.split("<script")[1:]:
        assert script.split(">", 1)[1].startswith("</script>")


async def test_a_guest_sees_only_their_channels(bench: Bench) -> None:
    async with aiohttp.ClientSession() as session:
        seen = {}
        for user in ("U0BOB", "U0GUEST"):
            url = f"{bench.emulator.origin}/ui/state?user={user}&channel=G0SECRET"
            async with session.get(url) as answer:
                state = await answer.json()
            seen[user] = {c["name"] for c in state["channels"]}
            assert state["channel"] == ("G0SECRET" if user == "U0BOB" else "")
    assert seen == {"U0BOB": {"ops", "elsewhere", "old", "secret"}, "U0GUEST": set()}


async def test_an_emulated_token_can_be_told_from_a_real_one(bench: Bench) -> None:
    assert bench.emulator.bot_token.startswith("xoxb-emulated-")
    assert bench.emulator.app_token.startswith("xapp-emulated-")
    other = make_bench()
    assert other.emulator.bot_token != bench.emulator.bot_token
    assert other.emulator.signing_secret != bench.emulator.signing_secret
