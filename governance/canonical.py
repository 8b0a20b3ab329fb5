"""Canonical JSON: one sequence of bytes for each value, and digests over it.

Lives here: the strict parser, the canonical writer and domain-separated digests. Nothing here
knows what is canonicalised.
Law: equal values have equal bytes and different values never share them. Structure, keys and
strings follow RFC 8785; numbers are exact decimals printed by value in RFC 8785's layout, so
that a number which a double cannot carry keeps its own digest.
Source: RFC 8785 (JSON Canonicalization Scheme), RFC 6901 (pointers), RFC 8259.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from functools import cache
from hashlib import sha256
from json.encoder import encode_basestring
from typing import cast

import orjson

from governance.errors import Code, InvalidInput
from governance.json_decoding import (
    PLACING_DECODER,
    QUICK_DECODER,
    Bad,
    RefusedJson,
)
from governance.sentences import Sentence

Json = None | bool | int | Decimal | str | Sequence["Json"] | Mapping[str, "Json"]
"""A JSON value whose numbers are exact: ``int`` or ``Decimal``, never ``float``."""

MAX_DEPTH = 32
_SURROGATE = re.compile("[\ud800-\udfff]")
# Linear on any text: the loop never gives back, and an open string runs to the end.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")
_LARGEST_PLAIN = 21  # RFC 8785 (ECMAScript): integers below 1e21 print without an exponent
_FIRST_BEYOND_ENCODER = 2**63
_SCALARS = frozenset({str, bool, type(None)})
_TEXT = frozenset({str})
_SMALLEST_PLAIN = -6


def _escape(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")


def parse(text: bytes | str, *, max_bytes: int = 1_048_576) -> Json:
    """Parse JSON strictly, keeping every number exact.

    Raises:
        InvalidInput: not UTF-8 or JSON, a duplicate key, NaN or Infinity, a number of more than
            100 digits or |exponent| > 308, a lone surrogate, a key that is not NFC, more than 32
            levels, or more than ``max_bytes``; with a pointer where the place is known.
    """
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > max_bytes:
        raise InvalidInput(
            Code.TOO_LARGE,
            Sentence("{size} bytes, at most {most} are read", size=len(raw), most=max_bytes),
        )
    _check_depth(raw)
    if raw.isascii() and b"\\u" not in raw:
        # Every text in it is sound and every key is NFC: only what the hooks refuse is left.
        try:
            return cast("Json", QUICK_DECODER.decode(raw.decode("ascii")))
        except (RefusedJson, json.JSONDecodeError):
            pass  # read once more, to say where
    try:
        value = PLACING_DECODER.decode(raw.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise InvalidInput(
            Code.INVALID_JSON, Sentence("not UTF-8 at byte {place}", place=error.start)
        ) from error
    except json.JSONDecodeError as error:
        message = Sentence(
            "not JSON at line {line} column {column}: {why}",
            line=error.lineno,
            column=error.colno,
            why=Sentence(error.msg),
        )
        raise InvalidInput(Code.INVALID_JSON, message) from error
    return _checked(value, "")


def _check_depth(raw: bytes) -> None:
    """Bound nesting before the recursive parser sees it (it would raise RecursionError)."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidInput(Code.TOO_DEEP, Sentence("more than {most} levels", most=MAX_DEPTH))


def _checked(value: object, pointer: str) -> Json:
    if isinstance(value, Bad):
        place = pointer if value.key is None else f"{pointer}/{_escape(value.key)}"
        raise InvalidInput(value.code, value.message, pointer=place)
    if isinstance(value, str):
        _check_string(value, pointer)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_string(key, pointer)
            if not unicodedata.is_normalized("NFC", key):
                raise InvalidInput(
                    Code.INVALID_TEXT, Sentence("a key is not in Unicode NFC"), pointer=pointer
                )
            _checked(item, f"{pointer}/{_escape(key)}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _checked(item, f"{pointer}/{number}")
    return cast("Json", value)


def _check_string(text: str, pointer: str) -> None:
    if _SURROGATE.search(text):
        raise InvalidInput(
            Code.INVALID_TEXT, Sentence("a lone surrogate is not text"), pointer=pointer
        )


def canonical_bytes(value: Json) -> bytes:
    """The canonical bytes of ``value``.

    Raises:
        TypeError: a float or another type that JSON or this product does not carry.
    """
    plain = _plain(value)
    if plain is not None:
        return plain
    out: list[str] = []
    _write(value, out)
    return "".join(out).encode("utf-8")


def canonical_bytes_of_stored(value: Mapping[str, Json]) -> bytes:
    """The same, where the caller knows that ``value`` is made of dict, list, str, bool, int, None.

    Spares the look at every part of it, which takes longer than writing it.

    Raises:
        TypeError: another type than these, a float or an enum excepted.
    """
    return _quick(value) or canonical_bytes(value)


def _plain(value: Json) -> bytes | None:
    return _quick(value) if type(value) is dict and is_plain(value) else None


def _quick(value: object) -> bytes | None:
    """The same bytes from a quick encoder, where it surely agrees.

    It does for ASCII text and whole numbers of 64 bits: then code points sort as UTF-16 units do,
    and a number prints as its value. Anything else is written by ``_write``.
    """
    try:
        raw = orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError:  # a lone surrogate, or nested deeper than it goes
        return None
    return raw if raw.isascii() else None


def is_plain(value: object) -> bool:
    """Whether ``canonical_bytes_of_stored`` may be given ``value``, or a part of what it is given.

    Judged by type and not by the text: the encoder would write a float or an enum in silence.
    """
    waiting = [value]
    for item in waiting:  # grows while it is walked
        kind = type(item)
        if kind is dict:
            mapping = cast("dict[object, object]", item)
            if not _TEXT.issuperset(map(type, mapping)):
                return False
            members: Iterable[object] = mapping.values()
        elif kind is list or kind is tuple:
            members = cast("Sequence[object]", item)
        elif isinstance(item, int) and kind is int:
            if abs(item) >= _FIRST_BEYOND_ENCODER:
                return False
            continue
        elif kind in _SCALARS:
            continue
        else:
            return False
        if not _SCALARS.issuperset(map(type, members)):
            waiting += members
    return True


def _write(value: Json, out: list[str]) -> None:
    if value is None or isinstance(value, bool):
        out.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, str):
        out.append(_string(value))
    elif isinstance(value, int | Decimal):
        out.append(_number(value))
    elif isinstance(value, Mapping):
        out.append("{")
        # RFC 8785 section 3.2.3: keys sort by UTF-16 code units.
        for number, key in enumerate(sorted(value, key=lambda k: k.encode("utf-16-be"))):
            out.append("," if number else "")
            out.append(_string(key) + ":")
            _write(value[key], out)
        out.append("}")
    elif isinstance(value, list | tuple):  # bytes are a Sequence too, and not JSON
        out.append("[")
        for number, item in enumerate(value):
            out.append("," if number else "")
            _write(item, out)
        out.append("]")
    else:
        raise TypeError(f"{type(value).__name__} has no canonical form")


_string = encode_basestring
"""A JSON string as RFC 8785 escapes it: only quote, backslash and control characters."""


def _number(value: int | Decimal) -> str:
    if isinstance(value, int) and abs(value) < 10**_LARGEST_PLAIN:
        return str(value)
    sign, digits, exponent = Decimal(value).as_tuple()
    if not isinstance(exponent, int):
        raise TypeError("NaN and Infinity have no canonical form")
    text = "".join(map(str, digits)).lstrip("0")
    point = len(text) + exponent  # the value is 0.text x 10**point
    text = text.rstrip("0")
    if not text:
        return "0"
    return ("-" if sign else "") + _layout(text, point)


def _layout(text: str, point: int) -> str:
    """ECMAScript Number::toString for digits ``text`` and decimal point ``point``."""
    if len(text) <= point <= _LARGEST_PLAIN:
        return text + "0" * (point - len(text))
    if 0 < point <= _LARGEST_PLAIN:
        return text[:point] + "." + text[point:]
    if _SMALLEST_PLAIN < point <= 0:
        return "0." + "0" * -point + text
    mantissa = text if len(text) == 1 else text[0] + "." + text[1:]
    return f"{mantissa}e{'+' if point > 0 else '-'}{abs(point - 1)}"


def digest(domain: str, value: Json) -> str:
    """SHA-256 in hex over ``placet/v1/<domain>`` NUL canonical bytes of ``value``."""
    return digest_bytes(domain, canonical_bytes(value))


def digest_bytes(domain: str, raw: bytes) -> str:
    """SHA-256 in hex over ``placet/v1/<domain>`` NUL ``raw``: domains never collide."""
    return sha256(_separator(domain) + raw).hexdigest()


@cache
def _separator(domain: str) -> bytes:
    return f"placet/v1/{domain}\0".encode()
