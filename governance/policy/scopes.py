"""The resources that a tool is confined to, as far as credentials vouch for who asks.

Lives here: scopes, their patterns and the attributes of the requester that these may name.
Must not live here: anything that an agent says about itself.
Law: a pattern names only what the credential vouches for; an attribute that is missing fits
nothing; what a credential holds is compared as text and is never a wildcard.
Source: seed 001, ``scope``; attribute-based access control is its remedy for broad reads.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from governance.action import ActionRequest, Dispatch
from governance.canonical import Json
from governance.policy.matching import Glob, glob
from governance.principal import Agent

_Values = Callable[[Agent, ActionRequest], Sequence[str]]
ATTRIBUTES: Mapping[str, _Values] = {
    "agent.id": lambda agent, request: (agent.id,),
    "agent.tenant": lambda agent, request: (agent.tenant,),
    "agent.role": lambda agent, request: agent.roles,
    "agent.owner": lambda agent, request: agent.owners,
    # Whom an agent acts for is its own claim, unless the credential names that person.
    "on_behalf_of": lambda agent, request: tuple(
        owner for owner in agent.owners if owner == request.on_behalf_of
    ),
}
"""What ``{name}`` in a pattern stands for; of several values any one may fit."""
_NAMED = re.compile(r"\\.|\{([^{}]*)\}|\{", re.DOTALL)
_SPECIAL = re.compile(r"([*?\[\]\\{}])")


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopePattern:
    """A glob in which ``{agent.id}`` and the like stand for what the credential says."""

    text: str
    attributes: tuple[str, ...]
    fixed: Glob | None
    """The glob itself where it names no attribute."""

    def globs(self, agent: Agent, request: ActionRequest) -> tuple[Glob, ...]:
        """Every glob that it stands for; none where an attribute has no value."""
        if self.fixed is not None:
            return (self.fixed,)
        values = [ATTRIBUTES[name](agent, request) for name in self.attributes]
        return tuple(
            glob(self._filled(dict(zip(self.attributes, chosen, strict=True))))
            for chosen in product(*values)
        )

    def _filled(self, values: Mapping[str, str]) -> str:
        return _NAMED.sub(
            lambda found: found[0] if found[1] is None else _escaped(values[found[1].strip()]),
            self.text,
        )


def _escaped(value: str) -> str:
    return _SPECIAL.sub(r"\\\1", value)


def scope_pattern(text: str) -> ScopePattern:
    """Compile ``text``.

    Raises:
        ValueError: no glob, or an attribute that no credential vouches for.
    """
    named: dict[str, None] = {}
    for found in _NAMED.finditer(text):
        if found[0].startswith("\\"):
            continue
        name = (found[1] or "").strip()
        if name not in ATTRIBUTES:
            raise ValueError(
                f"{name!r} is no attribute that a credential vouches for: "
                f"it can be {', '.join(ATTRIBUTES)}; a brace itself is written \\{{"
            )
        named[name] = None
    plain = glob(_NAMED.sub(lambda found: found[0] if found[1] is None else "x", text))
    return ScopePattern(text=text, attributes=tuple(named), fixed=None if named else plain)


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """Resources a tool is confined to: every condition must hold."""

    conditions: tuple[tuple[str, ScopePattern], ...]

    def refusal(self, request: ActionRequest, agent: Agent) -> str:
        """Which condition fails; empty where all hold.

        An action that we execute is judged by its arguments alone, because only they will run.
        For one that is released a label may name the resource, and where both do both must fit.
        """
        for key, wanted in self.conditions:
            named = [*_texts(request.content.arguments.get(key))]
            if request.dispatch is Dispatch.RELEASE and key in request.labels:
                named.append(request.labels[key])
            if not named:
                return f"it names no {key}, and its scope is {key}:{wanted.text}"
            globs = wanted.globs(agent, request)
            if not globs:
                who = " and ".join(wanted.attributes)
                return f"its credential holds no {who} for the scope {key}:{wanted.text}"
            if not all(_fits(value, globs) for value in named):
                return f"its {key} is outside the scope {key}:{wanted.text}"
        return ""


def _fits(value: str | None, globs: Sequence[Glob]) -> bool:
    return value is not None and any(one.matches(value) for one in globs)


def _texts(value: Json) -> Iterator[str | None]:
    """The strings under one argument; anything else is None, which no scope fits."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Sequence):
        for item in value:
            yield item if isinstance(item, str) else None
    elif value is not None:
        yield str(value) if isinstance(value, int) and not isinstance(value, bool) else None


def parse_scope(text: str) -> Scope:
    """Read ``key:glob,key:glob``; commas mean AND.

    Raises:
        ValueError: a part without a key, a colon or a pattern, or with an unknown attribute.
    """
    conditions = []
    for part in text.split(","):
        key, colon, pattern = part.strip().partition(":")
        if not (key and colon and pattern):
            raise ValueError(f"a scope is key:pattern, not {part.strip()!r}")
        conditions.append((key, scope_pattern(pattern)))
    return Scope(conditions=tuple(conditions))
