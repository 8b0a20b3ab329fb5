"""The constraint registry: what must not happen, readable and never writable.

Lives here: constraints and the question which of them a subject violates.
Must not live here: what a violation leads to (``evaluate``).
Law: built once; no method changes it; its digest is part of the bundle's snapshot.
Source: seed 000, constraint registry.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import NoReturn

from governance.canonical import Json, digest
from governance.policy.matching import Match, Outcome, Subject


class ViolationAction(StrEnum):
    """What a violated constraint does."""

    BLOCK = "BLOCK"
    WARN = "WARN"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConstraintRule:
    """One constraint. Without a match it is violated where its id stands in what is asked."""

    id: str
    description: str
    violation_action: ViolationAction
    metadata: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    match: Match | None = None
    source: Mapping[str, Json] = field(default_factory=lambda: MappingProxyType({}))
    """The constraint as the bundle wrote it: what the digest covers and agents may read."""

    def __post_init__(self) -> None:
        """Make what was written read-only all the way down."""
        for name in ("metadata", "source"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def is_violated_by(self, subject: Subject) -> bool:
        """Whether ``subject`` violates it; a match that cannot be judged is a violation."""
        if self.match is not None:
            return self.match.judge(subject) is not Outcome.NOT_MATCHED
        named = self.id.casefold()
        asked = (subject.topic, subject.tool, subject.target, *subject.capabilities)
        return any(named in words.casefold() for words in asked)


def read_only(value: Json) -> Json:
    """A copy of ``value`` in which nothing can be changed at any depth."""
    if isinstance(value, Mapping):
        return MappingProxyType({key: read_only(item) for key, item in value.items()})
    if isinstance(value, Sequence) and not isinstance(value, str):
        return tuple(read_only(item) for item in value)
    return value


class ConstraintRegistry:
    """All constraints of a bundle by id, in the order of the file."""

    __slots__ = ("_digest", "_rules")
    _digest: str
    _rules: Mapping[str, ConstraintRule]

    def __init__(self, rules: Iterable[ConstraintRule]) -> None:
        built = MappingProxyType({rule.id: rule for rule in rules})
        # By id: files that hold the same constraints in another order hold the same lines.
        written = [built[name].source for name in sorted(built)]
        object.__setattr__(self, "_rules", built)
        object.__setattr__(self, "_digest", digest("constraints", written))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        """Refuse: nothing is written here."""
        raise AttributeError(f"the constraint registry is read-only: {name}")

    def __delattr__(self, name: str) -> NoReturn:
        """Refuse: nothing is written here."""
        raise AttributeError(f"the constraint registry is read-only: {name}")

    def get(self, constraint_id: str) -> ConstraintRule | None:
        """The constraint of that id."""
        return self._rules.get(constraint_id)

    def __iter__(self) -> Iterator[ConstraintRule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, constraint_id: object) -> bool:
        return constraint_id in self._rules

    def violations(self, *subjects: Subject) -> tuple[ConstraintRule, ...]:
        """Every constraint that any of ``subjects`` violates, in the order of the file."""
        if not self._rules:
            return ()
        distinct = [*{id(subject): subject for subject in subjects}.values()]
        found: list[ConstraintRule] = []
        for rule in self._rules.values():
            for subject in distinct:
                if rule.is_violated_by(subject):
                    found.append(rule)
                    break
        return tuple(found)

    @property
    def digest(self) -> str:
        """SHA-256 over the constraints as written, whatever order they are written in."""
        return self._digest
