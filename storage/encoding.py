"""Governance values -> canonical JSON bytes, in one pass.

Lives here: what makes a mapping of each class's fields by name, and the bytes of an event's payload
and of projection bodies. Must not live here: reading back (``codec``), what is hashed
around a payload (``governance.audit``).
Law: the bytes are those of ``canonical_bytes`` over the plain value; what the quick encoder could
write otherwise is left to that.
"""

from collections.abc import Callable, Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import datetime
from typing import Any

import orjson

from governance.audit import Event
from governance.canonical import Json, canonical_bytes
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ask, Ruling

_OPTIONS = orjson.OPT_SORT_KEYS | orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
_Read = Callable[[Any], dict[str, object]]
_READ: dict[type, _Read] = {}
"""By class, what gives its fields by name."""
_SHARED = frozenset({Ask, Ruling})
_MOST = 1024
_WRITTEN: dict[int, tuple[object, orjson.Fragment]] = {}
"""Values that stand in an event and again in its ticket, by their place in memory, with their
bytes: they are frozen, and being held here they keep their place."""


def canonical(event: Event) -> bytes:
    """The canonical bytes of what the log keeps of ``event`` beside its header.

    Raises:
        TypeError: a type that stored values do not hold; no stored class has a field for a float.
    """
    raw = orjson.dumps(event, default=_kept, option=_OPTIONS)
    # Names that are not ASCII sort otherwise in the canonical form.
    return raw if raw.isascii() else canonical_bytes(plain(event))


def plain(value: object) -> Json:
    """``value`` as plain JSON: dataclasses by field name, sets sorted, instants as ``stamp``.

    Raises:
        TypeError: as ``canonical``.
    """
    told: Json = orjson.loads(dump(value))
    return told


def dump(value: object) -> bytes:
    """The same as JSON bytes, sorted by name: for projections, which nobody hashes."""
    return orjson.dumps(value, default=_foreign, option=_OPTIONS)


def _foreign(value: object) -> object:
    """What the encoder leaves to us."""
    kind = type(value)
    read = _READ.get(kind)
    if read is not None:
        return (_written(value) if kind in _SHARED else None) or read(value)
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, Set):
        return sorted(value)
    if isinstance(value, Mapping):
        return dict(value)
    if is_dataclass(value):
        return _reader_of(kind)(value)
    raise TypeError(f"{kind.__name__} is not a stored type")


def _kept(value: object) -> object:
    """The same of an event, whose parts the ticket has in common with it."""
    if type(value) not in _SHARED:
        return _foreign(value)
    found = _written(value)
    if found is None:
        found = orjson.Fragment(dump(_reader_of(type(value))(value)))
        if len(_WRITTEN) >= _MOST:
            _WRITTEN.clear()
        _WRITTEN[id(value)] = value, found
    return found


def _written(value: object) -> orjson.Fragment | None:
    known = _WRITTEN.get(id(value))
    return known[1] if known is not None and known[0] is value else None


def _reader_of(kind: type) -> _Read:
    """Compiled once for each class: one by one, by their names, takes three times as long."""
    read = _READ.get(kind)
    if read is None:
        names = sorted(field.name for field in fields(kind))
        members = ", ".join(f"{name!r}: value.{name}" for name in names)
        read = eval(f"lambda value: {{{members}}}", {})  # noqa: S307  # names of fields alone
        _READ[kind] = read
    return read
