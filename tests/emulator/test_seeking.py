"""Shortcuts, and menus that the app fills, as Slack has them."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from bot.emulator.emulator import Emulator
from bot.emulator.errors import MisuseError
from bot.emulator.limit_elements import check_options
from bot.emulator.limits import check_view
from bot.emulator.values import ChannelSeed, UserSeed, WorkspaceSeed

MANIFEST: Mapping[str, Any] = {
    "features": {
        "shortcuts": [
            {"name": "All", "type": "global", "callback_id": "everywhere"},
            {"name": "This", "type": "message", "callback_id": "here"},
        ]
    },
    "oauth_config": {"scopes": {"bot": ["chat:write"]}},
    "settings": {
        "interactivity": {
            "is_enabled": True,
            "request_url": "http://app.example/",
            "message_menu_options_url": "http://app.example/",
        }
    },
}
SEED = WorkspaceSeed(
    users=(UserSeed(id="U1", name="ann", real_name="Ann"),),
    channels=(ChannelSeed(id="C1", name="general", members=("U1", "U0EMUBOT")),),
)
OPTION = {"text": {"type": "plain_text", "text": "One"}, "value": "1"}
MENU: Mapping[str, Any] = {
    "type": "input",
    "block_id": "which",
    "label": {"type": "plain_text", "text": "Which"},
    "element": {"type": "external_select", "action_id": "pick", "min_query_length": 0},
}
VIEW = {
    "type": "modal",
    "title": {"type": "plain_text", "text": "Pick"},
    "submit": {"type": "plain_text", "text": "Go"},
    "blocks": [MENU],
}


class App:
    """Answers whatever is sent with ``answer``, and keeps it."""

    def __init__(self) -> None:
        self.seen: list[Mapping[str, Any]] = []
        self.answer: Any = {"options": [OPTION]}

    async def handle(self, request: web.Request) -> web.Response:
        if request.content_type == "application/json":  # the challenge
            return web.Response(text=(await request.json())["challenge"])
        form = await request.post()
        self.seen.append(json.loads(str(form["payload"])))
        return web.json_response(self.answer)


@pytest.fixture
async def app() -> App:
    return App()


@pytest.fixture
async def emu(app: App) -> AsyncIterator[Emulator]:
    server = web.Application()
    server.router.add_post("/", app.handle)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    emulator = Emulator(SEED, MANIFEST)
    await emulator.start()
    port = runner.addresses[0][1]
    await emulator.connect(request_url=f"http://127.0.0.1:{port}/")
    yield emulator
    await emulator.stop()
    await runner.cleanup()


def opened(emu: Emulator, body: Mapping[str, Any] = VIEW) -> str:
    return emu.workspace.views.open("U1", dict(body)).id


async def test_a_global_shortcut_carries_a_trigger_and_no_message(emu: Emulator, app: App) -> None:
    await emu.shortcut("ann", "everywhere")
    (sent,) = app.seen
    assert (sent["type"], sent["callback_id"]) == ("shortcut", "everywhere")
    assert sent["trigger_id"]
    assert "message" not in sent


async def test_a_message_shortcut_carries_its_message(emu: Emulator, app: App) -> None:
    message = emu.say("ann", "general", "look")
    await emu.message_shortcut("ann", "general", message.ts, "here")
    sent = app.seen[-1]
    assert (sent["type"], sent["message"]["text"]) == ("message_action", "look")
    assert sent["message_ts"] == message.ts
    assert sent["response_url"]


@pytest.mark.parametrize("name", ["here", "nowhere"])
async def test_only_what_the_manifest_names_can_be_chosen(emu: Emulator, name: str) -> None:
    with pytest.raises(MisuseError):
        await emu.shortcut("ann", name)


async def test_a_menu_offers_what_the_app_answers_and_nothing_else(emu: Emulator, app: App) -> None:
    view = opened(emu)
    with pytest.raises(MisuseError):
        await emu.submit("ann", view, {"which": "1"})
    assert await emu.suggest("ann", view, "pick", "o") == [OPTION]
    sent = app.seen[-1]
    assert (sent["type"], sent["action_id"], sent["value"]) == ("block_suggestion", "pick", "o")
    app.answer = {}
    await emu.submit("ann", view, {"which": "1"})
    state = app.seen[-1]["view"]["state"]["values"]["which"]["pick"]
    assert state == {"type": "external_select", "selected_option": OPTION}


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"options": [{**OPTION, "value": "x" * 151}]},
        {"options": [OPTION, OPTION]},
        {"options": [{**OPTION, "value": str(n)} for n in range(101)]},
        {"options": [{"text": {"type": "plain_text", "text": "y" * 76}, "value": "1"}]},
    ],
)
async def test_options_that_slack_would_refuse_are_none(
    emu: Emulator, app: App, answer: object
) -> None:
    app.answer = answer
    view = opened(emu)
    assert await emu.suggest("ann", view, "pick", "o") == []


async def test_a_menu_asks_for_as_many_characters_as_it_says(emu: Emulator) -> None:
    element = {"type": "external_select", "action_id": "pick"}
    view = opened(emu, {**VIEW, "blocks": [{**MENU, "element": element}]})
    with pytest.raises(MisuseError):
        await emu.suggest("ann", view, "pick", "ab")
    assert await emu.suggest("ann", view, "pick", "abc") == [OPTION]


async def test_without_an_address_for_options_no_menu_is_filled() -> None:
    settings = {"interactivity": {"is_enabled": True}}
    emulator = Emulator(SEED, {**MANIFEST, "settings": settings})
    await emulator.start()
    with pytest.raises(MisuseError):
        await emulator.suggest("ann", opened(emulator), "pick", "o")
    await emulator.stop()


def test_a_menu_that_the_app_fills_is_legal_and_has_no_options_of_its_own() -> None:
    assert check_view(VIEW, "modal") == []
    own = {**MENU["element"], "options": [OPTION]}
    assert check_view({**VIEW, "blocks": [{**MENU, "element": own}]}, "modal") != []
    assert check_options([OPTION]) == []
