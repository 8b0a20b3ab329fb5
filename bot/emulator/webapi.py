"""The Web API over HTTP: tokens, scopes, rate limits, faults, and the record of every call.

Lives here: one dispatch for all methods. Not here: what a method does (`api_*.py`).
Law: Slack's refusals are HTTP 200 with `ok: false`; only faults and rate limits differ.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from bot.emulator import api_chat, api_conversations, api_people, api_views
from bot.emulator.errors import ApiRefusal
from bot.emulator.faults import ON_CALLS, Fault, FaultKind, FaultScript
from bot.emulator.journal import ApiCall, Journal
from bot.emulator.method import ApiContext, Method
from bot.emulator.params import Params
from bot.emulator.pulse import Pulse
from bot.emulator.rate_limit import RateLimiter
from bot.emulator.values import JsonObject

METHODS: dict[str, Method] = {
    method.name: method
    for family in (api_chat, api_conversations, api_people, api_views)
    for method in family.METHODS
}
_SECRETS = frozenset({"token"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The two tokens that open this workspace."""

    bot: str
    app: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reply:
    status: int
    body: JsonObject
    fault: str = ""
    retry_after_s: int = 0
    is_html: bool = False
    is_dropped: bool = False


class WebApi:
    """Answers `/api/{method}`."""

    def __init__(
        self,
        context: ApiContext,
        tokens: Tokens,
        *,
        faults: FaultScript,
        journal: Journal,
        pulse: Pulse,
        limiter: RateLimiter,
    ) -> None:
        self.context = context
        self.tokens = tokens
        self._faults = faults
        self._journal = journal
        self._pulse = pulse
        self._limiter = limiter

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one call."""
        name = request.match_info["method"]
        started = time.perf_counter()
        with self._pulse.working():
            raw = await read_parameters(request)
            token = bearer(request, raw)
            fault = self._faults.take(ON_CALLS, name)
            if fault and fault.kind is FaultKind.SLOW:
                await asyncio.sleep(fault.delay_s)
            reply = self._reply(name, Params(raw), token, fault)
            self._journal.record_call(
                ApiCall(
                    number=self._journal.next_number(),
                    at=self.context.workspace.clock(),
                    method=name,
                    params={k: v for k, v in raw.items() if k not in _SECRETS},
                    status=reply.status,
                    response=reply.body,
                    elapsed_ms=(time.perf_counter() - started) * 1000,
                    fault=reply.fault,
                )
            )
            return self._send(request, reply)

    def _send(self, request: web.Request, reply: _Reply) -> web.StreamResponse:
        if reply.is_dropped:
            if request.transport is not None:
                request.transport.abort()
            return web.Response(status=reply.status)
        if reply.is_html:
            page = "<html><body><h1>503 Service Unavailable</h1></body></html>"
            return web.Response(status=reply.status, text=page, content_type="text/html")
        headers = {"X-OAuth-Scopes": ",".join(sorted(self.context.config.scopes))}
        if reply.retry_after_s:
            headers["Retry-After"] = str(reply.retry_after_s)
        return web.json_response(reply.body, status=reply.status, headers=headers)

    def _reply(self, name: str, params: Params, token: str, fault: Fault | None) -> _Reply:
        kind = fault.kind if fault else None
        label = kind.value if kind else ""
        match kind:
            case FaultKind.RATE_LIMITED:
                wait = fault.retry_after_s if fault else 1
                return _limited(wait, label)
            case FaultKind.SERVER_ERROR:
                return _Reply(status=500, body=_refusal("internal_error"), fault=label)
            case FaultKind.UNAVAILABLE:
                body = _refusal("service_unavailable")
                return _Reply(status=503, body=body, fault=label, is_html=True)
            case FaultKind.REFUSED:
                body = _refusal(fault.error if fault else "")
                return _Reply(status=200, body=body, fault=label)
            case FaultKind.DROP_BEFORE:
                body = _refusal("connection_dropped")
                return _Reply(status=500, body=body, fault=label, is_dropped=True)
            case _:
                pass
        try:
            wait = self._limited_s(name, params)
            if wait:
                return _limited(wait, label)
            body = {"ok": True, **self._run(name, params, token)}
        except ApiRefusal as refusal:
            body = refusal.body()
        dropped = kind is FaultKind.DROP_AFTER
        return _Reply(status=200, body=body, fault=label, is_dropped=dropped)

    def _limited_s(self, name: str, params: Params) -> int:
        method = METHODS.get(name)
        return self._limiter.wait_s(name, method.tier, params.text("channel")) if method else 0

    def _run(self, name: str, params: Params, token: str) -> JsonObject:
        method = METHODS.get(name)
        if method is None:
            raise ApiRefusal("unknown_method", req_method=name)
        self.authorize(method, token)
        self.context.need(*method.scopes)
        return method.handler(self.context, params)

    def authorize(self, method: Method, token: str) -> None:
        """Check that the token is ours and of the kind the method takes."""
        if not token:
            raise ApiRefusal("not_authed")
        if token not in {self.tokens.bot, self.tokens.app}:
            raise ApiRefusal("invalid_auth")
        if token != getattr(self.tokens, method.opened_by):
            raise ApiRefusal("not_allowed_token_type")


def _refusal(error: str) -> JsonObject:
    return {"ok": False, "error": error}


def _limited(wait: int, label: str) -> _Reply:
    return _Reply(status=429, body=_refusal("ratelimited"), fault=label, retry_after_s=wait)


def bearer(request: web.Request, raw: Mapping[str, object]) -> str:
    """Read the token from the header, or from the parameters as older clients send it."""
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if kind.lower() == "bearer" else str(raw.get("token") or "")


async def read_parameters(request: web.Request) -> dict[str, object]:
    """Merge query, form and JSON body; the body wins."""
    merged: dict[str, object] = dict(request.query)
    if request.content_type == "application/json":
        text = await request.text()
        try:
            body = json.loads(text) if text else {}
        except ValueError:
            body = {}
        merged |= body if isinstance(body, dict) else {}
    elif request.body_exists:
        merged |= {k: v for k, v in (await request.post()).items() if isinstance(v, str)}
    return merged
