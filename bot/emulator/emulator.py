"""The door to the emulator for tests and the demo: one workspace, started and stopped.

Lives here: composition, the people's acts by name, views of the state, waiting until quiet.
Not here: anything of the app under test. Law: bound to loopback only; tokens and secrets are
made anew for each run and carry a prefix that real mode can refuse.
"""

from __future__ import annotations

import asyncio
import secrets
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from bot.emulator.delivery import AppLink, Courier
from bot.emulator.errors import MisuseError
from bot.emulator.faults import FaultScript
from bot.emulator.journal import Delivery, Journal
from bot.emulator.manifest import read_manifest
from bot.emulator.method import ApiContext
from bot.emulator.page import Backstage, Page
from bot.emulator.pulse import Pulse
from bot.emulator.rate_limit import RateLimiter
from bot.emulator.seeking import Seekers
from bot.emulator.seeking_facade import SeekingActs
from bot.emulator.server import Server
from bot.emulator.socket_mode import SocketGate
from bot.emulator.values import Clock, WorkspaceSeed, utc_now
from bot.emulator.webapi import Tokens, WebApi
from bot.emulator.workspace import Workspace

BOT_PREFIX, APP_PREFIX = "xoxb-emulated-", "xapp-emulated-"
_SHUTDOWN_S = 1.0
_POLL_S = 0.002


class Emulator(SeekingActs):
    """A Slack workspace on loopback. Use `start`, `connect`, the acts, `stop`."""

    def __init__(
        self,
        seed: WorkspaceSeed,
        manifest: Mapping[str, Any],
        *,
        clock: Clock = utc_now,
        signing_clock: Clock = utc_now,
        bot_token: str = "",
        app_token: str = "",
        signing_secret: str = "",
        ack_timeout_s: float = 3.0,
        retry_delays_s: tuple[float, ...] = (0.0, 60.0, 300.0),
        is_rate_limited: bool = False,
        busy: Callable[[], bool] | None = None,
    ) -> None:
        self.bot_token = bot_token or BOT_PREFIX + secrets.token_urlsafe(24)
        self.app_token = app_token or APP_PREFIX + secrets.token_urlsafe(24)
        self.signing_secret = signing_secret or f"emulated-{secrets.token_hex(16)}"
        self.busy = busy
        self.faults = FaultScript()
        self._link = AppLink(ack_timeout_s=ack_timeout_s, retry_delays_s=retry_delays_s)
        self._config = read_manifest(manifest)
        self._ws = Workspace(seed, clock=clock, app_name=self._config.name)
        self._pulse = Pulse()
        self._journal = Journal(self._pulse)
        self._sockets = SocketGate(self._pulse, ack_timeout_s=ack_timeout_s, app_id=seed.app_id)
        self._courier = Courier(
            signing_secret=self.signing_secret,
            clock=clock,
            signing_clock=signing_clock,
            faults=self.faults,
            journal=self._journal,
            pulse=self._pulse,
            sockets=self._sockets,
        )
        self._people = Seekers(
            self._ws, self._config, self._courier, pulse=self._pulse, origin=lambda: self.origin
        )
        self._limiter = RateLimiter(clock, is_on=is_rate_limited)
        self._port = 0
        self._runner: web.AppRunner | None = None

    @property
    def workspace(self) -> Workspace:
        """The state itself, for white-box checks."""
        return self._ws

    @property
    def origin(self) -> str:
        """The address, without a slash at its end."""
        if not self._port:
            raise MisuseError("the emulator is not started")
        return f"http://127.0.0.1:{self._port}"

    @property
    def base_url(self) -> str:
        """What an AsyncWebClient takes as `base_url`."""
        return f"{self.origin}/api/"

    @property
    def workspace_url(self) -> str:
        """The page."""
        return f"{self.origin}/"

    @property
    def sockets(self) -> SocketGate:
        """The Socket Mode side: `wait_for(n)`, `refresh()`."""
        return self._sockets

    def _server(self) -> Server:
        context = ApiContext(
            workspace=self._ws,
            config=self._config,
            origin=lambda: self.origin,
            issue_socket_url=self._socket_url,
        )
        api = WebApi(
            context,
            Tokens(bot=self.bot_token, app=self.app_token),
            faults=self.faults,
            journal=self._journal,
            pulse=self._pulse,
            limiter=self._limiter,
        )
        backstage = Backstage(
            workspace=self._ws,
            config=self._config,
            people=self._people,
            faults=self.faults,
            journal=self._journal,
            pulse=self._pulse,
            open_home=self._tell_home,
        )
        return Server(self._ws, api, self._sockets, Page(backstage), pulse=self._pulse)

    def _socket_url(self) -> str:
        return f"ws://127.0.0.1:{self._port}/link?ticket={self._sockets.issue_ticket()}"

    async def start(self, port: int = 0) -> None:
        """Serve on 127.0.0.1, on a free port unless one is given."""
        bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(("127.0.0.1", port))
        except OSError:
            bound.close()
            raise
        self._port = int(bound.getsockname()[1])
        application = self._server().application(lambda: self._port)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=_SHUTDOWN_S)
        await self._runner.setup()
        await web.SockSite(self._runner, bound).start()

    async def stop(self) -> None:
        """Close every connection and let the port go."""
        await self._courier.close()
        await self._sockets.refresh("link_disabled")
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def connect(
        self, *, request_url: str = "", socket_mode: bool = False, verify: bool = True
    ) -> None:
        """Say how the app is reached; over HTTP its URL is verified with a challenge first.

        Raises: MisuseError when the app does not echo the challenge.
        """
        self._courier.link = replace(self._link, request_url=request_url, is_socket=socket_mode)
        if socket_mode or not verify:
            return
        challenge = secrets.token_urlsafe(24)
        token = self._ws.seed.verification_token
        payload = {"token": token, "challenge": challenge, "type": "url_verification"}
        sent = await self._courier.send("url_verification", "url_verification", payload)
        answer = sent.answer
        echoed = answer.get("challenge") if isinstance(answer, dict) else answer
        if echoed != challenge:
            raise MisuseError(f"the request URL answered {sent.status} {sent.error} to a challenge")

    async def delivered(self, name: str) -> Delivery:
        """Wait until something of that name was delivered, and return the newest."""
        revision = self._pulse.revision
        while not self.deliveries(name):
            revision = await self._pulse.beyond(revision)
        return self.deliveries(name)[-1]

    async def settle(self, *, quiet_s: float = 0.02, within_s: float = 10.0) -> None:
        """Wait until nothing is in flight and the app is not busy, for `quiet_s` on end.

        Raises: TimeoutError when that does not come about within `within_s`.
        """
        deadline = time.monotonic() + within_s
        quiet_since, revision = time.monotonic(), self._pulse.revision
        while True:
            await asyncio.sleep(_POLL_S)
            now = time.monotonic()
            is_busy = self._pulse.in_flight > 0 or bool(self.busy and self.busy())
            if is_busy or self._pulse.revision != revision:
                quiet_since, revision = now, self._pulse.revision
            elif now - quiet_since >= quiet_s:
                return
            if now > deadline:
                raise TimeoutError(f"{self._pulse.in_flight} deliveries or calls are in flight")
