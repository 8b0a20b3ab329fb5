"""What people do reaches a real Bolt app, and what it answers is what they then see."""

from __future__ import annotations

from typing import Any

import pytest
from slack_sdk.errors import SlackApiError

from bot.emulator.errors import MisuseError
from tests.emulator.conftest import Bench, button, card, modal


async def test_a_click_reaches_the_app_and_its_update_is_a_new_version(bench: Bench) -> None:
    ts = await bench.post_card()
    result = await bench.emulator.click("alice", "ops", ts, "approve")
    (message,) = bench.emulator.messages("ops")
    assert result.status == 200
    assert message.text == "Approved"
    assert message.is_edited
    assert message.versions[0].blocks[1]["block_id"] == "acts"


async def test_a_click_carries_slacks_field_set(bench: Bench) -> None:
    ts = await bench.post_card()
    await bench.emulator.click("alice", "ops", ts, "approve")
    body = bench.heard[0]
    assert body["team"] == {"id": "T0EMULATED", "domain": "emulated"}
    assert body["enterprise"] is None
    assert body["user"] == {
        "id": "U0ALICE",
        "username": "alice",
        "name": "alice",
        "team_id": "T0EMULATED",
    }
    assert body["container"] == {
        "type": "message",
        "message_ts": ts,
        "channel_id": "C0OPS",
        "is_ephemeral": False,
    }
    assert body["message"]["ts"] == ts
    assert body["actions"][0]["block_id"] == "acts"
    assert body["actions"][0]["value"] == "1"
    assert body["response_url"].startswith("http://127.0.0.1:")
    assert set(body) >= {"api_app_id", "token", "trigger_id", "channel", "state"}


async def test_only_elements_of_the_current_version_are_clickable(bench: Bench) -> None:
    ts = await bench.post_card()
    await bench.emulator.click("alice", "ops", ts, "approve")
    with pytest.raises(MisuseError):
        await bench.emulator.click("bob", "ops", ts, "approve")


async def test_a_stale_click_is_built_from_the_older_version(bench: Bench) -> None:
    ts = await bench.post_card()
    await bench.emulator.click("alice", "ops", ts, "approve")
    await bench.emulator.click("bob", "ops", ts, "approve", stale=True)
    assert bench.heard[1]["message"]["text"] == "Pay ACME?"
    assert bench.heard[1]["message"]["blocks"][1]["block_id"] == "acts"


async def test_a_button_with_confirm_is_delivered_only_when_confirmed(bench: Bench) -> None:
    words = {k: {"type": "plain_text", "text": k} for k in ("title", "text", "confirm", "deny")}
    ts = await bench.post_card(button(confirm=words))
    refused = await bench.emulator.click("alice", "ops", ts, "approve", confirm=False)
    assert not refused.is_delivered
    assert bench.heard == []
    assert (await bench.emulator.click("alice", "ops", ts, "approve")).is_delivered


async def test_a_choice_is_remembered_in_state_values(bench: Bench) -> None:
    options = [{"text": {"type": "plain_text", "text": n}, "value": n} for n in ("low", "high")]
    menu = {"type": "static_select", "action_id": "note", "options": options}
    ts = await bench.post_card(menu, button())
    await bench.emulator.choose("alice", "ops", ts, "note", "high")
    await bench.emulator.click("alice", "ops", ts, "approve")
    chosen = bench.heard[1]["state"]["values"]["acts"]["note"]["selected_option"]
    assert chosen["value"] == "high"
    with pytest.raises(MisuseError):
        await bench.emulator.choose(
            "alice",
            "ops",
            ts,
            "note",
            "none",
        )


async def test_respond_shows_an_ephemeral_to_the_clicker_only(bench: Bench) -> None:
    ts = await bench.post_card(button("whisper"))
    result = await bench.emulator.click("alice", "ops", ts, "whisper")
    assert [e.text for e in result.ephemerals] == ["only you"]
    assert bench.emulator.ephemerals("bob") == ()


async def test_an_unhandled_click_shows_the_person_a_failure(bench: Bench) -> None:
    ts = await bench.post_card(button("unknown"))
    result = await bench.emulator.click("alice", "ops", ts, "unknown")
    assert result.status == 404
    assert result.banner == "dispatch_failed"
    assert result.ephemerals[0].is_system


async def test_a_command_escapes_mentions_and_shows_the_answer(bench: Bench) -> None:
    result = await bench.emulator.command("alice", "/tiny", "ask @bob in #ops", "ops")
    assert bench.heard[0]["text"] == "ask <@U0BOB|bob> in <#C0OPS|ops>"
    assert bench.heard[0]["command"] == "/tiny"
    assert result.ephemerals[0].text.startswith("You said")


async def test_a_command_that_the_manifest_lacks_cannot_be_typed(bench: Bench) -> None:
    with pytest.raises(MisuseError):
        await bench.emulator.command("alice", "/other", "", "ops")


async def _opened(bench: Bench) -> str:
    ts = await bench.post_card(button("ask"))
    await bench.emulator.click("alice", "ops", ts, "ask")
    view = bench.emulator.modal("alice")
    assert view is not None
    return view.id


async def test_a_submitted_form_closes(bench: Bench) -> None:
    view_id = await _opened(bench)
    result = await bench.emulator.submit("alice", view_id, {"reason": "fine"})
    assert result.errors == {}
    assert bench.emulator.modal("alice") is None
    assert bench.heard[0]["view"]["state"]["values"]["b_reason"]["reason"]["value"] == "fine"


async def test_field_errors_keep_the_form_open(bench: Bench) -> None:
    view_id = await _opened(bench)
    result = await bench.emulator.submit("alice", view_id, {"b_reason": "bad"})
    assert result.errors == {"b_reason": "Say more"}
    view = bench.emulator.modal("alice")
    assert view is not None
    assert view.errors == {"b_reason": "Say more"}


async def test_the_client_refuses_empty_and_long_fields_before_sending(bench: Bench) -> None:
    view_id = await _opened(bench)
    empty = await bench.emulator.submit("alice", view_id, {})
    long = await bench.emulator.submit("alice", view_id, {"reason": "x" * 21})
    assert set(empty.errors) == set(long.errors) == {"b_reason"}
    assert bench.emulator.deliveries("view_submission") == ()


async def test_a_pushed_view_lies_on_top(bench: Bench) -> None:
    view_id = await _opened(bench)
    await bench.emulator.submit("alice", view_id, {"reason": "more"})
    top = bench.emulator.modal("alice")
    assert top is not None
    assert top.previous_id == view_id
    assert top.root_id == view_id


async def test_closing_is_told_only_to_views_that_asked(bench: Bench) -> None:
    view_id = await _opened(bench)
    await bench.emulator.close_view("alice", view_id)
    assert bench.emulator.deliveries("view_closed") == ()
    trigger = bench.emulator.workspace.capabilities.issue_trigger("U0ALICE")
    opened = await bench.client.views_open(trigger_id=trigger, view=modal(notify_on_close=True))
    await bench.emulator.close_view("alice", opened["view"]["id"])
    assert bench.heard[-1]["type"] == "view_closed"


async def test_opening_home_publishes_it(bench: Bench) -> None:
    home = await bench.emulator.open_home("bob")
    assert home is not None
    assert home.blocks[0]["text"]["text"] == "Hello <@U0BOB>"
    assert bench.emulator.home("alice") is None


async def test_a_changed_account_is_announced(bench: Bench) -> None:
    await bench.emulator.set_user("bob", deleted=True)
    assert bench.heard[0]["event"]["user"]["deleted"] is True
    assert bench.heard[0]["event_id"].startswith("Ev")
    info = await bench.client.users_info(user="U0BOB")
    assert info["user"]["deleted"] is True


async def test_an_event_outside_the_manifest_is_not_sent(bench: Bench) -> None:
    assert await bench.emulator.event("app_mention", user="U0BOB") is False
    assert bench.emulator.deliveries("app_mention") == ()


async def test_a_view_update_with_an_old_hash_is_refused(bench: Bench) -> None:
    view_id = await _opened(bench)
    first = bench.emulator.modal("alice")
    assert first is not None
    await bench.client.views_update(view_id=view_id, view=modal(), hash=first.hash)
    with pytest.raises(SlackApiError, match="hash_conflict"):
        await bench.client.views_update(view_id=view_id, view=modal(), hash=first.hash)


async def test_text_alone_drops_the_blocks_and_keeps_the_metadata(bench: Bench) -> None:
    meta: dict[str, Any] = {"event_type": "t", "event_payload": {"id": 1}}
    sent = await bench.client.chat_postMessage(
        channel="C0OPS", text="x", blocks=card(), metadata=meta
    )
    await bench.client.chat_update(channel="C0OPS", ts=sent["ts"], text="done")
    (message,) = bench.emulator.messages("ops")
    assert message.blocks == ()
    assert message.current.metadata == meta
