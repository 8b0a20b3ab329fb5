"""What every listener works with, and how its answers reach the person.

Lives here: the service, the reads, the clients; answering through a response URL; opening and
changing modals. Must not live here: what a click means (``actions``, ``views``, ``commands``).
Law: answers go to the person who acted and to nobody else; an address for answers is used only
where it belongs to Slack.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar
from urllib.parse import urlsplit

import aiohttp
from slack_sdk.web.async_client import AsyncWebClient

from bot.slack.background import Background
from bot.slack.kit.blocks import Block
from bot.slack.said import Said, failed, refused
from bot.slack.sending.client import CALL_FAILURES, CallFailedError, failure_of, proxy_for
from bot.slack.sending.publisher import Publisher
from bot.slack.speakers import Locales, Speakers
from governance.errors import PlacetError
from governance.outbox import Place
from governance.ports import Reader
from governance.service import Service
from governance.tickets.ticket import TicketId

T = TypeVar("T")
_log = logging.getLogger("placet.slack")
_SLACK_HOSTS = ("slack.com", "slack-gov.com")


class Places(Protocol):
    """Where cards are (the outbox knows)."""

    async def place(self, ticket_id: TicketId) -> Place | None:
        """Where a card is."""
        ...


class Forward(Protocol):
    """Shows on one card what is so now, ahead of every other card."""

    async def __call__(self, ticket_id: TicketId, channel: str, ts: str, url: str) -> None:
        """The card at ``ts`` in ``channel``, through the response URL that came with a click."""
        ...


class Forgets(Protocol):
    """A directory that caches accounts and can be told that one changed."""

    def belong_to(self, enterprise_id: str) -> None:
        """Take it from Slack which organisation our workspace is part of (empty: of none)."""
        ...

    def forget(self, *ids: str) -> None:
        """Look the account that has any of these ids up anew next time."""
        ...

    def forget_groups(self) -> None:
        """Look every user group up anew next time."""
        ...


class Accounts(Forgets, Locales, Protocol):
    """What a directory of accounts can be told and asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """The tools of the listeners."""

    service: Service
    reader: Reader
    client: AsyncWebClient
    publisher: Publisher
    background: Background
    session: aiohttp.ClientSession
    base_url: str
    proxy: str = ""
    directory: Forgets | None = None
    places: Places | None = None
    speakers: Speakers = field(default_factory=Speakers)
    forward: Forward | None = None
    """Brings the card that somebody acted on up to date before others."""

    async def respond(self, url: str, said: Said) -> None:
        """Answer through a response URL, to the person who acted only."""
        if not url:
            return
        body = {
            "response_type": "ephemeral",
            "replace_original": False,
            "text": said.text,
            "blocks": list(said.blocks),
        }
        await self._send(url, body)

    async def replace(self, url: str, text: str, blocks: Sequence[Block]) -> bool:
        """Show this in place of the message that was acted on; whether Slack took it."""
        return await self._send(
            url, {"replace_original": True, "text": text, "blocks": list(blocks)}
        )

    async def _send(self, url: str, body: Mapping[str, object]) -> bool:
        if not self._is_slacks(url):
            _log.warning("a response URL points elsewhere; nothing was sent")
            return False
        try:
            async with self.session.post(
                url,
                json=body,
                proxy=proxy_for(url, self.proxy),
                timeout=aiohttp.ClientTimeout(total=10),
                allow_redirects=False,
            ) as answer:
                if answer.status >= 300:  # noqa: PLR2004  # anything but a 2xx
                    _log.warning("an answer was refused with status %d", answer.status)
                return answer.status < 300  # noqa: PLR2004  # a 2xx
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("an answer could not be sent: %s", type(error).__name__)
            return False

    def _is_slacks(self, url: str) -> bool:
        try:
            parts, own = urlsplit(url), urlsplit(self.base_url)
        except ValueError:  # brackets that close no address
            return False
        if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            return True
        host = parts.hostname or ""
        is_slack = any(host == known or host.endswith(f".{known}") for known in _SLACK_HOSTS)
        return parts.scheme == "https" and is_slack

    async def open_view(self, trigger_id: str, view: Block) -> tuple[str, str]:
        """Open a modal; its id and hash.

        Raises:
            CallFailedError: the trigger is too old, or Slack cannot be reached.
        """
        try:
            answer = await self.client.views_open(trigger_id=trigger_id, view=view)
        except CALL_FAILURES as error:
            raise failure_of("views.open", error) from error
        return _view_of(answer.get("view"))

    async def push_view(self, trigger_id: str, view: Block) -> tuple[str, str]:
        """Lay a modal on the one that is open.

        Raises:
            CallFailedError: as ``open_view``.
        """
        try:
            answer = await self.client.views_push(trigger_id=trigger_id, view=view)
        except CALL_FAILURES as error:
            raise failure_of("views.push", error) from error
        return _view_of(answer.get("view"))

    async def update_view(self, view_id: str, view: Block, *, view_hash: str = "") -> None:
        """Change a modal; ``view_hash`` refuses if it changed meanwhile.

        Raises:
            CallFailedError: it was closed, or changed meanwhile.
        """
        try:
            await self.client.views_update(view_id=view_id, view=view, hash=view_hash or None)
        except CALL_FAILURES as error:
            raise failure_of("views.update", error) from error


def _view_of(value: object) -> tuple[str, str]:
    if not isinstance(value, dict):
        return "", ""
    return str(value.get("id", "")), str(value.get("hash", ""))


async def shielded(work: Awaitable[T], otherwise: Callable[[PlacetError | None], T]) -> T:
    """The outcome of a listener's work, whatever happens: the top handler of the Slack side.

    ``otherwise`` makes the person's answer from a refusal, or from None where we failed.
    """
    try:
        return await work
    except PlacetError as error:
        return otherwise(error)
    except CallFailedError as error:
        _log.warning("a call failed: %s", error)
        return otherwise(None)
    except Exception as error:  # noqa: BLE001  # the top handler: a person always gets an answer
        _log.exception("a listener failed: %s", type(error).__name__)
        return otherwise(None)


def told(error: PlacetError | None) -> Said | None:
    """The answer to a click or a command that did not succeed."""
    return failed() if error is None else refused(error)
