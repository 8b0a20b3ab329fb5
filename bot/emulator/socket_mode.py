"""Socket Mode: envelopes over WebSockets, acknowledged, redelivered, refreshed.

Lives here: the connections and the wait for an acknowledgement.
Not here: what is in an envelope (`payloads.py`), who may connect (`apps.connections.open`).
Law: an envelope goes to one connection at a time; unacknowledged, it is sent again, elsewhere
when there is another connection, and says so.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
from dataclasses import dataclass

from aiohttp import WSMsgType, web

from bot.emulator.faults import FaultKind
from bot.emulator.pulse import Pulse
from bot.emulator.values import JsonObject

MAX_CONNECTIONS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Acknowledged:
    """What an app answered over its socket; `is_acked` false when nobody did in time."""

    is_acked: bool
    payload: object = None
    is_connected: bool = True
    attempts: int = 0


class SocketGate:
    """The WebSocket side of an app."""

    def __init__(self, pulse: Pulse, *, ack_timeout_s: float, app_id: str) -> None:
        self._pulse = pulse
        self._ack_timeout_s = ack_timeout_s
        self._app_id = app_id
        self._tickets: set[str] = set()
        self._connections: list[web.WebSocketResponse] = []
        self._waiting: dict[str, asyncio.Future[object]] = {}
        self._turn = 0

    @property
    def connections(self) -> int:
        """How many sockets stand open."""
        return len(self._connections)

    def issue_ticket(self) -> str:
        """Hand out the right to connect once."""
        ticket = secrets.token_urlsafe(18)
        self._tickets.add(ticket)
        return ticket

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one connection until it closes."""
        ticket = request.query.get("ticket", "")
        if ticket not in self._tickets or len(self._connections) >= MAX_CONNECTIONS:
            return web.Response(status=403, text="link refused")
        self._tickets.discard(ticket)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        await socket.send_json(
            {
                "type": "hello",
                "num_connections": len(self._connections) + 1,
                "connection_info": {"app_id": self._app_id},
                "debug_info": {"host": "emulator", "approximate_connection_time": 3600},
            }
        )
        self._connections.append(socket)
        self._pulse.touch()
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    self._receive(message.data)
        finally:
            if socket in self._connections:
                self._connections.remove(socket)
            self._pulse.touch()
        return socket

    def _receive(self, text: str) -> None:
        try:
            answer = json.loads(text)
        except ValueError:
            return
        waiter = self._waiting.get(answer.get("envelope_id", ""))
        if waiter is not None and not waiter.done():
            waiter.set_result(answer.get("payload"))

    def _next(self, tried: list[web.WebSocketResponse]) -> web.WebSocketResponse | None:
        if not self._connections:
            return None
        fresh = [one for one in self._connections if one not in tried] or self._connections
        self._turn += 1
        return fresh[self._turn % len(fresh)]

    async def send(
        self, kind: str, payload: JsonObject, *, attempts: int, cut: FaultKind | None = None
    ) -> Acknowledged:
        """Send an envelope until it is acknowledged, at most `attempts` times.

        A `cut` ends the first connection before it can answer, or with its answer unread.
        """
        envelope_id = secrets.token_hex(16)
        waiter: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._waiting[envelope_id] = waiter
        tried: list[web.WebSocketResponse] = []
        try:
            for attempt in range(attempts):
                socket = self._next(tried)
                if socket is None:
                    return Acknowledged(is_acked=False, is_connected=bool(tried), attempts=attempt)
                tried.append(socket)
                envelope = {
                    "envelope_id": envelope_id,
                    "type": kind,
                    "payload": payload,
                    "accepts_response_payload": kind != "events_api",
                    "retry_attempt": attempt,
                    "retry_reason": "timeout" if attempt else "",
                }
                try:
                    await socket.send_json(envelope)
                except ConnectionResetError:
                    continue
                if cut and not attempt:
                    await self._cut(socket, waiter, is_answered=cut is FaultKind.CUT_AFTER_ACK)
                    waiter = asyncio.get_running_loop().create_future()
                    self._waiting[envelope_id] = waiter
                    continue
                done, _ = await asyncio.wait({waiter}, timeout=self._ack_timeout_s)
                if done:
                    answer = waiter.result()
                    return Acknowledged(is_acked=True, payload=answer, attempts=attempt + 1)
            return Acknowledged(is_acked=False, attempts=attempts)
        finally:
            del self._waiting[envelope_id]

    async def _cut(
        self, socket: web.WebSocketResponse, waiter: asyncio.Future[object], *, is_answered: bool
    ) -> None:
        """Hang up, and wait until the app has come back."""
        if is_answered:
            await asyncio.wait({waiter}, timeout=self._ack_timeout_s)
        if socket in self._connections:
            self._connections.remove(socket)
        await socket.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.wait_for(1), self._ack_timeout_s)

    async def wait_for(self, connections: int) -> None:
        """Wait until so many sockets stand open."""
        revision = self._pulse.revision
        while len(self._connections) < connections:
            revision = await self._pulse.beyond(revision)

    async def refresh(self, reason: str = "refresh_requested") -> None:
        """Tell every connection to come back, and close it."""
        for socket in list(self._connections):
            told = {"type": "disconnect", "reason": reason, "debug_info": {}}
            with contextlib.suppress(ConnectionResetError):
                await socket.send_json(told)
            await socket.close()
