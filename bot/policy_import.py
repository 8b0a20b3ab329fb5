"""Policies of other control planes as bundles of ours, in YAML.

Lives here: reading the file, and writing what it became with comments. Must not live here: the
conversion (``governance.policy.imported.documents``).
Law: what is written is read back before it is handed out, and means what was converted; no file is
overwritten; the words of the original cannot break out of a comment or a value.
"""

import re
from collections.abc import Iterable, Mapping
from decimal import Decimal
from pathlib import Path

import yaml

from bot.bundle_yaml import parsed
from bot.bundles import SUFFIXES, Source, read
from governance.canonical import Json, canonical_bytes
from governance.errors import Code, InvalidInput
from governance.policy.imported.documents import Imported, Kind, imported, kind_of

FILE = "bundle.yaml"
_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:[.-][A-Za-z0-9_]+)*")
_RESERVED = frozenset({"true", "false", "null", "yes", "no", "on", "off", "y", "n"})
_WIDTH = 10_000


def converted(path: Path, kind: Kind | None) -> tuple[Imported, Source]:
    """What the file at ``path`` becomes, and the file; None as the kind: told by its keys.

    Raises:
        InvalidInput: ``invalid_bundle``; the message starts with ``file:line:column: ``.
    """
    source = read(path)
    try:
        return imported(source.mapping, kind or kind_of(source.mapping)), source
    except InvalidInput as error:
        message = f"{source.mark(error.pointer)}: {error.message}"
        raise InvalidInput(error.code, message, pointer=error.pointer) from error


def as_yaml(bundle: Mapping[str, Json], head: Iterable[str]) -> str:
    """``bundle`` below the comment lines of ``head``, which hold printable characters only."""
    sections = (_section(name, value) for name, value in bundle.items())
    text = "\n".join((*(f"# {line}".rstrip() for line in head), "", "\n\n".join(sections), ""))
    if canonical_bytes(parsed(FILE, text)) != canonical_bytes(bundle):  # pragma: no cover
        raise InvalidInput(Code.INVALID_BUNDLE, "what was written would be read as something else")
    return text


def write(text: str, folder: Path) -> Path:
    """Write ``text`` as the bundle of ``folder``, which is made where it is missing.

    Raises:
        InvalidInput: ``invalid_field``: YAML stands there already, or it cannot be written.
    """
    place = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = sorted(item.name for item in folder.iterdir() if item.suffix in SUFFIXES)
        if there:
            why = f"{folder} holds {there[0]} already, and nothing is overwritten"
            raise InvalidInput(Code.INVALID_FIELD, why, pointer="/out")
        with place.open("x", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as error:
        why = f"{place} cannot be written ({error.strerror})"
        raise InvalidInput(Code.INVALID_FIELD, why, pointer="/out") from error
    return place


class _Dumper(yaml.SafeDumper):
    """Writes nothing that the strict reader would refuse or read as something else."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    is_plain = _PLAIN.fullmatch(value) and value.casefold() not in _RESERVED
    style = None if is_plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _number(dumper: yaml.SafeDumper, value: Decimal) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:float", f"{value:f}")


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Decimal, _number)


def _section(name: str, value: Json) -> str:
    text = yaml.dump(
        {name: _plain(value)}, Dumper=_Dumper, sort_keys=False, width=_WIDTH, allow_unicode=False
    )
    return text.rstrip("\n")


def _plain(value: Json) -> object:
    """Ordinary lists and mappings, which is all that the writer knows."""
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, str | bool | int | Decimal) or value is None:
        return value
    return [_plain(item) for item in value]
