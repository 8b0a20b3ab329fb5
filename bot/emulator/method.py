"""What a Web API method is, and what its handler may use.

Lives here: the method value, the context of handlers, looking up channels with permission.
Not here: any particular method. Law: a handler is synchronous, so a call is atomic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from bot.emulator.errors import ApiRefusal
from bot.emulator.manifest import AppConfig
from bot.emulator.params import Params
from bot.emulator.values import ChannelSeed, JsonObject
from bot.emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """What handlers work on."""

    workspace: Workspace
    config: AppConfig
    origin: Callable[[], str]
    issue_socket_url: Callable[[], str]

    @property
    def with_email(self) -> bool:
        """Say whether the app may see addresses."""
        return "users:read.email" in self.config.scopes

    def need(self, *any_of: str) -> None:
        """Refuse with missing_scope unless the manifest grants one of the scopes."""
        if any_of and not self.config.scopes & set(any_of):
            raise ApiRefusal(
                "missing_scope",
                needed=any_of[0],
                provided=",".join(sorted(self.config.scopes)),
            )

    def channel(self, wanted: str) -> ChannelSeed:
        """Find a channel by id, as far as the app can see it."""
        found = self.workspace.channels.get(wanted)
        hidden = found is not None and found.is_private and not self.is_member(found)
        if found is None or hidden:
            raise ApiRefusal("channel_not_found")
        return found

    def is_member(self, channel: ChannelSeed) -> bool:
        """Say whether the app's bot user is in the channel."""
        return channel.is_im or self.workspace.seed.bot_user_id in channel.members


Handler: TypeAlias = Callable[[ApiContext, Params], JsonObject]


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """A Web API method; `scopes` are alternatives, none means that none is needed."""

    name: str
    handler: Handler
    scopes: tuple[str, ...] = ()
    tier: int = 3
    opened_by: Literal["bot", "app"] = "bot"
