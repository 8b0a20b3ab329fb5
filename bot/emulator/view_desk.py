"""Modals and home tabs: open stacks per person, hashes, published homes.

Lives here: view values and the transitions open, push, update, publish, close.
Not here: trigger ids (`capabilities.py`), limits, delivery of submissions.
Law: an update with an old hash is refused; a stack holds at most three views.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from bot.emulator import element_state
from bot.emulator.errors import ApiRefusal, MisuseError
from bot.emulator.limits import MAX_STACK
from bot.emulator.messages import with_block_ids
from bot.emulator.values import JsonObject

_NOTHING: Mapping[tuple[str, str], JsonObject] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A modal or a home tab as one person has it before them."""

    id: str
    user: str
    body: JsonObject
    hash: str
    root_id: str
    previous_id: str = ""
    touched: Mapping[tuple[str, str], JsonObject] = field(default_factory=lambda: _NOTHING)
    errors: Mapping[str, str] = field(default_factory=dict)
    offered: Mapping[str, tuple[JsonObject, ...]] = field(default_factory=dict)
    """What the app answered last for each menu that it fills, by action id."""

    def with_offers(self, element: JsonObject) -> JsonObject:
        """``element`` with the options that it offers now."""
        if element["type"] != "external_select":
            return element
        return {**element, "options": list(self.offered.get(element["action_id"], ()))}

    @property
    def blocks(self) -> tuple[JsonObject, ...]:
        """The view's blocks, each with its id."""
        return tuple(self.body["blocks"])

    @property
    def callback_id(self) -> str:
        """The app's name for this kind of view."""
        return str(self.body.get("callback_id") or "")

    @property
    def title(self) -> str:
        """The words in the title bar."""
        return str((self.body.get("title") or {}).get("text", ""))

    @property
    def values(self) -> JsonObject:
        """What stands in the fields now: block_id -> action_id -> state."""
        return element_state.values(self.blocks, self.touched)


def _new_hash() -> str:
    return f"{secrets.randbelow(10**10)}.{secrets.token_hex(4)}"


def _normal(body: JsonObject) -> JsonObject:
    return {**body, "blocks": list(with_block_ids(body["blocks"]))}


class ViewDesk:
    """Which views stand open before whom."""

    def __init__(self) -> None:
        self._stacks: dict[str, list[View]] = {}
        self._homes: dict[str, View] = {}

    def stack(self, user: str) -> tuple[View, ...]:
        """List a person's open modals, the top one last."""
        return tuple(self._stacks.get(user, ()))

    def top(self, user: str) -> View | None:
        """The modal a person sees."""
        stack = self._stacks.get(user)
        return stack[-1] if stack else None

    def home(self, user: str) -> View | None:
        """The home tab published for a person."""
        return self._homes.get(user)

    def find(self, view_id: str, external_id: str = "") -> View | None:
        """Look a live view up by id or by the app's external id."""
        shown = [v for s in self._stacks.values() for v in s] + list(self._homes.values())
        for view in shown:
            own_external = view.body.get("external_id") or ""
            if (view_id and view.id == view_id) or (external_id and own_external == external_id):
                return view
        return None

    def open(self, user: str, body: JsonObject) -> View:
        """Show a modal in place of whatever stood open."""
        self._forbid_duplicate(body)
        view = self._new(user, body, previous=None)
        self._stacks[user] = [view]
        return view

    def push(self, user: str, body: JsonObject) -> View:
        """Lay a modal on top of the stack."""
        stack = self._stacks.get(user) or []
        if not stack:
            raise ApiRefusal("not_found")
        if len(stack) >= MAX_STACK:
            raise ApiRefusal("push_limit_reached")
        self._forbid_duplicate(body)
        view = self._new(user, body, previous=stack[-1])
        stack.append(view)
        return view

    def update(self, view: View, body: JsonObject, expected_hash: str = "") -> View:
        """Replace a view's content; what was typed in blocks that stay is kept."""
        if expected_hash and expected_hash != view.hash:
            raise ApiRefusal("hash_conflict")
        fresh = replace(view, body=_normal(body), hash=_new_hash(), errors={})
        self._put(fresh)
        return fresh

    def publish(self, user: str, body: JsonObject, expected_hash: str = "") -> View:
        """Set a person's home tab."""
        standing = self._homes.get(user)
        if standing is not None:
            return self.update(standing, body, expected_hash)
        self._homes[user] = self._new(user, body, previous=None)
        return self._homes[user]

    def touch(self, view: View, block_id: str, action_id: str, state: JsonObject) -> View:
        """Remember what a person typed or chose."""
        fresh = replace(view, touched={**view.touched, (block_id, action_id): state})
        self._put(fresh)
        return fresh

    def offer(self, view: View, action_id: str, options: tuple[JsonObject, ...]) -> None:
        """Remember what a menu offers now."""
        self._put(replace(view, offered={**view.offered, action_id: options}))

    def show_errors(self, view: View, errors: Mapping[str, str]) -> None:
        """Put messages at a form's fields."""
        self._put(replace(view, errors=dict(errors)))

    def close(self, user: str, *, everything: bool = False) -> None:
        """Take the top modal away, or all of them."""
        if everything:
            self._stacks.pop(user, None)
        elif self._stacks.get(user):
            self._stacks[user].pop()

    def require(self, user: str, view_id: str) -> View:
        """Find the modal or home a person acts in."""
        for view in (*self.stack(user), self._homes.get(user)):
            if view is not None and view.id == view_id:
                return view
        raise MisuseError(f"{user} has no open view {view_id}")

    def _new(self, user: str, body: JsonObject, *, previous: View | None) -> View:
        own = f"V0{secrets.token_hex(5).upper()}"
        return View(
            id=own,
            user=user,
            body=_normal(body),
            hash=_new_hash(),
            root_id=previous.root_id if previous else own,
            previous_id=previous.id if previous else "",
        )

    def _put(self, view: View) -> None:
        stack = self._stacks.get(view.user, [])
        for place, standing in enumerate(stack):
            if standing.id == view.id:
                stack[place] = view
        if view.user in self._homes and self._homes[view.user].id == view.id:
            self._homes[view.user] = view

    def _forbid_duplicate(self, body: JsonObject) -> None:
        external = body.get("external_id")
        if external and self.find("", str(external)):
            raise ApiRefusal("duplicate_external_id")
