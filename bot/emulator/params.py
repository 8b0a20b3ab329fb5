"""The parameters of a Web API call, whichever of the three ways they arrived.

Lives here: typed reading. Not here: transport, what a parameter means.
Law: a missing or malformed parameter is refused by name, never guessed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import cast

from bot.emulator.errors import ApiRefusal
from bot.emulator.values import JsonObject


class Params:
    """Query, form and JSON merged into one mapping."""

    def __init__(self, raw: Mapping[str, object]) -> None:
        self.raw = raw

    def has(self, name: str) -> bool:
        """Say whether the caller gave the parameter."""
        return self.raw.get(name) is not None

    def text(self, name: str, default: str = "") -> str:
        """Read a string."""
        value = self.raw.get(name)
        return default if value is None else str(value)

    def required(self, name: str) -> str:
        """Read a string that must be there."""
        value = self.text(name)
        if not value:
            raise ApiRefusal(
                "invalid_arguments", messages=[f"[ERROR] missing required field: {name}"]
            )
        return value

    def flag(self, name: str) -> bool:
        """Read a boolean, false when absent."""
        return str(self.raw.get(name, "")).lower() in {"true", "1"}

    def whole(self, name: str, default: int) -> int:
        """Read an integer."""
        try:
            return int(self.text(name, str(default)) or default)
        except ValueError as error:
            raise ApiRefusal(
                "invalid_arguments", messages=[f"[ERROR] not an integer: {name}"]
            ) from error

    def names(self, name: str) -> tuple[str, ...]:
        """Read a list of ids, given as a list or with commas."""
        value = self.raw.get(name)
        parts = value if isinstance(value, list) else self.text(name).split(",")
        return tuple(str(one).strip() for one in parts if str(one).strip())

    def structure(self, name: str, *, otherwise: str = "invalid_arguments") -> object:
        """Read JSON, given as a structure or as a string of it; None when absent."""
        value = self.raw.get(name)
        if not isinstance(value, str):
            return value
        try:
            return cast("object", json.loads(value)) if value else None
        except ValueError as error:
            raise ApiRefusal(otherwise) from error

    def record(self, name: str, *, otherwise: str = "invalid_arguments") -> JsonObject | None:
        """Read a JSON object; None when absent."""
        value = self.structure(name, otherwise=otherwise)
        if value is not None and not isinstance(value, dict):
            raise ApiRefusal(otherwise)
        return value
