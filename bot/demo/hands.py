"""What people in the demo do in Slack, by ticket.

Lives here: finding a ticket's card, pressing its buttons, filling its modals. Must not live here:
what should come of it. Law: everything goes through the emulated workspace, as a person would.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from bot.demo.seed import APPROVALS
from bot.emulator.emulator import Emulator
from bot.emulator.messages import Message
from bot.emulator.view_desk import View
from bot.slack import names
from bot.slack.said import REFUSED

MAX_PAGES = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Pressed:
    """What a person saw after an act: a refusal's code (empty: none) and the words shown."""

    code: str
    said: str


def words(value: object) -> Iterator[str]:
    """Every text in blocks, in reading order."""
    if isinstance(value, dict):
        for key in ("text", "title", "elements", "fields", "element", "rows", "label"):
            inner = value.get(key)
            if key == "text" and isinstance(inner, str):
                yield inner
            elif inner is not None:
                yield from words(inner)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from words(item)


def code_in(blocks: Iterable[dict[str, Any]]) -> str:
    """The stable code of a refusal among ``blocks``."""
    for block in blocks:
        name = str(block.get("block_id", ""))
        if name.startswith(REFUSED):
            return name.removeprefix(REFUSED)
    return ""


def buttons(blocks: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every button in ``blocks``."""
    for block in blocks:
        for element in block.get("elements", ()):
            if element.get("type") == "button":
                yield element


def ticket_of(button: dict[str, Any]) -> str:
    """The ticket that a button is about, empty where it is about none."""
    try:
        value = json.loads(button.get("value") or "{}")
    except ValueError:
        return ""
    return str(value.get("t", "")) if isinstance(value, dict) else ""


class Hands:
    """The hands of everybody in the workspace."""

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator

    def card(self, ticket_id: str) -> Message | None:
        """The newest card of a ticket; found by its metadata, as it keeps no button at the end."""
        found = None
        for message in self._emulator.messages(APPROVALS):
            payload = (message.current.metadata or message.versions[0].metadata or {}).get(
                "event_payload", {}
            )
            if payload.get("ticket") == ticket_id:
                found = message
        return found

    def text(self, ticket_id: str) -> str:
        """Everything that a card says, on one line."""
        card = self.card(ticket_id)
        return "" if card is None else " ".join(words(card.blocks))

    def live_buttons(self, ticket_id: str) -> list[str]:
        """The action ids that can be pressed on a card now."""
        card = self.card(ticket_id)
        return [] if card is None else [str(item["action_id"]) for item in buttons(card.blocks)]

    async def press(
        self, user: str, ticket_id: str, action_id: str, *, stale: bool = False
    ) -> Pressed:
        """Press a button on a ticket's card and read what comes of it."""
        card = self.card(ticket_id)
        if card is None:
            raise LookupError(f"no card of {ticket_id}")
        before = {item.ts for item in self._emulator.ephemerals(user)}
        result = await self._emulator.click(user, APPROVALS, card.ts, action_id, stale=stale)
        new = [item for item in self._emulator.ephemerals(user) if item.ts not in before]
        blocks = [block for item in new for block in item.blocks]
        said = result.banner or " ".join(words(blocks))
        return Pressed(code=code_in(blocks), said=said)

    async def vote(self, user: str, ticket_id: str, action_id: str, comment: str = "") -> Pressed:
        """Approve or reject, filling the modal that asks for a reason where one opens."""
        pressed = await self.press(user, ticket_id, action_id)
        view = self._emulator.modal(user)
        if view is None or view.callback_id != names.BALLOT_VIEW:
            return pressed
        return await self.submit(user, view, comment)

    async def submit(self, user: str, view: View, comment: str) -> Pressed:
        """Send the reason modal; an error in it is answered in words."""
        before = {item.ts for item in self._emulator.ephemerals(user)}
        result = await self._emulator.submit(user, view.id, {names.REASON_INPUT: comment})
        new = [item for item in self._emulator.ephemerals(user) if item.ts not in before]
        blocks = [block for item in new for block in item.blocks]
        said = result.banner or " ".join((*result.errors.values(), *words(blocks)))
        return Pressed(code=code_in(blocks) or ("modal_error" if result.errors else ""), said=said)

    async def read_to_the_end(self, user: str, ticket_id: str) -> int:
        """Open Details and turn every page; how many pages there were."""
        await self.press(user, ticket_id, names.DETAILS)
        for page in range(1, MAX_PAGES):
            view = self._emulator.modal(user)
            if view is None:
                raise LookupError("the details did not open")
            shown = [str(item["action_id"]) for item in buttons(view.blocks)]
            if names.NEXT_PAGE not in shown:
                await self._emulator.close_view(user, view.id, everything=True)
                return page
            await self._emulator.click_view(user, view.id, names.NEXT_PAGE)
        raise LookupError("the details have no end")

    async def command(self, user: str, text: str) -> Pressed:
        """Type ``/placet`` and read the answer."""
        result = await self._emulator.command(user, names.COMMAND, text, APPROVALS)
        blocks = [block for item in result.ephemerals for block in item.blocks]
        said = result.banner or " ".join(words(blocks))
        return Pressed(code=code_in(blocks), said=said)
