"""The emulator's HTTP surface: routes, the guard before them, sockets, uploads, response URLs.

Lives here: the aiohttp application. Not here: Web API methods, the page's endpoints (`page.py`).
Law: only this machine is served, and no other web page can act here: Host and Origin are checked,
acts need `application/json`, and the page may load nothing from elsewhere.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from urllib.parse import urlsplit

from aiohttp import BodyPartReader, web
from aiohttp.typedefs import Handler, Middleware

from bot.emulator.answers import say
from bot.emulator.errors import ApiRefusal
from bot.emulator.page import Page
from bot.emulator.pulse import Pulse
from bot.emulator.socket_mode import SocketGate
from bot.emulator.webapi import WebApi
from bot.emulator.workspace import Workspace

LOOPBACK = frozenset({"127.0.0.1", "localhost"})
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "connect-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
_LARGEST_BODY = 32 * 1024 * 1024


def is_ours(authority: str, port: int) -> bool:
    """Say whether `host:port` names this server on loopback."""
    parts = urlsplit(f"//{authority}")
    try:
        return parts.hostname in LOOPBACK and parts.port == port
    except ValueError:
        return False


def guard(port: Callable[[], int]) -> Middleware:
    """Build the middleware that refuses foreign hosts, foreign origins and forged acts."""

    @web.middleware
    async def refuse_strangers(request: web.Request, handler: Handler) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        scheme, _, authority = (origin or "").partition("://")
        if not is_ours(request.headers.get("Host", ""), port()):
            return web.Response(status=403, text="foreign Host")
        if origin is not None and (scheme != "http" or not is_ours(authority, port())):
            return web.Response(status=403, text="foreign Origin")
        is_act = request.method == "POST" and request.path.startswith("/ui/")
        if is_act and request.content_type != "application/json":
            return web.Response(status=415, text="application/json only")
        return await handler(request)

    return refuse_strangers


async def _add_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


class Server:
    """Routes of one emulator."""

    def __init__(
        self, workspace: Workspace, api: WebApi, sockets: SocketGate, page: Page, *, pulse: Pulse
    ) -> None:
        self._ws = workspace
        self._api = api
        self._sockets = sockets
        self._page = page
        self._pulse = pulse

    def application(self, port: Callable[[], int]) -> web.Application:
        """Build the application."""
        app = web.Application(middlewares=[guard(port)], client_max_size=_LARGEST_BODY)
        app.on_response_prepare.append(_add_headers)
        app.router.add_route("*", "/api/{method}", self._api.handle)
        app.router.add_get("/link", self._sockets.handle)
        app.router.add_post("/response/{name}", self._respond)
        app.router.add_post("/upload/{key}", self._upload)
        self._page.add_routes(app)
        return app

    async def _respond(self, request: web.Request) -> web.Response:
        with self._pulse.working():
            text = await request.text()
            try:
                answer = json.loads(text)
                hook = self._ws.capabilities.spend_hook(request.match_info["name"])
                say(self._ws, hook, answer if isinstance(answer, dict) else {})
            except ValueError:
                return web.Response(status=400, text="invalid_payload")
            except ApiRefusal as refusal:
                is_gone = refusal.code in {"expired_url", "used_url"}
                return web.json_response(refusal.body(), status=404 if is_gone else 400)
            return web.Response(text="ok")

    async def _upload(self, request: web.Request) -> web.Response:
        with self._pulse.working():
            content = b""
            if request.content_type.startswith("multipart/"):
                async for part in await request.multipart():
                    if isinstance(part, BodyPartReader):
                        content += bytes(await part.read())
            else:
                content = await request.read()
            stored = self._ws.fill_file(request.match_info["key"], content)
            if stored is None:
                return web.Response(status=404, text="unknown upload")
            return web.Response(text=f"OK - {len(content)}")
