"""Frozen values that are made quickly.

Lives here: ``quickly_made``, for the classes of which every request makes some: a frozen dataclass
sets each field through a call, which is a third of what it costs to carry a request along.
Must not live here: anything that knows a value (with fields changed: ``replacing``).
Law: the value is what the class would have made of the same arguments, and as frozen; a class whose
making does more than keep its fields is refused.
"""

from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from types import FunctionType
from typing import TypeVar, cast

V = TypeVar("V")
_put_class: Callable[[object, type], None] = object.__dict__["__class__"].__set__


def quickly_made(cls: type[V]) -> type[V]:
    """``cls`` with another ``__init__`` of the same signature; stands above ``dataclass``.

    While its fields are set, a value belongs to a class of the same layout that is not frozen.

    Raises:
        TypeError: ``cls`` is not frozen, keyword-only and in slots, or does more than keep fields.
    """
    own = fields(cls) if is_dataclass(cls) else ()
    is_plain = own and all(field.init and field.kw_only for field in own)
    does_more = hasattr(cls, "__post_init__") or "__slots__" not in vars(cls)
    if not is_plain or does_more or not _is_frozen(cls):
        raise TypeError(f"{cls.__name__} is more or less than frozen fields in slots")
    thawed = type(
        cls.__name__,
        cls.__bases__,
        {"__slots__": vars(cls)["__slots__"], "__setattr__": object.__setattr__},
    )
    names: dict[str, object] = {"put": _put_class, "thawed": thawed, "own": cls, "unset": MISSING}
    lines = [
        f"def __init__(self, *, {', '.join([_parameter(field, names) for field in own])}):",
        *[line for field in own for line in _made(field)],
        " put(self, thawed)",
        *[f" self.{field.name} = {field.name}" for field in own],
        " self.__class__ = own",
    ]
    exec("\n".join(lines), names)  # noqa: S102  # as dataclasses does: of the class's own names
    made = cast("FunctionType", names["__init__"])
    made.__qualname__ = f"{cls.__qualname__}.__init__"
    made.__annotations__ = cls.__init__.__annotations__
    type.__setattr__(cls, "__init__", made)
    return cls


def _is_frozen(cls: type) -> bool:
    settings: object = getattr(cls, "__dataclass_params__", None)
    return bool(getattr(settings, "frozen", False))


def _parameter(field: "Field[object]", names: dict[str, object]) -> str:
    if field.default is not MISSING:
        names[f"default_{field.name}"] = field.default
        return f"{field.name}=default_{field.name}"
    if field.default_factory is not MISSING:
        names[f"make_{field.name}"] = field.default_factory
        return f"{field.name}=unset"
    return field.name


def _made(field: "Field[object]") -> list[str]:
    """What a factory makes where nothing was given; before anything is set."""
    if field.default_factory is MISSING:
        return []
    name = field.name
    return [f" if {name} is unset: {name} = make_{name}()"]
