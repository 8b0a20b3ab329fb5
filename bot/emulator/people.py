"""Workspace values in the JSON shapes that Slack's Web API and events use.

Lives here: users, channels, groups, messages, views, files as JSON.
Not here: any state, any rule. Law: a shape is built from state in one place only.
"""

from __future__ import annotations

from bot.emulator.messages import Message, MessageVersion
from bot.emulator.values import ChannelSeed, JsonObject, UsergroupSeed, UserSeed
from bot.emulator.view_desk import View
from bot.emulator.workspace import StoredFile, Workspace

_MAYBE = (
    "is_stranger",
    "is_invited_user",
    "is_workflow_bot",
    "is_connector_bot",
    "is_email_confirmed",
    "has_2fa",
)


def user_json(ws: Workspace, user: UserSeed, *, with_email: bool) -> JsonObject:
    """Shape an account as users.info does; the address only with its scope."""
    team = user.team_id or ws.seed.team_id
    profile: JsonObject = {
        "title": user.title,
        "real_name": user.real_name,
        "real_name_normalized": user.real_name,
        "display_name": user.name,
        "display_name_normalized": user.name,
        "team": team,
    }
    if with_email and user.email:
        profile["email"] = user.email
    shape: JsonObject = {
        "id": user.id,
        "team_id": team,
        "name": user.name,
        "deleted": user.deleted,
        "real_name": user.real_name,
        "tz": user.tz,
        "tz_label": user.tz_label,
        "tz_offset": user.tz_offset,
        "profile": profile,
        "is_admin": user.is_admin,
        "is_owner": user.is_owner,
        "is_primary_owner": False,
        "is_restricted": user.is_restricted,
        "is_ultra_restricted": user.is_ultra_restricted,
        "is_bot": user.is_bot,
        "is_app_user": user.is_app_user,
        "updated": int(ws.clock().timestamp()),
    }
    shape |= {n: getattr(user, n) for n in _MAYBE if getattr(user, n) is not None}
    if user.enterprise_user is not None:
        shape["enterprise_user"] = dict(user.enterprise_user)
    return shape


def channel_json(ws: Workspace, channel: ChannelSeed) -> JsonObject:
    """Shape a conversation as conversations.info does."""
    is_member = ws.seed.bot_user_id in channel.members
    shape: JsonObject = {
        "id": channel.id,
        "name": channel.name,
        "name_normalized": channel.name,
        "is_channel": not channel.is_im and not channel.is_private,
        "is_group": channel.is_private and not channel.is_im,
        "is_im": channel.is_im,
        "is_mpim": False,
        "is_private": channel.is_private or channel.is_im,
        "is_archived": channel.is_archived,
        "is_general": False,
        "is_shared": channel.is_ext_shared or channel.is_org_shared,
        "is_ext_shared": channel.is_ext_shared,
        "is_org_shared": channel.is_org_shared,
        "is_pending_ext_shared": channel.is_pending_ext_shared,
        "is_member": is_member,
        "context_team_id": ws.seed.team_id,
        "topic": {"value": channel.topic, "creator": "", "last_set": 0},
        "purpose": {"value": channel.purpose, "creator": "", "last_set": 0},
        "num_members": len(channel.members),
    }
    return {**shape, "user": channel.im_user} if channel.is_im else shape


def usergroup_json(ws: Workspace, group: UsergroupSeed) -> JsonObject:
    """Shape a user group as usergroups.list does, without its members."""
    return {
        "id": group.id,
        "team_id": ws.seed.team_id,
        "is_usergroup": True,
        "is_subteam": True,
        "name": group.name,
        "description": group.description,
        "handle": group.handle,
        "is_external": False,
        "date_create": 0,
        "date_update": 0,
        "date_delete": 1 if group.is_disabled else 0,
        "auto_type": None,
        "user_count": len(group.users),
        "prefs": {"channels": [], "groups": []},
    }


def message_json(
    ws: Workspace, message: Message, *, version: MessageVersion | None = None
) -> JsonObject:
    """Shape a message, at its newest version or at the one given."""
    shown = version or message.current
    shape: JsonObject = {
        "type": "message",
        "user": message.user,
        "ts": message.ts,
        "team": ws.seed.team_id,
        "text": shown.text,
        "blocks": [dict(block) for block in shown.blocks],
    }
    if message.is_from_app:
        shape |= {"bot_id": ws.seed.bot_id, "app_id": ws.seed.app_id}
    if shown is not message.versions[0]:
        edited_ts = f"{int(shown.at.timestamp())}.000000"
        shape["edited"] = {"user": message.user, "ts": edited_ts}
    if message.thread_ts:
        shape["thread_ts"] = message.thread_ts
    if shown.metadata is not None:
        shape["metadata"] = shown.metadata
    if message.files:
        shape["files"] = [file_json(ws.files[one]) for one in message.files]
    if message.reactions:
        names = dict.fromkeys(name for name, _ in message.reactions)
        who = {n: [u for name, u in message.reactions if name == n] for n in names}
        shape["reactions"] = [{"name": n, "users": u, "count": len(u)} for n, u in who.items()]
    replies = [m for m in ws.board.listing(message.channel) if m.thread_ts == message.ts]
    if [m for m in replies if m.is_reply]:
        shape |= {"thread_ts": message.ts, "reply_count": len([m for m in replies if m.is_reply])}
    return shape


def view_json(ws: Workspace, view: View) -> JsonObject:
    """Shape a view as views.open answers and as submissions carry it."""
    return {
        "callback_id": "",
        "private_metadata": "",
        "external_id": "",
        "title": {"type": "plain_text", "text": "Home", "emoji": True},
        "submit": None,
        "close": None,
        "clear_on_close": False,
        "notify_on_close": False,
        **view.body,
        "id": view.id,
        "team_id": ws.seed.team_id,
        "app_id": ws.seed.app_id,
        "app_installed_team_id": ws.seed.team_id,
        "bot_id": ws.seed.bot_id,
        "hash": view.hash,
        "root_view_id": view.root_id,
        "previous_view_id": view.previous_id or None,
        "state": {"values": view.values},
    }


def file_json(stored: StoredFile) -> JsonObject:
    """Shape a file as files.info does."""
    return {
        "id": stored.id,
        "name": stored.name,
        "title": stored.title,
        "size": len(stored.content),
        "alt_txt": stored.alt_text,
        "mode": "hosted",
        "is_external": False,
    }
