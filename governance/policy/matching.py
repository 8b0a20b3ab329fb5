"""When a rule or a constraint applies: globs, match conditions and the subject they look at.

Lives here: what is compared with what. Must not live here: what follows from a match.
Law: an empty condition is no restriction; conditions are joined by AND, their entries by OR
(``requires`` and ``labels``: all of them). A condition that cannot be judged, because a label is
missing, is an error: the caller lets it loosen nothing.
Source: the topic globs are those of Go's ``path.Match``: ``*`` and ``?`` cross dots, not slashes.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import takewhile
from typing import Protocol

from governance.action import ActionKind
from governance.canonical import Json
from governance.making import quickly_made
from governance.policy.facts import Facts
from governance.principal import PersonId

_STAR = "*"
_ANY = "?"
_SPECIAL = frozenset("?[\\")
"""What a pattern of literals and stars has none of."""


@dataclass(frozen=True, slots=True)
class Token:
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
    _parts: tuple[tuple[str, ...], ...]
    """A pattern of literals and stars only: the literals around its stars, for each part between
    slashes, which no star crosses."""
    _tokens: tuple[Token, ...] = ()
    """The steps of any other pattern."""
    _is_prefix: bool = False
    """Whether a star is all that comes after the prefix, as in most patterns."""

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Its steps, several stars in a row as one."""
        return _tokens(self.pattern) if self._parts else self._tokens

    def matches(self, text: str) -> bool:
        """Whether the whole of ``text`` fits."""
        parts = self._parts
        if len(parts) == 1:
            if self._is_prefix:
                return text.startswith(self.prefix) and "/" not in text
            return "/" not in text and _in_order(parts[0], text)
        if not parts:
            return self._steps_through(text)
        texts = text.split("/")
        return len(texts) == len(parts) and all(map(_in_order, parts, texts))

    def _steps_through(self, text: str) -> bool:
        """Only the last star is ever widened: an earlier one could at best lead to the same."""
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
    if _SPECIAL.isdisjoint(pattern):
        parts = tuple(tuple(part.split(_STAR)) for part in pattern.split("/"))
        prefix = pattern.partition(_STAR)[0]
        return Glob(pattern, prefix, parts, (), parts == ((prefix, ""),))
    tokens = _tokens(pattern)
    literals = takewhile(lambda token: token.kind == "literal", tokens)
    return Glob(pattern, "".join(token.chars for token in literals), (), tokens)


def _in_order(literals: tuple[str, ...], text: str) -> bool:
    """Whether ``text`` is ``literals`` with anything between; the leftmost place serves best."""
    if len(literals) == 1:
        return text == literals[0]
    first, last = literals[0], literals[-1]
    at, end = len(first), len(text) - len(last)
    if at > end or not (text.startswith(first) and text.endswith(last)):
        return False
    for literal in literals[1:-1]:
        found = text.find(literal, at, end)
        if found < 0:
            return False
        at = found + len(literal)
    return True


def _tokens(pattern: str) -> tuple[Token, ...]:
    tokens: list[Token] = []
    place = 0
    while place < len(pattern):
        token, place = _token(pattern, place)
        if token.kind != _STAR or not tokens or tokens[-1].kind != _STAR:
            tokens.append(token)
    return tuple(tokens)


def _token(pattern: str, place: int) -> tuple[Token, int]:
    char = pattern[place]
    if char in (_STAR, _ANY):
        return Token(char), place + 1
    if char == "[":
        return _class(pattern, place + 1)
    literal, place = _char(pattern, place)
    return Token("literal", literal), place


def _char(pattern: str, place: int) -> tuple[str, int]:
    if pattern[place : place + 1] == "\\":
        place += 1
    if place >= len(pattern):
        raise ValueError(f"the pattern {pattern!r} ends too early")
    return pattern[place], place + 1


def _class(pattern: str, place: int) -> tuple[Token, int]:
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
    return Token(kind, ranges=tuple(ranges)), place + 1


NOTHING: frozenset[str] = frozenset()
"""One for all: an empty set is as large as a small one, and a rule has ten."""


def fold(words: Iterable[str]) -> frozenset[str]:
    """Words as they are compared: trimmed and without case, so that spelling evades nothing."""
    return frozenset([word.strip().casefold() for word in words]) or NOTHING


@quickly_made
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
    trace_id: str = ""


class Outcome(StrEnum):
    """What a match said: yes, no, or that it could not be judged."""

    MATCHED = "matched"
    NOT_MATCHED = "not_matched"
    ERROR = "error"


class Condition(Protocol):
    """One condition that no index can answer: it is judged for each rule that could match."""

    def judge(self, subject: Subject) -> Outcome:
        """Compare with ``subject``; ERROR where that cannot be done. Never raises."""

    def describe(self) -> str:
        """What is compared, in words, for a trace: nothing of the subject."""

    @property
    def reads_claims(self) -> bool:
        """Whether it looks at what nobody but the agent says: where a registry vouches, it
        loosens nothing."""


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
        if not self.labels and not self.conditions:
            return Outcome.MATCHED
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

    @property
    def reads_claims(self) -> bool:
        """Whether it looks at labels, or at the person acted for: only the agent's own words."""
        return bool(self.labels) or any(item.reads_claims for item in self.conditions)

    def unclear(self, subject: Subject) -> tuple[str, ...]:
        """Which conditions cannot be judged, in words."""
        missing = [f"label {key} is missing" for key in self.labels if key not in subject.labels]
        failing = [
            item.describe() for item in self.conditions if item.judge(subject) is Outcome.ERROR
        ]
        return (*missing, *failing)

    def _fits(self, subject: Subject) -> bool:
        # Written out, because nothing is done more often: (wanted by the rule) & (have) != empty.
        return (
            (not self.tools or subject.tool in self.tools)
            and (not self.actions or subject.action in self.actions)
            and (not self.tenants or subject.tenant in self.tenants)
            and (not self.agents or subject.agent in self.agents)
            and not (self.roles and self.roles.isdisjoint(subject.roles))
            and not (self.environments and self.environments.isdisjoint(subject.environments))
            and not (self.capabilities and self.capabilities.isdisjoint(subject.capabilities))
            and not (self.risk_tags and self.risk_tags.isdisjoint(subject.risk_tags))
            and not (self.data_classes and self.data_classes.isdisjoint(subject.data_classes))
            and self.requires <= subject.requires
            and self._has_topic(subject.topic)
        )

    def _has_topic(self, text: str) -> bool:
        for topic in self.topics:
            if topic.matches(text):
                return True
        return not self.topics
