"""The tool registry: what each tool may do, to what, where, and what would run.

Lives here: registered tools and the reasons to refuse a use. Must not live here: approval
(``sources``) or how a registered action runs (``bot.executor``).
Law: what is not registered is refused; the registry's word on a tool's action, tags, capability
and class outweighs the agent's. A refusal names key and rule, never a value.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NoReturn, Protocol

import jsonschema_rs

from governance.action import ActionKind, ActionRequest, Dispatch
from governance.canonical import Json, digest
from governance.policy.matching import Glob, glob

WIDTH = tuple(ActionKind)
"""Kinds of action from the narrowest to the widest."""


class _Problem(Protocol):
    """What a validator says about one failure."""

    @property
    def instance_path(self) -> Sequence[str | int]: ...

    @property
    def schema_path(self) -> Sequence[str | int]: ...


class ArgumentSchema:
    """A compiled JSON Schema of a tool's arguments; it never fetches anything."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Mapping[str, Json]) -> None:
        """Compile ``schema``.

        Raises:
            ValueError: it is not a JSON Schema, or refers to another document.
        """
        # Linear-time patterns: an agent's text must not be able to stall the decision.
        self._validator = jsonschema_rs.validator_for(
            dict(schema), retriever=_refuse, pattern_options=jsonschema_rs.RegexOptions()
        )

    def refusal(self, arguments: Mapping[str, Json]) -> str:
        """Where and by which keyword ``arguments`` do not fit; empty where they do."""
        problem: _Problem | None = next(self._validator.iter_errors(dict(arguments)), None)
        if problem is None:
            return ""
        place = "".join(f"/{part}" for part in problem.instance_path)
        keyword = next((str(part) for part in reversed(problem.schema_path)), "schema")
        return f"its arguments do not fit its schema at /arguments{place} ({keyword})"


def _refuse(uri: str) -> NoReturn:
    raise ValueError(f"a schema may not refer to another document ({uri})")


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Resources a tool is confined to: every condition must hold."""

    conditions: tuple[tuple[str, Glob], ...]

    def refusal(self, request: ActionRequest) -> str:
        """Which condition fails; empty where all hold.

        An action that we execute is judged by its arguments alone, because only they will run.
        For one that is released a label may name the resource, and where both do both must fit.
        """
        for key, wanted in self.conditions:
            named = [*_texts(request.content.arguments.get(key))]
            if request.dispatch is Dispatch.RELEASE and key in request.labels:
                named.append(request.labels[key])
            if not named:
                return f"it names no {key}, and its scope is {key}:{wanted.pattern}"
            if not all(wanted.matches(value) for value in named):
                return f"its {key} is outside the scope {key}:{wanted.pattern}"
        return ""


def _texts(value: Json) -> Iterator[str]:
    """The strings under one argument; anything else is a text that no scope fits."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for item in value:
            yield item if isinstance(item, str) else "/"
    elif value is not None:
        yield str(value) if isinstance(value, int) and not isinstance(value, bool) else "/"


def parse_scope(text: str) -> Scope:
    """Read ``key:glob,key:glob``; commas mean AND.

    Raises:
        ValueError: a part without a key, a colon or a pattern.
    """
    conditions = []
    for part in text.split(","):
        key, colon, pattern = part.strip().partition(":")
        if not (key and colon and pattern):
            raise ValueError(f"a scope is key:pattern, not {part.strip()!r}")
        conditions.append((key, glob(pattern)))
    return Scope(conditions=tuple(conditions))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """One registered tool."""

    name: str
    actions: tuple[ActionKind, ...]
    classification: str
    requires_approval: bool = False
    scope: Scope | None = None
    environments: frozenset[str] = frozenset()
    """Where it may be used; empty = wherever the environment's gate lets it."""
    arguments: ArgumentSchema | None = None
    risk_tags: frozenset[str] = frozenset()
    capability: str = ""
    tier: str = ""
    target: str = ""
    """The argument that says what it acts on, empty where none does."""
    run: Mapping[str, Json] | None = None
    """The registered action, opaque here; None: the tool can only be released."""
    plan_digest: str = ""

    def action(self, claimed: ActionKind) -> ActionKind:
        """What it does to the world: a registered action does the widest that is allowed to it,
        whatever the request calls it; another tool is taken at its word within its grant."""
        return claimed if self.run is None else max(self.actions, key=WIDTH.index)

    def refusals(
        self, request: ActionRequest, actions: frozenset[ActionKind], environment: str
    ) -> tuple[str, ...]:
        """Every reason why this use of the tool is not allowed."""
        found = [
            f"it may not {action.value}" for action in WIDTH if action in actions - {*self.actions}
        ]
        if self.environments and environment not in self.environments:
            found.append(f"it may not be used in {environment}")
        if self.scope is not None:
            found.append(self.scope.refusal(request))
        if self.arguments is not None:
            found.append(self.arguments.refusal(request.content.arguments))
        named = request.content.arguments.get(self.target) if self.target else None
        if request.target and named is not None and request.target != str(named):
            # The card's first sentence is about the target: it must be what the arguments say.
            found.append(f"its target is argument {self.target}, and the request names another")
        if request.dispatch is Dispatch.EXECUTE and self.run is None:
            found.append("it has no registered action that could be executed")
        return tuple(f"tool {self.name}: {text}" for text in found if text)


def plan_digest(name: str, run: Mapping[str, Json]) -> str:
    """The digest of a registered action as the bundle wrote it: what an approval binds."""
    return digest("plan", {"tool": name, "run": run})


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolRegistry:
    """All tools of a bundle by name."""

    tools: Mapping[str, Tool] = field(default_factory=lambda: MappingProxyType({}))

    def get(self, name: str) -> Tool | None:
        """The tool of that name."""
        return self.tools.get(name)

    def __iter__(self) -> Iterator[Tool]:
        return iter(self.tools.values())
