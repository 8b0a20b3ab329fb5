"""Steering a running demo from another process, through its page's own endpoints.

Lives here: reading the state file, what is on screen, pressing a card's button. Must not live
here: the demo itself. Law: it does what a person at the page can do, and no more.
"""

import asyncio
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import aiohttp

from bot.demo.hands import buttons, code_in, ticket_of, words
from bot.slack import names
from governance.errors import Code, InvalidInput, Refused

_SETTLE_TRIES = 60
_PAUSE_S = 0.05
_QUIET_TRIES = 8
_ACTIONS = {
    "approve": (names.APPROVE, names.APPROVE_WITH_COMMENT),
    "reject": (names.REJECT,),
    "details": (names.DETAILS,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Click:
    """A wish to press a button; ``is_stale`` presses it on the card's previous version."""

    user: str
    ticket: str
    action: str
    comment: str = ""
    is_stale: bool = False


def read_state(path: Path) -> dict[str, Any]:
    """The state file of a headless demo.

    Raises:
        InvalidInput: ``invalid_field``: it is not there or not such a file.
    """
    try:
        state: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{path} is no state file of a running demo"
        ) from error
    return state


def user_of(state: dict[str, Any], who: str) -> str:
    """A Slack id from a role or an id.

    Raises:
        InvalidInput: ``invalid_field``: neither.
    """
    users: dict[str, list[str]] = state["users"]
    if who in users:
        return users[who][0]
    if any(who in ids for ids in users.values()):
        return who
    known = ", ".join(sorted(users))
    raise InvalidInput(Code.INVALID_FIELD, f"{who} is no role and no user; roles: {known}")


class Remote:
    """One person's view of the page of a running demo."""

    def __init__(self, session: aiohttp.ClientSession, state: dict[str, Any]) -> None:
        self._session = session
        self._base = str(state["workspace_url"]).rstrip("/")
        self._channels: dict[str, str] = state["channels"]

    async def seen(self, user: str, channel: str) -> dict[str, Any]:
        """What ``user`` has before them with ``channel`` open."""
        query = urlencode({"user": user, "channel": self._channels.get(channel, channel)})
        async with self._session.get(f"{self._base}/ui/state?{query}") as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def _act(self, act: str, told: dict[str, Any]) -> dict[str, Any]:
        async with self._session.post(f"{self._base}/ui/act/{act}", json=told) as answer:
            found: dict[str, Any] = await answer.json()
            return found

    async def messages(self, user: str, channel: str) -> list[dict[str, Any]]:
        """The messages of a channel as texts, oldest first, with what can be pressed."""
        seen = await self.seen(user, channel)
        return [
            {
                "ts": item["ts"],
                "text": item["versions"][-1]["text"],
                "shown": " ".join(words(item["versions"][-1]["blocks"])),
                "buttons": [
                    {"action": str(one["action_id"]), "ticket": ticket_of(one)}
                    for one in buttons(item["versions"][-1]["blocks"])
                ],
                "edits": len(item["versions"]) - 1,
                "ephemeral": bool(item.get("is_ephemeral")),
            }
            for item in seen["messages"]
        ]

    async def click(self, click: Click) -> dict[str, Any]:
        """Press a button, fill the modal that it opens, and say what came of it.

        Raises:
            Refused: by the code that the person was shown.
            InvalidInput: there is no such card or button.
        """
        before = await self.seen(click.user, "approvals")
        old = {item["ts"] for item in before["messages"] if item.get("is_ephemeral")}
        message, version, action = _find(before, click)
        told = {
            "user": click.user,
            "channel": self._channels["approvals"],
            "ts": message["ts"],
            "action_id": action,
            "version": version,
        }
        answer = await self._act("click", told)
        self._check(answer)
        seen = await self._settled(click, old)
        if seen["modals"] and click.action != "details":
            modal = seen["modals"][-1]
            values = {names.REASON_INPUT: click.comment}
            answer = await self._act(
                "submit", {"user": click.user, "view_id": modal["id"], "values": values}
            )
            self._check(answer)
            seen = await self._settled(click, old)
        if seen["modals"] and click.action == "details":
            await self._turn_pages(click.user)
        new = [
            item for item in seen["messages"] if item.get("is_ephemeral") and item["ts"] not in old
        ]
        blocks = [block for item in new for block in item["versions"][-1]["blocks"]]
        code = code_in(blocks)
        if code:
            raise Refused(Code(code), " ".join(words(blocks)))
        return {"accepted": True, "ticket": click.ticket, "said": " ".join(words(blocks))}

    def _check(self, answer: dict[str, Any]) -> None:
        if answer.get("errors"):
            text = "; ".join(str(item) for item in answer["errors"].values())
            raise Refused(Code.COMMENT_REQUIRED, text)
        if answer.get("misuse"):
            raise InvalidInput(Code.INVALID_FIELD, str(answer["misuse"]))

    async def _settled(self, click: Click, old: set[str]) -> dict[str, Any]:
        """Wait until the app has said something to this person, or stays quiet."""
        seen = await self.seen(click.user, "approvals")
        for turn in range(_SETTLE_TRIES):
            new = [
                item
                for item in seen["messages"]
                if item.get("is_ephemeral") and item["ts"] not in old
            ]
            if new or seen["modals"] or turn >= _QUIET_TRIES:
                break
            await asyncio.sleep(_PAUSE_S)
            seen = await self.seen(click.user, "approvals")
        return seen

    async def _turn_pages(self, user: str) -> None:
        for _ in range(_SETTLE_TRIES):
            seen = await self.seen(user, "approvals")
            if not seen["modals"]:
                return
            view = seen["modals"][-1]
            shown = [str(item["action_id"]) for item in buttons(view["body"]["blocks"])]
            if names.NEXT_PAGE in shown:
                told = {"user": user, "view_id": view["id"], "action_id": names.NEXT_PAGE}
                await self._act("view", told)
            elif view["body"].get("callback_id") == names.DETAILS_VIEW and shown:
                await self._act("close", {"user": user, "view_id": view["id"]})
                return
            await asyncio.sleep(_PAUSE_S)


def _find(seen: dict[str, Any], click: Click) -> tuple[dict[str, Any], int, str]:
    """The message, the index of its version and the action id to press."""
    wanted = _ACTIONS.get(click.action)
    if wanted is None:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{click.action} is not one of {', '.join(_ACTIONS)}"
        )
    for message in reversed(seen["messages"]):
        versions = message["versions"]
        newest = len(versions) - 1
        indexes = range(newest - 1, -1, -1) if click.is_stale else [newest]
        for index in indexes:
            for button in buttons(versions[index]["blocks"]):
                if ticket_of(button) == click.ticket and button["action_id"] in wanted:
                    return message, index, str(button["action_id"])
    kind = "older card" if click.is_stale else "card"
    raise InvalidInput(
        Code.INVALID_FIELD, f"no {kind} of ticket {click.ticket} has a button to {click.action}"
    )
