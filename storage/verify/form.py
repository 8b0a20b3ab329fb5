"""The verifier's own judgement of bytes: whether they are a record in canonical form.

Lives here: the shapes of canonical text. Must not live here: hashes and links (``chain``).
Law: shares no code with the writer. Text of one shape is canonical together or not at all, so one
text of each shape is written anew and compared, and the others are compared with the shape.
Source: RFC 8785.

A shape is the text without its values: whole numbers under 10^21 in their one form become 0,
strings without a backslash or control character become empty, every key stays. What decides
about canonical form (order of keys, no key twice, no layout) is in the shape alone. Text with
anything else in it has no shape and is written anew itself. A shape that is met often becomes one
expression, with which its texts are compared as they stand.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from operator import itemgetter
from typing import Any, NoReturn

Json = Any
"""Parsed JSON: these modules read what may have been forged, and check as they go."""

_FIELDS = frozenset(
    (
        *("seq", "previous", "type", "version", "timestamp", "tenant", "actor", "traceId"),
        *("agentId", "ticketId", "revision", "binding", "tool", "action", "dataClass"),
        *("approvalStatus", "outcome", "payload"),
    )
)
_BESIDE = ("timestamp", "type", "version", "tenant", "traceId", "ticketId", "agentId")
"""Fields that columns repeat, in the order of ``verify_source.COLUMNS``."""
_NUMBERS = ("seq", "version")
_READ = ("seq", "previous", *_BESIDE)
_END = ',"type":'
"""Nothing but type and version comes after this in canonical form."""
_NUMBER = re.compile(r"(?<=[:,\[])(?:0|-?[1-9]\d{0,20})(?=[,\]}])", re.ASCII)
_LARGEST_PLAIN = 10**21
_MOST_SHAPES = 4096
_OFTEN = 32
"""So often a shape is met before it is worth an expression, which takes a while to make."""
_MOST_OF_A_TYPE = 4
_MOST_TYPES = 128
_ONE_STRING = '[^"]*+'
_ONE_NUMBER = "(?:0|-?[1-9][0-9]{0,20}+)"
_SHAPELY = bytes(code for code in range(0x20, 0x100) if code != ord("\\"))
"""Every byte but control characters and the backslash."""
_DIGITS = str.maketrans("123456789", "111111111")
_ENCODER = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, check_circular=False
)


Top = tuple[Json, Json, tuple[Json, ...]]
"""What the chain needs of a record: its number, its link, and what columns repeat."""


@dataclass(slots=True, kw_only=True)
class _Shape:
    keys: tuple[str, ...]
    keys_of: Callable[[Sequence[str]], tuple[str, ...]]
    """The keys of a text that was split at its quotes."""
    read: Callable[[Sequence[str]], tuple[str, ...]]
    """Its ``_READ`` fields; numbers with what stands around them."""
    places: frozenset[int]
    """Where those are."""
    met: int = 0


def _no(literal: str) -> NoReturn:
    raise ValueError(literal)


_DECODER = json.JSONDecoder(parse_float=_no, parse_constant=_no)


def canonical(value: Json) -> bytes:
    """Canonical bytes of JSON without fractions and with plain keys, which is all that we log."""
    return _ENCODER.encode(value).encode("utf-8")


def text_of(value: Json) -> str:
    """``canonical`` before it is bytes."""
    return _ENCODER.encode(value)


def load(text: str) -> Json:
    """JSON of whole numbers and nothing around it.

    Raises:
        ValueError: it is not.
        RecursionError: it is nested without end.
    """
    found, end = _DECODER.raw_decode(text)
    if end != len(text):
        raise ValueError("something follows")
    return found


class Forms:
    """Reads records; remembers shapes, a bounded number of them."""

    def __init__(self) -> None:
        self._shapes: dict[str, _Shape] = {}
        self._short: dict[str, _Shape] = {}
        """The same by text in which each digit but 0 is a 1: found without looking for numbers."""
        self._often: dict[str, list[re.Pattern[str]]] = {}
        """Expressions of shapes that are met often, by how their texts end."""

    def read(self, seq: int, body: bytes) -> tuple[Top | None, str]:
        """The record in ``body``, and why there is none: other bytes are no record.

        ``seq`` is where it was found, and only helps to recognise the shape.
        """
        try:
            text = body.decode("utf-8")
        except UnicodeDecodeError:
            return None, "its bytes are not UTF-8"
        if body.translate(None, _SHAPELY):
            record, why = record_of(text)
            return (None, why) if record is None else (_top(record), "")
        end = text[text.rfind(_END) :]
        for pattern in self._often.get(end, ()):
            found = pattern.fullmatch(text)
            if found is not None:
                agent, previous, number, tenant, ticket, at, trace, kind, version = found.groups()
                beside = (at, kind, int(version), tenant, trace, ticket, agent)
                return (int(number), previous, beside), ""
        return self._by_shape(seq, text, end)

    def _by_shape(self, seq: int, text: str, end: str) -> tuple[Top | None, str]:
        parts = text.split('"')
        bones = '"'.join(parts[::2])
        if 0 < seq < _LARGEST_PLAIN:
            bones = bones.replace(f":{seq},", ":0,", 1)
        short = bones.translate(_DIGITS)
        shape = self._short.get(short)
        if shape is None or shape.keys_of(parts) != shape.keys:
            bones = _NUMBER.sub("0", bones)
            shape = self._shapes.get(bones)
            if shape is None or shape.keys_of(parts) != shape.keys:
                return self._learn(text, parts, bones)
            _put(self._short, short, shape)
        shape.met += 1
        if shape.met == _OFTEN:
            self._keep_at_hand(end, _expression(shape, parts))
        number, previous, at, kind, version, *rest = shape.read(parts)
        return (int(number[1:-1]), previous, (at, kind, int(version[1:-1]), *rest)), ""

    def _keep_at_hand(self, end: str, pattern: re.Pattern[str]) -> None:
        if end not in self._often and len(self._often) < _MOST_TYPES:
            self._often[end] = []
        known = self._often.get(end)
        if known is not None and len(known) < _MOST_OF_A_TYPE:
            known.append(pattern)

    def _learn(self, text: str, parts: list[str], bones: str) -> tuple[Top | None, str]:
        record, why = record_of(text)
        if record is None:
            return None, why
        top = _top(record)
        if all(type(record[name]) is (int if name in _NUMBERS else str) for name in _READ):
            _put(self._shapes, bones, _shape_of(parts))
        return top, ""


def _put(shapes: dict[str, _Shape], bones: str, shape: _Shape) -> None:
    if len(shapes) >= _MOST_SHAPES:
        shapes.clear()
    shapes[bones] = shape


def record_of(text: str) -> tuple[Mapping[str, Json] | None, str]:
    """The record in ``text``, parsed and written anew to compare; and why there is none."""
    try:
        record = load(text)
    except (ValueError, RecursionError):
        return None, "its bytes are not JSON of whole numbers"
    if not isinstance(record, dict) or record.keys() != _FIELDS:
        return None, "it has not the fields of a record"
    if not isinstance(record["payload"], dict) or not isinstance(record["type"], str):
        return None, "its type or payload is malformed"
    if _has_large(record) or _is_other(record, text):
        return None, "its bytes are not in canonical form"
    return record, ""


def _is_other(record: Json, text: str) -> bool:
    return text_of(record) != text or not _is_unicode(text_of(record))


def _is_unicode(text: str) -> bool:
    """Not so where a lone surrogate was written as an escape."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _has_large(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_has_large(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_large(item) for item in value)
    return isinstance(value, int) and abs(value) >= _LARGEST_PLAIN


def _top(record: Mapping[str, Json]) -> Top:
    return record["seq"], record["previous"], tuple(record[name] for name in _BESIDE)


def _shape_of(parts: Sequence[str]) -> _Shape:
    """The shape of a canonical record that was split at its quotes: odd parts are strings."""
    places: dict[str, int] = {}
    keys: list[int] = []
    depth = 0
    for place in range(1, len(parts), 2):
        before = parts[place - 1]
        depth += before.count("{") + before.count("[") - before.count("}") - before.count("]")
        if not parts[place + 1].startswith(":"):
            continue
        keys.append(place)
        if depth == 1 and parts[place] in _READ:
            places[parts[place]] = place + (1 if parts[place] in _NUMBERS else 2)
    keys_of, read = itemgetter(*keys), itemgetter(*(places[name] for name in _READ))
    return _Shape(
        keys=keys_of(parts), keys_of=keys_of, read=read, places=frozenset(places.values())
    )


def _expression(shape: _Shape, parts: Sequence[str]) -> re.Pattern[str]:
    """What all texts of a shape match that have no control character and no backslash.

    Its groups are the ``_READ`` fields as they follow one another in canonical form.
    """
    told: list[str] = []
    for place, (part, after) in enumerate(pairwise((*parts, ""))):
        if place % 2 == 0:
            ends = _NUMBER.split(part)
            one = f"({_ONE_NUMBER})" if place in shape.places else _ONE_NUMBER
            told.append(one.join(map(re.escape, ends)))
        elif after.startswith(":"):
            told.append(re.escape(part))
        else:
            told.append(f"({_ONE_STRING})" if place in shape.places else _ONE_STRING)
    return re.compile('"'.join(told), re.ASCII)
