"""Checks of the Slack app's manifest against what the code uses.

Lives here: where the manifest is, and findings about it. Must not live here: the names of
commands and events (``bot.slack.names``). Law: what the code needs and the manifest lacks is a
problem; what it asks for beyond that is said.
"""

from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path

from bot.bundles import Source, read
from bot.cli.checks.findings import Finding, Level
from bot.settings import Settings, SlackMode
from bot.slack.names import COMMAND, EVENTS
from governance.canonical import Json
from governance.errors import InvalidInput

AREA = "manifest"
SCOPES = frozenset(
    {
        "channels:read",
        "chat:write",
        "commands",
        "files:write",
        "groups:read",
        "im:write",
        "usergroups:read",
        "users:read",
        "users:read.email",
    }
)
"""Bot scopes that the code's calls need."""
_PLACEHOLDER = "placet.example.com"
_SCOPES_AT = "/oauth_config/scopes/bot"
_EVENTS_AT = "/settings/event_subscriptions/bot_events"
_URLS_AT = (
    "/settings/event_subscriptions/request_url",
    "/settings/interactivity/request_url",
)


def packaged() -> Path:
    """The manifest that comes with the product: inside the package, or beside it in a checkout."""
    package = resources.files("bot")
    inside = Path(str(package.joinpath("manifest.yml")))
    return inside if inside.is_file() else inside.parent.parent / "manifest.yml"


def findings(path: Path, settings: Settings) -> Iterator[Finding]:
    """Everything to be said about the manifest at ``path``."""
    try:
        source = read(path)
    except InvalidInput as error:
        place, _, text = error.message.partition(": ")
        yield Finding(area=AREA, level=Level.PROBLEM, text=text, place=place)
        return
    yield from _names(source, _SCOPES_AT, "bot scope", SCOPES)
    yield from _names(source, _EVENTS_AT, "event", frozenset(EVENTS))
    yield from _command(source)
    yield from _mode(source, settings)


def _names(source: Source, pointer: str, what: str, needed: frozenset[str]) -> Iterator[Finding]:
    given = {item for item in _list(source, pointer) if isinstance(item, str)}
    place = str(source.mark(pointer))
    if lacking := sorted(needed - given):
        text = f"{what} {', '.join(lacking)} is missing; the app cannot work without"
        yield Finding(area=AREA, level=Level.PROBLEM, text=text, place=place)
    if beyond := sorted(given - needed):
        text = f"{what} {', '.join(beyond)} is asked for and not used; leave it out"
        yield Finding(area=AREA, level=Level.WARNING, text=text, place=place)


def _command(source: Source) -> Iterator[Finding]:
    pointer = "/features/slash_commands"
    for number, item in enumerate(_list(source, pointer)):
        if isinstance(item, Mapping) and item.get("command") == COMMAND:
            if item.get("should_escape") is not True:
                yield Finding(
                    area=AREA,
                    level=Level.PROBLEM,
                    text=f"{COMMAND} needs should_escape: true, or people in it are only names",
                    place=str(source.mark(f"{pointer}/{number}")),
                )
            return
    yield Finding(
        area=AREA,
        level=Level.PROBLEM,
        text=f"the slash command {COMMAND} is missing",
        place=str(source.mark(pointer)),
    )


def _mode(source: Source, settings: Settings) -> Iterator[Finding]:
    is_socket = _at(source.mapping, "/settings/socket_mode_enabled") is True
    if settings.slack_mode is SlackMode.SOCKET and not is_socket:
        yield Finding(
            area=AREA,
            level=Level.PROBLEM,
            text="socket mode is set, and the manifest does not enable it: socket_mode_enabled",
            place=str(source.mark("/settings/socket_mode_enabled")),
        )
    if settings.slack_mode is not SlackMode.HTTP:
        return
    if is_socket:
        yield Finding(
            area=AREA,
            level=Level.PROBLEM,
            text="http mode is set, and the manifest enables socket mode: Slack would not call",
            place=str(source.mark("/settings/socket_mode_enabled")),
        )
    for pointer in _URLS_AT:
        url = _at(source.mapping, pointer)
        if not isinstance(url, str) or not url.startswith("https://") or _PLACEHOLDER in url:
            yield Finding(
                area=AREA,
                level=Level.WARNING,
                text="Slack needs the https address under which it reaches you here (this is a "
                "placeholder); give your copy with --manifest",
                place=str(source.mark(pointer)),
            )


def _at(value: Json, pointer: str) -> Json:
    for key in pointer.split("/")[1:]:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _list(source: Source, pointer: str) -> Sequence[Json]:
    value = _at(source.mapping, pointer)
    return value if isinstance(value, Sequence) and not isinstance(value, str) else ()
