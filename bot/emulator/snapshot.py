"""What one person sees of the workspace, as data for the page.

Lives here: the JSON the page draws. Not here: how it is drawn, any change of state.
Law: a person's snapshot holds nothing that this person could not see in Slack, but for the
drawer, which belongs to whoever runs the emulator.
"""

from __future__ import annotations

import json

from bot.emulator import element_state
from bot.emulator.faults import ON_CALLS, FaultKind, FaultScript
from bot.emulator.journal import ApiCall, Delivery, Journal
from bot.emulator.manifest import AppConfig
from bot.emulator.messages import Ephemeral, Message
from bot.emulator.values import ChannelSeed, JsonObject
from bot.emulator.view_desk import View
from bot.emulator.workspace import SLACKBOT, Workspace

_DRAWER_ROWS = 150


def _message(ws: Workspace, message: Message) -> JsonObject:
    replies = [m for m in ws.board.listing(message.channel) if m.thread_ts == message.ts]
    return {
        "ts": message.ts,
        "user": message.user,
        "is_app": message.is_from_app,
        "thread_ts": message.thread_ts,
        "replies": len([m for m in replies if m.is_reply]),
        "versions": [{"text": v.text, "blocks": list(v.blocks)} for v in message.versions],
        "reactions": [list(one) for one in message.reactions],
        "files": [
            {
                "id": f.id,
                "title": f.title,
                "is_picture": f.is_picture,
                "size": len(f.content),
                "alt": f.alt_text,
            }
            for f in (ws.files[name] for name in message.files)
        ],
    }


def _ephemeral(ws: Workspace, shown: Ephemeral) -> JsonObject:
    return {
        "ts": shown.ts,
        "user": SLACKBOT if shown.is_system else ws.seed.bot_user_id,
        "is_app": not shown.is_system,
        "is_ephemeral": True,
        "channel": shown.channel,
        "versions": [{"text": shown.text, "blocks": list(shown.blocks)}],
    }


def _view(view: View | None) -> JsonObject | None:
    if view is None:
        return None
    return {
        "id": view.id,
        "hash": view.hash,
        "body": view.body,
        "values": view.values,
        "errors": dict(view.errors),
    }


def _channel(ws: Workspace, channel: ChannelSeed) -> JsonObject:
    last = max((m.ts for m in ws.board.listing(channel.id)), default="")
    return {
        "id": channel.id,
        "name": ws.users[channel.im_user].real_name if channel.is_im else channel.name,
        "topic": channel.topic,
        "is_private": channel.is_private,
        "is_im": channel.is_im,
        "is_archived": channel.is_archived,
        "is_ext_shared": channel.is_ext_shared,
        "members": len(channel.members),
        "last_ts": last,
    }


def directory(ws: Workspace, config: AppConfig) -> JsonObject:
    """List what the page needs to name things: people, groups, commands, faults."""
    return {
        "team": {"id": ws.seed.team_id, "name": ws.seed.team_name},
        "bot": ws.seed.bot_user_id,
        "app": config.name,
        "users": [
            {
                "id": u.id,
                "name": u.name,
                "real_name": u.real_name,
                "title": u.title,
                "tz": u.tz,
                "locale": u.locale,
                "deleted": u.deleted,
                "is_bot": u.is_bot,
                "is_guest": u.is_restricted or u.is_ultra_restricted or bool(u.is_stranger),
            }
            for u in ws.users.values()
        ],
        "usergroups": [{"id": g.id, "handle": g.handle} for g in ws.usergroups.values()],
        "channel_names": {c.id: c.name for c in ws.channels.values() if not c.is_im},
        "commands": [
            {"name": c.name, "description": c.description, "hint": c.usage_hint}
            for c in config.commands.values()
        ],
        "fault_kinds": [
            {"kind": k.value, "on": "call" if k in ON_CALLS else "delivery"} for k in FaultKind
        ],
    }


def seen_by(ws: Workspace, user: str, channel_id: str) -> JsonObject:
    """Show what a person has before them, with one channel open."""
    channels = ws.visible_channels(user)
    open_here = next((c for c in channels if c.id == channel_id), None)
    messages = ws.board.listing(open_here.id) if open_here else ()
    whispers = [e for e in ws.board.ephemerals(user) if open_here and e.channel == open_here.id]
    listed = [_message(ws, m) for m in messages] + [_ephemeral(ws, e) for e in whispers]
    choices = {}
    everything: list[Message | Ephemeral] = [*messages, *whispers]
    for shown in everything:
        touched = ws.choose(user, shown.ts, "", "", {})
        if touched:
            choices[shown.ts] = element_state.values(shown.blocks, touched)
    return {
        "user": user,
        "channel": open_here.id if open_here else "",
        "channels": [_channel(ws, c) for c in channels if not c.is_im or ws.board.listing(c.id)],
        "messages": sorted(listed, key=lambda m: str(m["ts"])),
        "choices": choices,
        "modals": [_view(v) for v in ws.views.stack(user)],
        "home": _view(ws.views.home(user)),
    }


def _call_row(call: ApiCall) -> JsonObject:
    return {
        "number": call.number,
        "side": "call",
        "at": call.at.isoformat(),
        "name": call.method,
        "status": call.status,
        "outcome": "ok" if call.is_ok else call.error,
        "is_bad": not call.is_ok,
        "elapsed_ms": round(call.elapsed_ms, 1),
        "fault": call.fault,
    }


def _delivery_row(delivery: Delivery) -> JsonObject:
    outcome = delivery.error or ("ack" if delivery.transport == "socket" else "answered")
    return {
        "number": delivery.number,
        "side": "delivery",
        "at": delivery.at.isoformat(),
        "name": delivery.name,
        "status": delivery.status,
        "outcome": outcome,
        "is_bad": delivery.status is None or not 200 <= delivery.status < 300,  # noqa: PLR2004 - the 2xx range
        "elapsed_ms": round(delivery.elapsed_ms, 1),
        "fault": delivery.fault,
    }


def drawer(journal: Journal, faults: FaultScript) -> JsonObject:
    """List the newest calls and deliveries, newest first, and the faults to come."""
    rows = [_call_row(c) for c in journal.calls] + [_delivery_row(d) for d in journal.deliveries]
    rows.sort(key=lambda row: -int(row["number"]))
    return {
        "rows": rows[:_DRAWER_ROWS],
        "faults": [{"kind": f.kind.value, "on": f.on, "times": f.times} for f in faults.pending()],
    }


def detail(journal: Journal, number: int) -> JsonObject | None:
    """Show one call or delivery in full."""
    for call in journal.calls:
        if call.number == number:
            given = {k: _unpacked(v) for k, v in call.params.items()}
            return {"title": call.method, "sent": given, "answered": call.response}
    for delivery in journal.deliveries:
        if delivery.number == number:
            headers = dict(delivery.headers)
            sent = {"headers": headers, "payload": delivery.payload}
            return {"title": delivery.name, "sent": sent, "answered": delivery.answer}
    return None


def _unpacked(value: object) -> object:
    if isinstance(value, str) and value[:1] in {"{", "["}:
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value
