"""What Slack sends to an app: the field sets of interactions, commands and events.

Lives here: building payloads from the workspace's state. Not here: signing, sending.
Law: a payload is built once, at the moment a person acts, and never changed afterwards.
"""

from __future__ import annotations

import re
import secrets

from bot.emulator.messages import Ephemeral, Message, MessageVersion
from bot.emulator.people import message_json, view_json
from bot.emulator.values import ChannelSeed, JsonObject
from bot.emulator.view_desk import View
from bot.emulator.workspace import Workspace

_AT_USER = re.compile(r"(?<![\w<])@([\w.-]+)")
_AT_CHANNEL = re.compile(r"(?<![\w<])#([\w-]+)")


def envelope(ws: Workspace, kind: str, user_id: str) -> JsonObject:
    """Build what every interaction says of who acted, where, and for which app."""
    user = ws.users[user_id]
    seed = ws.seed
    team: JsonObject = {"id": seed.team_id, "domain": seed.team_domain}
    if seed.enterprise_id:
        team |= {"enterprise_id": seed.enterprise_id, "enterprise_name": seed.team_name}
    return {
        "type": kind,
        "team": team,
        "user": {
            "id": user.acts_as or user.id,
            "username": user.name,
            "name": user.name,
            "team_id": user.team_id or seed.team_id,
        },
        "api_app_id": seed.app_id,
        "token": seed.verification_token,
        "enterprise": _enterprise(ws),
        "is_enterprise_install": seed.is_org_install,
    }


def _enterprise(ws: Workspace) -> JsonObject | None:
    own = ws.seed.enterprise_id
    return {"id": own, "name": ws.seed.team_name} if own else None


def message_click(
    ws: Workspace,
    user: str,
    shown: Message | Ephemeral,
    *,
    version: MessageVersion | None,
    action: JsonObject,
    values: JsonObject,
    response_url: str,
) -> JsonObject:
    """Build block_actions for an element in a message; an ephemeral is not included."""
    channel = ws.channels[shown.channel]
    is_ephemeral = isinstance(shown, Ephemeral)
    container: JsonObject = {
        "type": "message",
        "message_ts": shown.ts,
        "channel_id": channel.id,
        "is_ephemeral": is_ephemeral,
    }
    if shown.thread_ts:
        container["thread_ts"] = shown.thread_ts
    payload = {
        **envelope(ws, "block_actions", user),
        "container": container,
        "trigger_id": ws.capabilities.issue_trigger(user),
        "channel": {"id": channel.id, "name": _spoken_name(channel)},
        "state": {"values": values},
        "response_url": response_url,
        "actions": [action],
    }
    if isinstance(shown, Message):
        payload["message"] = message_json(ws, shown, version=version)
    return payload


def _spoken_name(channel: ChannelSeed) -> str:
    if channel.is_im:
        return "directmessage"
    return "privategroup" if channel.is_private else channel.name


def _viewenvelope(ws: Workspace, kind: str, user_id: str) -> JsonObject:
    """A view stands in no workspace where the organisation installed the app."""
    built = envelope(ws, kind, user_id)
    return {**built, "team": None} if ws.seed.is_org_install else built


def view_click(ws: Workspace, view: View, action: JsonObject) -> JsonObject:
    """Build block_actions for an element in a modal or a home tab."""
    return {
        **_viewenvelope(ws, "block_actions", view.user),
        "container": {"type": "view", "view_id": view.id},
        "trigger_id": ws.capabilities.issue_trigger(view.user),
        "view": view_json(ws, view),
        "actions": [action],
    }


def view_submission(ws: Workspace, view: View) -> JsonObject:
    """Build what a form's submit button sends."""
    return {
        **_viewenvelope(ws, "view_submission", view.user),
        "trigger_id": ws.capabilities.issue_trigger(view.user),
        "view": view_json(ws, view),
        "response_urls": [],
    }


def view_closed(ws: Workspace, view: View, *, is_cleared: bool) -> JsonObject:
    """Build what closing a form sends, for views that asked for it."""
    closed = _viewenvelope(ws, "view_closed", view.user)
    return {**closed, "view": view_json(ws, view), "is_cleared": is_cleared}


def escaped(ws: Workspace, text: str) -> str:
    """Write mentions as `<@U..|name>` and `<#C..|name>`, as should_escape asks."""

    def person(found: re.Match[str]) -> str:
        name = found[1]
        user = next((u for u in ws.users.values() if name in {u.name, u.id}), None)
        return f"<@{user.id}|{user.name}>" if user else found[0]

    def place(found: re.Match[str]) -> str:
        name = found[1]
        channel = next((c for c in ws.channels.values() if name in {c.name, c.id}), None)
        return f"<#{channel.id}|{channel.name}>" if channel else found[0]

    return _AT_CHANNEL.sub(place, _AT_USER.sub(person, text))


def slash_command(
    ws: Workspace,
    user_id: str,
    channel: ChannelSeed,
    *,
    command: str,
    text: str,
    response_url: str,
) -> JsonObject:
    """Build the form fields of a slash command."""
    user = ws.users[user_id]
    fields: JsonObject = {
        "token": ws.seed.verification_token,
        "team_id": user.team_id or ws.seed.team_id,
        "team_domain": ws.seed.team_domain,
        "channel_id": channel.id,
        "channel_name": _spoken_name(channel),
        "user_id": user.acts_as or user.id,
        "user_name": user.name,
        "command": command,
        "text": text,
        "api_app_id": ws.seed.app_id,
        "is_enterprise_install": str(ws.seed.is_org_install).lower(),
        "response_url": response_url,
        "trigger_id": ws.capabilities.issue_trigger(user_id),
    }
    if ws.seed.enterprise_id:
        fields |= {"enterprise_id": ws.seed.enterprise_id, "enterprise_name": ws.seed.team_name}
    return fields


def event_callback(ws: Workspace, event: JsonObject) -> JsonObject:
    """Wrap an event with its id, as the Events API does."""
    seed = ws.seed
    stamp = ws.board.mint.next()
    authorization = {
        "enterprise_id": seed.enterprise_id or None,
        "team_id": seed.team_id,
        "user_id": seed.bot_user_id,
        "is_bot": True,
        "is_enterprise_install": seed.is_org_install,
    }
    return {
        "token": seed.verification_token,
        "team_id": seed.team_id,
        "api_app_id": seed.app_id,
        "event": {"event_ts": stamp, **event},
        "type": "event_callback",
        "event_id": f"Ev0{secrets.token_hex(5).upper()}",
        "event_time": int(ws.clock().timestamp()),
        "authorizations": [authorization],
        "is_ext_shared_channel": False,
        "event_context": secrets.token_urlsafe(24),
    }
