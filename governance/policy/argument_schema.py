"""The JSON Schema of a tool's arguments: refused at load unless it surely means what it says.

Lives here: which keywords a schema may use, what checking may cost, and the check itself.
Must not live here: what a refusal leads to (``tools``).
Law: a schema fetches nothing, does not call itself, and every keyword in it is enforced; one
misspelt keyword would open what it was to close. Cost is bounded when the bundle is loaded.
Source: JSON Schema 2020-12.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NoReturn

import jsonschema_rs

from governance.canonical import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
MAX_DEPTH = 48
"""How many schemas one within or behind the other."""
MAX_CHECKS = 2_000
"""Checks that one call can cost at most, items of lists and further keys not counted."""
MAX_CHECKS_PER_ITEM = 128
"""The same for each item of a list and each further key."""
_PATTERN_COST = 16
_PATTERN_BYTES = 65_536
"""A compiled pattern's size; larger ones took minutes over 256 kB of text."""
_ONE = frozenset({"not", "if", "then", "else"})
_PER_ITEM = frozenset(
    {
        "items",
        "contains",
        "additionalProperties",
        "propertyNames",
        "unevaluatedItems",
        "unevaluatedProperties",
    }
)
_LISTS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
_MAPS = frozenset({"properties", "patternProperties", "dependentSchemas"})
_SHELVES = frozenset({"$defs", "definitions"})
_ASSERTIONS = frozenset(
    {
        "const",
        "dependentRequired",
        "enum",
        "exclusiveMaximum",
        "exclusiveMinimum",
        "format",
        "maxContains",
        "maxItems",
        "maxLength",
        "maxProperties",
        "maximum",
        "minContains",
        "minItems",
        "minLength",
        "minProperties",
        "minimum",
        "multipleOf",
        "pattern",
        "required",
        "type",
        "uniqueItems",
        "$ref",
        "$schema",
    }
)
_FOR_PEOPLE = frozenset(
    {
        "title",
        "description",
        "default",
        "examples",
        "deprecated",
        "readOnly",
        "writeOnly",
        "$comment",
    }
)
_KNOWN = _ONE | _PER_ITEM | _LISTS | _MAPS | _SHELVES | _ASSERTIONS | _FOR_PEOPLE


class ArgumentSchema:
    """A compiled JSON Schema of a tool's arguments; it never fetches anything."""

    __slots__ = ("_validator",)

    def __init__(self, schema: Mapping[str, Json]) -> None:
        """Compile ``schema``.

        Raises:
            ValueError: it is not a JSON Schema, refers to another document or to itself, has a
                keyword that would not be enforced, or could cost too much.
        """
        _check(schema)
        # Linear-time patterns: an agent's text must not be able to stall the decision.
        self._validator = jsonschema_rs.Draft202012Validator(
            dict(schema),
            validate_formats=True,
            ignore_unknown_formats=False,
            retriever=_refuse,
            pattern_options=jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES),
        )

    def refusal(self, arguments: Mapping[str, Json]) -> str:
        """Where and by which keyword ``arguments`` do not fit; empty where they do.

        Only the first failure is looked for: a list of all of them can fill the memory.
        """
        try:
            self._validator.validate(dict(arguments))
        except jsonschema_rs.ValidationError as problem:
            place = "".join(f"/{part}" for part in problem.instance_path)
            keyword = next((str(part) for part in reversed(problem.schema_path)), "schema")
            return f"its arguments do not fit its schema at /arguments{place} ({keyword})"
        return ""


def _refuse(uri: str) -> NoReturn:  # pragma: no cover  # the walk below refuses it first
    raise ValueError(f"a schema may not refer to another document ({uri})")


@dataclass(frozen=True, slots=True)
class _Cost:
    """Checks for the call as a whole, and for each item or further key."""

    once: int = 0
    per_item: int = 0

    def __add__(self, other: "_Cost") -> "_Cost":
        return _Cost(self.once + other.once, self.per_item + other.per_item)

    def repeated(self) -> "_Cost":
        return _Cost(0, self.once + self.per_item)


def _check(schema: Mapping[str, Json]) -> None:
    walk = _Walk(root=schema)
    cost = walk.cost(schema, "", 0)
    for shelf in sorted(_SHELVES):
        for _ in walk.shelf(schema, shelf):
            pass
    if cost.once > MAX_CHECKS or cost.per_item > MAX_CHECKS_PER_ITEM:
        raise ValueError(
            f"it can cost {cost.once} checks and {cost.per_item} more for every item or further "
            f"key, at most {MAX_CHECKS} and {MAX_CHECKS_PER_ITEM} are taken"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Walk:
    """One walk over a schema; what a reference leads to is counted each time it is used."""

    root: Mapping[str, Json]
    known: dict[int, _Cost] = field(default_factory=dict)
    within: set[int] = field(default_factory=set)

    def cost(self, schema: Json, at: str, depth: int) -> _Cost:
        if isinstance(schema, bool):
            return _Cost(1)
        if not isinstance(schema, Mapping):
            raise ValueError(f"no schema at {at or '/'}")  # noqa: TRY004  # bad text, not bad code
        if depth > MAX_DEPTH:
            raise ValueError(f"more than {MAX_DEPTH} schemas one behind the other at {at or '/'}")
        key = id(schema)
        if key in self.within:
            raise ValueError(f"a schema may not call itself ({at or '/'})")
        if key not in self.known:
            self.within.add(key)
            total = _Cost(1)
            for cost in self._parts(schema, at, depth + 1):
                total += cost
            self.within.discard(key)
            self.known[key] = total
        return self.known[key]

    def shelf(self, schema: Mapping[str, Json], shelf: str) -> Iterator[_Cost]:
        """What lies ready to be referred to: checked, and counted where it is used."""
        entries = schema.get(shelf, {})
        if not isinstance(entries, Mapping):
            raise ValueError(f"no schemas at /{shelf}")  # noqa: TRY004
        for name, entry in entries.items():
            yield self.cost(entry, f"/{shelf}/{name}", 1)

    def _parts(self, schema: Mapping[str, Json], at: str, depth: int) -> Iterator[_Cost]:
        for word, value in schema.items():
            place = f"{at}/{word}"
            if word not in _KNOWN and not word.startswith("x-"):
                raise ValueError(f"the keyword {word!r} at {at or '/'} would not be enforced")
            if word in _SHELVES and at:
                raise ValueError(f"{word} belongs at the top, not at {at}")
            if word in _ONE:
                yield self.cost(value, place, depth)
            elif word in _PER_ITEM:
                yield self.cost(value, place, depth).repeated()
            elif word in _LISTS or word in _MAPS:
                yield from self._several(word, value, place, depth)
            else:
                yield self._assertion(word, value, place, depth)

    def _several(self, word: str, value: Json, at: str, depth: int) -> Iterator[_Cost]:
        if word in _MAPS and isinstance(value, Mapping):
            entries = [*value.items()]
        elif word in _LISTS and isinstance(value, Sequence) and not isinstance(value, str):
            entries = [(str(number), entry) for number, entry in enumerate(value)]
        else:
            raise ValueError(f"no schemas at {at}")
        for name, entry in entries:
            cost = self.cost(entry, f"{at}/{name}", depth)
            is_each = word == "patternProperties"
            yield (cost + _Cost(_PATTERN_COST)).repeated() if is_each else cost

    def _assertion(self, word: str, value: Json, at: str, depth: int) -> _Cost:
        if word == "$ref":
            return self._reference(value, at, depth)
        if word == "$schema" and value != DIALECT:
            raise ValueError(f"$schema can only be {DIALECT}")
        if word == "pattern":
            return _Cost(_PATTERN_COST)
        if word == "enum" and isinstance(value, Sequence) and not isinstance(value, str):
            # Texts alone are looked up; anything else is compared one by one.
            return _Cost(0 if all(isinstance(item, str) for item in value) else len(value))
        return _Cost()

    def _reference(self, value: Json, at: str, depth: int) -> _Cost:
        if not isinstance(value, str) or not (value == "#" or value.startswith("#/")):
            raise ValueError(f"a schema may not refer to another document ({at})")
        found: Json = self.root
        for part in value.split("/")[1:]:
            step = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, Mapping) and step in found:
                found = found[step]
            elif isinstance(found, Sequence) and not isinstance(found, str) and _is_in(step, found):
                found = found[int(step)]
            else:
                raise ValueError(f"{value!r} at {at} leads nowhere")
        return self.cost(found, value.removeprefix("#"), depth)


def _is_in(step: str, found: Sequence[Json]) -> bool:
    return step.isascii() and step.isdigit() and int(step) < len(found)
