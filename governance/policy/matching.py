"""When a rule or a constraint applies: globs, match conditions and the subject they look at.

Lives here: what is compared with what. Must not live here: what follows from a match.
Law: an empty condition is no restriction; conditions are joined by AND, their entries by OR
(``requires`` and ``labels``: all of them). A condition that cannot be judged, because a label is
missing, is an error: the caller lets it loosen nothing.
Source: the topic globs are those of Go's ``path.Match``: ``*`` and ``?`` cross dots, not slashes.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from governance.action import ActionKind
from governance.canonical import Json
from governance.policy.facts import Facts
from governance.principal import PersonId

_STAR = "*"
_ANY = "?"


@dataclass(frozen=True, slots=True)
class _Token:
    """One step of a glob: a star, any one character, a literal, or a class of characters."""

    kind: str
    chars: str = ""
    ranges: tuple[tuple[str, str], ...] = ()

    def accepts(self, char: str) -> bool:
        if self.kind == _ANY:
            return char != "/"
        if self.kind == "literal":
            return char == self.chars
        inside = any(low <= char <= high for low, high in self.ranges)
        return char != "/" and inside is (self.kind == "class")


@dataclass(frozen=True, slots=True, eq=False)
class Glob:
    """A compiled pattern over a whole string; matching costs at most len(text) x len(pattern)."""

    pattern: str
    prefix: str
    """The literal text before the first wildcard."""
    _tokens: tuple[_Token, ...]

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` fits.

        Only the last star is ever widened: an earlier one could at best lead to the same place.
        """
        at, step, star, mark = 0, 0, -1, 0
        tokens = self._tokens
        while at < len(text):
            if step < len(tokens) and tokens[step].kind == _STAR:
                star, mark, step = step, at, step + 1
            elif step < len(tokens) and tokens[step].accepts(text[at]):
                at, step = at + 1, step + 1
            elif star >= 0 and text[mark] != "/":
                mark += 1
                at, step = mark, star + 1
            else:
                return False
        return all(token.kind == _STAR for token in tokens[step:])


def glob(pattern: str) -> Glob:
    """Compile ``pattern``.

    Raises:
        ValueError: an unclosed or empty class, a range that runs backwards, a trailing backslash.
    """
    tokens: list[_Token] = []
    prefix = ""
    place = 0
    while place < len(pattern):
        token, place = _token(pattern, place)
        if token.kind == _STAR and tokens and tokens[-1].kind == _STAR:
            continue
        if token.kind == "literal" and len(prefix) == len(tokens):
            prefix += token.chars
        tokens.append(token)
    return Glob(pattern, prefix, tuple(tokens))


def _token(pattern: str, place: int) -> tuple[_Token, int]:
    char = pattern[place]
    if char in (_STAR, _ANY):
        return _Token(char), place + 1
    if char == "[":
        return _class(pattern, place + 1)
    literal, place = _char(pattern, place)
    return _Token("literal", literal), place


def _char(pattern: str, place: int) -> tuple[str, int]:
    if pattern[place : place + 1] == "\\":
        place += 1
    if place >= len(pattern):
        raise ValueError(f"the pattern {pattern!r} ends too early")
    return pattern[place], place + 1


def _class(pattern: str, place: int) -> tuple[_Token, int]:
    kind = "class"
    if pattern[place : place + 1] == "^":
        kind, place = "not class", place + 1
    ranges: list[tuple[str, str]] = []
    while pattern[place : place + 1] != "]":
        low, place = _char(pattern, place)
        high = low
        if pattern[place : place + 1] == "-":
            high, place = _char(pattern, place + 1)
        if high < low:
            raise ValueError(f"the pattern {pattern!r} holds a range that runs backwards")
        ranges.append((low, high))
    if not ranges:
        raise ValueError(f"the pattern {pattern!r} holds an empty class")
    return _Token(kind, ranges=tuple(ranges)), place + 1


def fold(words: Iterable[str]) -> frozenset[str]:
    """Words as they are compared: trimmed and without case, so that spelling evades nothing."""
    return frozenset(word.strip().casefold() for word in words)


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a request amounts to. Tags, classes, environments and capabilities are folded."""

    tenant: str
    agent: str
    roles: frozenset[str]
    topic: str
    tool: str
    action: ActionKind
    target: str
    environments: frozenset[str]
    capabilities: frozenset[str]
    risk_tags: frozenset[str]
    requires: frozenset[str]
    labels: Mapping[str, str]
    data_classes: frozenset[str]
    arguments: Mapping[str, Json]
    on_behalf_of: PersonId | None
    facts: Facts


class Outcome(StrEnum):
    """What a match said: yes, no, or that it could not be judged."""

    MATCHED = "matched"
    NOT_MATCHED = "not_matched"
    ERROR = "error"


class Condition(Protocol):
    """One condition that no index can answer: it is judged for each rule that could match."""

    def judge(self, subject: Subject) -> Outcome:
        """Compare with ``subject``; ERROR where that cannot be done. Never raises."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """The conditions of one rule or constraint; every empty one is no restriction."""

    topics: tuple[Glob, ...] = ()
    tools: frozenset[str] = frozenset()
    actions: frozenset[str] = frozenset()
    capabilities: frozenset[str] = frozenset()
    risk_tags: frozenset[str] = frozenset()
    requires: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    tenants: frozenset[str] = frozenset()
    agents: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    environments: frozenset[str] = frozenset()
    data_classes: frozenset[str] = frozenset()
    conditions: tuple[Condition, ...] = ()

    def judge(self, subject: Subject) -> Outcome:
        """Compare with ``subject``; a label that is asked for and missing is an error."""
        if not self._fits(subject):
            return Outcome.NOT_MATCHED
        is_unclear = False
        for key, wanted in self.labels.items():
            value = subject.labels.get(key)
            if value is None:
                is_unclear = True
            elif value != wanted:
                return Outcome.NOT_MATCHED
        for condition in self.conditions:
            outcome = condition.judge(subject)
            if outcome is Outcome.NOT_MATCHED:
                return outcome
            is_unclear = is_unclear or outcome is Outcome.ERROR
        return Outcome.ERROR if is_unclear else Outcome.MATCHED

    def _fits(self, subject: Subject) -> bool:
        return (
            _one_of(self.tools, (subject.tool,))
            and _one_of(self.actions, (subject.action.value,))
            and _one_of(self.tenants, (subject.tenant,))
            and _one_of(self.agents, (subject.agent,))
            and _one_of(self.roles, subject.roles)
            and _one_of(self.environments, subject.environments)
            and _one_of(self.capabilities, subject.capabilities)
            and _one_of(self.risk_tags, subject.risk_tags)
            and _one_of(self.data_classes, subject.data_classes)
            and self.requires <= subject.requires
            and (not self.topics or any(topic.matches(subject.topic) for topic in self.topics))
        )


def _one_of(wanted: frozenset[str], have: Collection[str]) -> bool:
    return not wanted or not wanted.isdisjoint(have)
