"""Slack's word that people, groups or channels changed: what was known of them is forgotten.

Lives here: the listeners of those events. Must not live here: what is cached, and for how long
(``bot.people``, ``channels``). Law: an event only ever makes us ask again; nothing in it is
believed.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from slack_bolt.app.async_app import AsyncApp

from bot.people.account import ids_of
from bot.slack import names
from bot.slack.desk import Forgets
from bot.slack.sending.channels import Channels

_Body = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What forgets."""

    directory: Forgets | None
    channels: Channels

    def register(self, bolt: AsyncApp) -> None:
        """Tell Bolt."""
        for name in names.ACCOUNT_EVENTS:
            bolt.event(name)(self._on_account)
        for name in names.GROUP_EVENTS:
            bolt.event(name)(self._on_group)
        for name in names.CHANNEL_EVENTS:
            bolt.event(name)(self._on_channel)

    async def _on_account(self, event: _Body) -> None:
        user = event.get("user")
        ids = ids_of(user) if isinstance(user, Mapping) else frozenset()
        if self.directory is not None and ids:
            self.directory.forget(*ids)

    async def _on_group(self, event: _Body) -> None:
        if self.directory is not None and event:
            self.directory.forget_groups()

    async def _on_channel(self, event: _Body) -> None:
        if event:
            self.channels.forget_all()
