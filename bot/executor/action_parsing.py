"""Reading an action's plain mapping strictly.

Here: the values of an action and their parsing. Not here: the registry (`actions`), the schema
validator (`action_schema`). Law kept: an unknown key, a wrong type, a schema that lets unnamed
arguments through is refused when it is loaded, not when it is run.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Final

from bot.executor.action_schema import ActionError
from bot.executor.errors import SpecRefused
from bot.executor.sandbox import Limits

BUILTINS: Final = {"file.write": True, "file.read": False, "text.report": False}  # -> writes?

_NAME: Final = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
_ARGUMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,63}")
_PLACEHOLDER: Final = re.compile(r"(--[A-Za-z0-9][A-Za-z0-9-]*=)?\{([A-Za-z_]\w{0,63})(\?)?\}")
_QUANTITY: Final = re.compile(r"(\d{1,12})(Ki|Mi|Gi)?")
_UNITS: Final = {"": 1, "Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}
_PROGRAM: Final = re.compile(r"/(usr/|s?bin/)[\w.+/-]+")
_KEYS: Final = frozenset(
    [
        "title",
        "description",
        "arguments",
        "runner",
        "fixed",
        "writable",
        "readable",
        "limits",
        "output_schema",
        "idempotent",
        "inverse",
    ]
)
_REQUIRED: Final = ("title", "arguments", "runner")
_MAX_ITEMS: Final = 64

Scalar = str | int | float | bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Placeholder:
    """Where an argument goes: one whole item, or the value of a `--name=` item."""

    name: str
    prefix: str = ""
    is_optional: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A program of the sandbox's system with its items."""

    argv: tuple[str | Placeholder, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Builtin:
    """One of the runners that are shipped."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ActionSpec:
    """One registered action. `fixed` are arguments that the operator sets and nobody may send."""

    name: str
    title: str
    description: str
    arguments: Mapping[str, object]
    runner: Command | Builtin
    fixed: Mapping[str, Scalar] = field(default_factory=dict)
    writable: tuple[str, ...] = ()
    readable: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    output_schema: Mapping[str, object] | None = None
    idempotent: bool = False
    inverse: str | None = None


def _mapping(value: object, pointer: str) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise ActionError("action_invalid", "expected a mapping with text keys", pointer)
    return dict(value)


def _text(value: object, pointer: str, *, longest: int = 2000) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > longest:
        raise ActionError("action_invalid", f"expected text of 1 to {longest} characters", pointer)
    return value


def _names(value: object, pointer: str) -> tuple[str, ...]:
    if not isinstance(value, list | tuple) or len(value) > _MAX_ITEMS:
        raise ActionError("action_invalid", f"expected a list of at most {_MAX_ITEMS}", pointer)
    return tuple(_text(item, f"{pointer}/{index}") for index, item in enumerate(value))


def _flag(value: object, pointer: str) -> bool:
    if not isinstance(value, bool):
        raise ActionError("action_invalid", "expected true or false", pointer)
    return value


def _size(value: object, pointer: str) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    found = _QUANTITY.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ActionError("action_invalid", "expected a number of bytes or like 256Mi", pointer)
    return int(found[1]) * _UNITS[found[2] or ""]


def _limits(value: object, pointer: str) -> Limits:
    given = _mapping(value, pointer)
    known = {item.name for item in fields(Limits)}
    numbers: dict[str, float] = {}
    for name, item in given.items():
        place = f"{pointer}/{name}"
        if name not in known:
            raise ActionError(
                "action_invalid", f"expected one of {', '.join(sorted(known))}", place
            )
        if name in {"cpu", "wall_s"}:
            if not isinstance(item, int | float) or isinstance(item, bool):
                raise ActionError("action_invalid", "expected a number", place)
            numbers[name] = item
        else:
            numbers[name] = _size(item, place)
    try:
        return Limits(**numbers)  # type: ignore[arg-type]  # sizes are int, checked above
    except SpecRefused as error:
        raise ActionError("action_invalid", str(error), pointer) from error


def _arguments(value: object, pointer: str) -> dict[str, object]:
    schema = _mapping(value, pointer)
    if schema.get("type") != "object" or schema.get("additionalProperties") is not False:
        raise ActionError(
            "action_schema_invalid",
            "expected type: object with additionalProperties: false",
            pointer,
        )
    for name in _mapping(schema.get("properties", {}), f"{pointer}/properties"):
        if not _ARGUMENT.fullmatch(name):
            raise ActionError(
                "action_schema_invalid",
                f"an argument's name is {_ARGUMENT.pattern}",
                f"{pointer}/properties",
            )
    return schema


def _item(text: str, pointer: str, known: set[str]) -> str | Placeholder:
    found = _PLACEHOLDER.fullmatch(text)
    if found is None:
        if "{" in text or "}" in text or "\0" in text:
            raise ActionError(
                "action_invalid", "a placeholder is a whole item: {name} or --name={name}", pointer
            )
        return text
    if found[2] not in known:
        raise ActionError("action_invalid", "no argument has this name", pointer)
    return Placeholder(name=found[2], prefix=found[1] or "", is_optional=found[3] is not None)


def _runner(value: object, pointer: str, known: set[str]) -> Command | Builtin:
    given = _mapping(value, pointer)
    if set(given) == {"builtin"}:
        name = _text(given["builtin"], f"{pointer}/builtin")
        if name not in BUILTINS:
            expected = ", ".join(sorted(BUILTINS))
            raise ActionError("action_invalid", f"expected one of {expected}", f"{pointer}/builtin")
        return Builtin(name=name)
    if set(given) != {"argv"}:
        raise ActionError("action_invalid", "expected either builtin or argv", pointer)
    items = _names(given["argv"], f"{pointer}/argv")
    if not items or not _PROGRAM.fullmatch(items[0]) or ".." in items[0]:
        raise ActionError(
            "action_invalid",
            "expected an absolute program of the system first",
            f"{pointer}/argv/0",
        )
    return Command(
        argv=tuple(_item(text, f"{pointer}/argv/{at}", known) for at, text in enumerate(items))
    )


def _fixed(value: object, pointer: str, sent: set[str]) -> dict[str, Scalar]:
    out: dict[str, Scalar] = {}
    for name, item in _mapping(value, pointer).items():
        place = f"{pointer}/{name}"
        if not _ARGUMENT.fullmatch(name) or not isinstance(item, str | int | float | bool):
            raise ActionError("action_invalid", "expected name: single value", place)
        if name in sent:
            raise ActionError("action_invalid", "this is an argument that can be sent", place)
        out[name] = item
    return out


def _given(name: str, value: object, root: str) -> dict[str, object]:
    """The mapping, with every required key and no unknown one."""
    if not _NAME.fullmatch(name):
        raise ActionError("action_invalid", f"an action's name is {_NAME.pattern}", root)
    given = _mapping(value, root)
    unknown = sorted(set(given) - _KEYS)
    missing = [key for key in _REQUIRED if key not in given]
    if unknown or missing:
        got = f"unknown {unknown[0]}" if unknown else f"missing {missing[0]}"
        raise ActionError("action_invalid", got, f"{root}/{(unknown or missing)[0]}")
    return given


def parse_action(name: str, value: object) -> ActionSpec:
    """One action from its plain mapping.

    Raises:
        ActionError: with the place as a JSON pointer that begins with the action's name.
    """
    root = f"/{name}"
    given = _given(name, value, root)
    arguments = _arguments(given["arguments"], f"{root}/arguments")
    sent = set(_mapping(arguments.get("properties", {}), f"{root}/arguments/properties"))
    fixed = _fixed(given.get("fixed", {}), f"{root}/fixed", sent)
    runner = _runner(given["runner"], f"{root}/runner", sent | set(fixed))
    writable = _names(given.get("writable", []), f"{root}/writable")
    readable = _names(given.get("readable", []), f"{root}/readable")
    if len({*writable, *readable}) != len(writable) + len(readable):
        raise ActionError("action_invalid", "a folder is declared twice", f"{root}/writable")
    if isinstance(runner, Builtin) and not (
        writable if BUILTINS[runner.name] else readable + writable
    ):
        raise ActionError("action_invalid", "the runner needs a declared folder", f"{root}/runner")
    inverse, output = given.get("inverse"), given.get("output_schema")
    return ActionSpec(
        name=name,
        title=_text(given["title"], f"{root}/title", longest=150),
        description=_text(given.get("description", given["title"]), f"{root}/description"),
        arguments=arguments,
        runner=runner,
        fixed=fixed,
        writable=writable,
        readable=readable,
        limits=_limits(given.get("limits", {}), f"{root}/limits"),
        output_schema=None if output is None else _mapping(output, f"{root}/output_schema"),
        idempotent=_flag(given.get("idempotent", False), f"{root}/idempotent"),
        inverse=None if inverse is None else _text(inverse, f"{root}/inverse"),
    )
