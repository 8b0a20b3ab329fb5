"""What people do without a button: choose a shortcut, type into a menu that the app fills.

Lives here: those acts, their payloads, and the check of the options that come back. Not here:
clicks and forms (``acts.py``). Law: only a shortcut that the manifest names can be chosen; options
that Slack would refuse are none; a menu offers what the app answered last, and nothing else.
"""

from __future__ import annotations

from bot.emulator import payloads
from bot.emulator.acts import ActResult, People, find_element
from bot.emulator.answers import TROUBLE, failure
from bot.emulator.errors import MisuseError
from bot.emulator.limit_elements import check_options
from bot.emulator.messages import Message
from bot.emulator.people import message_json, view_json
from bot.emulator.values import JsonObject

NO_OPTIONS = "no options"


class Seekers(People):
    """People, with shortcuts and menus that the app fills."""

    def _may_use(self, callback_id: str, kind: str) -> None:
        if not self._config.is_interactive:
            raise MisuseError("the manifest does not enable interactivity")
        if self._config.shortcuts.get(callback_id) != kind:
            raise MisuseError(f"the manifest has no {kind} shortcut {callback_id}")

    async def shortcut(self, user: str, callback_id: str) -> ActResult:
        """Choose a global shortcut."""
        self._may_use(callback_id, "global")
        payload = self._chosen(user, "shortcut", callback_id)
        sent = await self._courier.send("interactive", "shortcut", payload)
        failed = failure(sent)
        return self._result(sent, TROUBLE if failed else "", {})

    async def message_shortcut(self, user: str, shown: Message, callback_id: str) -> ActResult:
        """Choose a message's shortcut."""
        self._may_use(callback_id, "message")
        ws = self._ws
        channel = ws.channels[shown.channel]
        hook = ws.capabilities.issue_hook(user, shown.channel, message_ts=shown.ts)
        payload = self._chosen(user, "message_action", callback_id) | {
            "channel": {"id": channel.id, "name": channel.name},
            "message": message_json(ws, shown),
            "message_ts": shown.ts,
            "response_url": self._response_url(hook),
        }
        sent = await self._courier.send("interactive", "message_action", payload)
        failed = failure(sent)
        return self._result(sent, TROUBLE if failed else "", {})

    def _chosen(self, user: str, kind: str, callback_id: str) -> JsonObject:
        return {
            **payloads.envelope(self._ws, kind, user),
            "callback_id": callback_id,
            "trigger_id": self._ws.capabilities.issue_trigger(user),
            "action_ts": self._ws.board.mint.next(),
        }

    async def suggest(
        self, user: str, view_id: str, action_id: str, typed: str
    ) -> list[JsonObject]:
        """Type into a menu of a view; the options that come back, none where they are refused.

        Raises: MisuseError where there is no such menu, or too little was typed.
        """
        ws = self._ws
        view = ws.views.require(user, view_id)
        block, element = find_element(view.blocks, action_id, "", None)
        if element["type"] != "external_select":
            raise MisuseError(f"{action_id} is filled by nobody")
        if len(typed) < int(element.get("min_query_length", 3)):
            raise MisuseError(f"{action_id} asks for more characters")
        if not self._config.has_options_url:
            raise MisuseError("the manifest names no address for options")
        payload = {
            **payloads.envelope(ws, "block_suggestion", user),
            "container": {"type": "view", "view_id": view.id},
            "view": view_json(ws, view),
            "action_id": action_id,
            "block_id": block["block_id"],
            "value": typed,
        }
        sent = await self._courier.send("interactive", "block_suggestion", payload)
        answer = sent.answer if isinstance(sent.answer, dict) else {}
        options = answer.get("options")
        is_refused = failure(sent) or check_options(options)
        found: list[JsonObject] = [] if is_refused or not isinstance(options, list) else options
        ws.views.offer(view, action_id, tuple(found))
        self._pulse.touch()
        return found
