"""Faults on order: what can go wrong between Slack and an app, scripted.

Lives here: the kinds of fault, the script, and what a fault does to a delivery's payload.
Not here: headers (`signing.py`), the HTTP effects (`webapi.py`, `delivery.py`).
Law: a fault happens as often as it was ordered, then never again.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from enum import StrEnum

from bot.emulator.values import JsonObject


class FaultKind(StrEnum):
    """Everything that can be made to go wrong.

    The two cuts end the connection that carried a delivery: before the app can answer, or with
    the answer on the wire. A socket's envelope is then sent again, an HTTP request is not.
    """

    RATE_LIMITED = "rate_limited"
    SERVER_ERROR = "server_error"
    UNAVAILABLE = "unavailable"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    REFUSED = "refused"
    SLOW = "slow"
    DUPLICATE = "duplicate"
    LOST = "lost"
    WRONG_SIGNATURE = "wrong_signature"
    OLD_TIMESTAMP = "old_timestamp"
    FUTURE_TIMESTAMP = "future_timestamp"
    NON_NUMERIC_TIMESTAMP = "non_numeric_timestamp"
    MISSING_TIMESTAMP = "missing_timestamp"
    MISSING_SIGNATURE = "missing_signature"
    FOREIGN_TEAM = "foreign_team"
    FOREIGN_APP = "foreign_app"
    FOREIGN_USER = "foreign_user"
    STALE_CLICK = "stale_click"
    CUT_BEFORE_ACK = "cut_before_ack"
    CUT_AFTER_ACK = "cut_after_ack"


ON_CALLS = frozenset(
    {
        FaultKind.RATE_LIMITED,
        FaultKind.SERVER_ERROR,
        FaultKind.UNAVAILABLE,
        FaultKind.DROP_BEFORE,
        FaultKind.DROP_AFTER,
        FaultKind.REFUSED,
        FaultKind.SLOW,
    }
)
ON_DELIVERIES = frozenset(FaultKind) - ON_CALLS
CUTS = frozenset({FaultKind.CUT_BEFORE_ACK, FaultKind.CUT_AFTER_ACK})
FOREIGN_TEAM_ID, FOREIGN_APP_ID, FOREIGN_USER_ID = "T0FOREIGN", "A0FOREIGN", "U0FOREIGN"


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """An order: `kind` happens `times` times to `on` (a method, a delivery kind, or `*`)."""

    kind: FaultKind
    on: str = "*"
    times: int = 1
    retry_after_s: int = 1
    error: str = "internal_error"
    delay_s: float = 0.0

    def matches(self, *names: str) -> bool:
        """Say whether this fault is meant for a call or delivery of these names."""
        return self.times > 0 and (self.on == "*" or self.on in names)


class FaultScript:
    """The faults still to come, first ordered first."""

    def __init__(self) -> None:
        self._orders: list[Fault] = []

    def add(
        self,
        kind: FaultKind,
        *,
        on: str = "*",
        times: int = 1,
        retry_after_s: int = 1,
        error: str = "internal_error",
        delay_s: float = 0.0,
    ) -> Fault:
        """Order a fault."""
        order = Fault(
            kind=FaultKind(kind),
            on=on,
            times=times,
            retry_after_s=retry_after_s,
            error=error,
            delay_s=delay_s,
        )
        self._orders.append(order)
        return order

    def pending(self) -> tuple[Fault, ...]:
        """List what has not happened yet."""
        return tuple(self._orders)

    def clear(self) -> None:
        """Cancel every order."""
        self._orders.clear()

    def take(self, among: frozenset[FaultKind], *names: str) -> Fault | None:
        """Use up the first order of one of these kinds that is meant for these names."""
        for place, order in enumerate(self._orders):
            if order.kind in among and order.matches(*names):
                left = replace(order, times=order.times - 1)
                self._orders[place : place + 1] = [left] if left.times else []
                return order
        return None


def forge(payload: JsonObject, fault: Fault | None) -> JsonObject:
    """Copy a payload, putting a foreign team, app or user where the fault says so."""
    forged = copy.deepcopy(payload)
    match fault.kind if fault else None:
        case FaultKind.FOREIGN_TEAM:
            _swap(forged, FOREIGN_TEAM_ID, "team_id", ("team", "id"), ("user", "team_id"))
        case FaultKind.FOREIGN_APP:
            _swap(forged, FOREIGN_APP_ID, "api_app_id")
        case FaultKind.FOREIGN_USER:
            _swap(forged, FOREIGN_USER_ID, "user_id", ("user", "id"), ("event", "user"))
        case _:
            pass
    return forged


def _swap(payload: JsonObject, value: str, *paths: str | tuple[str, str]) -> None:
    for path in paths:
        holder, name = (payload, path) if isinstance(path, str) else (payload.get(path[0]), path[1])
        if isinstance(holder, dict) and isinstance(holder.get(name), str):
            holder[name] = value
