"""What people do: click, choose, type commands, fill forms, open the home tab.

Lives here: finding what is acted on, building and delivering it, applying the answer.
Not here: the page, the facade's conveniences. Law: anyone may try to click anything they name;
who is allowed is the app's law, not the workspace's.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bot.emulator import element_state, payloads
from bot.emulator.answers import TROUBLE, answer_command, answer_submission, failure
from bot.emulator.delivery import Courier
from bot.emulator.errors import MisuseError
from bot.emulator.journal import Delivery
from bot.emulator.manifest import AppConfig
from bot.emulator.messages import Ephemeral, Message, MessageVersion
from bot.emulator.pulse import Pulse
from bot.emulator.values import JsonObject
from bot.emulator.view_desk import View
from bot.emulator.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class ActResult:
    """What came of an act: the app's answer and what the person was shown."""

    is_delivered: bool = False
    status: int | None = None
    answer: object = None
    banner: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    ephemerals: tuple[Ephemeral, ...] = ()


class People:
    """The acts of people in a workspace."""

    def __init__(
        self,
        workspace: Workspace,
        config: AppConfig,
        courier: Courier,
        *,
        pulse: Pulse,
        origin: Callable[[], str],
    ) -> None:
        self._ws = workspace
        self._config = config
        self._courier = courier
        self._pulse = pulse
        self._origin = origin

    def _response_url(self, name: str) -> str:
        return f"{self._origin()}/response/{name}"

    def _result(self, sent: Delivery, banner: str, errors: Mapping[str, str]) -> ActResult:
        self._pulse.touch()
        return ActResult(
            is_delivered=sent.error != "lost",
            status=sent.status,
            answer=sent.answer,
            banner=banner,
            errors=errors,
        )

    async def click_message(
        self,
        user: str,
        shown: Message | Ephemeral,
        action_id: str,
        *,
        value: object = None,
        block_id: str = "",
        version: MessageVersion | None = None,
        is_confirmed: bool = True,
    ) -> ActResult:
        """Click a button or make a choice in a message, at one of its versions."""
        ws = self._ws
        blocks = version.blocks if version is not None else shown.blocks
        block, element = find_element(blocks, action_id, block_id, value)
        if element.get("confirm") and not is_confirmed:
            return ActResult()
        if not self._config.is_interactive:
            raise MisuseError("the manifest does not enable interactivity")
        state = _state_of(element, value)
        kept = {} if element["type"] in {"button", "overflow"} else state
        choices = ws.choose(user, shown.ts, block["block_id"], action_id, kept)
        hook = ws.capabilities.issue_hook(
            user,
            shown.channel,
            message_ts=shown.ts,
            is_ephemeral=isinstance(shown, Ephemeral),
            thread_ts=shown.thread_ts,
        )
        payload = payloads.message_click(
            ws,
            user,
            shown,
            version=version,
            action=element_state.action(block, element, state, ws.board.mint.next()),
            values=element_state.values(blocks, choices),
            response_url=self._response_url(hook),
        )
        sent = await self._courier.send("interactive", "block_actions", payload)
        failed = failure(sent)
        if failed:
            ws.whisper(shown.channel, user, f"{TROUBLE} ({failed})", is_system=True)
        return self._result(sent, failed, {})

    async def click_view(
        self,
        user: str,
        view_id: str,
        action_id: str,
        *,
        value: object = None,
        block_id: str = "",
        is_confirmed: bool = True,
    ) -> ActResult:
        """Click or choose in a modal or home tab; an input tells the app only if it asked to."""
        ws = self._ws
        view = ws.views.require(user, view_id)
        block, element = find_element(view.blocks, action_id, block_id, value)
        if element.get("confirm") and not is_confirmed:
            return ActResult()
        state = _state_of(view.with_offers(element), value)
        if element["type"] not in {"button", "overflow"}:
            view = ws.views.touch(view, block["block_id"], action_id, state)
        if block["type"] == "input" and not block.get("dispatch_action"):
            self._pulse.touch()
            return ActResult()
        action = element_state.action(block, element, state, ws.board.mint.next())
        payload = payloads.view_click(ws, view, action)
        sent = await self._courier.send("interactive", "block_actions", payload)
        return self._result(sent, failure(sent), {})

    async def submit(self, user: str, view_id: str, values: Mapping[str, object]) -> ActResult:
        """Fill fields (by block id or action id) and press the form's submit button."""
        ws = self._ws
        view = ws.views.require(user, view_id)
        for name, value in values.items():
            block, element = find_field(view, name)
            state = element_state.chosen(view.with_offers(element), value)
            view = ws.views.touch(view, block["block_id"], element["action_id"], state)
        wrong = element_state.unfilled(view.blocks, view.values)
        ws.views.show_errors(view, wrong)
        if wrong:
            self._pulse.touch()
            return ActResult(errors=wrong)
        payload = payloads.view_submission(ws, view)
        sent = await self._courier.send("interactive", "view_submission", payload)
        outcome = answer_submission(ws, view, sent)
        return self._result(sent, outcome.banner, outcome.errors)

    async def close_view(self, user: str, view_id: str, *, everything: bool = False) -> ActResult:
        """Close a form; the app hears of it when the view asked for that."""
        ws = self._ws
        view = ws.views.require(user, view_id)
        closing = ws.views.stack(user) if everything else (view,)
        ws.views.close(user, everything=everything or bool(view.body.get("clear_on_close")))
        self._pulse.touch()
        result = ActResult()
        for one in reversed(closing):
            if one.body.get("notify_on_close"):
                payload = payloads.view_closed(ws, one, is_cleared=everything)
                sent = await self._courier.send("interactive", "view_closed", payload)
                result = self._result(sent, failure(sent), {})
        return result

    async def command(self, user: str, channel_id: str, name: str, text: str) -> ActResult:
        """Type a slash command. Raises: MisuseError for one the manifest does not have."""
        ws = self._ws
        command = self._config.commands.get(name)
        if command is None or "commands" not in self._config.scopes:
            raise MisuseError(f"{name} is not a valid command")
        said = payloads.escaped(ws, text) if command.should_escape else text
        hook = ws.capabilities.issue_hook(user, channel_id)
        channel = ws.channels[channel_id]
        url = self._response_url(hook)
        payload = payloads.slash_command(
            ws, user, channel, command=name, text=said, response_url=url
        )
        sent = await self._courier.send("slash_commands", name, payload)
        return self._result(sent, answer_command(ws, user, channel_id, name, sent), {})

    def announce(self, event: JsonObject) -> bool:
        """Send an event, if the manifest subscribes to it; say whether it does."""
        kind = str(event["type"])
        wanted = {kind, f"{kind}.channels", f"{kind}.im"} & self._config.events
        if wanted:
            self._courier.announce(kind, payloads.event_callback(self._ws, event))
        return bool(wanted)

    def say(self, user: str, channel_id: str, text: str) -> Message:
        """Write an ordinary message."""
        ws = self._ws
        version = ws.board.version(text, ())
        message = ws.board.post(channel_id, user, version, is_from_app=False)
        self.announce(
            {"type": "message", "channel": channel_id, "user": user, "text": text, "ts": message.ts}
        )
        self._pulse.touch()
        return message


def _state_of(element: JsonObject, value: object) -> JsonObject:
    return {} if element["type"] == "button" else element_state.chosen(element, value)


def find_element(
    blocks: tuple[JsonObject, ...], action_id: str, block_id: str, value: object
) -> tuple[JsonObject, JsonObject]:
    """Find the element named; among buttons of one action id, the one with that value."""
    found = [
        (block, element)
        for block, element in element_state.elements(blocks)
        if element["action_id"] == action_id and block_id in {"", block["block_id"]}
    ]
    if value is not None and found and found[0][1]["type"] == "button":
        found = [pair for pair in found if pair[1].get("value") == value]
    if not found:
        raise MisuseError(f"no element {action_id} is shown there")
    return found[0]


def find_field(view: View, name: str) -> tuple[JsonObject, JsonObject]:
    """Find a form's field by block id or action id."""
    for block, element in element_state.elements(view.blocks):
        if name in {block["block_id"], element["action_id"]}:
            return block, element
    raise MisuseError(f"the view has no field {name}")
