"""Socket Mode: the same listeners over a socket that we open.

Lives here: the connection, and the guard in front of Bolt for envelopes. Must not live here: what
a listener does. Law: an envelope carries no signature, so the socket's token is what vouches for
its sender; team, app and replays are checked all the same. What is about a ticket that is not ours
is left unacknowledged, so that Slack takes it to another connection: two deployments on one app do
not steal each other's clicks.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from hashlib import sha256
from time import time

from slack_bolt.adapter.socket_mode.aiohttp import AsyncSocketModeHandler
from slack_bolt.adapter.socket_mode.async_internals import (
    run_async_bolt_app,
    send_async_response,
)
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.response import BoltResponse
from slack_sdk.socket_mode.async_client import AsyncBaseSocketModeClient
from slack_sdk.socket_mode.request import SocketModeRequest
from slack_sdk.socket_mode.response import SocketModeResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.guard import Answered, Guard
from bot.slack.kit import limits
from bot.slack.payloads import named_ticket
from bot.slack.sending.client import SlackConfig
from governance.errors import PlacetError
from governance.tickets.ticket import TicketId

_OK = 300
_LAST_TRY = 2
"""Sent for the third time, nobody else seems to know the ticket: the person is told so."""


class Socket:
    """One connection to Slack, kept open."""

    def __init__(
        self,
        config: SlackConfig,
        bolt: AsyncApp,
        guard: Guard,
        client: AsyncWebClient,
        *,
        knows: Callable[[TicketId], Awaitable[bool]],
    ) -> None:
        self._bolt = bolt
        self._knows = knows
        self._guard = guard
        self._in_flight = 0
        self._handler = AsyncSocketModeHandler(
            bolt, app_token=config.app_token, web_client=client, proxy=client.proxy
        )
        self._handler.client.proxy = client.proxy
        self._handler.client.socket_mode_request_listeners[:] = [self._handle]

    @property
    def is_idle(self) -> bool:
        """Whether no envelope is being answered."""
        return self._in_flight == 0

    async def connect(self) -> None:
        """Open the connection; the client keeps it open from then on."""
        await self._handler.client.connect()  # type: ignore[no-untyped-call]  # the SDK says nothing

    async def close(self) -> None:
        """Close it for good."""
        await self._handler.client.close()  # type: ignore[no-untyped-call]  # the SDK says nothing

    async def _handle(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        self._in_flight += 1
        try:
            await self._answer(client, request)
        finally:
            self._in_flight -= 1

    async def _answer(self, client: AsyncBaseSocketModeClient, request: SocketModeRequest) -> None:
        raw = json.dumps(request.payload, sort_keys=True).encode()
        verdict = self._guard.check_payload(request.payload, sha256(raw).hexdigest())
        if isinstance(verdict, Answered):
            # Not ours, or a repeat: acknowledged so that it is not sent again, and not dispatched.
            response = SocketModeResponse(envelope_id=request.envelope_id)
            await client.send_socket_mode_response(response)
            return
        if await self._is_elsewhere(request):
            self._guard.forget(verdict.key)
            return
        started = time()
        answer: BoltResponse = await run_async_bolt_app(self._bolt, request)
        if verdict.kind == "event" and answer.status < _OK:
            self._guard.remember(verdict.key)
        await send_async_response(client, request, answer, started)

    async def _is_elsewhere(self, request: SocketModeRequest) -> bool:
        """Whether it is about a ticket that another deployment on this app may know."""
        named = named_ticket(request.payload)
        if named is None or (request.retry_attempt or 0) >= _LAST_TRY:
            return False
        try:
            async with asyncio.timeout(limits.KNOWN_BUDGET_S):
                return not await self._knows(named)
        except (PlacetError, TimeoutError):
            return False  # the ledger cannot be read: the person is told that, by us
