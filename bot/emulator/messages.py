"""Messages and ephemerals, with the full history of every edit.

Lives here: message values, the board that keeps them, the mint of message timestamps.
Not here: permissions, limits, Web API shapes beyond one message's own JSON.
Law: a `ts` is unique and strictly increasing; an edit adds a version and never removes one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime

from bot.emulator.values import Clock, JsonObject

_MICRO = 1_000_000


class TimestampMint:
    """Makes Slack timestamps from a clock that may stand still."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._last = 0

    def next(self) -> str:
        """Return the next `seconds.micros` string, later than every one before."""
        now = self._clock()
        self._last = max(self._last + 1, int(now.timestamp()) * _MICRO + now.microsecond)
        return f"{self._last // _MICRO}.{self._last % _MICRO:06d}"


def with_block_ids(blocks: Iterable[JsonObject]) -> tuple[JsonObject, ...]:
    """Name the blocks and interactive elements that the app left unnamed, as Slack does."""
    return tuple(
        {
            **_with_action_ids(block),
            "block_id": block.get("block_id") or secrets.token_urlsafe(4)[:5],
        }
        for block in blocks
    )


def _with_action_ids(block: JsonObject) -> JsonObject:
    named = dict(block)
    for slot in ("accessory", "element"):
        if isinstance(block.get(slot), dict):
            named[slot] = _named(block[slot])
    if block.get("type") == "actions":
        named["elements"] = [_named(one) for one in block["elements"]]
    return named


def _named(element: JsonObject) -> JsonObject:
    if element.get("type") == "image" or element.get("action_id"):
        return element
    return {**element, "action_id": secrets.token_urlsafe(4)[:5]}


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageVersion:
    """What a message said from `at` on."""

    text: str
    blocks: tuple[JsonObject, ...]
    at: datetime
    metadata: JsonObject | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """A message with every version it ever had; the last one is what people see."""

    channel: str
    ts: str
    user: str
    is_from_app: bool
    versions: tuple[MessageVersion, ...]
    thread_ts: str = ""
    is_broadcast: bool = False
    is_deleted: bool = False
    reactions: tuple[tuple[str, str], ...] = ()
    files: tuple[str, ...] = ()

    @property
    def current(self) -> MessageVersion:
        """The version people see now."""
        return self.versions[-1]

    @property
    def text(self) -> str:
        """The fallback text people see now."""
        return self.current.text

    @property
    def blocks(self) -> tuple[JsonObject, ...]:
        """The blocks people see now."""
        return self.current.blocks

    @property
    def is_reply(self) -> bool:
        """Say whether it hangs below another message."""
        return bool(self.thread_ts) and self.thread_ts != self.ts

    @property
    def is_edited(self) -> bool:
        """Say whether it ever changed."""
        return len(self.versions) > 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Ephemeral:
    """A message that one person sees; `is_system` when Slack itself says it."""

    channel: str
    ts: str
    user: str
    text: str
    blocks: tuple[JsonObject, ...] = ()
    thread_ts: str = ""
    is_system: bool = False
    is_dismissed: bool = False


class MessageBoard:
    """All messages and ephemerals of a workspace."""

    def __init__(self, clock: Clock) -> None:
        self.mint = TimestampMint(clock)
        self._clock = clock
        self._messages: dict[tuple[str, str], Message] = {}
        self._ephemerals: dict[str, Ephemeral] = {}

    def version(
        self, text: str, blocks: Iterable[JsonObject], metadata: JsonObject | None = None
    ) -> MessageVersion:
        """Stamp a text and its blocks with now."""
        return MessageVersion(
            text=text, blocks=with_block_ids(blocks), at=self._clock(), metadata=metadata
        )

    def post(
        self,
        channel: str,
        user: str,
        version: MessageVersion,
        *,
        is_from_app: bool,
        thread_ts: str = "",
        is_broadcast: bool = False,
        files: tuple[str, ...] = (),
    ) -> Message:
        """Add a message to a channel."""
        message = Message(
            channel=channel,
            ts=self.mint.next(),
            user=user,
            is_from_app=is_from_app,
            versions=(version,),
            thread_ts=thread_ts,
            is_broadcast=is_broadcast,
            files=files,
        )
        self.keep(message)
        return message

    def keep(self, message: Message) -> None:
        """Store a message in place of the one with its channel and ts."""
        self._messages[message.channel, message.ts] = message

    def edit(self, message: Message, version: MessageVersion) -> Message:
        """Add a version."""
        edited = replace(message, versions=(*message.versions, version))
        self.keep(edited)
        return edited

    def find(self, channel: str, ts: str) -> Message | None:
        """Look a live message up."""
        found = self._messages.get((channel, ts))
        return None if found is None or found.is_deleted else found

    def listing(self, channel: str, *, deleted: bool = False) -> tuple[Message, ...]:
        """List a channel's messages, oldest first, replies included."""
        own = (m for m in self._messages.values() if m.channel == channel)
        return tuple(m for m in own if deleted or not m.is_deleted)

    def whisper(self, ephemeral: Ephemeral) -> Ephemeral:
        """Show something to one person."""
        self._ephemerals[ephemeral.ts] = ephemeral
        return ephemeral

    def ephemeral(self, ts: str) -> Ephemeral | None:
        """Look an undismissed ephemeral up."""
        found = self._ephemerals.get(ts)
        return None if found is None or found.is_dismissed else found

    def ephemerals(self, user: str) -> tuple[Ephemeral, ...]:
        """List what one person was shown, oldest first, without what they dismissed."""
        return tuple(e for e in self._ephemerals.values() if e.user == user and not e.is_dismissed)

    def dismiss(self, ts: str) -> None:
        """Take an ephemeral away."""
        if ts in self._ephemerals:
            self._ephemerals[ts] = replace(self._ephemerals[ts], is_dismissed=True)
