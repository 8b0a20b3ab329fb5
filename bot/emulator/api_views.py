"""Web API families views.*, reactions.* and files.*: what an app shows beside messages.

Lives here: the handlers. Not here: view stacks (`view_desk.py`), trigger ids' life.
Law: a view is checked before its trigger is spent, so a refused view can be corrected.
"""

from __future__ import annotations

from dataclasses import replace

from bot.emulator.errors import ApiRefusal
from bot.emulator.limits import Surface, check_view, is_view_too_large
from bot.emulator.method import ApiContext, Method
from bot.emulator.params import Params
from bot.emulator.people import file_json, view_json
from bot.emulator.values import JsonObject
from bot.emulator.view_desk import View


def checked_view(view: JsonObject | None, surface: Surface) -> JsonObject:
    """Return a view, or refuse it.

    Raises: ApiRefusal invalid_arguments with JSON pointers, view_too_large.
    """
    if view is None:
        raise ApiRefusal("invalid_arguments", messages=["[ERROR] missing required field: view"])
    found = check_view(view, surface)
    if found:
        raise ApiRefusal("invalid_arguments", messages=[str(one) for one in found])
    if is_view_too_large(view):
        raise ApiRefusal("view_too_large")
    return view


def _answer(context: ApiContext, view: View) -> JsonObject:
    return {"view": view_json(context.workspace, view)}


def open_view(context: ApiContext, params: Params) -> JsonObject:
    """views.open."""
    ws = context.workspace
    trigger = params.required("trigger_id")
    view = checked_view(params.record("view"), "modal")
    return _answer(context, ws.views.open(ws.capabilities.spend_trigger(trigger), view))


def push(context: ApiContext, params: Params) -> JsonObject:
    """views.push."""
    ws = context.workspace
    trigger = params.required("trigger_id")
    view = checked_view(params.record("view"), "modal")
    return _answer(context, ws.views.push(ws.capabilities.spend_trigger(trigger), view))


def update(context: ApiContext, params: Params) -> JsonObject:
    """views.update."""
    desk = context.workspace.views
    standing = desk.find(params.text("view_id"), params.text("external_id"))
    if standing is None:
        raise ApiRefusal("not_found")
    surface: Surface = "home" if standing.body.get("type") == "home" else "modal"
    view = checked_view(params.record("view"), surface)
    return _answer(context, desk.update(standing, view, params.text("hash")))


def publish(context: ApiContext, params: Params) -> JsonObject:
    """views.publish."""
    if not context.config.is_home_enabled:
        raise ApiRefusal("not_enabled")
    user = params.required("user_id")
    if user not in context.workspace.users:
        raise ApiRefusal("user_not_found")
    view = checked_view(params.record("view"), "home")
    return _answer(context, context.workspace.views.publish(user, view, params.text("hash")))


def _react(context: ApiContext, params: Params, *, add: bool) -> JsonObject:
    ws = context.workspace
    channel = context.channel(params.required("channel"))
    message = ws.message(channel.id, params.required("timestamp"))
    mark = (params.required("name").strip(":"), ws.seed.bot_user_id)
    if add == (mark in message.reactions):
        raise ApiRefusal("already_reacted" if add else "no_reaction")
    kept = tuple(one for one in message.reactions if one != mark)
    ws.board.keep(replace(message, reactions=(*kept, mark) if add else kept))
    return {}


def reactions_add(context: ApiContext, params: Params) -> JsonObject:
    """reactions.add."""
    return _react(context, params, add=True)


def reactions_remove(context: ApiContext, params: Params) -> JsonObject:
    """reactions.remove."""
    return _react(context, params, add=False)


def get_upload_url(context: ApiContext, params: Params) -> JsonObject:
    """files.getUploadURLExternal."""
    if params.whole("length", 0) < 1:
        raise ApiRefusal("invalid_arguments", messages=["[ERROR] missing required field: length"])
    stored = context.workspace.reserve_file(
        params.required("filename"), alt_text=params.text("alt_txt")
    )
    return {
        "upload_url": f"{context.origin()}/upload/{stored.upload_key}",
        "file_id": stored.id,
    }


def complete_upload(context: ApiContext, params: Params) -> JsonObject:
    """files.completeUploadExternal."""
    ws = context.workspace
    listed = params.structure("files")
    if not isinstance(listed, list) or not listed:
        raise ApiRefusal("invalid_arguments", messages=["[ERROR] missing required field: files"])
    done = [ws.complete_file(str(one["id"]), str(one.get("title") or "")) for one in listed]
    where = params.names("channel_id") or params.names("channels")
    for wanted in where:
        channel = context.channel(wanted)
        if not context.is_member(channel):
            raise ApiRefusal("not_in_channel")
        ws.board.post(
            channel.id,
            ws.seed.bot_user_id,
            ws.board.version(params.text("initial_comment"), ()),
            is_from_app=True,
            thread_ts=params.text("thread_ts"),
            files=tuple(one.id for one in done),
        )
    return {"files": [file_json(one) for one in done]}


def files_info(context: ApiContext, params: Params) -> JsonObject:
    """files.info."""
    stored = context.workspace.files.get(params.required("file"))
    if stored is None or not stored.is_complete:
        raise ApiRefusal("file_not_found")
    return {"file": file_json(stored)}


_FILES, _REACT = ("files:write",), ("reactions:write",)
METHODS = (
    Method(name="views.open", handler=open_view, tier=4),
    Method(name="views.push", handler=push, tier=4),
    Method(name="views.update", handler=update, tier=4),
    Method(name="views.publish", handler=publish, tier=4),
    Method(name="reactions.add", handler=reactions_add, scopes=_REACT, tier=3),
    Method(name="reactions.remove", handler=reactions_remove, scopes=_REACT, tier=2),
    Method(name="files.getUploadURLExternal", handler=get_upload_url, scopes=_FILES, tier=4),
    Method(name="files.completeUploadExternal", handler=complete_upload, scopes=_FILES, tier=4),
    Method(name="files.info", handler=files_info, scopes=("files:read",), tier=4),
)
