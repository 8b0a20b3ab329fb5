"""What an app's answers do to the workspace: acknowledgements, response URLs, form answers.

Lives here: slash and response_url messages, response_action, the banners of failures.
Not here: sending (`delivery.py`). Law: an answer that Slack would refuse changes nothing and
shows the person a failure.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bot.emulator.api_chat import checked_blocks
from bot.emulator.api_views import checked_view
from bot.emulator.capabilities import ResponseHook
from bot.emulator.delivery import is_accepted
from bot.emulator.errors import ApiRefusal
from bot.emulator.journal import Delivery
from bot.emulator.values import JsonObject
from bot.emulator.view_desk import View
from bot.emulator.workspace import Workspace

TROUBLE = "We had some trouble connecting. Try again?"


@dataclass(frozen=True, slots=True, kw_only=True)
class FormOutcome:
    """What submitting a form led to: field errors, or a failure banner, or neither."""

    errors: Mapping[str, str]
    banner: str = ""


def failure(delivery: Delivery) -> str:
    """Name the failure a person is shown, or nothing when the app answered well."""
    if is_accepted(delivery):
        return ""
    return "operation_timeout" if delivery.error == "timeout" else "dispatch_failed"


def say(ws: Workspace, hook: ResponseHook, answer: JsonObject) -> None:
    """Post, replace or delete what a response names.

    Raises: ApiRefusal when Slack would refuse the message.
    """
    if answer.get("delete_original"):
        _delete(ws, hook)
        return
    text = str(answer.get("text") or "")
    blocks = checked_blocks(list(answer.get("blocks") or ()))
    if not text and not blocks:
        raise ApiRefusal("no_text")
    if answer.get("replace_original") and hook.message_ts:
        _replace(ws, hook, text, blocks)
        return
    thread_ts = str(answer.get("thread_ts") or "")
    if answer.get("response_type") == "in_channel":
        ws.board.post(
            hook.channel,
            ws.seed.bot_user_id,
            ws.board.version(text, blocks),
            is_from_app=True,
            thread_ts=thread_ts,
        )
    else:
        ws.whisper(hook.channel, hook.user, text, blocks, thread_ts=thread_ts)


def _replace(ws: Workspace, hook: ResponseHook, text: str, blocks: list[JsonObject]) -> None:
    version = ws.board.version(text, blocks)
    shown = ws.board.ephemeral(hook.message_ts)
    if hook.is_ephemeral and shown is not None:
        ws.board.whisper(replace(shown, text=text, blocks=version.blocks))
        return
    ws.board.edit(ws.message(hook.channel, hook.message_ts), version)


def _delete(ws: Workspace, hook: ResponseHook) -> None:
    if hook.is_ephemeral:
        ws.board.dismiss(hook.message_ts)
    else:
        ws.board.keep(replace(ws.message(hook.channel, hook.message_ts), is_deleted=True))


def answer_command(ws: Workspace, user: str, channel: str, command: str, sent: Delivery) -> str:
    """Show what a slash command's answer says; return the failure shown, if any."""
    failed = failure(sent)
    answer = sent.answer
    if not failed and isinstance(answer, str) and answer:
        answer = {"text": answer}
    if not failed and isinstance(answer, dict) and answer:
        hook = ResponseHook(user=user, channel=channel, at=ws.clock())
        try:
            say(ws, hook, answer)
        except ApiRefusal as refusal:
            failed = refusal.code
    if failed:
        failed = f'{command} failed with the error "{failed}"'
        ws.whisper(channel, user, failed, is_system=True)
    return failed


def answer_submission(ws: Workspace, view: View, sent: Delivery) -> FormOutcome:
    """Apply a view_submission's answer to the stack of modals."""
    answer = sent.answer if isinstance(sent.answer, dict) else {}
    if failure(sent):
        return FormOutcome(errors={}, banner=TROUBLE)
    try:
        return _apply(ws, view, answer)
    except ApiRefusal:
        return FormOutcome(errors={}, banner=TROUBLE)


def _apply(ws: Workspace, view: View, answer: JsonObject) -> FormOutcome:
    standing = ws.views.find(view.id)
    match answer.get("response_action"):
        case None:
            _close(ws, view)
        case "clear":
            ws.views.close(view.user, everything=True)
        case "errors":
            return _errors(ws, view, answer.get("errors"))
        case "update" if standing is not None:
            ws.views.update(standing, checked_view(answer.get("view"), "modal"))
        case "push":
            ws.views.push(view.user, checked_view(answer.get("view"), "modal"))
        case _:
            return FormOutcome(errors={}, banner=TROUBLE)
    return FormOutcome(errors={})


def _close(ws: Workspace, view: View) -> None:
    top = ws.views.top(view.user)
    if top is not None and top.id == view.id:
        ws.views.close(view.user)


def _errors(ws: Workspace, view: View, errors: object) -> FormOutcome:
    inputs = {b["block_id"] for b in view.blocks if b["type"] == "input"}
    if not isinstance(errors, dict) or not errors or not errors.keys() <= inputs:
        return FormOutcome(errors={}, banner=TROUBLE)
    named = {str(k): str(v) for k, v in errors.items()}
    ws.views.show_errors(ws.views.find(view.id) or view, named)
    return FormOutcome(errors=named)
