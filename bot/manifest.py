"""The Slack app's manifest, as data, for any address and mode.

Lives here: finding and reading ``manifest.yml``, in a checkout or installed, and making it one's
own. Must not live here: what its parts mean. Law: what Slack is told is what the code uses; tests
hold them equal, and ``manifest.yml`` is what is made for its own placeholder.
"""

from copy import deepcopy
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from governance.errors import Code, InvalidInput

NAME = "manifest.yml"
EVENTS_PATH = "/slack/events"
PLACEHOLDER = "https://placet.example.com"


def manifest_text() -> str:
    """The manifest's YAML."""
    installed = files("bot").joinpath(NAME)
    if installed.is_file():
        return installed.read_text(encoding="utf-8")
    return (Path(__file__).parent.parent / NAME).read_text(encoding="utf-8")


def manifest() -> dict[str, Any]:
    """The manifest as a mapping."""
    loaded: dict[str, Any] = yaml.safe_load(manifest_text())
    return loaded


def for_address(url: str, *, is_socket: bool) -> dict[str, Any]:
    """The manifest of an app that is reached at ``url``, or over a socket, which needs none.

    Raises:
        InvalidInput: ``invalid_field``: Slack would not call this address.
    """
    made = deepcopy(manifest())
    target = None if is_socket else _request_url(url or PLACEHOLDER)
    settings = made["settings"]
    settings["socket_mode_enabled"] = is_socket
    for holder, key in (
        (settings["event_subscriptions"], "request_url"),
        (settings["interactivity"], "request_url"),
        (settings["interactivity"], "message_menu_options_url"),
        *((command, "url") for command in made["features"]["slash_commands"]),
    ):
        if key in holder:
            if target is None:
                del holder[key]
            else:
                holder[key] = target
    return made


def to_yaml(made: dict[str, Any]) -> str:
    """A manifest as Slack's settings page takes it."""
    return yaml.safe_dump(made, sort_keys=False, allow_unicode=True, width=100)


def request_url(path: Path | None) -> str:
    """The request URL in somebody's own copy; empty where it has none, or the placeholder's.

    Raises:
        InvalidInput: ``invalid_field``: there is no such file, or it is no manifest.
    """
    if path is None:
        return ""
    try:
        read = yaml.safe_load(path.read_text(encoding="utf-8"))
        url = read["settings"]["event_subscriptions"].get("request_url") or ""
    except (OSError, ValueError, KeyError, TypeError, AttributeError, yaml.YAMLError) as error:
        message = f"{path} cannot be read as a manifest ({type(error).__name__})"
        raise InvalidInput(Code.INVALID_FIELD, message) from error
    return "" if str(url).startswith(PLACEHOLDER) else str(url)


def _request_url(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        is_whole = parts.scheme == "https" and bool(parts.hostname) and not parts.query
    except ValueError:
        is_whole = False
    if not is_whole:
        raise InvalidInput(
            Code.INVALID_FIELD,
            "Slack calls https addresses only: give https://HOST",
            pointer="/url",
        )
    bare = url.strip().rstrip("/")
    return bare if bare.endswith(EVENTS_PATH) else bare + EVENTS_PATH
