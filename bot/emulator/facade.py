"""The people's acts and the views of the state, by the names a test would use.

Lives here: resolving names, waiting after an act, collecting what a person was shown.
Not here: composition and life cycle (`emulator.py`), what an act does (`acts.py`).
Law: people and channels are named by id or by name; an act returns after the app went quiet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from typing import TypeAlias, cast

from bot.emulator.acts import ActResult, People
from bot.emulator.delivery import Courier
from bot.emulator.errors import MisuseError
from bot.emulator.faults import FaultKind, FaultScript
from bot.emulator.journal import ApiCall, Delivery, Journal
from bot.emulator.manifest import AppConfig
from bot.emulator.messages import Ephemeral, Message, MessageVersion
from bot.emulator.people import user_json, view_json
from bot.emulator.values import ChannelSeed, JsonObject, UserSeed
from bot.emulator.view_desk import View
from bot.emulator.workspace import Workspace

WhichMessage: TypeAlias = str | Callable[[Message | Ephemeral], bool]


class Acts(ABC):
    """What tests and the demo do with a workspace; the emulator builds on it."""

    faults: FaultScript
    _ws: Workspace
    _config: AppConfig
    _people: People
    _courier: Courier
    _journal: Journal

    @abstractmethod
    async def settle(self, *, quiet_s: float = 0.02, within_s: float = 10.0) -> None:
        """Wait until the app went quiet."""

    async def _seen(self, user: str, act: Awaitable[ActResult], *, settle: bool) -> ActResult:
        before = {(e.ts, e.text) for e in self._ws.board.ephemerals(user)}
        result = await act
        if settle:
            await self.settle()
        shown = self._ws.board.ephemerals(user)
        return replace(result, ephemerals=tuple(e for e in shown if (e.ts, e.text) not in before))

    def _shown(self, user: str, channel_id: str, which: WhichMessage) -> Message | Ephemeral:
        own = [e for e in self._ws.board.ephemerals(user) if e.channel == channel_id]
        everything: list[Message | Ephemeral] = [*self._ws.board.listing(channel_id), *own]
        for one in reversed(everything):
            if one.ts == which if isinstance(which, str) else which(one):
                return one
        raise MisuseError(f"{channel_id} shows {user} no such message")

    async def click(
        self,
        user: str,
        channel: str,
        message: WhichMessage,
        action_id: str,
        *,
        value: object = None,
        block_id: str = "",
        stale: bool | int = False,
        confirm: bool = True,
        settle: bool = True,
    ) -> ActResult:
        """Click a button or choose `value` in a message or ephemeral.

        `stale` True clicks the version before the newest, an int the version of that index.
        Raises: MisuseError when that element is not shown.
        """
        who, where = self._ws.user(user).id, self._ws.channel(channel).id
        shown = self._shown(who, where, message)
        version = self._version(shown, stale)
        act = self._people.click_message(
            who,
            shown,
            action_id,
            value=value,
            block_id=block_id,
            version=version,
            is_confirmed=confirm,
        )
        return await self._seen(who, act, settle=settle)

    def _version(self, shown: Message | Ephemeral, stale: bool | int) -> MessageVersion | None:
        if isinstance(shown, Ephemeral):
            return None
        ordered = self.faults.take(frozenset({FaultKind.STALE_CLICK}), "block_actions")
        if stale is False and ordered is None:
            return shown.current
        place = -2 if stale in {True, False} and isinstance(stale, bool) else int(stale)
        try:
            return shown.versions[place]
        except IndexError as error:
            raise MisuseError(f"message {shown.ts} has no version {place}") from error

    async def choose(
        self, user: str, channel: str, message: WhichMessage, action_id: str, value: object
    ) -> ActResult:
        """Choose in a menu, check boxes, pick from an overflow, by option value."""
        return await self.click(user, channel, message, action_id, value=value)

    async def click_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        value: object = None,
        block_id: str = "",
        confirm: bool = True,
        settle: bool = True,
    ) -> ActResult:
        """Click or choose in the modal or home tab of that id."""
        who = self._ws.user(user).id
        act = self._people.click_view(
            who, view_id, action_id, value=value, block_id=block_id, is_confirmed=confirm
        )
        return await self._seen(who, act, settle=settle)

    async def command(
        self, user: str, name: str, text: str = "", channel: str = "", *, settle: bool = True
    ) -> ActResult:
        """Type a slash command, in the first channel the person sees unless told where."""
        who = self._ws.user(user).id
        where = self._ws.channel(channel) if channel else self._ws.visible_channels(who)[0]
        act = self._people.command(who, where.id, name, text)
        return await self._seen(who, act, settle=settle)

    async def submit(
        self,
        user: str,
        view_id: str,
        values: Mapping[str, object] | None = None,
        *,
        settle: bool = True,
    ) -> ActResult:
        """Fill a form's fields (by block id or action id) and submit it."""
        who = self._ws.user(user).id
        return await self._seen(who, self._people.submit(who, view_id, values or {}), settle=settle)

    async def close_view(
        self, user: str, view_id: str, *, everything: bool = False, settle: bool = True
    ) -> ActResult:
        """Close a form without submitting it."""
        who = self._ws.user(user).id
        act = self._people.close_view(who, view_id, everything=everything)
        return await self._seen(who, act, settle=settle)

    async def open_home(self, user: str, *, settle: bool = True) -> View | None:
        """Open the app's home tab and return what stands there afterwards."""
        who = self._ws.user(user).id
        await self._tell_home(who)
        if settle:
            await self.settle()
        return self._ws.views.home(who)

    async def _tell_home(self, user: str) -> None:
        home = self._ws.views.home(user)
        event: JsonObject = {
            "type": "app_home_opened",
            "user": user,
            "channel": self._ws.open_im(user).id,
            "tab": "home",
        }
        if home is not None:
            event["view"] = view_json(self._ws, home)
        self._people.announce(event)

    async def event(self, event_type: str, *, settle: bool = True, **fields: object) -> bool:
        """Send an event; False when the manifest does not subscribe to it."""
        is_sent = self._people.announce({"type": event_type, **fields})
        if settle:
            await self.settle()
        return is_sent

    async def set_user(self, user: str, *, settle: bool = True, **changes: object) -> UserSeed:
        """Change an account and send user_change."""
        changed = replace(self._ws.user(user), **cast("JsonObject", changes))
        self._ws.replace_user(changed)
        may_read = "users:read.email" in self._config.scopes
        shape = user_json(self._ws, changed, with_email=may_read)
        stamp = int(self._ws.clock().timestamp())
        await self.event("user_change", settle=settle, user=shape, cache_ts=stamp)
        return changed

    async def set_channel(
        self, channel: str, *, settle: bool = True, **changes: object
    ) -> ChannelSeed:
        """Change a channel; archiving or sharing it sends its event."""
        before = self._ws.channel(channel)
        changed = replace(before, **cast("JsonObject", changes))
        self._ws.replace_channel(changed)
        if changed.is_ext_shared is not before.is_ext_shared:
            told = "channel_shared" if changed.is_ext_shared else "channel_unshared"
            await self.event(told, settle=settle, channel=changed.id, connected_team_id="T0ELSE")
        if changes.get("is_archived"):
            await self.event("channel_archive", settle=settle, channel=changed.id)
        return changed

    async def set_usergroup(self, group: str, *users: str, settle: bool = True) -> None:
        """Set a group's members and send subteam_members_changed."""
        standing = self._ws.usergroups[group]
        self._ws.replace_usergroup(replace(standing, users=users))
        await self.event(
            "subteam_members_changed",
            settle=settle,
            subteam_id=group,
            team_id=self._ws.seed.team_id,
            added_users=[u for u in users if u not in standing.users],
            removed_users=[u for u in standing.users if u not in users],
        )

    def say(self, user: str, channel: str, text: str) -> Message:
        """Write an ordinary message as a person."""
        return self._people.say(self._ws.user(user).id, self._ws.channel(channel).id, text)

    async def replay_last(self, name: str = "*", *, settle: bool = True) -> Delivery:
        """Send the newest delivery (of that name) again, byte for byte."""
        found = self.deliveries(name)
        if not found:
            raise MisuseError(f"nothing was delivered as {name}")
        return await self.replay(found[-1], settle=settle)

    async def replay(self, delivery: Delivery, *, settle: bool = True) -> Delivery:
        """Send that delivery again, byte for byte."""
        sent = await self._courier.replay(delivery)
        if settle:
            await self.settle()
        return sent

    def attempts(self, most: int) -> None:
        """Send an envelope at most so often while nobody acknowledges it."""
        self._courier.attempts = most

    def messages(self, channel: str) -> tuple[Message, ...]:
        """List a channel's live messages, oldest first, replies included."""
        return self._ws.board.listing(self._ws.channel(channel).id)

    def ephemerals(self, user: str) -> tuple[Ephemeral, ...]:
        """List what one person was shown and did not dismiss."""
        return self._ws.board.ephemerals(self._ws.user(user).id)

    def modal(self, user: str) -> View | None:
        """The modal on top of a person's stack."""
        return self._ws.views.top(self._ws.user(user).id)

    def home(self, user: str) -> View | None:
        """The home tab published for a person."""
        return self._ws.views.home(self._ws.user(user).id)

    def calls(self, method: str = "*") -> tuple[ApiCall, ...]:
        """List the Web API calls the app made, oldest first."""
        return tuple(c for c in self._journal.calls if method in {"*", c.method})

    def deliveries(self, name: str = "*") -> tuple[Delivery, ...]:
        """List what was sent to the app: by name (`block_actions`, `/cmd`) or by kind."""
        return tuple(d for d in self._journal.deliveries if name in {"*", d.name, d.kind})
