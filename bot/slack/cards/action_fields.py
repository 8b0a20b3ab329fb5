r"""JSON as lines that people read on a phone: ``key: value``, texts line by line.

Lives here: from a JSON value to inert lines. Must not live here: cuts, blocks, what a tool means
by its arguments (``action_forms``). Law: different values never read the same: a text is bare only
where it could be nothing else, a line of a longer text stands behind a bar that no value can
forge, and every character is seen, blanks at a line's end included.
"""

import re
from collections.abc import Mapping, Sequence
from decimal import Decimal

from bot.slack.kit.language import ngettext
from bot.slack.kit.text import Inert, inert
from governance.canonical import Json
from governance.json_text import to_text

MISSING = "\u2014"
"""What stands where a record has no such field; a text that is this dash is quoted."""
_BAR = "| "
_PLAIN_KEY = re.compile(r"[A-Za-z0-9_$][A-Za-z0-9_.$-]*(?: [A-Za-z0-9_.$-]+)*")
"""One word or a few; with a sign at its front it could be an item of a list."""
_TYPED = re.compile(r"null|none|true|false|[-+]?[0-9]*\.?[0-9]*(?:e[-+]?[0-9]+)?", re.IGNORECASE)
_OPENS = frozenset("\"'([{|<" + MISSING)
_AT_END = re.compile(r"[ \t]+$")


def lines(value: Mapping[str, Json]) -> list[Inert]:
    """The fields of a mapping, one or more lines each, in the order in which they were sent."""
    out: list[str] = []
    for key, item in value.items():
        _field(f"{_key(key)}:", item, "", out)
    return [Inert(text) for text in out]


def text_lines(text: str) -> list[Inert]:
    """A text line by line; blanks at the end of a line are shown as escapes."""
    return [_seen(line) for line in inert(text, is_multiline=True).split("\n")]


def single(value: Json) -> Inert:
    """One value on one line: a text bare where it can be nothing else, JSON otherwise."""
    if isinstance(value, str) and is_bare(value):
        return inert(value)
    return inert(to_text(value))


def is_bare(text: str) -> bool:
    """Whether a text without quotes around it can be taken for nothing else."""
    if not text or text != text.strip() or "\n" in text or text[0] in _OPENS:
        return False
    return text != "-" and not _TYPED.fullmatch(text)


def _field(label: str, value: Json, pad: str, out: list[str]) -> None:
    """``label`` with its value behind it, or below it where it does not fit on a line."""
    deeper = pad + "  "
    match value:
        case str() if "\n" in value:
            found = text_lines(value)
            told = ngettext("{count} line", "{count} lines", len(found))
            out.append(f"{pad}{label} ({told})")
            out += [f"{deeper}{_BAR}{line}" for line in found]
        case Mapping() if value:
            out.append(f"{pad}{label}")
            for key, item in value.items():
                _field(f"{_key(key)}:", item, deeper, out)
        case list() | tuple() if value and not _is_short(value):
            out.append(f"{pad}{label}")
            for item in value:
                _field("-", item, deeper, out)
        case _:
            out.append(f"{pad}{label} {single(value)}")


_SHORT = 40


def _is_short(values: Sequence[Json]) -> bool:
    """Whether a list of plain words or numbers reads best on one line."""
    if not all(isinstance(item, str | int | Decimal) for item in values):
        return False
    return len(values) <= _SHORT and sum(len(str(item)) + 4 for item in values) <= _SHORT


def _key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else inert(to_text(key))


def _seen(line: str) -> Inert:
    """``line`` with the blanks at its end as escapes."""
    found = _AT_END.search(line)
    if found is None:
        return Inert(line)
    blanks = "".join("\\u{20}" if char == " " else "\\u{9}" for char in found.group())
    return Inert(line[: found.start()] + blanks)
