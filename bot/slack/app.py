"""The Slack side of one process: Bolt behind the guard, over HTTP or a socket.

Lives here: building Bolt, registering listeners, the HTTP route, start and close.
Must not live here: what a listener does. Law: a request is acknowledged once its work is
committed or after two seconds, whichever comes first; nothing raises afterwards; no work is
forgotten at shutdown; without a signing secret no HTTP request is ever taken.
"""

import asyncio
import json
import logging
from collections.abc import Sequence

import aiohttp
from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from slack_bolt.adapter.aiohttp import to_aiohttp_response
from slack_bolt.app.async_app import AsyncApp
from slack_bolt.authorization import AuthorizeResult
from slack_bolt.error import BoltUnhandledRequestError
from slack_bolt.request.async_request import AsyncBoltRequest
from slack_bolt.response import BoltResponse
from slack_sdk.web.async_client import AsyncWebClient

from bot.http import BODY_TIMEOUT, UNSUPPORTED_MEDIA_TYPE, is_encoded
from bot.slack import rooms
from bot.slack.accounts import SlackAccounts
from bot.slack.background import Background
from bot.slack.cards.card import Card
from bot.slack.desk import Accounts, Desk, Forward, Places
from bot.slack.guard import MAX_BODY_BYTES, Allowed, Answered, Guard, Headers
from bot.slack.home.keeper import HomeKeeper
from bot.slack.sending.channels import Channels
from bot.slack.sending.client import (
    CALL_FAILURES,
    SlackConfig,
    failure_of,
    make_client,
    make_posting_client,
)
from bot.slack.sending.pace import Pace
from bot.slack.sending.publisher import Publisher
from bot.slack.sending.uploads import Uploads
from bot.slack.socket import Socket
from bot.slack.speakers import Speakers
from governance.errors import Code, InvalidInput, Unavailable
from governance.ports import Clock, Reader
from governance.service import Service
from governance.tickets.ticket import TicketId

_log = logging.getLogger("placet.slack")
_bolt_log = logging.getLogger("placet.slack.bolt")
CLOSE_WITHIN_S = 10.0
BODY_WITHIN_S = 10.0
_BROKEN = (aiohttp.ClientError, HttpProcessingError, web.PayloadAccessError, EOFError, OSError)


class SlackApp:
    """One workspace's app. ``start`` before anything else; ``close`` at the end."""

    def __init__(
        self,
        config: SlackConfig,
        *,
        service: Service,
        reader: Reader,
        clock: Clock,
        session: aiohttp.ClientSession,
        directory: Accounts | None = None,
        places: Places | None = None,
        client: AsyncWebClient | None = None,
        pace: Pace | None = None,
    ) -> None:
        config.check()
        self._config = config
        self._clock = clock
        self._background = Background()
        self._client = client or make_client(config, session)
        self.channels = Channels(self._client, lambda: service.bundle.shared_channels, clock=clock)
        self.publisher = Publisher(make_posting_client(config, session), pace)
        self.speakers = Speakers(locales=directory, channels=config.language)
        self.forward: Forward | None = None
        """Set once there is somebody who brings cards forward."""
        self._desk = Desk(
            service=service,
            reader=reader,
            client=self._client,
            publisher=self.publisher,
            background=self._background,
            session=session,
            base_url=config.base_url,
            proxy=config.proxy,
            directory=directory,
            places=places,
            speakers=self.speakers,
            forward=self._forward,
        )
        self.extras = rooms.Extras()
        self.homes: HomeKeeper | None = None
        self._guard: Guard | None = None
        self._bolt: AsyncApp | None = None
        self._socket: Socket | None = None
        self._in_flight = 0

    @property
    def uploads(self) -> Uploads:
        """Sends files in this workspace."""
        return Uploads(self._client)

    @property
    def accounts(self) -> SlackAccounts:
        """Lookups of people in this workspace."""
        return SlackAccounts(self._client)

    @property
    def is_idle(self) -> bool:
        """Whether no request is being answered and nothing runs in the background."""
        is_quiet = self._socket is None or self._socket.is_idle
        return self._in_flight == 0 and self._background.is_idle and is_quiet

    async def start(self) -> Allowed:
        """Ask Slack who we are, check it against the settings, and listen.

        Raises:
            InvalidInput: ``invalid_settings``: the token is of another workspace or app.
            Unavailable: ``not_ready``: Slack could not be asked.
        """
        allowed, identity = await self._who_am_i()
        self._guard = Guard(
            signing_secret=self._config.signing_secret, clock=self._clock, allowed=allowed
        )
        if self._desk.directory is not None:
            self._desk.directory.belong_to(allowed.enterprise_id)
        self._bolt = self._build(identity, allowed)
        if self._config.is_socket_mode:
            self._socket = Socket(
                self._config, self._bolt, self._guard, self._client, knows=self._knows
            )
            await self._socket.connect()
        return allowed

    async def _knows(self, ticket_id: TicketId) -> bool:
        return await self._desk.reader.ticket(ticket_id) is not None

    async def close(self) -> None:
        """Take nothing more, and let what was begun finish."""
        if self.homes is not None:
            await self.homes.stop()
        if self._socket is not None:
            await self._socket.close()
            self._socket = None
        await self._background.drain(CLOSE_WITHIN_S)

    async def replace(self, url: str, card: Card) -> bool:
        """Show ``card`` in place of the message that was acted on; whether Slack took it."""
        return await self._desk.replace(url, card.text, card.blocks)

    async def _forward(self, ticket_id: TicketId, channel: str, ts: str, url: str) -> None:
        if self.forward is not None:
            await self.forward(ticket_id, channel, ts, url)

    async def _who_am_i(self) -> tuple[Allowed, AuthorizeResult]:
        config = self._config
        try:
            me = await self._client.auth_test()
            is_org = me.get("is_enterprise_install") is True  # then it names no workspace
            team_id = config.team_id if is_org else str(me.get("team_id", ""))
            bot = await self._client.bots_info(bot=str(me.get("bot_id", "")), team_id=team_id)
        except CALL_FAILURES as error:
            problem = failure_of("auth.test", error)
            raise Unavailable(Code.NOT_READY, f"Slack could not be asked: {problem}") from error
        detail = bot.get("bot")
        app_id = str(detail.get("app_id", "")) if isinstance(detail, dict) else ""
        pairs = (("team", config.team_id, team_id), ("app", config.app_id, app_id))
        for what, wanted, got in pairs:
            if not got or (wanted and wanted != got):
                message = f"Slack: the bot token is of {what} {got or 'none'}, expected {wanted}"
                raise InvalidInput(Code.INVALID_SETTINGS, message)
        enterprise_id = str(me.get("enterprise_id") or "")
        identity = AuthorizeResult(
            enterprise_id=enterprise_id or None,
            team_id=team_id,
            bot_user_id=str(me.get("user_id", "")),
            bot_id=str(me.get("bot_id", "")),
            bot_token=config.bot_token,
        )
        allowed = Allowed(
            team_id=team_id, app_id=app_id, enterprise_id=enterprise_id, is_org_install=is_org
        )
        return allowed, identity

    def _build(self, identity: AuthorizeResult, allowed: Allowed) -> AsyncApp:
        async def authorize(team_id: str | None) -> AuthorizeResult:
            """We asked once, at start-up; the guard keeps other teams out."""
            return identity

        # Bolt's own client must not know the token, or Bolt asks auth.test in the first request.
        nameless = AsyncWebClient(base_url=self._config.base_url, session=self._desk.session)
        nameless.proxy = self._client.proxy
        bolt = AsyncApp(
            name="placet",
            logger=_bolt_log,
            signing_secret=self._config.signing_secret,
            client=nameless,
            authorize=authorize,
            process_before_response=True,
            raise_error_for_unhandled_request=True,
        )
        made = rooms.listeners(
            self._desk,
            clock=self._clock,
            team_id=allowed.team_id,
            channels=self.channels,
            extras=self.extras,
        )
        made.register(bolt)
        self.homes = HomeKeeper(home=made.home)
        self.homes.start()
        bolt.error(_answer_error)
        return bolt

    async def handle_http(self, request: web.Request) -> web.StreamResponse:
        """The one route for everything that Slack sends over HTTP."""
        self._in_flight += 1
        try:
            return await self._handle(request)
        finally:
            self._in_flight -= 1

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self._guard is None or self._bolt is None or self._config.is_socket_mode:
            return _answered(Answered(status=503, code=Code.NOT_READY.value, message="not here"))
        body = await _read_body(request)
        if isinstance(body, Answered):
            response = _answered(body)
            response.force_close()  # what else stands in the connection is not read
            return response
        headers = {
            name.lower(): tuple(request.headers.getall(name)) for name in set(request.headers)
        }
        verdict = self._guard.check(headers, body)
        if isinstance(verdict, Answered):
            return _answered(verdict)
        answer = await _dispatched(self._bolt, headers, body)
        if verdict.kind == "event" and answer.status < 300:  # noqa: PLR2004  # a 2xx: handled
            self._guard.remember(verdict.key)
        return await to_aiohttp_response(answer)


async def _dispatched(bolt: AsyncApp, headers: Headers, body: bytes) -> BoltResponse:
    """Bolt's answer; its own failure over a payload is a refusal, never a 500."""
    try:
        named: dict[str, str | Sequence[str]] = {
            name: list(values) for name, values in headers.items()
        }
        return await bolt.async_dispatch(
            AsyncBoltRequest(body=body.decode("utf-8"), headers=named)  # it indexes before it asks
        )
    except Exception as error:  # noqa: BLE001  # Bolt raises whatever a payload makes it raise
        return await _answer_error(error)


async def _read_body(request: web.Request) -> bytes | Answered:
    """The body, unless it is larger than Slack ever sends, compressed, or does not arrive."""
    if is_encoded(request):
        return Answered(
            status=415, code=UNSUPPORTED_MEDIA_TYPE, message="a compressed body is not read"
        )
    read = bytearray()
    try:
        async with asyncio.timeout(BODY_WITHIN_S):
            while len(read) <= MAX_BODY_BYTES and (request.content_length or 0) <= MAX_BODY_BYTES:
                chunk = await request.content.readany()
                if not chunk:
                    return bytes(read)
                read += chunk
    except TimeoutError:
        return Answered(status=408, code=BODY_TIMEOUT, message="the body did not arrive in time")
    except _BROKEN:
        return Answered(status=400, code=Code.INVALID_FIELD.value, message="the body broke off")
    return Answered(status=413, code=Code.TOO_LARGE.value, message="too large")


def _answered(verdict: Answered) -> web.Response:
    if not verdict.code:
        return web.Response(status=verdict.status)
    error = {"code": verdict.code, "message": verdict.message}
    return web.json_response({"error": error}, status=verdict.status)


async def _answer_error(error: Exception) -> BoltResponse:
    """Slack gets a 200 for what nothing listens to, a 400 for what no listener can be given."""
    if isinstance(error, BoltUnhandledRequestError):
        return BoltResponse(status=200, body="")
    _log.error("a request failed before its listener: %s", type(error).__name__)
    refused = {"error": {"code": Code.INVALID_FIELD.value, "message": "not what Slack sends"}}
    return BoltResponse(
        status=400, body=json.dumps(refused), headers={"content-type": "application/json"}
    )
