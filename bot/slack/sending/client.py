"""Clients of Slack's Web API, and what their failures mean.

Lives here: settings of the connection, clients with their retry handlers, proxies, error classes.
Must not live here: which method is called when. Law: a call that is not idempotent is never
repeated by a client; what failed is told apart by type and code, never by its message.
"""

import urllib.request
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.errors import SlackApiError
from slack_sdk.http_retry.async_handler import AsyncRetryHandler
from slack_sdk.http_retry.builtin_async_handlers import (
    AsyncConnectionErrorRetryHandler,
    AsyncRateLimitErrorRetryHandler,
    AsyncServerErrorRetryHandler,
)
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.kit.language import SOURCE
from bot.slack.sending.remedies import Remedy, meaning
from governance.errors import Code, InvalidInput

SLACK_API = "https://slack.com/api/"
_EMULATED = ("xoxb-emulated-", "xapp-emulated-")
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_RATE_LIMITED = 429
_SERVER_ERROR = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SlackConfig:
    """How one workspace is reached. Secrets stay out of its representation.

    ``app_token`` switches Socket Mode on. ``team_id`` and ``app_id`` pin what is expected; empty
    ones are learnt at start-up. ``proxy`` empty: the environment's, with its exceptions.
    """

    bot_token: str = field(repr=False)
    signing_secret: str = field(default="", repr=False)
    app_token: str = field(default="", repr=False)
    base_url: str = SLACK_API
    team_id: str = ""
    app_id: str = ""
    proxy: str = ""
    timeout_s: int = 10
    language: str = SOURCE
    """What channels are spoken to in."""

    @property
    def is_socket_mode(self) -> bool:
        """Whether events come over a socket that we open, instead of HTTP."""
        return bool(self.app_token)

    def check(self) -> None:
        """Refuse settings under which requests could not be told from forgeries.

        Raises:
            InvalidInput: ``invalid_settings``.
        """
        host = urlsplit(self.base_url).hostname or ""
        problem = ""
        if not self.bot_token.startswith("xoxb-"):
            problem = "the bot token must begin with xoxb-"
        elif not self.is_socket_mode and not self.signing_secret.strip():
            problem = "a signing secret is needed to receive Slack's requests over HTTP"
        elif self.is_socket_mode and not self.app_token.startswith("xapp-"):
            problem = "the app-level token must begin with xapp-"
        elif not self.base_url.endswith("/"):
            problem = "the base URL must end with a slash"
        elif urlsplit(self.base_url).scheme != "https" and host not in _LOOPBACK:
            problem = "the base URL must be https"
        elif host not in _LOOPBACK and any(
            token.startswith(_EMULATED) for token in (self.bot_token, self.app_token)
        ):
            problem = "tokens of the emulator are of no use on a real workspace"
        if problem:
            raise InvalidInput(Code.INVALID_SETTINGS, f"Slack: {problem}")


def proxy_for(url: str, setting: str) -> str | None:
    """The proxy for ``url``: the setting, else the environment's unless it excepts the host.

    The SDK reads the environment itself and ignores NO_PROXY, so its answer is overwritten.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if host in _LOOPBACK:
        return None
    if setting:
        return setting
    if urllib.request.proxy_bypass(host):
        return None
    return urllib.request.getproxies().get(parts.scheme)


def make_client(config: SlackConfig, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A client for calls that may be repeated: reads and views."""
    handlers: list[AsyncRetryHandler] = [
        AsyncConnectionErrorRetryHandler(),
        AsyncRateLimitErrorRetryHandler(max_retry_count=1),
        AsyncServerErrorRetryHandler(max_retry_count=2),
    ]
    return _client(config, session, handlers)


def make_posting_client(config: SlackConfig, session: aiohttp.ClientSession) -> AsyncWebClient:
    """A client for ``chat.*``, which repeats nothing: the outbox does, knowing what it risks."""
    return _client(config, session, [])


def _client(
    config: SlackConfig, session: aiohttp.ClientSession, handlers: list[AsyncRetryHandler]
) -> AsyncWebClient:
    client = AsyncWebClient(
        token=config.bot_token,
        base_url=config.base_url,
        timeout=config.timeout_s,
        session=session,
        retry_handlers=handlers,
    )
    client.proxy = proxy_for(config.base_url, config.proxy)
    return client


class CallFailedError(Exception):
    """A call of Slack's Web API that did not succeed; ``code`` is Slack's word or ours."""

    def __init__(self, method: str, code: str) -> None:
        super().__init__(f"{method}: {code}")
        self.method = method
        self.code = code


class RateLimitedError(CallFailedError):
    """Too fast: nothing was done; try again after ``retry_after_s``."""

    def __init__(self, method: str, retry_after_s: float) -> None:
        super().__init__(method, "ratelimited")
        self.retry_after_s = retry_after_s


class TransientError(CallFailedError):
    """It may work later. ``is_uncertain``: it may even have been done."""

    def __init__(self, method: str, code: str, *, is_uncertain: bool = False) -> None:
        super().__init__(method, code)
        self.is_uncertain = is_uncertain


class PermanentError(CallFailedError):
    """Somebody must repair something first (a channel, a scope, a token)."""

    @property
    def remedy(self) -> Remedy:
        """What must be mended: the app, the channel, or this message alone."""
        return meaning(self.code).remedy


class GoneError(CallFailedError):
    """The message cannot be changed any more; a new one must take its place."""


CALL_FAILURES = (SlackApiError, aiohttp.ClientError, TimeoutError, OSError)
"""Everything that a call of the SDK raises when it does not succeed."""


def failure_of(method: str, error: Exception) -> CallFailedError:
    """What ``error`` means; the SDK raises bare timeouts and connection errors beside its own."""
    if not isinstance(error, SlackApiError):
        return TransientError(method, type(error).__name__, is_uncertain=True)
    response = error.response
    status = int(getattr(response, "status_code", 0) or 0)
    data = getattr(response, "data", None)
    code = str(data.get("error", "")) if isinstance(data, dict) else ""
    if status == _RATE_LIMITED or code in ("ratelimited", "rate_limited"):
        headers = getattr(response, "headers", None) or {}
        return RateLimitedError(method, _retry_after(dict(headers)))
    remedy = meaning(code).remedy
    if remedy is Remedy.REPOST:
        return GoneError(method, code)
    if remedy is not Remedy.RETRY:
        return PermanentError(method, code)
    is_uncertain = status >= _SERVER_ERROR or not code
    return TransientError(method, code or f"http_{status}", is_uncertain=is_uncertain)


def _retry_after(headers: dict[str, str]) -> int:
    found = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    return max(1, int(found)) if found.isdecimal() else 1
