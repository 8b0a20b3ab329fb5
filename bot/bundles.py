"""Policy bundles on disk: strict YAML, with the line and column of every key.

Lives here: reading one file or a folder of files into one plain mapping, the places in it, and
the shipped bundles. Must not live here: what a bundle means (``governance.policy``).
Law: what a reader of the file could misunderstand is refused: duplicate keys, aliases, merge
keys, tags, and plain scalars that YAML 1.1 bends (on, yes, 1:30, 012, dates). A refusal starts
with ``file:line:column``.
Source: YAML 1.1 as PyYAML reads it; 1.2's core schema is what is left.
"""

import json
import os
import re
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import NoReturn, Protocol

import yaml

from governance.canonical import MAX_DEPTH, MAX_DIGITS, Json
from governance.errors import Code, InvalidInput
from governance.policy.bundle import Bundle, load
from governance.policy.forms import BundleForm

MAX_FILE_BYTES = 4_194_304
MAX_FILES = 64
SUFFIXES = (".yaml", ".yml")
_MAX_NODES = 1_000_000
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_AMBIGUOUS = re.compile(
    r"""(?ix)
    y | n | yes | no | on | off | ~ | =            # words that YAML 1.1 bends
    | [-+]?[0-9][0-9_]* (:[0-5]?[0-9])+ (\.[0-9_]*)?       # base 60
    | [-+]?0[0-9_]+ | [-+]?0[box][0-9a-f_]+                # octal, binary, hexadecimal look
    | \+[0-9].* | [-+]?[0-9][0-9_]*_[0-9_]*                # signs and digit groups
    | [-+]?(\.[0-9]+|[0-9]+\.)([e][-+]?[0-9]+)?            # half-written fractions
    | [-+]?[0-9]+(\.[0-9]*)?e[-+]?[0-9]+                   # exponents
    | [-+]?\.(inf|nan)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t\ ].*)?             # dates
    """
)
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "": None}


class _YamlMark(Protocol):
    """A parser's mark, counted from 0."""

    @property
    def line(self) -> int: ...

    @property
    def column(self) -> int: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A place in a file, counted from 1."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What was read, and where each JSON pointer of it stands."""

    mapping: Mapping[str, Json]
    marks: Mapping[str, Mark]

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
    marks: dict[str, Mark] = {"": Mark(file=str(path), line=1, column=1)}
    for file in _files(path):
        part = _Reader(file=str(file)).read(_text(file))
        for section, value in part.mapping.items():
            place = "/" + _escape(section)
            if section in merged:
                _refuse(part.marks[place], f"{section!r} stands in {marks[place]} already")
            merged[section] = value
            marks[place] = part.marks[place]
        marks |= {pointer: mark for pointer, mark in part.marks.items() if pointer}
        if path.is_file():
            marks[""] = part.marks[""]
    return Source(mapping=merged, marks=marks)


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


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    files = sorted(item for item in path.iterdir() if item.suffix in SUFFIXES)
    if not 0 < len(files) <= MAX_FILES:
        place = Mark(file=str(path), line=1, column=1)
        _refuse(place, f"a bundle has 1 to {MAX_FILES} YAML files, this folder has {len(files)}")
    return files


def _text(file: Path) -> str:
    start = Mark(file=str(file), line=1, column=1)
    try:
        with file.open("rb") as stream:
            if not stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
                _refuse(start, "not a regular file")
            raw = stream.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        _refuse(start, f"cannot be read ({error.strerror})", error)
    if len(raw) > MAX_FILE_BYTES:
        _refuse(start, f"larger than {MAX_FILE_BYTES} bytes")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        _refuse(Mark(file=str(file), line=line, column=column), "not UTF-8", error)


def _refuse(mark: Mark, sentence: str, cause: Exception | None = None) -> NoReturn:
    raise InvalidInput(Code.INVALID_BUNDLE, f"{mark}: {sentence}") from cause


def _escape(key: str) -> str:
    return key.replace("~", "~0").replace("/", "~1")


@dataclass(slots=True, kw_only=True)
class _Reader:
    """One walk over one file's nodes."""

    file: str
    marks: dict[str, Mark] = field(default_factory=dict)
    _nodes: int = 0

    def read(self, text: str) -> Source:
        try:
            self._no_references(text)
            node = yaml.compose(text, Loader=yaml.CSafeLoader)
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            sentence = error.problem or error.context or "not YAML"
            _refuse(self._mark(mark), f"not YAML: {sentence}", error)
        except yaml.YAMLError as error:
            _refuse(self._mark(None), f"not YAML: {error}", error)
        if not isinstance(node, yaml.MappingNode):
            _refuse(self._mark(None if node is None else node.start_mark), "not a mapping")
        self.marks[""] = self._mark(node.start_mark)
        return Source(mapping=self._mapping(node, ""), marks=self.marks)

    def _no_references(self, text: str) -> None:
        """Look at the events first: composing an alias bomb or 100,000 levels is too late."""
        depth = 0
        for event in yaml.parse(text, Loader=yaml.CSafeLoader):
            self._nodes += 1
            mark = event.start_mark
            if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
                _refuse(self._mark(mark), "anchors and aliases are not used here: write it out")
            if getattr(event, "tag", None):
                _refuse(self._mark(mark), "tags are not used here")
            if isinstance(event, yaml.CollectionStartEvent):
                depth += 1
            elif isinstance(event, yaml.CollectionEndEvent):
                depth -= 1
            if depth > MAX_DEPTH or self._nodes > _MAX_NODES:
                _refuse(self._mark(mark), f"deeper than {MAX_DEPTH} levels, or too many values")

    def _mark(self, mark: _YamlMark | None) -> Mark:
        if mark is None:
            return Mark(file=self.file, line=1, column=1)
        return Mark(file=self.file, line=mark.line + 1, column=mark.column + 1)

    def _value(self, node: yaml.Node, pointer: str) -> Json:
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, pointer)
        if isinstance(node, yaml.SequenceNode):
            items: list[Json] = []
            for number, item in enumerate(node.value):
                place = f"{pointer}/{number}"
                self.marks[place] = self._mark(item.start_mark)
                items.append(self._value(item, place))
            return items
        return self._scalar(node)

    def _mapping(self, node: yaml.MappingNode, pointer: str) -> dict[str, Json]:
        found: dict[str, Json] = {}
        for key_node, value_node in node.value:
            mark = self._mark(key_node.start_mark)
            key = self._key(key_node)
            if key in found:
                _refuse(mark, f"the key {key!r} stands twice")
            place = f"{pointer}/{_escape(key)}"
            self.marks[place] = mark
            found[key] = self._value(value_node, place)
        return found

    def _key(self, node: yaml.Node) -> str:
        mark = self._mark(node.start_mark)
        if not isinstance(node, yaml.ScalarNode):
            _refuse(mark, "a key is a word, not a list or a mapping")
        if not _is_quoted(node) and node.value == "<<":
            _refuse(mark, "merge keys are not used here: write it out")
        key = self._scalar(node)
        if not isinstance(key, str):
            _refuse(mark, f"a key is text: write {node.value!r} in quotes")
        return key

    def _scalar(self, node: yaml.Node) -> Json:
        text: str = node.value
        if _is_quoted(node):
            return text
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text) or _DECIMAL.fullmatch(text):
            if len(text) > MAX_DIGITS:
                _refuse(self._mark(node.start_mark), f"a number of more than {MAX_DIGITS} digits")
            return Decimal(text) if "." in text else int(text)
        if _AMBIGUOUS.fullmatch(text) or text.casefold() in _WORDS:
            sentence = f"{text!r} is read differently by different readers: write it in quotes"
            _refuse(self._mark(node.start_mark), sentence)
        return text


def _is_quoted(node: yaml.Node) -> bool:
    """Whether a scalar was written in quotes or as a block, so that it is text as it stands."""
    return bool(getattr(node, "style", None))


if __name__ == "__main__":  # pragma: no cover - writes policies/bundle.schema.json
    sys.stdout.write(json.dumps(schema(), indent=2, sort_keys=True) + "\n")
