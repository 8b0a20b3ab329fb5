"""What goes wrong between Slack and an app goes wrong on order, as often as ordered."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError

from bot.emulator.errors import MisuseError
from bot.emulator.faults import FaultKind
from tests.emulator.conftest import Bench, button, make_bench

FORGED = [
    (FaultKind.WRONG_SIGNATURE, 401),
    (FaultKind.OLD_TIMESTAMP, 401),
    (FaultKind.FUTURE_TIMESTAMP, 401),
    (FaultKind.MISSING_TIMESTAMP, 401),
    (FaultKind.MISSING_SIGNATURE, 401),
]


@pytest.mark.parametrize(("kind", "status"), FORGED)
async def test_a_badly_signed_delivery_is_refused_by_bolt(
    bench: Bench, kind: FaultKind, status: int
) -> None:
    ts = await bench.post_card()
    bench.emulator.faults.add(kind, on="block_actions")
    result = await bench.emulator.click("alice", "ops", ts, "approve")
    assert result.status == status
    assert bench.heard == []
    assert (await bench.emulator.click("alice", "ops", ts, "approve")).status == 200


async def test_a_timestamp_can_be_no_number(bench: Bench) -> None:
    ts = await bench.post_card()
    bench.emulator.faults.add(FaultKind.NON_NUMERIC_TIMESTAMP)
    await bench.emulator.click("alice", "ops", ts, "approve")
    assert (
        bench.emulator.deliveries("block_actions")[0].headers["X-Slack-Request-Timestamp"] == "abc"
    )
    assert bench.heard == []


@pytest.mark.parametrize(
    ("kind", "read"),
    [
        (FaultKind.FOREIGN_TEAM, lambda b: (b["team"]["id"], b["user"]["team_id"])),
        (FaultKind.FOREIGN_APP, lambda b: (b["api_app_id"], b["api_app_id"])),
        (FaultKind.FOREIGN_USER, lambda b: (b["user"]["id"], b["user"]["id"])),
    ],
)
async def test_a_foreign_payload_is_well_signed(
    bench: Bench, kind: FaultKind, read: Callable[[dict[str, Any]], tuple[str, str]]
) -> None:
    ts = await bench.post_card(button("note"))
    bench.emulator.faults.add(kind)
    result = await bench.emulator.click("alice", "ops", ts, "note")
    assert result.status == 200
    assert all("FOREIGN" in one for one in read(bench.heard[0]))


async def test_a_duplicate_carries_retry_headers_and_the_same_body(bench: Bench) -> None:
    ts = await bench.post_card(button("note"))
    bench.emulator.faults.add(FaultKind.DUPLICATE, on="block_actions")
    await bench.emulator.click("alice", "ops", ts, "note")
    first, second = bench.emulator.deliveries("block_actions")
    assert first.body == second.body
    assert second.headers["X-Slack-Retry-Num"] == "1"
    assert len(bench.heard) == 2


async def test_a_replay_is_the_same_bytes_and_signature(bench: Bench) -> None:
    ts = await bench.post_card(button("note"))
    await bench.emulator.click("alice", "ops", ts, "note")
    again = await bench.emulator.replay_last("block_actions")
    first = bench.emulator.deliveries("block_actions")[0]
    assert (again.body, again.headers) == (first.body, first.headers)
    assert len(bench.heard) == 2


async def test_a_lost_delivery_never_arrives(bench: Bench) -> None:
    ts = await bench.post_card()
    bench.emulator.faults.add(FaultKind.LOST)
    result = await bench.emulator.click("alice", "ops", ts, "approve")
    assert not result.is_delivered
    assert result.banner == "dispatch_failed"
    assert bench.heard == []


async def test_an_ordered_stale_click_uses_the_older_version(bench: Bench) -> None:
    ts = await bench.post_card()
    await bench.client.chat_update(channel="C0OPS", ts=ts, text="changed", blocks=[])
    bench.emulator.faults.add(FaultKind.STALE_CLICK)
    await bench.emulator.click("alice", "ops", ts, "approve")
    assert bench.heard[0]["message"]["text"] == "Pay ACME?"


async def test_events_are_retried_three_times_and_say_why(bench: Bench) -> None:
    await bench.emulator.connect(request_url=bench.request_url + "/nowhere", verify=False)
    await bench.emulator.open_home("bob")
    sent = bench.emulator.deliveries("app_home_opened")
    assert [d.headers.get("X-Slack-Retry-Num") for d in sent] == [None, "1", "2", "3"]
    assert {d.headers.get("X-Slack-Retry-Reason") for d in sent[1:]} == {"http_error"}
    assert len({d.payload["event_id"] for d in sent}) == 1


async def test_a_url_that_does_not_echo_the_challenge_is_not_accepted(bench: Bench) -> None:
    with pytest.raises(MisuseError, match="404"):
        await bench.emulator.connect(request_url=bench.request_url + "/nowhere")


async def test_an_app_that_is_down_is_a_dispatch_failure(bench: Bench) -> None:
    await bench.emulator.connect(request_url="http://127.0.0.1:9/x", verify=False)
    ts = await bench.post_card()
    result = await bench.emulator.click("alice", "ops", ts, "approve")
    assert (result.status, result.banner) == (None, "dispatch_failed")


async def test_a_slow_app_is_an_operation_timeout() -> None:
    release = asyncio.Event()

    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await release.wait()
        writer.close()

    server = await asyncio.start_server(stall, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    bench = make_bench(ack_timeout_s=0.05)
    await bench.emulator.start()
    await bench.emulator.connect(request_url=f"http://127.0.0.1:{port}/", verify=False)
    result = await bench.emulator.command("alice", "/tiny", "x", "ops")
    assert result.banner == '/tiny failed with the error "operation_timeout"'
    assert result.ephemerals[0].is_system
    release.set()
    await bench.emulator.stop()
    server.close()
    await server.wait_closed()


async def test_a_rate_limit_names_its_wait_and_happens_once(bench: Bench) -> None:
    bench.emulator.faults.add(FaultKind.RATE_LIMITED, on="chat.postMessage", retry_after_s=7)
    with pytest.raises(SlackApiError) as caught:
        await bench.client.chat_postMessage(channel="C0OPS", text="x")
    assert caught.value.response.status_code == 429
    assert caught.value.response.headers["Retry-After"] == "7"
    await bench.client.chat_postMessage(channel="C0OPS", text="x")


@pytest.mark.parametrize(
    ("kind", "status"), [(FaultKind.SERVER_ERROR, 500), (FaultKind.UNAVAILABLE, 503)]
)
async def test_a_server_error_changes_nothing(bench: Bench, kind: FaultKind, status: int) -> None:
    bench.emulator.faults.add(kind)
    with pytest.raises(SlackApiError) as caught:
        await bench.client.chat_postMessage(channel="C0OPS", text="x")
    assert caught.value.response.status_code == status
    assert bench.emulator.messages("ops") == ()


async def test_a_refusal_can_be_ordered_by_code(bench: Bench) -> None:
    bench.emulator.faults.add(FaultKind.REFUSED, on="chat.postMessage", error="account_inactive")
    with pytest.raises(SlackApiError, match="account_inactive"):
        await bench.client.chat_postMessage(channel="C0OPS", text="x")


@pytest.mark.parametrize(
    ("kind", "posted"), [(FaultKind.DROP_BEFORE, 0), (FaultKind.DROP_AFTER, 1)]
)
async def test_a_dropped_connection_counts_or_does_not(
    bench: Bench, kind: FaultKind, posted: int
) -> None:
    bench.emulator.faults.add(kind, on="chat.postMessage")
    with pytest.raises(aiohttp.ClientError):
        await bench.client.chat_postMessage(channel="C0OPS", text="x")
    assert len(bench.emulator.messages("ops")) == posted


async def test_a_fault_waits_for_its_own_target(bench: Bench) -> None:
    bench.emulator.faults.add(FaultKind.SERVER_ERROR, on="chat.update", times=2)
    await bench.client.chat_postMessage(channel="C0OPS", text="x")
    assert [f.times for f in bench.emulator.faults.pending()] == [2]


async def test_settle_waits_for_the_apps_own_word(bench: Bench) -> None:
    left = [3]

    def busy() -> bool:
        left[0] -= 1
        return left[0] > 0

    bench.emulator.busy = busy
    await bench.emulator.settle()
    assert left[0] <= 0
    bench.emulator.busy = lambda: True
    with pytest.raises(TimeoutError):
        await bench.emulator.settle(within_s=0.05)
    bench.emulator.busy = None


CUTS = [FaultKind.CUT_BEFORE_ACK, FaultKind.CUT_AFTER_ACK]


@pytest.mark.parametrize("kind", CUTS)
async def test_a_cut_leaves_the_app_with_the_click_and_slack_without_an_answer(
    bench: Bench, kind: FaultKind
) -> None:
    ts = await bench.post_card()
    bench.emulator.faults.add(kind, on="block_actions")
    result = await bench.emulator.click("alice", "ops", ts, "approve")
    assert (result.status, result.banner) == (None, "dispatch_failed")
    await bench.emulator.settle()
    assert len(bench.heard) == 1
    again = await bench.post_card()
    assert (await bench.emulator.click("alice", "ops", again, "approve")).status == 200
