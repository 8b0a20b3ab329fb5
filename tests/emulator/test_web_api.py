"""The Web API refuses what Slack refuses, and shows the app no more than it was granted."""

from __future__ import annotations

import copy
from collections.abc import Awaitable
from typing import Any

import aiohttp
import pytest
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient

from tests.emulator.conftest import MANIFEST, Bench, button, card, make_bench, modal


async def refusal(call: Awaitable[object]) -> dict[str, Any]:
    with pytest.raises(SlackApiError) as caught:
        await call
    return dict(caught.value.response.data)


def granting(*scopes: str) -> dict[str, Any]:
    manifest = copy.deepcopy(MANIFEST)
    manifest["oauth_config"]["scopes"]["bot"] = list(scopes)
    return manifest


async def test_auth_test_names_the_team_and_the_bot(bench: Bench) -> None:
    told = await bench.client.auth_test()
    assert (told["team_id"], told["user_id"], told["bot_id"]) == (
        "T0EMULATED",
        "U0EMUBOT",
        "B0EMULATED",
    )


async def test_a_method_slack_does_not_have_is_unknown(bench: Bench) -> None:
    assert (await refusal(bench.client.api_call("chat.sing")))["error"] == "unknown_method"


@pytest.mark.parametrize(
    ("token", "error"),
    [("", "not_authed"), ("xoxb-other", "invalid_auth"), ("xapp", "not_allowed_token_type")],
)
async def test_only_the_bot_token_opens_the_bots_methods(
    bench: Bench, token: str, error: str
) -> None:
    given = bench.emulator.app_token if token == "xapp" else token
    client = AsyncWebClient(token=given, base_url=bench.emulator.base_url)
    assert (await refusal(client.users_info(user="U0BOB")))["error"] == error


async def test_the_bot_token_does_not_open_a_socket(bench: Bench) -> None:
    told = await refusal(bench.client.apps_connections_open(app_token=bench.emulator.bot_token))
    assert told["error"] == "not_allowed_token_type"


@pytest.mark.parametrize(
    ("method", "params", "needed"),
    [
        ("chat.postMessage", {"channel": "C0OPS", "text": "x"}, "chat:write"),
        ("users.info", {"user": "U0BOB"}, "users:read"),
        ("users.lookupByEmail", {"email": "alice@example.com"}, "users:read.email"),
        ("usergroups.list", {}, "usergroups:read"),
        ("conversations.info", {"channel": "C0OPS"}, "channels:read"),
        ("conversations.history", {"channel": "C0OPS"}, "channels:history"),
        ("conversations.open", {"users": "U0BOB"}, "im:write"),
        ("conversations.join", {"channel": "C0OPS"}, "channels:join"),
        ("reactions.add", {"channel": "C0OPS", "timestamp": "1", "name": "x"}, "reactions:write"),
        ("files.getUploadURLExternal", {"filename": "a", "length": 1}, "files:write"),
        ("team.info", {}, "team:read"),
    ],
)
async def test_a_scope_the_manifest_lacks_is_named(
    method: str, params: dict[str, Any], needed: str
) -> None:
    bench = make_bench(manifest=granting("commands"))
    await bench.emulator.start()
    try:
        client = AsyncWebClient(token=bench.emulator.bot_token, base_url=bench.emulator.base_url)
        told = await refusal(client.api_call(method, params=params))
        assert told["error"] == "missing_scope"
        assert told["needed"] == needed
        assert told["provided"] == "commands"
    finally:
        await bench.emulator.stop()


@pytest.mark.parametrize(
    ("params", "error"),
    [
        ({"channel": "C0NONE", "text": "x"}, "channel_not_found"),
        ({"channel": "G0SECRET", "text": "x"}, "channel_not_found"),
        ({"channel": "C0ELSE", "text": "x"}, "not_in_channel"),
        ({"channel": "C0OLD", "text": "x"}, "is_archived"),
        ({"channel": "C0OPS", "text": ""}, "no_text"),
        ({"channel": "C0OPS", "text": "x", "blocks": "{"}, "invalid_blocks_format"),
        ({"channel": "C0OPS", "text": "x", "metadata": {"a": 1}}, "invalid_metadata_format"),
        ({"channel": "C0OPS", "text": "x", "thread_ts": "1.1"}, "cannot_reply_to_message"),
    ],
)
async def test_a_post_that_slack_refuses_is_refused(
    bench: Bench, params: dict[str, Any], error: str
) -> None:
    assert (await refusal(bench.client.api_call("chat.postMessage", json=params)))["error"] == error
    assert bench.emulator.messages("ops") == ()


async def test_an_app_edits_only_its_own_messages(bench: Bench) -> None:
    theirs = bench.emulator.say("alice", "ops", "hello")
    told = await refusal(bench.client.chat_update(channel="C0OPS", ts=theirs.ts, text="x"))
    assert told["error"] == "cant_update_message"
    told = await refusal(bench.client.chat_delete(channel="C0OPS", ts=theirs.ts))
    assert told["error"] == "cant_delete_message"
    told = await refusal(bench.client.chat_update(channel="C0OPS", ts="1.000001", text="x"))
    assert told["error"] == "message_not_found"


async def test_a_long_text_is_taken_on_post_and_refused_on_update(bench: Bench) -> None:
    sent = await bench.client.chat_postMessage(channel="C0OPS", text="x" * 4001)
    told = await refusal(bench.client.chat_update(channel="C0OPS", ts=sent["ts"], text="x" * 4001))
    assert told["error"] == "msg_too_long"


async def test_invalid_blocks_are_named_by_json_pointer(bench: Bench) -> None:
    told = await refusal(
        bench.client.chat_postMessage(channel="C0OPS", text="x", blocks=card(text="x" * 3001))
    )
    assert told["error"] == "invalid_blocks"
    (message,) = told["response_metadata"]["messages"]
    assert message.endswith("[json-pointer:/blocks/0/text/text]")


async def test_blocks_within_each_limit_can_still_be_too_long_together(bench: Bench) -> None:
    section = {"type": "section", "text": {"type": "mrkdwn", "text": "x" * 2650}}
    told = await refusal(
        bench.client.chat_postMessage(channel="C0OPS", text="x", blocks=[section] * 5)
    )
    assert told["error"] == "msg_blocks_too_long"
    await bench.client.chat_postMessage(channel="C0OPS", text="x", blocks=[section] * 4)


async def test_timestamps_rise_though_the_clock_stands_still(bench: Bench) -> None:
    posts = [await bench.client.chat_postMessage(channel="C0OPS", text="x") for _ in range(3)]
    stamps = [str(p["ts"]) for p in posts]
    assert stamps == sorted(set(stamps))


async def test_an_ephemeral_needs_a_member(bench: Bench) -> None:
    told = await refusal(bench.client.chat_postEphemeral(channel="C0OPS", user="U0GUEST", text="x"))
    assert told["error"] == "user_not_in_channel"


async def test_a_trigger_expires_after_three_seconds_of_the_clock(bench: Bench) -> None:
    capabilities = bench.emulator.workspace.capabilities
    late, intime = capabilities.issue_trigger("U0BOB"), capabilities.issue_trigger("U0BOB")
    bench.clock.step(3)
    await bench.client.views_open(trigger_id=intime, view=modal())
    bench.clock.step(0.001)
    told = await refusal(bench.client.views_open(trigger_id=late, view=modal()))
    assert told["error"] == "expired_trigger_id"


async def test_a_trigger_opens_one_view(bench: Bench) -> None:
    trigger = bench.emulator.workspace.capabilities.issue_trigger("U0BOB")
    told = await refusal(bench.client.views_open(trigger_id=trigger, view={"type": "modal"}))
    assert told["error"] == "invalid_arguments"
    await bench.client.views_open(trigger_id=trigger, view=modal())
    told = await refusal(bench.client.views_open(trigger_id=trigger, view=modal()))
    assert told["error"] == "exchanged_trigger_id"
    told = await refusal(bench.client.views_open(trigger_id="1.2.3", view=modal()))
    assert told["error"] == "invalid_trigger_id"


async def test_a_stack_holds_three_views(bench: Bench) -> None:
    trigger = bench.emulator.workspace.capabilities.issue_trigger
    await bench.client.views_open(trigger_id=trigger("U0BOB"), view=modal())
    for _ in range(2):
        await bench.client.views_push(trigger_id=trigger("U0BOB"), view=modal())
    told = await refusal(bench.client.views_push(trigger_id=trigger("U0BOB"), view=modal()))
    assert told["error"] == "push_limit_reached"


async def test_a_response_url_takes_five_posts_in_thirty_minutes(bench: Bench) -> None:
    ts = await bench.post_card(button("note"))
    await bench.emulator.click("alice", "ops", ts, "note")
    await bench.emulator.click("alice", "ops", ts, "note")
    used, old = (body["response_url"] for body in bench.heard)
    async with aiohttp.ClientSession() as session:
        statuses = [(await session.post(used, json={"text": "x"})).status for _ in range(6)]
        assert statuses == [200, 200, 200, 200, 200, 404]
        bench.clock.step(30 * 60 + 1)
        assert (await session.post(old, json={"text": "x"})).status == 404
    assert len(bench.emulator.ephemerals("alice")) == 5


async def test_disabled_groups_are_hidden_unless_asked_for(bench: Bench) -> None:
    plain = await bench.client.usergroups_list()
    every = await bench.client.usergroups_list(include_disabled=True)
    assert [g["id"] for g in plain["usergroups"]] == ["S0TREAS"]
    assert [g["id"] for g in every["usergroups"]] == ["S0TREAS", "S0GONE"]
    assert (await bench.client.usergroups_users_list(usergroup="S0TREAS"))["users"] == ["U0BOB"]
    told = await refusal(bench.client.usergroups_users_list(usergroup="S0GONE"))
    assert told["error"] == "no_such_subteam"


async def test_an_address_is_shown_only_with_its_scope(bench: Bench) -> None:
    told = await bench.client.users_info(user="U0ALICE")
    assert "email" not in told["user"]["profile"]
    rich = make_bench(manifest=granting("users:read", "users:read.email"))
    await rich.emulator.start()
    try:
        client = AsyncWebClient(token=rich.emulator.bot_token, base_url=rich.emulator.base_url)
        told = await client.users_info(user="U0ALICE")
        assert told["user"]["profile"]["email"] == "alice@example.com"
        found = await client.users_lookupByEmail(email="Alice@Example.com")
        assert found["user"]["id"] == "U0ALICE"
    finally:
        await rich.emulator.stop()


async def test_a_guest_is_marked_and_absent_facts_are_absent(bench: Bench) -> None:
    guest = (await bench.client.users_info(user="U0GUEST"))["user"]
    assert guest["is_ultra_restricted"] is True
    assert "is_stranger" not in guest
    assert (await refusal(bench.client.users_info(user="U0NONE")))["error"] == "user_not_found"


async def test_an_upload_is_kept_byte_for_byte() -> None:
    bench = make_bench(manifest=granting("files:write", "files:read", "chat:write"))
    await bench.emulator.start()
    try:
        client = AsyncWebClient(token=bench.emulator.bot_token, base_url=bench.emulator.base_url)
        sent = await client.files_upload_v2(content=b"\x89PNG1", filename="a.png", channel="C0OPS")
        stored = bench.emulator.workspace.files[sent["file"]["id"]]
        assert stored.content == b"\x89PNG1"
        assert bench.emulator.messages("ops")[0].files == (stored.id,)
    finally:
        await bench.emulator.stop()


async def test_history_and_replies_tell_threads_apart() -> None:
    bench = make_bench(manifest=granting("chat:write", "channels:history", "channels:read"))
    await bench.emulator.start()
    try:
        client = AsyncWebClient(token=bench.emulator.bot_token, base_url=bench.emulator.base_url)
        root = await client.chat_postMessage(channel="C0OPS", text="root")
        await client.chat_postMessage(channel="C0OPS", text="below", thread_ts=root["ts"])
        await client.chat_postMessage(channel="C0OPS", text="next")
        history = await client.conversations_history(channel="C0OPS")
        assert [m["text"] for m in history["messages"]] == ["next", "root"]
        replies = await client.conversations_replies(channel="C0OPS", ts=root["ts"])
        assert [m["text"] for m in replies["messages"]] == ["root", "below"]
        listed = await client.conversations_list()
        assert [c["id"] for c in listed["channels"]] == ["C0OPS", "C0ELSE", "C0OLD"]
    finally:
        await bench.emulator.stop()


async def test_rate_limits_are_off_until_switched_on(bench: Bench) -> None:
    for _ in range(3):
        await bench.client.chat_postMessage(channel="C0OPS", text="x")
    strict = make_bench(is_rate_limited=True)
    await strict.emulator.start()
    try:
        client = AsyncWebClient(
            token=strict.emulator.bot_token, base_url=strict.emulator.base_url, retry_handlers=[]
        )
        await client.chat_postMessage(channel="C0OPS", text="x")
        with pytest.raises(SlackApiError) as caught:
            await client.chat_postMessage(channel="C0OPS", text="x")
        assert caught.value.response.status_code == 429
        assert caught.value.response.headers["Retry-After"] == "1"
        strict.clock.step(1)
        await client.chat_postMessage(channel="C0OPS", text="x")
    finally:
        await strict.emulator.stop()


async def test_a_call_is_recorded_without_its_token(bench: Bench) -> None:
    given = {"user": "U0BOB", "token": bench.emulator.bot_token}
    url = f"{bench.emulator.base_url}users.info"
    async with aiohttp.ClientSession() as session, session.get(url, params=given) as answer:
        assert (await answer.json())["ok"]
    call = bench.emulator.calls("users.info")[-1]
    assert call.params["user"] == "U0BOB"
    assert "token" not in call.params
    assert call.is_ok
    assert call.elapsed_ms > 0
