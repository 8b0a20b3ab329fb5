"""Deliveries to the app: signed HTTP or a socket envelope, with retries and faults.

Lives here: encoding, sending, recording, retrying events, replaying bytes.
Not here: what a payload says (`payloads.py`), what an answer does (`answers.py`).
Law: events are retried three times unless the app says no; interactions never are over HTTP.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias, cast
from urllib.parse import urlencode, urlsplit

import aiohttp

from bot.emulator.errors import MisuseError
from bot.emulator.faults import CUTS, ON_DELIVERIES, Fault, FaultKind, FaultScript, forge
from bot.emulator.journal import Delivery, Journal
from bot.emulator.pulse import Pulse
from bot.emulator.signing import signed_headers
from bot.emulator.socket_mode import SocketGate
from bot.emulator.values import Clock, JsonObject

Kind: TypeAlias = Literal["interactive", "slash_commands", "events_api", "url_verification"]
RETRY_REASON = {"timeout": "http_timeout", "connection": "connection_failed"}
_OK, _REDIRECT = 200, 300


@dataclass(frozen=True, slots=True, kw_only=True)
class AppLink:
    """Where and how the app is reached."""

    request_url: str = ""
    is_socket: bool = False
    ack_timeout_s: float = 3.0
    retry_delays_s: tuple[float, ...] = (0.0, 60.0, 300.0)


def encode(kind: Kind, payload: JsonObject) -> tuple[bytes, str]:
    """Encode a payload as Slack does for its kind: the body and its content type."""
    if kind in {"events_api", "url_verification"}:
        return json.dumps(payload).encode(), "application/json"
    fields = payload if kind == "slash_commands" else {"payload": json.dumps(payload)}
    return urlencode(fields).encode(), "application/x-www-form-urlencoded"


class Courier:
    """Carries payloads to the app and keeps a record of each."""

    def __init__(
        self,
        *,
        signing_secret: str,
        clock: Clock,
        signing_clock: Clock,
        faults: FaultScript,
        journal: Journal,
        pulse: Pulse,
        sockets: SocketGate,
    ) -> None:
        self.link = AppLink()
        self.attempts = 2
        """How often an envelope is sent while nobody acknowledges it."""
        self._secret = signing_secret
        self._clock = clock
        self._signing_clock = signing_clock
        self._faults = faults
        self._journal = journal
        self._pulse = pulse
        self._sockets = sockets
        self._session: aiohttp.ClientSession | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    async def send(self, kind: Kind, name: str, payload: JsonObject) -> Delivery:
        """Deliver once, with the faults ordered for this kind or name."""
        fault = self._faults.take(ON_DELIVERIES - {FaultKind.STALE_CLICK}, name, kind)
        forged = forge(payload, fault)
        with self._pulse.working():
            sent = await self._attempt(kind, name, forged, fault, {})
            if fault and fault.kind is FaultKind.DUPLICATE:
                extra = {"X-Slack-Retry-Num": "1", "X-Slack-Retry-Reason": "http_timeout"}
                await self._attempt(kind, name, forged, fault, extra)
        return sent

    def announce(self, event_type: str, payload: JsonObject) -> None:
        """Deliver an event in the background, retrying until the app takes it."""
        task = asyncio.get_running_loop().create_task(self._insist(event_type, payload))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _insist(self, name: str, payload: JsonObject) -> None:
        sent = await self.send("events_api", name, payload)
        if self.link.is_socket:
            return
        for number, delay_s in enumerate(self.link.retry_delays_s, start=1):
            if _is_taken(sent):
                return
            if delay_s:
                await asyncio.sleep(delay_s)
            headers = {
                "X-Slack-Retry-Num": str(number),
                "X-Slack-Retry-Reason": RETRY_REASON.get(sent.error, "http_error"),
            }
            with self._pulse.working():
                sent = await self._attempt("events_api", name, payload, None, headers)

    async def replay(self, delivery: Delivery) -> Delivery:
        """Send the very same bytes and headers again.

        Raises: MisuseError for a delivery that went over a socket.
        """
        if delivery.transport != "http":
            raise MisuseError("a socket envelope has no bytes to replay")
        with self._pulse.working():
            return await self._post(replace(delivery, fault="replay"))

    async def _attempt(
        self,
        kind: Kind,
        name: str,
        payload: JsonObject,
        fault: Fault | None,
        extra: Mapping[str, str],
    ) -> Delivery:
        body, content_type = encode(kind, payload)
        effect = fault.kind if fault else None
        signed = signed_headers(self._secret, body, at=self._signing_clock(), fault=effect)
        draft = Delivery(
            number=0,
            at=self._clock(),
            kind=kind,
            name=name,
            transport="socket" if self.link.is_socket else "http",
            payload=payload,
            headers={"Content-Type": content_type, **signed, **extra},
            body=body,
            status=None,
            answer=None,
            error="",
            elapsed_ms=0.0,
            fault=effect.value if effect else "",
        )
        if effect is FaultKind.LOST:
            return self._record(replace(draft, error="lost"), time.perf_counter())
        if self.link.is_socket:
            return await self._wire(draft, effect if effect in CUTS else None)
        if effect in CUTS:
            return await self._cut(draft, is_answered=effect is FaultKind.CUT_AFTER_ACK)
        return await self._post(draft)

    async def _cut(self, draft: Delivery, *, is_answered: bool) -> Delivery:
        """Send it whole and hang up: before the answer, or when that begins to arrive."""
        started = time.perf_counter()
        url = urlsplit(self.link.request_url)
        reader, writer = await asyncio.open_connection(url.hostname, url.port)
        lines = [f"POST {url.path} HTTP/1.1", f"Host: {url.netloc}", "Connection: close"]
        lines += [f"{name}: {value}" for name, value in draft.headers.items()]
        lines += [f"Content-Length: {len(draft.body)}", "", ""]
        writer.write("\r\n".join(lines).encode() + draft.body)
        await writer.drain()
        if is_answered:
            await reader.read(1)
        writer.close()
        return self._record(replace(draft, error="connection"), started)

    async def _post(self, draft: Delivery) -> Delivery:
        started = time.perf_counter()
        if not self.link.request_url:
            return self._record(replace(draft, error="connection"), started)
        session = self._open_session()
        try:
            async with session.post(
                self.link.request_url,
                data=draft.body,
                headers=dict(draft.headers),
                timeout=aiohttp.ClientTimeout(total=self.link.ack_timeout_s),
                allow_redirects=False,
            ) as response:
                answer = _parsed(await response.text(), response.content_type)
                done = replace(draft, status=response.status, answer=answer, error="")
                refusal = response.headers.get("X-Slack-No-Retry", "")
                if refusal:
                    done = replace(done, error="no_retry")
        except TimeoutError:
            done = replace(draft, status=None, answer=None, error="timeout")
        except aiohttp.ClientError:
            done = replace(draft, status=None, answer=None, error="connection")
        return self._record(done, started)

    async def _wire(self, draft: Delivery, cut: FaultKind | None) -> Delivery:
        started = time.perf_counter()
        ack = await self._sockets.send(draft.kind, draft.payload, attempts=self.attempts, cut=cut)
        error = "timeout" if ack.is_connected else "connection"
        done = replace(
            draft,
            headers={},
            status=_OK if ack.is_acked else None,
            answer=ack.payload,
            error="" if ack.is_acked else error,
        )
        return self._record(done, started)

    def _record(self, draft: Delivery, started: float) -> Delivery:
        elapsed_ms = (time.perf_counter() - started) * 1000
        done = replace(draft, number=self._journal.next_number(), elapsed_ms=elapsed_ms)
        self._journal.record_delivery(done)
        return done

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(trust_env=False)
        return self._session

    async def close(self) -> None:
        """Stop retrying and let go of connections."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()
            self._session = None


def is_accepted(delivery: Delivery) -> bool:
    """Say whether the app answered with a 2xx status, or acknowledged its envelope."""
    return delivery.status is not None and _OK <= delivery.status < _REDIRECT


def _is_taken(delivery: Delivery) -> bool:
    return is_accepted(delivery) or delivery.error in {"no_retry", "lost"}


def _parsed(text: str, content_type: str) -> object:
    if content_type == "application/json" and text:
        try:
            return cast("object", json.loads(text))
        except ValueError:
            return text
    return text
