"""A language without letters: what is still readable in it went past the catalogue.

Lives here: that language, and looking for words in what was rendered. Must not live here:
assertions.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from gettext import NullTranslations

_PLACE = re.compile(r"(\{[^{}]*\})")
_LETTER = re.compile(r"[^\W\d_]")
_WORD = re.compile(r"[^\W\d_]{2,}")
_DIGEST = re.compile(r"\b[0-9a-f]{10,64}\b")
_ESCAPE = re.compile(r"\\u\{[0-9a-f]+(?: x\d+)?\}")
_SEEN = ("text", "accessibility_label")


def masked(message: str) -> str:
    """``message`` with a sign in place of each letter, but for its placeholders."""
    parts = _PLACE.split(message)
    return "".join(part if part.startswith("{") else _LETTER.sub("#", part) for part in parts)


class Wordless(NullTranslations):
    """Translates the sentences that it is given, and no others."""

    def __init__(self, known: frozenset[str]) -> None:
        super().__init__()
        self._known = known

    def gettext(self, message: str) -> str:
        return masked(message) if message in self._known else message

    def ngettext(self, msgid1: str, msgid2: str, n: int) -> str:
        return self.gettext(msgid1 if n == 1 else msgid2)


def seen(node: object) -> Iterator[str]:
    """Every text of a message or a view that somebody reads or hears."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key in _SEEN and isinstance(value, str):
                yield value
            else:
                yield from seen(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from seen(value)


def words_of(value: object) -> set[str]:
    """Every word of the values that something is rendered from; a name of our own is none."""
    if isinstance(value, Enum) or value is None:
        return set()
    if isinstance(value, str):
        return set(_WORD.findall(value))
    if is_dataclass(value):
        return set().union(*(words_of(getattr(value, one.name)) for one in fields(value)))
    if isinstance(value, Mapping):
        return set().union(*(words_of(one) for pair in value.items() for one in pair))
    if isinstance(value, list | tuple | set | frozenset):
        return set().union(*(words_of(one) for one in value))
    return set()


def left_over(node: object, *values: object) -> set[str]:
    """The words in ``node`` that are in none of ``values``; digests and escapes are none."""
    told = (_ESCAPE.sub(" ", _DIGEST.sub(" ", text)) for text in seen(node))
    found = {word for text in told for word in _WORD.findall(text)}
    return found.difference(*(words_of(value) for value in values))
