"""What a schema may say, and what an agent can make it cost."""

import time
from collections.abc import Mapping
from typing import Any

import pytest

from governance.canonical import Json
from governance.policy.argument_schema import MAX_CHECKS_PER_ITEM, ArgumentSchema

DEFS = "$defs"


def nested(depth: int) -> dict[str, Json]:
    schema: dict[str, Json] = {}
    for _ in range(depth):
        schema = {"not": schema}
    return schema


def doubling(levels: int) -> dict[str, Json]:
    """Each definition calls the next one twice."""
    shelf = {
        f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}, {"$ref": f"#/$defs/d{n + 1}"}]}
        for n in range(levels)
    }
    return {"$ref": "#/$defs/d0", DEFS: {**shelf, f"d{levels}": {}}}


@pytest.mark.parametrize(
    "schema",
    [
        {"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object"},
        {"properties": {"a": {"$ref": "#/$defs/x"}}, DEFS: {"x": {"type": "string"}}},
        {"properties": {"a": {"$ref": "#/definitions/a~1b"}}, "definitions": {"a/b": True}},
        {"allOf": [{"type": "object"}], "properties": {"a": {"$ref": "#/allOf/0"}}},
        {"title": "t", "description": "d", "default": {}, "examples": [], "x-order": 1},
        {"dependentSchemas": {"a": {"required": ["b"]}}, "patternProperties": {"^x": True}},
        {"if": {"required": ["a"]}, "then": {"required": ["b"]}, "else": {}},
        {"properties": {"a": {"prefixItems": [{"const": 1}], "items": False}}},
        {"properties": {"a": {"enum": [1, None, "x"]}, "b": {"enum": ["x"] * 1}}},
    ],
)
def test_a_schema_of_the_dialect_is_taken(schema: Mapping[str, Json]):
    assert ArgumentSchema(schema).refusal({}) == ""


@pytest.mark.parametrize(
    ("schema", "words"),
    [
        ({"maxlength": 3}, "the keyword 'maxlength' at / would not be enforced"),
        ({"properties": {"a": {"patern": "x"}}}, "'patern' at /properties/a"),
        ({"dependencies": {"a": ["b"]}}, "'dependencies'"),
        ({"additionalItems": False}, "'additionalItems'"),
        ({"contentEncoding": "base64"}, "'contentEncoding'"),
        ({"$id": "http://127.0.0.1:1/x"}, r"'\$id'"),
        ({"$anchor": "x"}, r"'\$anchor'"),
        ({"$dynamicRef": "#x", "$dynamicAnchor": "x"}, r"'\$dynamicRef'"),
        ({"$vocabulary": {}}, r"'\$vocabulary'"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "can only be"),
        ({"$schema": "http://127.0.0.1:1/meta"}, "can only be"),
        ({"$ref": "http://127.0.0.1:1/s"}, "another document"),
        ({"$ref": "file:///etc/passwd"}, "another document"),
        ({"$ref": "other.json"}, "another document"),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "another document"),
        ({"$ref": "#x"}, "another document"),
        ({"$ref": 1}, "another document"),
        ({"$ref": "#/$defs/no"}, "leads nowhere"),
        ({"allOf": [{}], "not": {"$ref": "#/allOf/1"}}, "leads nowhere"),
        ({"allOf": [{}], "not": {"$ref": "#/allOf/x"}}, "leads nowhere"),
        ({"title": "t", "not": {"$ref": "#/title/0"}}, "leads nowhere"),
        ({"enum": ["a"], "not": {"$ref": "#/enum/0"}}, "no schema at /enum/0"),
        ({"$ref": "#"}, "may not call itself"),
        ({"items": {"$ref": "#"}}, "may not call itself"),
        ({"$ref": "#/$defs/a", DEFS: {"a": {"not": {"$ref": "#/$defs/a"}}}}, "call itself"),
        ({DEFS: {"a": {"$ref": "#/$defs/a"}}}, "call itself"),
        ({DEFS: {"a": 1}}, r"no schema at /\$defs/a"),
        ({DEFS: []}, r"no schemas at /\$defs"),
        ({"properties": {"a": {DEFS: {}}}}, "belongs at the top"),
        ({"properties": []}, "no schemas at /properties"),
        ({"allOf": {}}, "no schemas at /allOf"),
        ({"allOf": "x"}, "no schemas at /allOf"),
        ({"not": 1}, "no schema at /not"),
        ({"properties": {"a": {"format": "no-such"}}}, "no-such"),
        ({"pattern": "(?=a)a"}, "regex"),
        ({"pattern": "([ab]{1,500}){1,20}c"}, "regex"),
        ({"enum": "x"}, "array"),
        (nested(49), "more than 48 schemas"),
        (doubling(12), "can cost"),
        (doubling(60), "more than 48 schemas"),
        ({"items": {"anyOf": [{"const": n} for n in range(300)]}}, "can cost"),
        ({"items": {"enum": [*range(300)]}}, "can cost"),
        ({"patternProperties": {f"^{n}": True for n in range(30)}}, "can cost"),
        ({"allOf": [{"pattern": "a"}] * 200}, "can cost"),
    ],
)
def test_a_schema_that_would_not_hold_or_cost_too_much_is_refused(
    schema: Mapping[str, Json], words: str
):
    with pytest.raises(ValueError, match=words):
        ArgumentSchema(schema)


def test_a_format_is_enforced():
    schema = ArgumentSchema({"properties": {"a": {"format": "ipv4"}}})
    assert schema.refusal({"a": "10.0.0.1"}) == ""
    assert schema.refusal({"a": "ten"}).endswith("at /arguments/a (format)")


LARGE: dict[str, Any] = {
    "wrong items": ({"type": "integer"}, ["zz"] * 50_000),
    "alternatives": ({"anyOf": [{"const": f"e{n}"} for n in range(100)]}, ["zz"] * 50_000),
    "words": ({"enum": [f"e{n}" for n in range(5_000)]}, ["zz"] * 50_000),
    "values": ({"enum": [*range(MAX_CHECKS_PER_ITEM - 10)]}, [MAX_CHECKS_PER_ITEM - 11] * 60_000),
    "pattern": ({"pattern": "^(a+)+$"}, ["a" * 120_000 + "b"] * 2),
}


@pytest.mark.parametrize("name", LARGE)
def test_the_largest_arguments_are_judged_well_within_the_deadline(name: str):
    """A list of all failures took 105 s and all memory for one of these."""
    items, value = LARGE[name]
    schema = ArgumentSchema({"properties": {"a": {"items": items}}})
    started = time.process_time()
    schema.refusal({"a": value})
    assert time.process_time() - started < 1
