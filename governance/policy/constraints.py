"""The constraint registry: what must not happen, readable and never writable.

Lives here: constraints and the question which of them a subject violates.
Must not live here: what a violation leads to (``evaluate``).
Law: built once; no method changes it; its digest is part of the bundle's snapshot.
Source: seed 000, constraint registry.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

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
    metadata: Mapping[str, Json] = field(default_factory=dict)
    match: Match | None = None
    source: Mapping[str, Json] = field(default_factory=dict)
    """The constraint as the bundle wrote it: what the digest covers and agents may read."""

    def is_violated_by(self, subject: Subject) -> bool:
        """Whether ``subject`` violates it; a match that cannot be judged is a violation."""
        if self.match is not None:
            return self.match.judge(subject) is not Outcome.NOT_MATCHED
        asked = (subject.topic, subject.tool, subject.target, *subject.capabilities)
        return any(self.id.casefold() in words.casefold() for words in asked)


class ConstraintRegistry:
    """All constraints of a bundle by id, in the order of the file."""

    __slots__ = ("_digest", "_rules")

    def __init__(self, rules: Iterable[ConstraintRule]) -> None:
        self._rules = MappingProxyType({rule.id: rule for rule in rules})
        self._digest = digest("constraints", [rule.source for rule in self._rules.values()])

    def get(self, constraint_id: str) -> ConstraintRule | None:
        """The constraint of that id."""
        return self._rules.get(constraint_id)

    def __iter__(self) -> Iterator[ConstraintRule]:
        return iter(self._rules.values())

    def __len__(self) -> int:
        return len(self._rules)

    def __contains__(self, constraint_id: object) -> bool:
        return constraint_id in self._rules

    def violations(self, subject: Subject) -> tuple[ConstraintRule, ...]:
        """Every constraint that ``subject`` violates, in the order of the file."""
        return tuple(rule for rule in self if rule.is_violated_by(subject))

    @property
    def digest(self) -> str:
        """SHA-256 over the constraints as written."""
        return self._digest
