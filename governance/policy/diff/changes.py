"""The changes from one bundle to another, as values and words.

Lives here: changes, their groups and directions, and how a value is said. Must not live here: how
they are found.
Law: a sentence can be read without the files beside it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from governance.canonical import Json
from governance.json_text import to_text
from governance.policy.decision import Requirement


class Direction(StrEnum):
    """What a change does to answers, as far as that is certain."""

    STRICTER = "stricter"
    LOOSER = "looser"
    DIFFERENT = "different"
    """Stricter for some requests and looser for others, or it cannot be said."""
    SAME = "same"
    """No answer changes."""

    @property
    def reverse(self) -> "Direction":
        """The direction of the way back."""
        return {Direction.STRICTER: Direction.LOOSER, Direction.LOOSER: Direction.STRICTER}.get(
            self, self
        )


def both_ways(*, stricter: bool, looser: bool) -> Direction:
    """The direction of a change that is certainly no looser, no stricter, neither or both."""
    if stricter and looser:
        return Direction.SAME
    if stricter or looser:
        return Direction.STRICTER if stricter else Direction.LOOSER
    return Direction.DIFFERENT


class Kind(StrEnum):
    """What happened to an item."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"


class Group(StrEnum):
    """The part of a bundle that a change is in, in the order in which they are told."""

    RULE = "rule"
    CONSTRAINT = "constraint"
    EXCEPTION = "exception"
    EMERGENCY = "emergency"
    TIER = "tier"
    TOOL = "tool"
    TOOL_GROUP = "tool group"
    ENVIRONMENT = "environment"
    DATA_CLASS = "data class"
    ROLE = "role"
    SIGNALS = "signals"
    LIMITS = "limits"
    BUNDLE = "bundle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One change."""

    group: Group
    kind: Kind
    name: str
    """Of the rule, tier, tool ...; empty for the bundle's own settings."""
    key: str = ""
    before: Json = None
    after: Json = None
    direction: Direction
    sentence: str

    def to_json(self) -> dict[str, Json]:
        """As ``placet policy diff --json`` prints it."""
        shown: dict[str, Json] = {
            "group": self.group.value,
            "kind": self.kind.value,
            "name": self.name,
            "direction": self.direction.value,
            "sentence": self.sentence,
        }
        if self.key:
            shown |= {"key": self.key, "from": self.before, "to": self.after}
        return shown


def said(value: Json) -> str:
    """A value in words: nothing is "none", a list is its entries."""
    if value is None or value in ("", [], {}):
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, str):
        return value
    if isinstance(value, Sequence) and all(isinstance(item, str) for item in value):
        return ", ".join(str(item) for item in value)
    if isinstance(value, Mapping | Sequence):
        return to_text(value)
    return str(value)


def from_to(before: Json, after: Json) -> str:
    """What a value is now: of two lists what came and what went, else both values."""
    is_text = isinstance(before, str) or isinstance(after, str)
    if isinstance(before, Sequence) and isinstance(after, Sequence) and not is_text:
        return _listed(before, after)
    return f"is now {said(after)} instead of {said(before)}"


def _listed(before: Sequence[Json], after: Sequence[Json]) -> str:
    come = [said(item) for item in after if item not in before]
    gone = [said(item) for item in before if item not in after]
    words = [f"now also {', '.join(come)}"] if come else []
    words += [f"no longer {', '.join(gone)}"] if gone else []
    return ", ".join(words) or f"in another order: {said(after)}"


def tier_said(tier: Requirement) -> str:
    """``deploys (operator 1, reviewer 2; threshold 4)``."""
    roles = ", ".join(f"{item.role} {item.min_required}" for item in tier.roles)
    return f"{tier.tier} ({roles}; threshold {tier.threshold})"
