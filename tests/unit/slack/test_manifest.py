"""The manifest says what the code uses, no more and no less, and is valid."""

import ast
import dataclasses
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from bot.slack import names
from bot.slack.changes import Changes
from bot.slack.listeners import Listeners

ROOT = Path(__file__).parents[3]
MANIFEST: dict[str, Any] = yaml.safe_load((ROOT / "manifest.yml").read_text(encoding="utf-8"))
SCHEMA = json.loads(
    (ROOT / "tests/fixtures/slack/schemas_manifest.schema.1.0.0.json").read_text(encoding="utf-8")
)
# The scope of each Web API method that we call; None: it needs none.
SCOPES = {
    "auth_test": None,
    "apps_connections_open": None,
    "bots_info": "users:read",
    "users_info": "users:read",
    "users_lookupByEmail": "users:read.email",
    "usergroups_users_list": "usergroups:read",
    "conversations_info": "channels:read",
    "conversations_open": "im:write",
    "files_upload_v2": "files:write",
    "chat_postMessage": "chat:write",
    "chat_postEphemeral": "chat:write",
    "chat_update": "chat:write",
    "chat_getPermalink": None,
    "views_open": None,
    "views_push": None,
    "views_update": None,
    "views_publish": None,
}
FAMILIES = ("auth_", "bots_", "users_", "usergroups_", "chat_", "views_", "conversations_",
            "files_", "reactions_", "pins_", "team_", "apps_")  # fmt: skip


def calls() -> dict[str, set[str]]:
    """Web API methods called, each with the modules that call it."""
    found: dict[str, set[str]] = {}
    for path in [*(ROOT / "bot").glob("*.py"), *(ROOT / "bot" / "slack").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                name = node.func.attr
                is_client = ast.unparse(node.func.value).endswith("client")
                if name.startswith(FAMILIES) and is_client:
                    found.setdefault(name, set()).add(path.name)
    return found


def test_the_manifest_is_valid_by_slacks_schema() -> None:
    jsonschema.validate(MANIFEST, SCHEMA)


def test_the_schema_would_refuse_a_typo() -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({**MANIFEST, "setings": {}}, SCHEMA)


def test_every_method_called_has_its_scope_and_every_scope_its_use() -> None:
    assert set(calls()) == set(SCOPES)
    wanted = {scope for scope in SCOPES.values() if scope}
    wanted |= {"commands", "groups:read"}  # the latter for private channels
    assert set(MANIFEST["oauth_config"]["scopes"]["bot"]) == wanted


def test_only_the_publisher_speaks() -> None:
    for name, modules in calls().items():
        if name.startswith("chat_") or name == "views_publish":
            assert modules == {"publisher.py"}


def test_events_and_commands_are_those_that_have_listeners() -> None:
    assert set(MANIFEST["settings"]["event_subscriptions"]["bot_events"]) == set(names.EVENTS)
    commands = MANIFEST["features"]["slash_commands"]
    assert [one["command"] for one in commands] == [names.COMMAND]
    assert commands[0]["should_escape"] is True


def test_every_action_id_has_its_listener() -> None:
    listeners = Listeners.on_clicks.__get__(_Anything())()
    assert set(listeners) == set(names.ACTIONS)


def test_shortcuts_are_those_that_have_listeners() -> None:
    listeners = Listeners.on_shortcuts.__get__(_Anything())()
    named = {one["callback_id"]: one["type"] for one in MANIFEST["features"]["shortcuts"]}
    assert named == {names.SHORTCUT_INBOX: "global", names.SHORTCUT_DETAILS: "message"}
    assert set(listeners) == set(named)


def test_every_form_has_its_listener() -> None:
    listeners = Listeners.on_forms.__get__(_Anything())()
    assert set(listeners) == set(names.FORMS)


def test_menus_are_filled_from_the_same_address() -> None:
    interactivity = MANIFEST["settings"]["interactivity"]
    assert interactivity["message_menu_options_url"] == interactivity["request_url"]


class _Anything:
    """Stands for the parts of a listener, of which only the names are asked."""

    def __call__(self, *_: object) -> "_Anything":
        return self

    def __getattr__(self, name: str) -> "_Anything":
        return self


def test_events_are_registered_with_bolt() -> None:
    anything: Any = _Anything()
    parts = {part.name: anything for part in dataclasses.fields(Listeners)}
    changes = Changes(directory=None, channels=anything)
    bolt: Any = _Bolt()
    Listeners(**{**parts, "changes": changes}).register(bolt)
    assert bolt.events == set(names.EVENTS)


class _Bolt:
    """Notes the events that something listens to."""

    def __init__(self) -> None:
        self.events: set[str] = set()

    def event(self, name: str) -> Any:
        self.events.add(name)
        return lambda listener: listener

    def __getattr__(self, name: str) -> Any:
        return lambda *_: lambda listener: listener


def test_interactivity_and_the_home_tab_are_on() -> None:
    assert MANIFEST["settings"]["interactivity"]["is_enabled"] is True
    assert MANIFEST["features"]["app_home"]["home_tab_enabled"] is True
    url = MANIFEST["settings"]["interactivity"]["request_url"]
    assert url == MANIFEST["settings"]["event_subscriptions"]["request_url"]
    assert url == MANIFEST["features"]["slash_commands"][0]["url"]
