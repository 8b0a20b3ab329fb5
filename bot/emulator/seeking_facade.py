"""Shortcuts and menus that the app fills, by the names a test would use.

Lives here: resolving names for those acts. Not here: what they do (``seeking.py``), all other acts
(``facade.py``). Law: as there: people and channels are named by id or by name.
"""

from __future__ import annotations

from bot.emulator.acts import ActResult
from bot.emulator.errors import MisuseError
from bot.emulator.facade import Acts, WhichMessage
from bot.emulator.messages import Message
from bot.emulator.seeking import Seekers
from bot.emulator.values import JsonObject


class SeekingActs(Acts):
    """Acts, with shortcuts and menus that the app fills."""

    _people: Seekers

    async def shortcut(self, user: str, callback_id: str, *, settle: bool = True) -> ActResult:
        """Choose a global shortcut of the app."""
        who = self._ws.user(user).id
        return await self._seen(who, self._people.shortcut(who, callback_id), settle=settle)

    async def message_shortcut(
        self,
        user: str,
        channel: str,
        message: WhichMessage,
        callback_id: str,
        *,
        settle: bool = True,
    ) -> ActResult:
        """Choose a shortcut of the app for a message.

        Raises: MisuseError for what only one person sees: it has no shortcuts.
        """
        who, where = self._ws.user(user).id, self._ws.channel(channel).id
        shown = self._shown(who, where, message)
        if not isinstance(shown, Message):
            raise MisuseError("an ephemeral has no shortcuts")
        act = self._people.message_shortcut(who, shown, callback_id)
        return await self._seen(who, act, settle=settle)

    async def suggest(
        self, user: str, view_id: str, action_id: str, typed: str = ""
    ) -> list[JsonObject]:
        """Type into a menu of a view and return the options that it then offers."""
        who = self._ws.user(user).id
        return await self._people.suggest(who, view_id, action_id, typed)
