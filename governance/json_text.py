"""JSON as people and clients read it.

Lives here: a value as text, in its own order and with its numbers as they were written. Must not
live here: the one form that is hashed (``canonical``). Law: what was sent comes back as it came.
"""

import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from json.encoder import encode_basestring

from governance.canonical import Json

_ENCODER = json.JSONEncoder(ensure_ascii=False, check_circular=False)
"""Made once. No value that was parsed holds itself; one that did would fail all the same."""


def to_text(value: Json, *, indent: int = 0) -> str:
    """``value`` as JSON text in its own key order, numbers as they were written.

    ``indent`` is in spaces; 0 writes one line.
    """
    if not indent:
        try:
            return _ENCODER.encode(value)
        except TypeError:
            pass  # a Decimal, which only we write digit for digit
    return _text(value, indent, 0)


def _text(value: Json, indent: int, level: int) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, Mapping):
        items = [
            f"{encode_basestring(key)}: {_text(item, indent, level + 1)}"
            for key, item in value.items()
        ]
        return _wrap("{", items, "}", indent, level)
    if isinstance(value, Sequence) and not isinstance(value, str):
        items = [_text(item, indent, level + 1) for item in value]
        return _wrap("[", items, "]", indent, level)
    return encode_basestring(value) if isinstance(value, str) else json.dumps(value)


def _wrap(opening: str, items: list[str], closing: str, indent: int, level: int) -> str:
    if not items or not indent:
        return opening + ", ".join(items) + closing
    pad = "\n" + " " * (indent * (level + 1))
    return opening + pad + ("," + pad).join(items) + pad[:-indent] + closing
