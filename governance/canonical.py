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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from hashlib import sha256
from json.encoder import encode_basestring
from typing import cast

from governance.errors import Code, InvalidInput

Json = None | bool | int | Decimal | str | Sequence["Json"] | Mapping[str, "Json"]
"""A JSON value whose numbers are exact: ``int`` or ``Decimal``, never ``float``."""

MAX_DEPTH = 32
MAX_DIGITS = 100
MAX_EXPONENT = 308
_SURROGATE = re.compile("[\ud800-\udfff]")
# Linear on any text: the loop never gives back, and an open string runs to the end.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*+"?', re.DOTALL)
_C_ENCODER = json.JSONEncoder(
    ensure_ascii=False, sort_keys=True, separators=(",", ":"), check_circular=False
)
_BRACKET = re.compile(rb"[\[\]{}]")
_LARGEST_PLAIN = 21  # RFC 8785 (ECMAScript): integers below 1e21 print without an exponent
_FIRST_WITH_EXPONENT = 10**21
_SMALLEST_PLAIN = -6


@dataclass(frozen=True, slots=True)
class _Bad:
    """What the parser met and refuses once the walk over the value knows its place."""

    code: Code
    message: str
    key: str | None = None


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
        raise InvalidInput(Code.TOO_LARGE, f"{len(raw)} bytes, at most {max_bytes} are read")
    _check_depth(raw)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            parse_int=_exact_int,
            parse_float=_exact,
            parse_constant=_no_constant,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise InvalidInput(Code.INVALID_JSON, f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        place = f"line {error.lineno} column {error.colno}"
        raise InvalidInput(Code.INVALID_JSON, f"not JSON at {place}: {error.msg}") from error
    return _checked(value, "")


def _check_depth(raw: bytes) -> None:
    """Bound nesting before the recursive parser sees it (it would raise RecursionError)."""
    if raw.count(b"[") + raw.count(b"{") <= MAX_DEPTH:
        return
    depth = 0
    for bracket in _BRACKET.findall(_STRING.sub(b"", raw)):
        depth += 1 if bracket in b"[{" else -1
        if depth > MAX_DEPTH:
            raise InvalidInput(Code.TOO_DEEP, f"more than {MAX_DEPTH} levels")


def _exact_int(literal: str) -> int | _Bad:
    if len(literal.lstrip("-")) > MAX_DIGITS:
        return _Bad(Code.INVALID_NUMBER, f"a number of more than {MAX_DIGITS} digits")
    return int(literal)


def _exact(literal: str) -> Decimal | _Bad:
    """Bounds hold for the value, however it is spelt: what is read can be written and read."""
    mantissa, _, exponent = literal.lower().partition("e")
    digits = re.sub("[^0-9]", "", mantissa).lstrip("0")
    if len(digits) > MAX_DIGITS:
        return _Bad(Code.INVALID_NUMBER, f"a number of more than {MAX_DIGITS} digits")
    spelt = exponent.lstrip("+-").lstrip("0") or "0"
    is_far = len(spelt) > len(str(MAX_EXPONENT)) or int(spelt) > MAX_EXPONENT
    if is_far or abs(Decimal(literal).adjusted()) > MAX_EXPONENT:
        return _Bad(Code.INVALID_NUMBER, f"an exponent beyond {MAX_EXPONENT}")
    return Decimal(literal)


def _no_constant(name: str) -> _Bad:
    return _Bad(Code.INVALID_NUMBER, f"{name} is not a JSON number")


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object] | _Bad:
    found: dict[str, object] = {}
    for key, item in pairs:
        if key in found:
            return _Bad(Code.DUPLICATE_KEY, "a key stands twice in one object", key)
        found[key] = item
    return found


def _checked(value: object, pointer: str) -> Json:
    if isinstance(value, _Bad):
        place = pointer if value.key is None else f"{pointer}/{_escape(value.key)}"
        raise InvalidInput(value.code, value.message, pointer=place)
    if isinstance(value, str):
        _check_string(value, pointer)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_string(key, pointer)
            if not unicodedata.is_normalized("NFC", key):
                raise InvalidInput(
                    Code.INVALID_TEXT, "a key is not in Unicode NFC", pointer=pointer
                )
            _checked(item, f"{pointer}/{_escape(key)}")
    elif isinstance(value, list):
        for number, item in enumerate(value):
            _checked(item, f"{pointer}/{number}")
    return cast("Json", value)


def _check_string(text: str, pointer: str) -> None:
    if _SURROGATE.search(text):
        raise InvalidInput(Code.INVALID_TEXT, "a lone surrogate is not text", pointer=pointer)


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


def _plain(value: Json) -> bytes | None:
    """The same bytes from the standard library's C encoder, where it surely agrees.

    It does for objects of ASCII text whose numbers are whole and small: then code points sort as
    UTF-16 units do, and a number prints as its value. Anything else is written by ``_write``.
    """
    if type(value) is not dict or not _is_plain(value):
        return None
    text = _C_ENCODER.encode(value)
    return text.encode("ascii") if text.isascii() else None


def _is_plain(value: object) -> bool:
    """Judged by type and not by the text, since the encoder makes "1" of a key 1 in silence."""
    kind = type(value)
    if kind is dict:
        items = cast("dict[object, object]", value)
        return all(type(key) is str for key in items) and all(map(_is_plain, items.values()))
    if kind is list or kind is tuple:
        return all(map(_is_plain, cast("Sequence[object]", value)))
    if isinstance(value, int) and kind is int:
        return abs(value) < _FIRST_WITH_EXPONENT
    return value is None or kind in (str, bool)


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


def to_text(value: Json, *, indent: int = 0) -> str:
    """``value`` as JSON text in its own key order, numbers as they were written.

    ``indent`` is in spaces; 0 writes one line.
    """
    if not indent:
        try:
            return json.dumps(value, ensure_ascii=False)
        except TypeError:
            pass  # a Decimal, which only we write digit for digit
    return _text(value, indent, 0)


def _text(value: Json, indent: int, level: int) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        items = [f"{_string(key)}: {_text(item, indent, level + 1)}" for key, item in value.items()]
        return _wrap("{", items, "}", indent, level)
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_text(item, indent, level + 1) for item in value]
        return _wrap("[", items, "]", indent, level)
    return _string(value) if isinstance(value, str) else json.dumps(value)


def _wrap(opening: str, items: list[str], closing: str, indent: int, level: int) -> str:
    if not items or not indent:
        return opening + ", ".join(items) + closing
    pad = "\n" + " " * (indent * (level + 1))
    return opening + pad + ("," + pad).join(items) + pad[:-indent] + closing


def digest(domain: str, value: Json) -> str:
    """SHA-256 in hex over ``placet/v1/<domain>`` NUL canonical bytes of ``value``."""
    return digest_bytes(domain, canonical_bytes(value))


def digest_bytes(domain: str, raw: bytes) -> str:
    """SHA-256 in hex over ``placet/v1/<domain>`` NUL ``raw``: domains never collide."""
    return sha256(f"placet/v1/{domain}\0".encode() + raw).hexdigest()
