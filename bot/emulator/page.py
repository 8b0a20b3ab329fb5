"""The page's endpoints: its files, its state, its acts, its live feed.

Lives here: `/` and `/ui/*`. Not here: who may reach them (`server.py`), what people can do
(`acts.py`). Law: the page has no power that a test does not have.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiohttp import web

from bot.emulator.acts import ActResult
from bot.emulator.errors import MisuseError
from bot.emulator.faults import FaultKind, FaultScript
from bot.emulator.journal import Journal
from bot.emulator.manifest import AppConfig
from bot.emulator.messages import Ephemeral, Message, MessageVersion
from bot.emulator.pulse import Pulse
from bot.emulator.seeking import Seekers
from bot.emulator.snapshot import detail, directory, drawer, seen_by
from bot.emulator.values import JsonObject
from bot.emulator.workspace import Workspace

_FILES = Path(__file__).parent / "ui"
_TYPES = {".js": "text/javascript", ".css": "text/css", ".html": "text/html"}
_NAMES = frozenset(one.name for one in _FILES.iterdir() if one.suffix in _TYPES)
_IMAGE_MARKS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"GIF8": "image/gif"}
_HEARTBEAT_S = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Backstage:
    """What the page shows and works on."""

    workspace: Workspace
    config: AppConfig
    people: Seekers
    faults: FaultScript
    journal: Journal
    pulse: Pulse
    open_home: Callable[[str], Awaitable[None]]


class Page:
    """The browser's side of the emulator."""

    def __init__(self, backstage: Backstage) -> None:
        self._b = backstage
        self._streams: set[asyncio.Task[Any]] = set()

    def add_routes(self, app: web.Application) -> None:
        """Add the page to an application."""
        app.router.add_get("/", self._file)
        app.router.add_get("/ui/{file:[a-z]+\\.(?:js|css)}", self._file)
        app.router.add_get("/ui/state", self._state)
        app.router.add_get("/ui/detail/{number:\\d+}", self._detail)
        app.router.add_get("/ui/file/{id}", self._stored_file)
        app.router.add_get("/ui/events", self._events)
        app.router.add_post("/ui/act/{act}", self._act)
        app.on_shutdown.append(self._stop_streams)

    async def _file(self, request: web.Request) -> web.Response:
        name = request.match_info.get("file", "index.html")
        if name not in _NAMES:
            raise web.HTTPNotFound
        kind = _TYPES[Path(name).suffix]
        return web.Response(body=_read(name), content_type=kind, charset="utf-8")

    async def _state(self, request: web.Request) -> web.Response:
        b = self._b
        user = request.query.get("user", "")
        if user not in b.workspace.users:
            user = next(u.id for u in b.workspace.users.values() if not u.is_bot)
        state = {
            "revision": b.pulse.revision,
            **directory(b.workspace, b.config),
            **seen_by(b.workspace, user, request.query.get("channel", "")),
            "drawer": drawer(b.journal, b.faults),
        }
        return web.json_response(state)

    async def _detail(self, request: web.Request) -> web.Response:
        found = detail(self._b.journal, int(request.match_info["number"]))
        return web.json_response(found, status=200 if found else 404)

    async def _stored_file(self, request: web.Request) -> web.Response:
        stored = self._b.workspace.files.get(request.match_info["id"])
        if stored is None or not stored.is_complete:
            raise web.HTTPNotFound
        kinds = (t for mark, t in _IMAGE_MARKS.items() if stored.content.startswith(mark))
        kind = next(kinds, "application/octet-stream")
        return web.Response(body=stored.content, content_type=kind)

    async def _events(self, request: web.Request) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        task = asyncio.current_task()
        if task is not None:
            self._streams.add(task)
            task.add_done_callback(self._streams.discard)
        seen = -1
        try:
            while True:
                try:
                    seen = await asyncio.wait_for(self._b.pulse.beyond(seen), _HEARTBEAT_S)
                    await stream.write(f"data: {seen}\n\n".encode())
                except TimeoutError:
                    await stream.write(b": still here\n\n")
        except (ConnectionResetError, asyncio.CancelledError):
            return stream

    async def _stop_streams(self, app: web.Application) -> None:
        for task in list(self._streams):
            task.cancel()

    async def _act(self, request: web.Request) -> web.Response:
        acts: dict[str, Callable[[JsonObject], Awaitable[ActResult | list[JsonObject] | None]]] = {
            "suggest": self._suggest,
            "click": self._click,
            "view": self._view,
            "submit": self._submit,
            "close": self._close,
            "type": self._type,
            "home": self._home,
            "dismiss": self._dismiss,
            "fault": self._fault,
        }
        act = acts.get(request.match_info["act"])
        if act is None:
            raise web.HTTPNotFound
        try:
            told = await request.json()
            result = await act(told)
        except MisuseError as error:
            return web.json_response({"misuse": str(error)}, status=409)
        except (KeyError, TypeError, ValueError) as error:
            return web.json_response({"misuse": f"malformed act: {error}"}, status=400)
        self._b.pulse.touch()
        if result is None:
            return web.json_response({})
        if isinstance(result, list):
            return web.json_response({"options": result})
        shown = {"banner": result.banner, "errors": dict(result.errors), "status": result.status}
        return web.json_response(shown)

    async def _click(self, told: JsonObject) -> ActResult:
        board = self._b.workspace.board
        ts, channel = str(told["ts"]), str(told["channel"])
        shown: Message | Ephemeral | None = board.find(channel, ts) or board.ephemeral(ts)
        if shown is None:
            raise MisuseError("that message is gone")
        version: MessageVersion | None = None
        if isinstance(shown, Message):
            given = told.get("version")
            version = shown.versions[int(given)] if given is not None else shown.current
            is_old = len(shown.versions) > 1 and given is None
            if is_old and self._b.faults.take(frozenset({FaultKind.STALE_CLICK}), "block_actions"):
                version = shown.versions[-2]
        return await self._b.people.click_message(
            str(told["user"]),
            shown,
            str(told["action_id"]),
            value=told.get("value"),
            block_id=str(told.get("block_id") or ""),
            version=version,
        )

    async def _view(self, told: JsonObject) -> ActResult:
        return await self._b.people.click_view(
            str(told["user"]),
            str(told["view_id"]),
            str(told["action_id"]),
            value=told.get("value"),
            block_id=str(told.get("block_id") or ""),
        )

    async def _submit(self, told: JsonObject) -> ActResult:
        values = told.get("values") or {}
        return await self._b.people.submit(str(told["user"]), str(told["view_id"]), values)

    async def _suggest(self, told: JsonObject) -> list[JsonObject]:
        where = str(told["view_id"]), str(told["action_id"])
        return await self._b.people.suggest(str(told["user"]), *where, str(told["typed"]))

    async def _close(self, told: JsonObject) -> ActResult:
        return await self._b.people.close_view(str(told["user"]), str(told["view_id"]))

    async def _type(self, told: JsonObject) -> ActResult | None:
        user, channel, text = str(told["user"]), str(told["channel"]), str(told["text"]).strip()
        if self._b.workspace.channel(channel).is_archived:
            raise MisuseError("the channel is archived")
        if not text.startswith("/"):
            self._b.people.say(user, channel, text)
            return None
        name, _, rest = text.partition(" ")
        return await self._b.people.command(user, channel, name, rest.strip())

    async def _home(self, told: JsonObject) -> None:
        await self._b.open_home(str(told["user"]))

    async def _dismiss(self, told: JsonObject) -> None:
        self._b.workspace.board.dismiss(str(told["ts"]))

    async def _fault(self, told: JsonObject) -> None:
        if told.get("clear"):
            self._b.faults.clear()
            return
        self._b.faults.add(
            FaultKind(told["kind"]),
            on=str(told.get("on") or "*"),
            error=str(told.get("error") or "internal_error"),
            delay_s=float(told.get("delay_s") or 0),
        )


def _read(name: str) -> bytes:
    return (_FILES / name).read_bytes()
