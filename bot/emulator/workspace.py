"""The workspace itself: a state machine of people, channels, messages, views and files.

Lives here: the state and its transitions, pure but for the clock it is given.
Not here: HTTP, signing, delivery, permissions of the app.
Law: a transition either happens whole or raises; nothing here waits.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace

from bot.emulator.capabilities import CapabilityBook
from bot.emulator.errors import ApiRefusal, MisuseError
from bot.emulator.messages import Ephemeral, Message, MessageBoard
from bot.emulator.values import (
    ChannelSeed,
    Clock,
    JsonObject,
    UsergroupSeed,
    UserSeed,
    WorkspaceSeed,
)
from bot.emulator.view_desk import ViewDesk

SLACKBOT = "USLACKBOT"


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """An uploaded file; it is visible once the upload was completed."""

    id: str
    name: str
    title: str
    upload_key: str
    alt_text: str = ""
    content: bytes = b""
    is_complete: bool = False

    @property
    def is_picture(self) -> bool:
        """Say whether a browser can draw it."""
        return self.content.startswith((b"\x89PNG", b"\xff\xd8\xff", b"GIF8"))


class Workspace:
    """One team on Slack, in memory."""

    def __init__(self, seed: WorkspaceSeed, *, clock: Clock, app_name: str) -> None:
        self.seed = seed
        self.clock = clock
        self.board = MessageBoard(clock)
        self.views = ViewDesk()
        self.capabilities = CapabilityBook(clock)
        self.users = {user.id: user for user in seed.users}
        self.channels = {channel.id: channel for channel in seed.channels}
        self.usergroups = {group.id: group for group in seed.usergroups}
        self.files: dict[str, StoredFile] = {}
        self._choices: dict[tuple[str, str], dict[tuple[str, str], JsonObject]] = {}
        if seed.bot_user_id not in self.users:
            self.users[seed.bot_user_id] = UserSeed(
                id=seed.bot_user_id,
                name=app_name.lower(),
                real_name=app_name,
                title="App",
                is_bot=True,
                is_email_confirmed=False,
            )

    def user(self, wanted: str) -> UserSeed:
        """Find a person by id or by name; MisuseError when there is none."""
        found = self.users.get(wanted)
        named = (u for u in self.users.values() if u.name == wanted.lstrip("@"))
        found = found or next(named, None)
        if found is None:
            raise MisuseError(f"no user {wanted}")
        return found

    def account(self, user_id: str) -> UserSeed | None:
        """Find an account by either of its ids, as an organisation knows it by two."""
        found = self.users.get(user_id)
        by_org = (u for u in self.users.values() if (u.enterprise_user or {}).get("id") == user_id)
        return found or next(by_org, None)

    def channel(self, wanted: str) -> ChannelSeed:
        """Find a channel by id or by name; MisuseError when there is none."""
        found = self.channels.get(wanted)
        named = (c for c in self.channels.values() if c.name == wanted.lstrip("#"))
        found = found or next(named, None)
        if found is None:
            raise MisuseError(f"no channel {wanted}")
        return found

    def open_im(self, user: str) -> ChannelSeed:
        """Find or make the direct conversation of the app with a person."""
        for channel in self.channels.values():
            if channel.im_user == user:
                return channel
        made = ChannelSeed(
            id=f"D0{user[1:]}",
            name=self.users[user].name,
            members=(user, self.seed.bot_user_id),
            im_user=user,
        )
        self.channels[made.id] = made
        return made

    def visible_channels(self, user: str) -> list[ChannelSeed]:
        """List what stands in a person's sidebar: theirs, and public ones unless a guest."""
        person = self.users[user]
        is_guest = person.is_restricted or person.is_ultra_restricted or bool(person.is_stranger)
        return [
            c
            for c in self.channels.values()
            if user in c.members or not (c.is_private or c.is_im or is_guest)
        ]

    def whisper(
        self,
        channel: str,
        user: str,
        text: str,
        blocks: Iterable[JsonObject] = (),
        *,
        thread_ts: str = "",
        is_system: bool = False,
    ) -> Ephemeral:
        """Show something to one person only."""
        version = self.board.version(text, blocks)
        return self.board.whisper(
            Ephemeral(
                channel=channel,
                ts=self.board.mint.next(),
                user=user,
                text=text,
                blocks=version.blocks,
                thread_ts=thread_ts,
                is_system=is_system,
            )
        )

    def message(self, channel: str, ts: str) -> Message:
        """Find a live message; ApiRefusal message_not_found when there is none."""
        found = self.board.find(channel, ts)
        if found is None:
            raise ApiRefusal("message_not_found")
        return found

    def choose(
        self, user: str, ts: str, block_id: str, action_id: str, state: JsonObject
    ) -> dict[tuple[str, str], JsonObject]:
        """Remember what a person chose in a message and return all they chose there."""
        own = self._choices.setdefault((user, ts), {})
        if state:
            own[block_id, action_id] = state
        return own

    def replace_user(self, user: UserSeed) -> None:
        """Change an account."""
        self.users[user.id] = user

    def replace_channel(self, channel: ChannelSeed) -> None:
        """Change a channel."""
        self.channels[channel.id] = channel

    def replace_usergroup(self, group: UsergroupSeed) -> None:
        """Change a user group."""
        self.usergroups[group.id] = group

    def reserve_file(self, name: str, *, alt_text: str = "") -> StoredFile:
        """Make room for an upload."""
        made = StoredFile(
            id=f"F0{secrets.token_hex(5).upper()}",
            name=name,
            title=name,
            upload_key=secrets.token_urlsafe(18),
            alt_text=alt_text,
        )
        self.files[made.id] = made
        return made

    def fill_file(self, upload_key: str, content: bytes) -> StoredFile | None:
        """Store uploaded bytes; None when the key was never handed out or was used."""
        for stored in self.files.values():
            if stored.upload_key == upload_key and not stored.is_complete:
                self.files[stored.id] = replace(stored, content=content)
                return self.files[stored.id]
        return None

    def complete_file(self, file_id: str, title: str) -> StoredFile:
        """Make an uploaded file visible; ApiRefusal file_not_found when there is none."""
        stored = self.files.get(file_id)
        if stored is None:
            raise ApiRefusal("file_not_found")
        self.files[file_id] = replace(stored, title=title or stored.title, is_complete=True)
        return self.files[file_id]
