"""Policy bundles on disk: strict YAML, with the line and column of every key.

Lives here: reading one file or a folder of files into one plain mapping, the places in it, and
the shipped bundles. Must not live here: YAML itself (``bot.bundle_yaml``), what a bundle means
(``governance.policy``). Law: a refusal, whichever step finds it, starts with
``file:line:column``; only regular files are read, and no more of them than a bundle may be.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path

from bot.bundle_yaml import Mark, escaped, parsed, places, refuse
from governance.canonical import Json
from governance.errors import Code, InvalidInput
from governance.policy.bundle import MAX_BYTES, Bundle, load
from governance.policy.forms.documented import BundleForm

__all__ = ["Mark", "Source", "load_bundle", "read", "schema", "shipped", "writable_by_service"]

MAX_FILE_BYTES = 4_194_304
MAX_FILES = 64
SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read; the place of each JSON pointer of it is looked up when it is asked for."""

    mapping: Mapping[str, Json]
    path: Path
    texts: tuple[tuple[str, str], ...]
    """Each file's name and text."""
    _found: dict[str, Mark] = field(default_factory=dict, repr=False, compare=False)

    @property
    def marks(self) -> Mapping[str, Mark]:
        """The place of every pointer."""
        if not self._found:
            self._found[""] = Mark(file=str(self.path), line=1, column=1)
            for file, text in self.texts:
                found = places(file, text)
                if len(self.texts) > 1 or file != str(self.path):
                    del found[""]
                self._found.update(found)
        return self._found

    def mark(self, pointer: str) -> Mark:
        """The place of ``pointer``, or of the nearest that encloses it."""
        while pointer not in self.marks:
            pointer = pointer.rpartition("/")[0]
        return self.marks[pointer]


def read(path: Path) -> Source:
    """Read a bundle: one YAML file, or a folder of them, each holding whole top-level sections.

    Raises:
        InvalidInput: ``invalid_bundle``; the message starts with file, line and column.
    """
    merged: dict[str, Json] = {}
    texts: list[tuple[str, str]] = []
    left = MAX_BYTES
    for file in _files(path):
        raw = _raw(file)
        left -= len(raw)
        if left < 0:
            refuse(_start(file), f"the files of the bundle are larger than {MAX_BYTES} bytes")
        texts.append((str(file), _text(file, raw)))
        for section, value in parsed(*texts[-1]).items():
            if section in merged:
                _refuse_twice(section, texts)
            merged[section] = value
    return Source(mapping=merged, path=path, texts=tuple(texts))


def _refuse_twice(section: str, texts: list[tuple[str, str]]) -> None:
    pointer = f"/{escaped(section)}"
    first, *_, second = (
        found[pointer] for found in (places(*text) for text in texts) if pointer in found
    )
    refuse(second, f"{section!r} stands in {first} already")


def load_bundle(path: Path) -> Bundle:
    """Read and compile the bundle at ``path``.

    Raises:
        InvalidInput: ``invalid_bundle``; the message starts with ``file:line:column: ``.
    """
    source = read(path)
    try:
        return load(source.mapping)
    except InvalidInput as error:
        message = f"{source.mark(error.pointer)}: {error.message}"
        raise InvalidInput(error.code, message, pointer=error.pointer) from error


def writable_by_service(path: Path) -> list[Path]:
    """Every file and folder of the bundle that this process could change."""
    found = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path.parent, path]
    return [place for place in found if os.access(place, os.W_OK)]


def shipped(name: str) -> Path:
    """The folder of a bundle that comes with the product.

    Raises:
        InvalidInput: ``invalid_bundle``: there is none of that name.
    """
    folder = resources.files("policies").joinpath(name)
    if not re.fullmatch("[a-z][a-z0-9-]*", name) or not folder.is_dir():
        raise InvalidInput(Code.INVALID_BUNDLE, f"no bundle {name!r} is shipped")
    return _on_disk(folder)


def _on_disk(folder: Traversable) -> Path:
    if not isinstance(folder, Path):  # pragma: no cover - the wheel is installed unpacked
        raise InvalidInput(Code.INVALID_BUNDLE, "the shipped bundles are not on a file system")
    return folder


def schema() -> dict[str, object]:
    """JSON Schema of the documented form, for editors; ``policies/bundle.schema.json``."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **BundleForm.model_json_schema(),
        "title": "Placet policy bundle",
    }


def _start(file: Path) -> Mark:
    return Mark(file=str(file), line=1, column=1)


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    try:
        files = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
    except OSError as error:
        refuse(_start(path), f"cannot be read ({error.strerror})", error)
    if not 0 < len(files) <= MAX_FILES:
        sentence = f"a bundle has 1 to {MAX_FILES} YAML files, this folder has {len(files)}"
        refuse(_start(path), sentence)
    return files


def _raw(file: Path) -> bytes:
    start = _start(file)
    try:
        # Not to wait for whoever might write into a pipe some day.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            refuse(start, "not a regular file")
        with os.fdopen(descriptor, "rb") as stream:
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        refuse(start, f"cannot be read ({error.strerror})", error)
    except ValueError as error:
        refuse(start, "cannot be read (no such name of a file)", error)
    if len(raw) > MAX_FILE_BYTES:
        refuse(start, f"larger than {MAX_FILE_BYTES} bytes")
    return raw


def _text(file: Path, raw: bytes) -> str:
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        refuse(Mark(file=str(file), line=line, column=column), "not UTF-8", error)


if __name__ == "__main__":  # pragma: no cover - writes policies/bundle.schema.json
    sys.stdout.write(json.dumps(schema(), indent=2, sort_keys=True) + "\n")
