"""Web API family chat.*: posting, editing and deleting messages.

Lives here: the handlers and their refusals. Not here: block limits (`limits.py`), HTTP.
Law: an app edits only its own messages, and only where it is a member.
"""

from __future__ import annotations

import json
from dataclasses import replace

from bot.emulator.errors import ApiRefusal
from bot.emulator.limits import (
    MAX_POST_TEXT,
    MAX_UPDATE_TEXT,
    METADATA_BYTES,
    check_blocks,
    is_message_too_long,
)
from bot.emulator.messages import Message
from bot.emulator.method import ApiContext, Method
from bot.emulator.params import Params
from bot.emulator.people import message_json
from bot.emulator.values import ChannelSeed, JsonObject


def _blocks(params: Params) -> list[JsonObject]:
    blocks = params.structure("blocks", otherwise="invalid_blocks_format")
    if blocks is None:
        return []
    if not isinstance(blocks, list):
        raise ApiRefusal("invalid_blocks_format")
    return checked_blocks(blocks)


def checked_blocks(blocks: list[JsonObject]) -> list[JsonObject]:
    """Return the blocks of a message, or refuse them.

    Raises: ApiRefusal invalid_blocks with JSON pointers, msg_blocks_too_long.
    """
    found = check_blocks(blocks, "message")
    if found:
        raise ApiRefusal("invalid_blocks", messages=[str(one) for one in found])
    if is_message_too_long(blocks):
        raise ApiRefusal("msg_blocks_too_long")
    return blocks


def _metadata(params: Params) -> JsonObject | None:
    given = params.record("metadata", otherwise="invalid_metadata_format")
    if given is None:
        return None
    payload = given.get("event_payload")
    if not isinstance(given.get("event_type"), str) or not isinstance(payload, dict):
        raise ApiRefusal("invalid_metadata_format")
    if len(json.dumps(given).encode()) > METADATA_BYTES:
        raise ApiRefusal("metadata_too_large")
    return given


def _content(params: Params) -> tuple[str, list[JsonObject]]:
    text, blocks = params.text("text"), _blocks(params)
    if not text.strip() and not blocks:
        raise ApiRefusal("no_text")
    return text, blocks


def _writable(context: ApiContext, params: Params) -> ChannelSeed:
    wanted = params.required("channel")
    ws = context.workspace
    if wanted in ws.users and wanted not in ws.channels:
        channel = ws.open_im(wanted)
    else:
        named = next((c.id for c in ws.channels.values() if c.name == wanted.lstrip("#")), wanted)
        channel = context.channel(named)
    if channel.is_im and context.config.is_messages_tab_disabled:
        raise ApiRefusal("messages_tab_disabled")
    if channel.is_archived:
        raise ApiRefusal("is_archived")
    is_open = not channel.is_private and "chat:write.public" in context.config.scopes
    if not context.is_member(channel) and not is_open:
        raise ApiRefusal("not_in_channel")
    return channel


def post_message(context: ApiContext, params: Params) -> JsonObject:
    """chat.postMessage."""
    ws = context.workspace
    channel = _writable(context, params)
    text, blocks = _content(params)
    thread = params.text("thread_ts")
    if thread and ws.board.find(channel.id, thread) is None:
        raise ApiRefusal("cannot_reply_to_message")
    message = ws.board.post(
        channel.id,
        ws.seed.bot_user_id,
        ws.board.version(text[:MAX_POST_TEXT], blocks, _metadata(params)),
        is_from_app=True,
        thread_ts=thread,
        is_broadcast=params.flag("reply_broadcast"),
    )
    return {"channel": channel.id, "ts": message.ts, "message": message_json(ws, message)}


def _own(context: ApiContext, params: Params, refusal: str) -> Message:
    ws = context.workspace
    channel = context.channel(params.required("channel"))
    message = ws.message(channel.id, params.required("ts"))
    if channel.is_archived:
        raise ApiRefusal("is_inactive")
    if not message.is_from_app or message.user != ws.seed.bot_user_id:
        raise ApiRefusal(refusal)
    return message


def update(context: ApiContext, params: Params) -> JsonObject:
    """chat.update. Text without blocks drops the blocks; metadata stays when left out."""
    ws = context.workspace
    message = _own(context, params, "cant_update_message")
    text, blocks = _content(params)
    if len(text) > MAX_UPDATE_TEXT:
        raise ApiRefusal("msg_too_long")
    metadata = _metadata(params) if params.has("metadata") else message.current.metadata
    if not params.has("text"):
        text = message.text
    edited = ws.board.edit(message, ws.board.version(text, blocks, metadata))
    shape = message_json(ws, edited)
    return {"channel": edited.channel, "ts": edited.ts, "text": text, "message": shape}


def delete(context: ApiContext, params: Params) -> JsonObject:
    """chat.delete."""
    message = _own(context, params, "cant_delete_message")
    context.workspace.board.keep(replace(message, is_deleted=True))
    return {"channel": message.channel, "ts": message.ts}


def post_ephemeral(context: ApiContext, params: Params) -> JsonObject:
    """chat.postEphemeral."""
    ws = context.workspace
    channel = _writable(context, params)
    user = params.required("user")
    if user not in channel.members:
        raise ApiRefusal("user_not_in_channel")
    text, blocks = _content(params)
    shown = ws.whisper(channel.id, user, text, blocks, thread_ts=params.text("thread_ts"))
    return {"message_ts": shown.ts}


def get_permalink(context: ApiContext, params: Params) -> JsonObject:
    """chat.getPermalink. The link opens the emulator's own page."""
    channel = context.channel(params.required("channel"))
    message = context.workspace.message(channel.id, params.required("message_ts"))
    link = f"{context.origin()}/?channel={channel.name}#p{message.ts.replace('.', '')}"
    return {"channel": channel.id, "permalink": link}


_WRITE = ("chat:write",)
METHODS = (
    Method(name="chat.postMessage", handler=post_message, scopes=_WRITE, tier=4),
    Method(name="chat.update", handler=update, scopes=_WRITE, tier=3),
    Method(name="chat.delete", handler=delete, scopes=_WRITE, tier=3),
    Method(name="chat.postEphemeral", handler=post_ephemeral, scopes=_WRITE, tier=4),
    Method(name="chat.getPermalink", handler=get_permalink, tier=4),
)
