"""Frozen values anew, with a few of their fields changed.

Lives here: ``replace``, to a type checker that of ``dataclasses``, in half of its time: it is most
of what an event costs a ticket. Must not live here: anything that knows a value.
Law: the new value equals what its class would have made of the same fields; a class whose making
does more than keep its fields is refused, and so is a field that it does not have.
"""

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple, TypeVar

V = TypeVar("V")
_Put = Callable[[object, object], None]


class _Parts(NamedTuple):
    """How the fields of one class are read together, and set one by one."""

    read: Callable[[object], tuple[object, ...]]
    puts: tuple[_Put, ...]
    by_name: Mapping[str, _Put]


@cache
def _parts(kind: type) -> _Parts:
    """The slots of ``kind``, which its being frozen does not guard."""
    found = fields(kind) if is_dataclass(kind) else ()
    is_plain = all(field.init for field in found) and not hasattr(kind, "__post_init__")
    # Of one name alone, attrgetter gives no tuple.
    if not is_plain or "__slots__" not in vars(kind) or len(found) == 1 or not found:
        raise TypeError(f"{kind.__name__} is more or less than fields in slots")
    puts: dict[str, _Put] = {field.name: getattr(kind, field.name).__set__ for field in found}
    return _Parts(attrgetter(*puts), tuple(puts.values()), puts)


def _replaced(value: V, /, **changes: object) -> V:
    """A value like ``value`` with these fields instead.

    Raises:
        TypeError: it has no such field, or its class is not made of its fields alone.
    """
    kind: type = type(value)
    read, puts, by_name = _parts(kind)
    new = object.__new__(type(value))
    for put, item in zip(puts, read(value), strict=True):
        put(new, item)
    for name, item in changes.items():
        if name not in by_name:
            raise TypeError(f"{kind.__name__} has no field {name}")
        by_name[name](new, item)
    return new


if TYPE_CHECKING:
    from dataclasses import replace as replace  # noqa: PLC0414  # so that changes are checked
else:
    replace = _replaced
