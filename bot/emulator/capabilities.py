"""Short-lived rights that Slack hands to an app: trigger ids and response URLs.

Lives here: issuing and spending them. Not here: what they are spent on.
Law: a trigger opens one view within three seconds; a response URL takes five posts in thirty
minutes; whatever the clock cannot vouch for is refused.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from bot.emulator.errors import ApiRefusal
from bot.emulator.values import Clock

TRIGGER_TTL = timedelta(seconds=3)
RESPONSE_TTL = timedelta(minutes=30)
RESPONSE_USES = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Trigger:
    """The right to open one view before one person."""

    user: str
    at: datetime
    is_spent: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ResponseHook:
    """The right to answer where a person acted."""

    user: str
    channel: str
    at: datetime
    message_ts: str = ""
    is_ephemeral: bool = False
    thread_ts: str = ""
    uses: int = 0


class CapabilityBook:
    """Everything issued and not yet forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._triggers: dict[str, Trigger] = {}
        self._hooks: dict[str, ResponseHook] = {}

    def issue_trigger(self, user: str) -> str:
        """Hand out a trigger id."""
        name = f"{secrets.randbelow(10**13)}.{secrets.randbelow(10**12)}.{secrets.token_hex(16)}"
        self._triggers[name] = Trigger(user=user, at=self._clock())
        return name

    def spend_trigger(self, name: str) -> str:
        """Use a trigger id up and return whose it is.

        Raises: ApiRefusal invalid_trigger_id, exchanged_trigger_id, expired_trigger_id.
        """
        trigger = self._triggers.get(name)
        if trigger is None:
            raise ApiRefusal("invalid_trigger_id")
        if trigger.is_spent:
            raise ApiRefusal("exchanged_trigger_id")
        if self._clock() - trigger.at > TRIGGER_TTL:
            raise ApiRefusal("expired_trigger_id")
        self._triggers[name] = replace(trigger, is_spent=True)
        return trigger.user

    def issue_hook(
        self,
        user: str,
        channel: str,
        *,
        message_ts: str = "",
        is_ephemeral: bool = False,
        thread_ts: str = "",
    ) -> str:
        """Hand out the secret part of a response URL."""
        name = secrets.token_urlsafe(18)
        self._hooks[name] = ResponseHook(
            user=user,
            channel=channel,
            at=self._clock(),
            message_ts=message_ts,
            is_ephemeral=is_ephemeral,
            thread_ts=thread_ts,
        )
        return name

    def spend_hook(self, name: str) -> ResponseHook:
        """Use a response URL once.

        Raises: ApiRefusal expired_url, used_url.
        """
        hook = self._hooks.get(name)
        if hook is None or self._clock() - hook.at > RESPONSE_TTL:
            raise ApiRefusal("expired_url")
        if hook.uses >= RESPONSE_USES:
            raise ApiRefusal("used_url")
        self._hooks[name] = replace(hook, uses=hook.uses + 1)
        return hook
