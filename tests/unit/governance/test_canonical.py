"""The canonical form: one sequence of bytes for each value, and never one for two."""

import json
import struct
import time
from decimal import Decimal
from fractions import Fraction
from hashlib import sha256
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import (
    MAX_DEPTH,
    Json,
    canonical_bytes,
    digest,
    digest_bytes,
    parse,
)
from governance.errors import Code, InvalidInput
from governance.json_text import to_text

# RFC 8785, appendix B: the bits of a double and how it prints.
DOUBLES = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}


def _refused(text: str | bytes, **limits: int) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        parse(text, **limits)
    return caught.value


def _ecmascript(number: float) -> str:
    """Number::toString, step by step from the standard, over Python's shortest digits."""
    if number == 0:
        return "0"
    mantissa, _, exponent = repr(abs(number)).partition("e")
    whole, _, part = mantissa.partition(".")
    part = "" if part == "0" else part
    digits = (whole + part).lstrip("0")
    n = len(whole) + int(exponent or 0)
    if not whole.strip("0"):
        n = int(exponent or 0) - (len(part) - len(part.lstrip("0")))
    digits = digits.rstrip("0")
    k = len(digits)
    sign = "-" if number < 0 else ""
    if k <= n <= 21:
        return sign + digits + "0" * (n - k)
    if 0 < n <= 21:
        return sign + digits[:n] + "." + digits[n:]
    if -6 < n <= 0:
        return sign + "0." + "0" * -n + digits
    power = f"e{'+' if n - 1 > 0 else '-'}{abs(n - 1)}"
    return sign + digits[0] + ("." + digits[1:] if k > 1 else "") + power


@pytest.mark.parametrize(("bits", "text"), DOUBLES.items())
def test_a_double_prints_as_rfc_8785_prints_it(bits: str, text: str):
    (number,) = struct.unpack(">d", bytes.fromhex(bits))
    assert canonical_bytes(Decimal(repr(number))).decode() == text
    assert _ecmascript(number) == text  # so that the oracle of the next test is right too


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_whatever_a_double_carries_prints_as_ecmascript_prints_it(number: float):
    assert canonical_bytes(Decimal(repr(number))).decode() == _ecmascript(number)


@given(st.integers(min_value=-(10**30), max_value=10**30))
def test_a_whole_number_prints_the_same_as_int_and_as_decimal(number: int):
    assert canonical_bytes(number) == canonical_bytes(Decimal(number))


@pytest.mark.parametrize(
    ("spellings", "text"),
    [
        (("1", "1.0", "1e0", "10e-1", "0.1e1", "1E+00"), "1"),
        (("0", "-0", "0.0", "-0.0", "0e5", "0e-308"), "0"),
        (("100000000000000000000", "1e20", "1.0e+20"), "100000000000000000000"),
        (("1000000000000000000000", "1e21"), "1e+21"),
        (("-1e21", "-1000000000000000000000"), "-1e+21"),
        (("123456789012345678901",), "123456789012345678901"),
        (("1234567890123456789012",), "1.234567890123456789012e+21"),
        (("0.000001", "1e-6"), "0.000001"),
        (("0.0000001", "1e-7"), "1e-7"),
        (("12.50", "1.25e1"), "12.5"),
    ],
)
def test_equal_numbers_share_their_bytes_however_they_are_spelt(
    spellings: tuple[str, ...], text: str
):
    assert {canonical_bytes(parse(spelling)).decode() for spelling in spellings} == {text}


def test_numbers_that_one_double_would_confuse_keep_their_own_bytes():
    near = ["9007199254740992", "9007199254740993", "0.1", "0.1000000000000000000001"]
    assert len({canonical_bytes(parse(text)) for text in near}) == len(near)


# Values

_NUMBERS = st.one_of(
    st.integers(min_value=-(10**99), max_value=10**99),
    st.builds(
        lambda sign, digits, adjusted: Decimal(
            (sign, tuple(map(int, str(digits))), adjusted - len(str(digits)) + 1)
        ),
        st.sampled_from([0, 1]),
        st.integers(min_value=0, max_value=10**99),
        st.integers(min_value=-300, max_value=300),
    ),
)
_TEXT = st.text(alphabet=st.characters(exclude_categories=("Cs",)))
_KEYS = st.text(alphabet=st.sampled_from('abzé€\ue000😀"\\/~\n\x00'), max_size=4)
_VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), _NUMBERS, _TEXT),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(_KEYS, inner, max_size=4)),
    max_leaves=12,
)


def _meaning(value: Json) -> object:
    """The value with its type beside it and its numbers exact: ``True`` is not 1."""
    if value is None or isinstance(value, bool | str):
        return (type(value).__name__, value)
    if isinstance(value, int | Decimal):
        return ("number", Fraction(value))
    if isinstance(value, dict):
        return ("object", frozenset((key, _meaning(item)) for key, item in value.items()))
    return ("array", tuple(_meaning(item) for item in value))  # type: ignore[union-attr]


@given(_VALUES)
def test_canonical_bytes_parse_back_to_the_same_value_so_no_two_values_share_them(value: Json):
    assert _meaning(parse(canonical_bytes(value))) == _meaning(value)


@given(_VALUES)
def test_text_parses_back_to_the_same_value(value: Json):
    for indent in (0, 2):
        assert _meaning(parse(to_text(value, indent=indent))) == _meaning(value)


@given(_VALUES, st.randoms(use_true_random=False))
def test_equal_values_have_equal_bytes(value: Json, random):  # noqa: ANN001
    def respelt(item: Json) -> Json:
        if isinstance(item, bool) or item is None or isinstance(item, str):
            return item
        if isinstance(item, int | Decimal):
            sign, digits, exponent = Decimal(item).as_tuple()
            zeros = random.randint(0, 3)
            return Decimal((sign, digits + (0,) * zeros, int(exponent) - zeros))
        if isinstance(item, dict):
            keys = list(item)
            random.shuffle(keys)
            return {key: respelt(item[key]) for key in keys}
        return tuple(respelt(part) for part in item)  # type: ignore[union-attr]

    assert canonical_bytes(respelt(value)) == canonical_bytes(value)


@given(_VALUES)
def test_an_accepted_number_can_be_stored_and_read_again(value: Json):
    again = parse(to_text(parse(canonical_bytes(value))))
    assert canonical_bytes(again) == canonical_bytes(value)


@pytest.mark.parametrize(
    "literal",
    ["12e307", "0.1e-307", "1e308", "9.9e-308", "0." + "0" * 5 + "1" * 100, "1" * 100, "-1e-308"],
)
def test_whatever_is_read_is_read_again_once_written(literal: str):
    value = parse(literal)
    assert parse(to_text(value)) == value
    assert parse(canonical_bytes(value)) == value


def test_keys_are_sorted_by_utf_16_code_units():
    # RFC 8785 section 3.2.3: an astral key (a surrogate pair) sorts before U+FB33.
    value = {"€": 1, "\r": 2, "\ufb33": 3, "1": 4, "😀": 5, "\x80": 6, "ö": 7}
    written = canonical_bytes(value).decode()
    assert [written.index(f":{number}") for number in (2, 4, 6, 7, 1, 5, 3)] == sorted(
        written.index(f":{number}") for number in range(1, 8)
    )


def test_strings_are_escaped_as_rfc_8785_says_and_no_more():
    # RFC 8785 section 3.2.2.2.
    assert (
        canonical_bytes('€$\x0f\nA\'B"\\\\"/\b\t\f\r\x7f\u2028\x1f').decode()
        == '"€$\\u000f\\nA\'B\\"\\\\\\\\\\"/\\b\\t\\f\\r\x7f\u2028\\u001f"'
    )


def test_structure_has_no_spaces_and_literals_are_lower_case():
    value = {"b": [True, False, None, {}, []], "a": (1, "x")}
    assert canonical_bytes(value) == b'{"a":[1,"x"],"b":[true,false,null,{},[]]}'


@pytest.mark.parametrize(
    "value",
    [1.5, b"ab", bytearray(b"ab"), {1, 2}, object(), Decimal("NaN"), Decimal("-Infinity")],
    ids=lambda value: type(value).__name__,
)
def test_what_json_does_not_carry_has_no_canonical_form(value: object):
    with pytest.raises(TypeError):
        canonical_bytes([value])  # type: ignore[list-item]


@given(st.dictionaries(_KEYS, _VALUES, max_size=4))
def test_the_quick_way_to_write_an_object_agrees_with_the_plain_one(value: dict[str, Json]):
    # A mapping that is no dict is always written the plain way.
    assert canonical_bytes(value) == canonical_bytes(MappingProxyType(value))


@pytest.mark.parametrize(
    "value",
    [
        {"a": 10**20},
        {"a": 10**21},
        {"a": -(10**21)},
        {"a": [10**21]},
        {"a": '":1.5,[1e5'},
        {"a": {"b": "1" * 30}},
        {"a": "\x7f\x1f\\"},
        {"\ue000": 1, "😀": 2},
        {"a": [True, None, {}, []]},
        {"a": Decimal("1.50")},
    ],
    ids=repr,
)
def test_the_quick_way_is_left_where_it_would_write_something_else(value: dict[str, Json]):
    assert canonical_bytes(value) == canonical_bytes(MappingProxyType(value))


@pytest.mark.parametrize(
    "value", [{"a": 1.0}, {"a": 1e22}, {"a": [-0.5]}, {"a": float("nan")}, {"a": {"b": 0.1}}]
)
def test_a_float_has_no_canonical_form_wherever_it_stands(value: object):
    with pytest.raises(TypeError):
        canonical_bytes(value)  # type: ignore[arg-type]


@pytest.mark.parametrize("key", [1, True, None], ids=repr)
def test_a_key_that_is_no_text_never_becomes_one(key: object):
    for value in ({key: 1}, {"a": {key: 1}}, {"a": [{key: 1}]}):
        with pytest.raises((TypeError, AttributeError)):
            canonical_bytes(value)  # type: ignore[arg-type]


# The parser

BAD = {
    "not utf-8": (b'"\xff"', Code.INVALID_JSON, ""),
    "a surrogate as text": ('"\ud800"', Code.INVALID_JSON, ""),
    "a byte order mark": ("\ufeff{}", Code.INVALID_JSON, ""),
    "not json": ('{"a":}', Code.INVALID_JSON, ""),
    "nothing": ("", Code.INVALID_JSON, ""),
    "two values": ("1 2", Code.INVALID_JSON, ""),
    "a duplicate key": ('{"a":1,"a":1}', Code.DUPLICATE_KEY, "/a"),
    "a duplicate key within": (
        '{"x":[0,{"a/~":1,"b":2,"a/~":1}]}',
        Code.DUPLICATE_KEY,
        "/x/1/a~1~0",
    ),
    "an escaped duplicate": ('{"a":1,"\\u0061":1}', Code.DUPLICATE_KEY, "/a"),
    "NaN": ('{"a":[NaN]}', Code.INVALID_NUMBER, "/a/0"),
    "Infinity": ("Infinity", Code.INVALID_NUMBER, ""),
    "-Infinity": ("[-Infinity]", Code.INVALID_NUMBER, "/0"),
    "101 digits": ("[" + "1" * 101 + "]", Code.INVALID_NUMBER, "/0"),
    "101 digits below zero": ("-" + "1" * 101, Code.INVALID_NUMBER, ""),
    "101 digits with a point": ("1." + "1" * 100, Code.INVALID_NUMBER, ""),
    "a far exponent": ("1e309", Code.INVALID_NUMBER, ""),
    "a near-zero exponent": ("1e-309", Code.INVALID_NUMBER, ""),
    "a far value": ("10e308", Code.INVALID_NUMBER, ""),
    "a near-zero value": ("0.1e-308", Code.INVALID_NUMBER, ""),
    "an endless exponent": ("1e" + "9" * 5000, Code.INVALID_NUMBER, ""),
    "a lone surrogate": ('{"a":"\\ud800"}', Code.INVALID_TEXT, "/a"),
    "a low surrogate": ('["x","\\udfff"]', Code.INVALID_TEXT, "/1"),
    "a lone surrogate as key": ('{"a":{"\\ud800":1}}', Code.INVALID_TEXT, "/a"),
    "a key that is not NFC": ('{"a":{"e\\u0301":1}}', Code.INVALID_TEXT, "/a"),
    "too deep": ("[" * 33 + "]" * 33, Code.TOO_DEEP, ""),
    "too deep in objects": ('{"a":' * 33 + "1" + "}" * 33, Code.TOO_DEEP, ""),
    "deeper than any stack": ("[" * 200_000, Code.TOO_DEEP, ""),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_text_is_refused_with_its_code_and_its_place(name: str):
    text, code, pointer = BAD[name]
    error = _refused(text)
    assert (error.code, error.pointer) == (code, pointer)


def _outcome(text: str) -> tuple[Code, str] | int:
    try:
        found = parse(text)
    except InvalidInput as error:
        return error.code, error.pointer
    assert isinstance(found, list)
    return len(found)


@pytest.mark.parametrize("name", [name for name in BAD if isinstance(BAD[name][0], str)])
def test_what_stands_beside_it_changes_nothing_about_a_refusal(name: str):
    text, _, _ = BAD[name]
    # Most texts are ASCII and are read by a quicker decoder; any other character forbids that.
    plain, beside = _outcome(f'["e",{text}]'), _outcome(f'["\u00e9",{text}]')
    assert plain == beside


def test_a_refusal_never_repeats_the_text():
    error = _refused('{"sk-secret":"\\ud800 sk-secret"}')
    assert "sk-secret" not in error.message


def test_text_at_the_limits_is_read():
    assert parse("[" * MAX_DEPTH + "]" * MAX_DEPTH) is not None
    assert parse("9" * 100) == int("9" * 100)
    assert parse("1e308") == Decimal("1e308")
    assert parse("1e-00308") == Decimal("1e-308")
    assert parse('"\\ud83d\\ude00"') == "😀"
    assert parse('{"é":"e\u0301"}') == {"é": "e\u0301"}  # values keep their form, keys are NFC


def test_size_is_counted_in_bytes():
    assert parse('"é"', max_bytes=4) == "é"
    assert _refused('"é"', max_bytes=3).code is Code.TOO_LARGE


def test_brackets_within_strings_are_no_depth():
    text = '["' + "[{" * 40 + '\\"[", "\\\\", [' + "]" + "]"
    assert parse(text) == ["[{" * 40 + '"[', "\\", []]


def test_many_shallow_brackets_are_no_depth():
    assert parse("[" + "[]," * 50 + "{}]") == [[]] * 50 + [{}]


@pytest.mark.parametrize(
    "text",
    [
        "[" * 33 + '"' + '\\"' * 20_000,
        "{" + ",".join(f'"{n}":0' for n in range(25_000)) + ',"24999":0}',
    ],
    ids=["an open string", "a late duplicate"],
)
def test_hostile_text_costs_no_more_than_its_length(text: str):
    began = time.thread_time()
    _refused(text)
    assert time.thread_time() - began < 2  # quadratic work would take more than ten times that


def test_a_whole_number_beyond_64_bits_comes_back_as_it_came():
    assert to_text(parse('{"id": 12345678901234567890}')) == '{"id": 12345678901234567890}'


def test_text_keeps_the_order_of_keys_and_indents():
    value = parse('{"b":[1,{"c":[]}],"a":{}}')
    assert to_text(value) == '{"b": [1, {"c": []}], "a": {}}'
    assert to_text(value, indent=2) == json.dumps(value, indent=2)


# Digests


def test_a_digest_is_sha_256_over_the_domain_and_the_canonical_bytes():
    expected = sha256(b'placet/v1/action\0{"a":1}').hexdigest()
    assert digest("action", {"a": 1}) == expected
    assert digest_bytes("action", b'{"a":1}') == expected


def test_domains_never_collide():
    assert digest_bytes("a", b"x") != digest_bytes("b", b"x")


def test_what_is_nested_deeper_than_the_quick_writer_goes_is_written_all_the_same():
    value: Json = 1
    for _ in range(300):
        value = {"a": value}
    assert canonical_bytes(value) == b'{"a":' * 300 + b"1" + b"}" * 300
