"""What Slack says of this app's installation, asked with its real token.

Lives here: one examination: token, scopes, channels, clock, and how events reach us; each answer
with a sentence on what to mend. Must not live here: settings, files, the ledger (``bot.cli``).
Law: it changes nothing in Slack but that it looks; whatever Slack answers is a finding, never an
exception; no token and no secret is ever in a sentence.
"""

import hmac
import json
import secrets
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from hashlib import sha256

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.web.async_client import AsyncWebClient
from slack_sdk.web.async_slack_response import AsyncSlackResponse

from bot.slack.sending.channels import SENTENCES, sharing_problem
from bot.slack.sending.client import CALL_FAILURES, SlackConfig, failure_of, make_client, proxy_for
from bot.slack.sending.remedies import meaning
from governance.policy.model import Sharing
from governance.ports import Clock

OLD_S, SLOW_S = 300, 30
"""Slack's requests are refused from the first on; the second is worth knowing."""
_WITHIN_S = 10
_NOT_ASKED = "Slack cannot be asked ({error}): is {url} reachable from here, or a proxy in the way?"
_SCOPES_LACK = "the token lacks {scopes}: change the app by placet manifest and install it again"
_SCOPES_BEYOND = "the token may also {scopes}, which nothing here uses: leave it out"
_SCOPES_UNTOLD = "Slack did not say which scopes the token has"
_SCOPES_FIT = "the token has every scope that is needed"
_OTHER = "the token is of {what} {got}, and {setting} says {wanted}: one of the two is wrong"
_CLOCK_FAR = (
    "this machine's clock is {skew} s {way} Slack's: every request of Slack is refused as too old "
    "or too new; set the clock (a time service does it)"
)
_CLOCK_OFF = "this machine's clock is {skew} s {way} Slack's: from {old} s on nothing is taken"
_CLOCK_FITS = "this machine's clock and Slack's agree ({skew} s apart)"
_CHANNEL_SHARED = "{why} Name another, or allow it: shared_channels in the bundle"
_CHANNEL_FITS = "the app is in it and may post"
_URL_TAKES = "a signed request was answered at {url}"
_URL_REFUSES = (
    "{url} answered {status} to a request with our signature: does it lead to this placet serve, "
    "with the same PLACET_SLACK_SIGNING_SECRET?"
)
_URL_SILENT = "{url} does not answer ({error}): Slack would show people that the app failed"
_URL_PLAIN = "Slack calls only https addresses, this is {url}"
_SOCKET_OPENS = "a socket can be opened"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """One thing that was found; ``is_problem``: people are affected until it is mended."""

    area: str
    text: str
    place: str = ""
    is_problem: bool = False
    is_warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the examination holds the installation to."""

    scopes: frozenset[str]
    channels: Mapping[str, str] = field(default_factory=dict)
    """Channel id -> where it is named."""
    sharing: Sharing = Sharing.REFUSE
    request_url: str = ""
    """Where Slack reaches us over HTTP; empty: that is not asked."""


async def examine(
    config: SlackConfig, session: aiohttp.ClientSession, wanted: Wanted, clock: Clock
) -> Sequence[Found]:
    """Ask everything that can be asked; nothing more once the token itself is refused."""
    found: list[Found] = []
    client = make_client(config, session)
    try:
        me = await client.auth_test()
    except CALL_FAILURES as error:
        return [_refused("token", "auth.test", error, config.base_url, "PLACET_SLACK_BOT_TOKEN")]
    found += [item async for item in _identity(client, config, me)]
    found += _scopes(me, wanted.scopes)
    found += _clock(me, clock.now())
    for channel, place in wanted.channels.items():
        found.append(await _channel(client, config, channel, place, wanted.sharing))
    if config.is_socket_mode:
        found.append(await _socket(client, config))
    elif wanted.request_url:
        found.append(await _request_url(config, session, wanted.request_url, clock.now()))
    return found


def _refused(area: str, method: str, error: Exception, url: str, place: str) -> Found:
    if not isinstance(error, SlackApiError):
        text = _NOT_ASKED.format(error=type(error).__name__, url=url)
        return Found(area=area, text=text, place=place, is_problem=True)
    code = failure_of(method, error).code
    text = f"Slack answers {code}. {meaning(code).fix}"
    return Found(area=area, text=text, place=place, is_problem=True)


async def _identity(
    client: AsyncWebClient, config: SlackConfig, me: AsyncSlackResponse
) -> AsyncIterator[Found]:
    team, user = str(me.get("team_id", "")), str(me.get("user", ""))
    app = ""
    try:
        bot = (await client.bots_info(bot=str(me.get("bot_id", "")))).get("bot")
        app = str(bot.get("app_id", "")) if isinstance(bot, dict) else ""
    except CALL_FAILURES as error:
        yield _refused("token", "bots.info", error, config.base_url, "PLACET_SLACK_BOT_TOKEN")
    is_whole = True
    for what, got, expected, setting in (
        ("workspace", team, config.team_id, "PLACET_SLACK_TEAM"),
        ("app", app, config.app_id, "PLACET_SLACK_APP_ID"),
    ):
        if got and expected and got != expected:
            is_whole = False
            text = _OTHER.format(what=what, got=got, setting=setting, wanted=expected)
            yield Found(area="token", text=text, place=setting, is_problem=True)
    if is_whole:
        yield Found(area="token", text=f"it is of workspace {team}, app {app}, user {user}")


def _scopes(me: AsyncSlackResponse, needed: frozenset[str]) -> list[Found]:
    place = "PLACET_SLACK_BOT_TOKEN"
    told = _header(me, "x-oauth-scopes")
    if not told:
        return [Found(area="scopes", text=_SCOPES_UNTOLD, place=place, is_warning=True)]
    given = {scope.strip() for scope in told.split(",") if scope.strip()}
    found: list[Found] = []
    if lacking := sorted(needed - given):
        text = _SCOPES_LACK.format(scopes=", ".join(lacking))
        found.append(Found(area="scopes", text=text, place=place, is_problem=True))
    if beyond := sorted(given - needed):
        text = _SCOPES_BEYOND.format(scopes=", ".join(beyond))
        found.append(Found(area="scopes", text=text, place=place, is_warning=True))
    return found or [Found(area="scopes", text=_SCOPES_FIT)]


def _clock(me: AsyncSlackResponse, now: datetime) -> list[Found]:
    try:
        theirs = parsedate_to_datetime(_header(me, "date"))
    except (TypeError, ValueError):
        return []
    ahead = (now - (theirs if theirs.tzinfo else theirs.replace(tzinfo=UTC))).total_seconds()
    skew, way = round(abs(ahead)), "ahead of" if ahead > 0 else "behind"
    if skew >= OLD_S:
        return [Found(area="clock", text=_CLOCK_FAR.format(skew=skew, way=way), is_problem=True)]
    if skew >= SLOW_S:
        text = _CLOCK_OFF.format(skew=skew, way=way, old=OLD_S)
        return [Found(area="clock", text=text, is_warning=True)]
    return [Found(area="clock", text=_CLOCK_FITS.format(skew=skew))]


async def _channel(
    client: AsyncWebClient, config: SlackConfig, channel: str, place: str, sharing: Sharing
) -> Found:
    where = f"{channel} ({place})"
    try:
        found = (await client.conversations_info(channel=channel)).get("channel")
    except CALL_FAILURES as error:
        return _refused("channel", "conversations.info", error, config.base_url, where)
    told = found if isinstance(found, dict) else {}
    code = ""
    if told.get("is_archived"):
        code = "is_archived"
    elif not told.get("is_member"):
        code = "not_in_channel"
    if code:
        return Found(area="channel", text=meaning(code).fix, place=where, is_problem=True)
    why = sharing_problem(told, sharing)
    if why:
        text = _CHANNEL_SHARED.format(why=SENTENCES[why])
        return Found(area="channel", text=text, place=where, is_problem=True)
    return Found(area="channel", text=_CHANNEL_FITS, place=where)


async def _socket(client: AsyncWebClient, config: SlackConfig) -> Found:
    try:
        await client.apps_connections_open(app_token=config.app_token)
    except CALL_FAILURES as error:
        place = "PLACET_SLACK_APP_TOKEN"
        return _refused("socket", "apps.connections.open", error, config.base_url, place)
    return Found(area="socket", text=_SOCKET_OPENS)


async def _request_url(
    config: SlackConfig, session: aiohttp.ClientSession, url: str, now: datetime
) -> Found:
    """Ask ourselves what Slack asks when the address is entered: to echo a challenge."""
    challenge = secrets.token_urlsafe(24)
    asked = {"token": "doctor", "challenge": challenge, "type": "url_verification"}
    body, stamp = json.dumps(asked).encode(), str(int(now.timestamp()))
    base = b"v0:" + stamp.encode() + b":" + body
    signature = hmac.new(config.signing_secret.encode(), base, sha256).hexdigest()
    headers = {
        "Content-Type": "application/json",
        "X-Slack-Request-Timestamp": stamp,
        "X-Slack-Signature": f"v0={signature}",
    }
    try:
        async with session.post(
            url,
            data=body,
            headers=headers,
            proxy=proxy_for(url, config.proxy),
            timeout=aiohttp.ClientTimeout(total=_WITHIN_S),
            allow_redirects=False,
        ) as answer:
            is_ours = answer.status == 200 and challenge in await answer.text()  # noqa: PLR2004
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        text = _URL_SILENT.format(url=url, error=type(error).__name__)
        return Found(area="request URL", text=text, is_problem=True)
    if not is_ours:
        text = _URL_REFUSES.format(url=url, status=answer.status)
        return Found(area="request URL", text=text, is_problem=True)
    if not url.startswith("https://"):
        return Found(area="request URL", text=_URL_PLAIN.format(url=url), is_warning=True)
    return Found(area="request URL", text=_URL_TAKES.format(url=url))


def _header(answer: AsyncSlackResponse, name: str) -> str:
    told: Mapping[str, object] = dict(answer.headers or {})
    return next((str(value) for key, value in told.items() if key.lower() == name), "")
