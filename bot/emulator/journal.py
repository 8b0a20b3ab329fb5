"""A record of every Web API call and every delivery, for tests and for the page's drawer.

Lives here: the record values and the bounded lists that hold them.
Not here: any decision. Law: a record never holds a token.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from bot.emulator.pulse import Pulse
from bot.emulator.values import JsonObject

_KEPT = 5_000


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiCall:
    """A Web API call: parameters as merged, the answer as sent."""

    number: int
    at: datetime
    method: str
    params: Mapping[str, object]
    status: int
    response: JsonObject
    elapsed_ms: float
    fault: str = ""

    @property
    def is_ok(self) -> bool:
        """Say whether the app got `ok: true`."""
        return bool(self.response.get("ok"))

    @property
    def error(self) -> str:
        """The error code answered, or nothing."""
        return str(self.response.get("error", ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """A request sent to the app, byte for byte, and its answer."""

    number: int
    at: datetime
    kind: str
    name: str
    transport: Literal["http", "socket"]
    payload: JsonObject
    headers: Mapping[str, str]
    body: bytes
    status: int | None
    answer: object
    error: str
    elapsed_ms: float
    fault: str = ""


class Journal:
    """What happened between the workspace and the app, newest last."""

    def __init__(self, pulse: Pulse) -> None:
        self._pulse = pulse
        self._numbers = 0
        self.calls: deque[ApiCall] = deque(maxlen=_KEPT)
        self.deliveries: deque[Delivery] = deque(maxlen=_KEPT)

    def next_number(self) -> int:
        """Number the next record."""
        self._numbers += 1
        return self._numbers

    def record_call(self, call: ApiCall) -> None:
        """Keep a call."""
        self.calls.append(call)
        self._pulse.touch()

    def record_delivery(self, delivery: Delivery) -> None:
        """Keep a delivery."""
        self.deliveries.append(delivery)
        self._pulse.touch()
