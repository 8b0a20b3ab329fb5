"""Fields as lines: everything is seen, and different values never read the same."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.slack.cards.action_fields import is_bare, lines, single, text_lines
from governance.canonical import Json, canonical_bytes, parse

_TEXT = st.text(alphabet='ab:-|"\\{}[](1.\n\t \u202e\u2014', max_size=8) | st.sampled_from(
    ["null", "True", "1", "1e5", "-1", ".", "+", "- a", "| a", "a: b", "(2 lines)", "\u2014", " "]
)  # fmt: skip
_KEYS = st.text(alphabet='ab:-"| \n1', max_size=4)
_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers(-99, 99)
    | st.decimals(-9, 9, places=1, allow_nan=False)
    | _TEXT
)
_JSON = st.recursive(
    _SCALAR, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_KEYS, inner, max_size=3)
)
_FIELDS = st.dictionaries(_KEYS, _JSON, max_size=3)


def ordered(value: Json) -> object:
    """A value with the order of its keys, which the lines keep and canonical bytes do not."""
    if isinstance(value, dict):
        return ("object", [(key, ordered(item)) for key, item in value.items()])
    if isinstance(value, list):
        return ("list", [ordered(item) for item in value])
    return canonical_bytes(value)


@given(_FIELDS, _FIELDS)
def test_different_fields_never_read_the_same(one: dict[str, Json], other: dict[str, Json]) -> None:
    is_same = ordered(one) == ordered(other)
    assert is_same or lines(one) != lines(other)


@given(_SCALAR, _SCALAR)
def test_different_values_never_read_the_same_in_a_cell(one: Json, other: Json) -> None:
    assert ordered(one) == ordered(other) or single(one) != single(other)


@given(_FIELDS)
def test_every_line_is_one_line(fields: dict[str, Json]) -> None:
    assert not any("\n" in line for line in lines(fields))


@given(st.text(max_size=60), st.text(max_size=60))
def test_different_texts_have_different_lines(one: str, other: str) -> None:
    assert one == other or text_lines(one) != text_lines(other)


def test_fields_read_as_people_write_them() -> None:
    fields: Json = {
        "service": "web",
        "version": "1.2.3",
        "dry_run": False,
        "count": Decimal("1.50"),
        "hosts": ["web-1", "web-2"],
        "nothing": None,
        "empty": {},
    }
    assert isinstance(fields, dict)
    assert lines(fields) == [
        "service: web",
        "version: 1.2.3",
        "dry_run: false",
        "count: 1.50",
        'hosts: ["web-1", "web-2"]',
        "nothing: null",
        "empty: {}",
    ]


def test_a_longer_text_stands_behind_bars_and_blanks_at_line_ends_are_seen() -> None:
    assert lines({"sql": "select 1;\ndrop x; \t\n"}) == [
        "sql: (3 lines)",
        "  | select 1;",
        "  | drop x;\\u{20}\\u{9}",
        "  | ",
    ]


def test_objects_and_lists_are_set_in() -> None:
    value = parse(b'{"a": {"b": [{"c": 1}, "x"]}, "k: v": "y", "long": ["%s"]}' % (b"z" * 50))
    assert isinstance(value, dict)
    assert lines(value) == [
        "a:",
        "  b:",
        "    -",
        "      c: 1",
        "    - x",
        '"k: v": y',
        "long:",
        f"  - {'z' * 50}",
    ]


@pytest.mark.parametrize(
    "text",
    ["", " a", "a ", "a\nb", "null", "None", "TRUE", "12", "-1.5", "1e9", "+3", ".5", "-", "- ",
     '"a', "'a", "(1 line)", "[a", "{a", "|a", "<a", "\u2014"],
)  # fmt: skip
def test_a_text_that_could_be_something_else_is_quoted(text: str) -> None:
    assert not is_bare(text)
    assert single(text).startswith('"')


@pytest.mark.parametrize("text", ["a", "1.2.3", "--force", "a: b", "nullable", "10.0.0.1"])
def test_a_text_that_can_be_nothing_else_is_bare(text: str) -> None:
    assert single(text) == text
