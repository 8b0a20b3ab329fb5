"""Who is spoken to in which language.

Lives here: the language of an account and of the channels, and speaking it around a listener.
Must not live here: the catalogue (``kit.language``), what is said. Law: what one person sees is in
the language of their account, what a channel sees in the operator's; where Slack does not say in
time, a person reads what the channels read; no answer waits for it any longer.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from slack_bolt.context.ack.async_ack import AsyncAck

from bot.slack.kit import limits
from bot.slack.kit.language import SOURCE, language_of, speaking
from governance.errors import PlacetError

_Body = Mapping[str, object]
_Handler = Callable[[AsyncAck, _Body], Awaitable[None]]


class Locales(Protocol):
    """A directory that knows accounts."""

    async def locale(self, user_id: str) -> str:
        """The locale of an account such as ``de-DE``; empty where Slack does not say.

        Raises:
            PlacetError: it cannot be looked up.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Speakers:
    """The languages of one workspace; ``channels``: what everybody reads."""

    locales: Locales | None = None
    channels: str = SOURCE

    async def of(self, user_id: str) -> str:
        """The language in which one person is spoken to."""
        if self.locales is None or not user_id:
            return self.channels
        try:
            async with asyncio.timeout(limits.LANGUAGE_BUDGET_S):
                locale = await self.locales.locale(user_id)
        except (PlacetError, TimeoutError):
            return self.channels
        return language_of(locale) if locale else self.channels

    def heard(self, handler: _Handler) -> _Handler:
        """``handler``, speaking the language of whoever acted, in all that it starts as well."""

        async def on_act(ack: AsyncAck, body: _Body) -> None:
            with speaking(await self.of(_user_in(body))):
                await handler(ack, body)

        return on_act


def _user_in(body: _Body) -> str:
    """Who acted; empty where the payload does not say, which its listener then refuses."""
    user = body.get("user")
    named = user.get("id") if isinstance(user, Mapping) else body.get("user_id")
    return named if isinstance(named, str) else ""
