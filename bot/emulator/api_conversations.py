"""Web API family conversations.*: channels as the app may see them.

Lives here: listing, history, members, opening and joining. Not here: posting (`api_chat.py`).
Law: each kind of conversation needs its own scope.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from bot.emulator.errors import ApiRefusal
from bot.emulator.messages import Message
from bot.emulator.method import ApiContext, Method
from bot.emulator.params import Params
from bot.emulator.people import channel_json, message_json
from bot.emulator.values import ChannelSeed, JsonObject

_T = TypeVar("_T")
_PAGE, _LARGEST = 100, 1_000


def _prefix(channel: ChannelSeed) -> str:
    if channel.is_im:
        return "im"
    return "groups" if channel.is_private else "channels"


def _seen(context: ApiContext, params: Params, right: str) -> ChannelSeed:
    channel = context.channel(params.required("channel"))
    context.need(f"{_prefix(channel)}:{right}")
    return channel


def page(items: Sequence[_T], params: Params) -> tuple[list[_T], str]:
    """Cut one page out of a list and name the cursor of the next."""
    limit = params.whole("limit", _PAGE)
    if not 1 <= limit <= _LARGEST:
        raise ApiRefusal("invalid_limit")
    cursor = params.text("cursor")
    if cursor and not cursor.isdigit():
        raise ApiRefusal("invalid_cursor")
    start = int(cursor or 0)
    following = str(start + limit) if start + limit < len(items) else ""
    return list(items[start : start + limit]), following


def listing(context: ApiContext, params: Params) -> JsonObject:
    """conversations.list."""
    kinds = params.names("types") or ("public_channel",)
    context.need("channels:read", "groups:read", "im:read")
    wanted = {"public_channel": "channels", "private_channel": "groups", "im": "im"}
    prefixes = {wanted[kind] for kind in kinds if kind in wanted}
    shown = [
        c
        for c in context.workspace.channels.values()
        if _prefix(c) in prefixes
        and (not c.is_private or context.is_member(c))
        and not (params.flag("exclude_archived") and c.is_archived)
    ]
    for prefix in prefixes:
        context.need(f"{prefix}:read")
    part, cursor = page(shown, params)
    return {
        "channels": [channel_json(context.workspace, c) for c in part],
        "response_metadata": {"next_cursor": cursor},
    }


def info(context: ApiContext, params: Params) -> JsonObject:
    """conversations.info."""
    return {"channel": channel_json(context.workspace, _seen(context, params, "read"))}


def _answer(context: ApiContext, params: Params, shown: list[Message]) -> JsonObject:
    low, high = params.text("oldest", "0"), params.text("latest", "9999999999.999999")
    inclusive = params.flag("inclusive")
    kept = [m for m in shown if low < m.ts < high or (inclusive and m.ts in {low, high})]
    part, cursor = page(kept, params)
    listed = [message_json(context.workspace, m) for m in part]
    if not params.flag("include_all_metadata"):
        listed = [{k: v for k, v in one.items() if k != "metadata"} for one in listed]
    return {
        "messages": listed,
        "has_more": bool(cursor),
        "response_metadata": {"next_cursor": cursor},
    }


def history(context: ApiContext, params: Params) -> JsonObject:
    """conversations.history, newest first."""
    channel = _seen(context, params, "history")
    if not context.is_member(channel):
        raise ApiRefusal("not_in_channel")
    top = [
        m for m in context.workspace.board.listing(channel.id) if not m.is_reply or m.is_broadcast
    ]
    return _answer(context, params, top[::-1])


def replies(context: ApiContext, params: Params) -> JsonObject:
    """conversations.replies, the parent first."""
    channel = _seen(context, params, "history")
    root = params.required("ts")
    board = context.workspace.board
    thread = [m for m in board.listing(channel.id) if root in {m.ts, m.thread_ts}]
    if not thread:
        raise ApiRefusal("thread_not_found")
    return _answer(context, params, thread)


def members(context: ApiContext, params: Params) -> JsonObject:
    """conversations.members."""
    channel = _seen(context, params, "read")
    part, cursor = page(channel.members, params)
    return {"members": part, "response_metadata": {"next_cursor": cursor}}


def open_im(context: ApiContext, params: Params) -> JsonObject:
    """conversations.open, for one person."""
    context.need("im:write")
    users = params.names("users")
    if not users:
        raise ApiRefusal("users_list_not_supplied")
    if len(users) > 1:
        raise ApiRefusal("too_many_users")
    person = context.workspace.users.get(users[0])
    if person is None:
        raise ApiRefusal("user_not_found")
    if person.deleted:
        raise ApiRefusal("user_disabled")
    channel = context.workspace.open_im(person.id)
    return {"channel": {"id": channel.id}}


def join(context: ApiContext, params: Params) -> JsonObject:
    """conversations.join."""
    ws = context.workspace
    channel = context.channel(params.required("channel"))
    if channel.is_archived:
        raise ApiRefusal("is_archived")
    if channel.is_private or channel.is_im:
        raise ApiRefusal("method_not_supported_for_channel_type")
    if not context.is_member(channel):
        channel = replace(channel, members=(*channel.members, ws.seed.bot_user_id))
        ws.replace_channel(channel)
    return {"channel": channel_json(ws, channel)}


METHODS = (
    Method(name="conversations.list", handler=listing, tier=2),
    Method(name="conversations.info", handler=info, tier=3),
    Method(name="conversations.history", handler=history, tier=3),
    Method(name="conversations.replies", handler=replies, tier=3),
    Method(name="conversations.members", handler=members, tier=4),
    Method(name="conversations.open", handler=open_im, tier=3),
    Method(name="conversations.join", handler=join, scopes=("channels:join",), tier=3),
)
