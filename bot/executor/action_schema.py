"""JSON and JSON Schema without surprises, and the one error about actions.

Here: the strict JSON parser, the schema validator. Not here: what the schemas are of. Law kept: a
schema fetches nothing, its patterns run in linear time, and no refused value is in a message.
"""

import json
from collections.abc import Mapping
from decimal import Decimal

import jsonschema_rs


class ActionError(ValueError):
    """An action, its arguments or its answer is not as declared.

    `code` is stable; `pointer` is the JSON pointer of the place. No value is in the message.
    """

    def __init__(self, code: str, message: str, pointer: str) -> None:
        super().__init__(f"{message} (at {pointer or '/'})")
        self.code = code
        self.pointer = pointer


def _refuse(uri: str) -> None:
    raise ValueError(f"a schema may not refer to {uri}")


class Validator:
    """A JSON Schema (2020-12), compiled once; it fetches nothing and its patterns are linear."""

    def __init__(self, schema: Mapping[str, object], pointer: str) -> None:
        try:
            self._validator = jsonschema_rs.Draft202012Validator(
                dict(schema),
                validate_formats=True,
                retriever=_refuse,
                pattern_options=jsonschema_rs.RegexOptions(),
            )
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise ActionError(
                "action_schema_invalid", "not a self-contained JSON Schema", pointer
            ) from error

    def first_problem(self, value: object) -> tuple[str, str] | None:
        """The first place that is refused and the keyword that refuses it; never the value."""
        try:
            # The first failure only: a list of all of them can fill the memory.
            self._validator.validate(value)
        except jsonschema_rs.ValidationError as error:
            place = "".join(
                "/" + str(part).replace("~", "~0").replace("/", "~1")
                for part in error.instance_path
            )
            path = [str(part) for part in error.schema_path]
            return place, path[-1] if path else "schema"
        return None


def check(validator: Validator, value: object, code: str, subject: str) -> None:
    """Refuse a value that does not fit.

    Raises:
        ActionError: with the given code.
    """
    problem = validator.first_problem(value)
    if problem is not None:
        place, keyword = problem
        raise ActionError(code, f"{subject}: refused by {keyword!r} of its schema", place)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key is there twice")
    return found


def _no_constant(text: str) -> object:
    raise ValueError(f"{text} is not JSON")


def parse_json(content: bytes, code: str) -> object:
    """Strict JSON: UTF-8, no key twice, no NaN, exact decimals.

    Raises:
        ActionError: with the given code.
    """
    try:
        return json.loads(
            content.decode("utf-8"),
            parse_float=Decimal,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise ActionError(code, "not strict JSON", "") from error
