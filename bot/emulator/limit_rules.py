"""Combinators for the table of Slack's limits: small checks that build larger ones.

Lives here: what a string, a list, a choice, an object may be, and findings with JSON pointers.
Not here: any number or name that Slack chose (`limit_elements.py`, `limit_rich.py`, `limits.py`).
Law: a check never raises and never stops at the first finding; it reports all it sees.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitError:
    """One reason why Slack would refuse a payload, and where."""

    pointer: str
    message: str

    def __str__(self) -> str:
        """Word it as Slack does in `response_metadata.messages`."""
        return f"[ERROR] {self.message} [json-pointer:{self.pointer}]"


Findings: TypeAlias = list[LimitError]
Check: TypeAlias = Callable[[object, str, Findings], None]
Table: TypeAlias = Mapping[str, Check]


def refuse(out: Findings, at: str, message: str) -> None:
    """Add one finding."""
    out.append(LimitError(pointer=at, message=message))


def string(longest: int, *, shortest: int = 0) -> Check:
    """Accept a string of `shortest` to `longest` characters."""

    def check(value: object, at: str, out: Findings) -> None:
        if not isinstance(value, str):
            refuse(out, at, "must be provided as a string")
        elif len(value) < shortest:
            refuse(out, at, f"must be more than {shortest - 1} characters")
        elif len(value) > longest:
            refuse(out, at, f"must be less than {longest + 1} characters")

    return check


def boolean(value: object, at: str, out: Findings) -> None:
    """Accept true or false."""
    if not isinstance(value, bool):
        refuse(out, at, "must be provided as a boolean")


def anything(value: object, at: str, out: Findings) -> None:
    """Accept any value: used where Slack's rule is not known well enough to refuse."""


def whole(lowest: int, highest: int) -> Check:
    """Accept an integer within bounds."""

    def check(value: object, at: str, out: Findings) -> None:
        if isinstance(value, bool) or not isinstance(value, int):
            refuse(out, at, "must be provided as an integer")
        elif not lowest <= value <= highest:
            refuse(out, at, f"must be between {lowest} and {highest}")

    return check


def one_of(*allowed: str) -> Check:
    """Accept one of the given words."""

    def check(value: object, at: str, out: Findings) -> None:
        if value not in allowed:
            refuse(out, at, f"must be one of: {', '.join(allowed)}")

    return check


def many(item: Check, *, fewest: int = 0, most: int) -> Check:
    """Accept a list of `fewest` to `most` items that each pass."""

    def check(value: object, at: str, out: Findings) -> None:
        if not isinstance(value, list):
            refuse(out, at, "must be provided as a list")
            return
        if len(value) < fewest:
            refuse(out, at, f"no fewer than {fewest} items allowed")
        if len(value) > most:
            refuse(out, at, f"no more than {most} items allowed")
        for number, one in enumerate(value):
            item(one, f"{at}/{number}", out)

    return check


def record(fields: Table, *, required: tuple[str, ...] = (), also: Check = anything) -> Check:
    """Accept an object with the required fields, no unknown ones, and then `also`."""

    def check(value: object, at: str, out: Findings) -> None:
        if not isinstance(value, dict):
            refuse(out, at, "must be provided as an object")
            return
        for name in required:
            if value.get(name) is None:
                refuse(out, at, f"missing required field: {name}")
        for name, inner in value.items():
            if name not in fields:
                refuse(out, f"{at}/{name}", f"no more than the known fields allowed: {name}")
            elif inner is not None:
                fields[name](inner, f"{at}/{name}", out)
        also(value, at, out)

    return check


def typed(table: Table) -> Check:
    """Accept an object whose `type` selects the check that applies."""

    def check(value: object, at: str, out: Findings) -> None:
        kind = value.get("type") if isinstance(value, dict) else None
        if not isinstance(kind, str):
            refuse(out, at, "missing required field: type")
        elif kind not in table:
            refuse(out, f"{at}/type", f"unsupported type: {kind}")
        else:
            table[kind](value, at, out)

    return check


def unique(field: str, value: object, at: str, out: Findings) -> None:
    """Refuse a list of objects in which two share the same `field`."""
    seen: set[str] = set()
    for number, one in enumerate(value if isinstance(value, list) else []):
        name = one.get(field) if isinstance(one, dict) else None
        if isinstance(name, str):
            if name in seen:
                refuse(out, f"{at}/{number}/{field}", f"`{field}` already used: {name}")
            seen.add(name)
