"""Strict YAML: one file's text as plain data, and the place of every value in it.

Lives here: one walk over the parser's events. Must not live here: files and folders
(``bot.bundles``), or what a bundle means. Law: what a reader of the file could misunderstand is
refused with its place: duplicate keys, aliases, merge keys, tags, plain scalars that YAML 1.1
bends (on, yes, 1:30, 012, dates), and characters that show nothing or turn the text around.
Nothing is kept but the data: places are found by a second walk, when somebody asks for one.
Source: YAML 1.1 as libyaml reads it; 1.2's core schema is what is left.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import NoReturn, Protocol

import yaml

from governance.canonical import MAX_DEPTH, Json
from governance.errors import Code, InvalidInput
from governance.json_decoding import MAX_DIGITS

_MAX_NODES = 1_000_000
_MEMO_CHARS = 64
_INT = re.compile(r"-?(0|[1-9][0-9]*)")
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+")
_AMBIGUOUS = re.compile(
    r"""(?ix)
    y | n | yes | no | on | off | ~ | =            # words that YAML 1.1 bends
    | [-+]?[0-9][0-9_]* (:[0-5]?[0-9])+ (\.[0-9_]*)?       # base 60
    | [-+]?0[0-9_]+ | [-+]?0[box][0-9a-f_]+                # octal, binary, hexadecimal look
    | \+[0-9].* | [-+]?[0-9]+_[0-9_]*                      # signs and digit groups
    | [-+]?(\.[0-9]+|[0-9]+\.)([e][-+]?[0-9]+)?            # half-written fractions
    | [-+]?[0-9]+(\.[0-9]*)?e[-+]?[0-9]+                   # exponents
    | [-+]?\.(inf|nan)
    | [0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([t\ ].*)?             # dates
    """
)
_YES_OR_NO = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false"})
_NOTHING = frozenset({"~", "null"})
_PLAIN_WORDS: Mapping[str, str] = {
    "while parsing a block mapping, did not find expected key": "this does not go on with what "
    "stands before: a key begins in the column of the keys beside it, and after a text in quotes "
    "the line ends",
    "did not find expected '-' indicator": "this does not go on with the list before: each item "
    "begins with a dash in one column, and its keys stand in the column after the dash",
    "mapping values are not allowed in this context": "a colon where no key may stand: either "
    "this line is indented otherwise than the keys beside it, or a text that holds ': ' needs "
    "quotes",
    "block sequence entries are not allowed in this context": "a dash where no list may begin: "
    "begin the list on the next line",
    "found character that cannot start any token": "no text begins with this sign without quotes",
    "while scanning an alias, did not find expected alphabetic or numeric character": "a text "
    "that begins with * needs quotes",
    "found unexpected end of stream": "the file ends, and a text in quotes before it does not",
    "did not find expected node content": "a value is missing here, or a bracket is not closed",
    "did not find expected ',' or ']'": "a list in [ ] goes on with a comma or ends with ]",
    "did not find expected ',' or '}'": "a mapping in { } goes on with a comma or ends with }",
    "found unknown escape character": "in double quotes a backslash means more: write it twice, "
    "or use single quotes",
    "did not find expected comment or line break": "after | or > the text begins on the next line",
    "did not find expected <document start>": "this stands further left than the first key: all "
    "sections begin in one column",
}
"""What the parser finds, by the end of its sentence, and what that is to whoever wrote it."""
_WORDS: Mapping[str, bool | None] = {"true": True, "false": False, "null": None, "": None}
_HIDDEN = re.compile(
    # Controls, line breaks that no editor shows as one, marks that turn the text around.
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufffe\uffff]"
    "|\r(?!\n)"
)


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


def parsed(file: str, text: str) -> dict[str, Json]:
    """The mapping that ``text`` holds.

    Raises:
        InvalidInput: ``invalid_bundle``; the message starts with ``file:line:column: ``.
    """
    return _Walk(file, None).read(text)


def places(file: str, text: str) -> dict[str, Mark]:
    """The place of every JSON pointer of ``text``, which ``parsed`` has read: a key's own place,
    or where an item begins."""
    marks: dict[str, Mark] = {}
    _Walk(file, marks).read(text)
    return marks


def refuse(mark: Mark, sentence: str, cause: Exception | None = None) -> NoReturn:
    """Refuse the bundle for what stands at ``mark``."""
    raise InvalidInput(Code.INVALID_BUNDLE, f"{mark}: {sentence}") from cause


def escaped(key: str) -> str:
    """``key`` as a part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


class _Walk:
    """One walk over one file's events; ``marks`` None: no place is kept."""

    def __init__(self, file: str, marks: dict[str, Mark] | None) -> None:
        self._file = file
        self._marks = marks
        self._nodes = 0
        self._memo: dict[str, Json] = {}
        self._events: Iterator[yaml.Event] = iter(())

    def read(self, text: str) -> dict[str, Json]:
        self._check_characters(text)
        self._events = yaml.parse(text, Loader=yaml.CSafeLoader)
        try:
            return self._document()
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            refuse(self._mark(mark), _sentence(error, text), error)
        except (yaml.YAMLError, UnicodeEncodeError) as error:
            refuse(self._mark(None), f"not YAML: {type(error).__name__}", error)

    def _check_characters(self, text: str) -> None:
        found = _HIDDEN.search(text)
        if found is None:
            return
        at = found.start()
        line = text.count("\n", 0, at) + 1
        mark = Mark(file=self._file, line=line, column=at - text.rfind("\n", 0, at))
        if at == 0 and found.group() == "\ufeff":
            refuse(mark, "a byte order mark: save the file as UTF-8 without one")
        refuse(mark, f"the character U+{ord(found.group()[0]):04X} is not used here")

    def _document(self) -> dict[str, Json]:
        found: dict[str, Json] | None = None
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                if found is not None:
                    refuse(self._mark(event.start_mark), "a second document: a bundle is one")
                if event.version or event.tags:
                    refuse(self._mark(event.start_mark), "directives are not used here")
                top = self._next(0)
                if not isinstance(top, yaml.MappingStartEvent):
                    refuse(self._mark(top.start_mark), "not a mapping of sections")
                self._keep("", top)
                found = self._mapping("", 1)
        if found is None:
            refuse(self._mark(None), "empty: not a mapping of sections")
        return found

    def _next(self, depth: int) -> yaml.Event:
        """The next event, once it is none of what is refused wherever it stands."""
        event = next(self._events)
        self._nodes += 1
        if getattr(event, "anchor", None) is not None:  # an alias has the name of its anchor
            sentence = "anchors and aliases are not used here: write it out"
            refuse(self._mark(event.start_mark), sentence)
        if getattr(event, "tag", None):
            refuse(self._mark(event.start_mark), "tags are not used here")
        if depth >= MAX_DEPTH and isinstance(event, yaml.CollectionStartEvent):
            refuse(self._mark(event.start_mark), f"deeper than {MAX_DEPTH} levels")
        if self._nodes > _MAX_NODES:
            refuse(self._mark(event.start_mark), f"more than {_MAX_NODES} values")
        return event

    def _value(self, event: yaml.Event, pointer: str, depth: int) -> Json:
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(pointer, depth + 1)
        items: list[Json] = []
        while not isinstance(item := self._next(depth + 1), yaml.SequenceEndEvent):
            place = "" if self._marks is None else f"{pointer}/{len(items)}"
            self._keep(place, item)
            items.append(self._value(item, place, depth + 1))
        return items

    def _mapping(self, pointer: str, depth: int) -> dict[str, Json]:
        found: dict[str, Json] = {}
        while not isinstance(event := self._next(depth), yaml.MappingEndEvent):
            key = self._key(event)
            if key in found:
                refuse(self._mark(event.start_mark), f"the key {_shown(key)} stands twice")
            place = "" if self._marks is None else f"{pointer}/{escaped(key)}"
            self._keep(place, event)
            found[key] = self._value(self._next(depth), place, depth)
        return found

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            refuse(self._mark(event.start_mark), "a key is a word, not a list or a mapping")
        if not event.style and event.value == "<<":
            refuse(self._mark(event.start_mark), "merge keys are not used here: write it out")
        key = self._scalar(event)
        if not isinstance(key, str):
            sentence = f"a key is text: write {_shown(event.value)} in quotes"
            refuse(self._mark(event.start_mark), sentence)
        return key

    def _scalar(self, event: yaml.ScalarEvent) -> Json:
        text: str = event.value
        if event.style:  # in quotes or as a block: text as it stands
            return text
        if text in self._memo:
            return self._memo[text]
        value = self._plain(event, text)
        if len(text) <= _MEMO_CHARS:
            self._memo[text] = value
        return value

    def _plain(self, event: yaml.ScalarEvent, text: str) -> Json:
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text) or _DECIMAL.fullmatch(text):
            if len(text) > MAX_DIGITS:
                refuse(self._mark(event.start_mark), f"a number of more than {MAX_DIGITS} digits")
            return Decimal(text) if "." in text else int(text)
        if _AMBIGUOUS.fullmatch(text) or text.casefold() in _WORDS:
            sentence = (
                f"{_shown(text)} is read differently by different readers: write it in quotes"
            )
            refuse(self._mark(event.start_mark), sentence + _instead(text))
        return text

    def _keep(self, pointer: str, event: yaml.Event) -> None:
        if self._marks is not None:
            self._marks[pointer] = self._mark(event.start_mark)

    def _mark(self, mark: _YamlMark | None) -> Mark:
        if mark is None:
            return Mark(file=self._file, line=1, column=1)
        return Mark(file=self._file, line=mark.line + 1, column=mark.column + 1)


def _shown(text: str) -> str:
    """What was written, short enough for a sentence."""
    return repr(text if len(text) <= _MEMO_CHARS else f"{text[:_MEMO_CHARS]}...")


def _instead(text: str) -> str:
    """What else is to be written where ``text`` is no word but a yes, a no or nothing."""
    if text.casefold() in _YES_OR_NO:
        return " where a word is meant, or write true or false where the key asks for that"
    if text.casefold() in _NOTHING:
        return " where a word is meant, or leave the key out"
    return ""


def _sentence(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark
    if mark is not None:
        line = text.split("\n", mark.line + 1)[mark.line : mark.line + 1]
        if line and line[0][mark.column : mark.column + 1] == "\t":
            return "not YAML: a tab where only spaces may stand"
    parts = (error.context, error.problem)
    told = ", ".join(part for part in parts if part)
    plain = (words for found, words in _PLAIN_WORDS.items() if told.endswith(found))
    return f"not YAML: {next(plain, told) or 'no reason is given'}"
