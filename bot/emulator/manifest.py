"""What the app's manifest grants it, read from data the caller gives.

Lives here: the parse of scopes, commands, events and switches. Not here: enforcement.
Law: what the manifest does not name is not granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class SlashCommand:
    """A command that people can type."""

    name: str
    description: str
    usage_hint: str
    should_escape: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AppConfig:
    """The manifest, as far as a workspace acts on it."""

    name: str
    scopes: frozenset[str]
    commands: Mapping[str, SlashCommand]
    events: frozenset[str]
    is_interactive: bool
    is_home_enabled: bool
    is_messages_tab_disabled: bool
    shortcuts: Mapping[str, str] = field(default_factory=dict)
    """Callback id -> ``global`` or ``message``."""
    has_options_url: bool = False


def _part(data: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    for name in path:
        data = data.get(name) or {}
    return data


def _has_options_url(settings: Mapping[str, Any]) -> bool:
    """Whether menus may be filled: over a socket no address is needed."""
    is_socket = bool(settings.get("socket_mode_enabled"))
    return is_socket or bool(_part(settings, "interactivity").get("message_menu_options_url"))


def read_manifest(data: Mapping[str, Any]) -> AppConfig:
    """Read a manifest given as a mapping (its YAML or JSON already parsed)."""
    features = _part(data, "features")
    home = _part(features, "app_home")
    commands = [
        SlashCommand(
            name=str(one["command"]),
            description=str(one.get("description", "")),
            usage_hint=str(one.get("usage_hint", "")),
            should_escape=bool(one.get("should_escape", False)),
        )
        for one in features.get("slash_commands") or ()
    ]
    bot_name = _part(features, "bot_user").get("display_name")
    return AppConfig(
        name=str(bot_name or _part(data, "display_information").get("name", "app")),
        scopes=frozenset(_part(data, "oauth_config", "scopes").get("bot") or ()),
        commands={one.name: one for one in commands},
        events=frozenset(_part(data, "settings", "event_subscriptions").get("bot_events") or ()),
        is_interactive=bool(_part(data, "settings", "interactivity").get("is_enabled", False)),
        is_home_enabled=bool(home.get("home_tab_enabled", False)),
        is_messages_tab_disabled=home.get("messages_tab_enabled") is False,
        shortcuts={
            str(one["callback_id"]): str(one["type"]) for one in features.get("shortcuts") or ()
        },
        has_options_url=_has_options_url(_part(data, "settings")),
    )
