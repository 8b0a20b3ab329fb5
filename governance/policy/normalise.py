r"""Text as its reader would read it: folded, decoded once, in plain words.

Lives here: folding of look-alikes and invisible characters, escapes, base64 and hexadecimal runs,
spaced-out letters, and the cut into words. Must not live here: what the words mean
(``signals.rules``, ``signals``).
Law: every function costs a bounded amount for each character, whatever the text; nothing is
decoded twice, so that nested encodings cannot multiply the work.
Source: Unicode TR 36 and TR 39 (visual spoofing), of which the tables hold the common kind.
"""

import re
import unicodedata
from binascii import a2b_base64
from html.entities import name2codepoint

_LOOK_ALIKES = dict(
    zip(
        # Cyrillic, then Greek, then letters that decompose into nothing.
        "аАвВеЕёЁкКмМнНоОрРсСтТуУхХіІїЇјЈѕЅһҺԁԛԝգѵ"
        "αΑβΒεΕζΖηΗιΙκΚμΜνΝοΟρΡτΤυΥχΧω"
        "ıłŁøØđĐħŋƒɡɑɩʀʏᴀᴇᴏ‘’′ʼ",
        "aAbBeEeEkKmMhHoOpPcCtTyYxXiIiIjJsShHdqwgv"
        "aAbBeEzZnHiIkKmMvNoOpPtTuYxXw"
        "ilLoOdDhnfgaiRYAEO''''",
        strict=True,
    )
) | {"ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE"}
_DROPPED = frozenset({"Cf", "Mn", "Me"})
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
_FIRST_TAG, _LAST_TAG = 0xE0020, 0xE007E
_TO_ASCII = 0xE0000

_REMOVED = b"'`" + bytes(range(9)) + bytes(range(14, 32)) + b"\x7f"
"""Apostrophes and controls, which part no word."""
_LEET = {**dict(zip(b"013457@$", b"oieastas", strict=True)), ord("l"): ord("i")}


def _table(others: dict[int, int]) -> bytes:
    """Letters in lower case (l as i, which look alike), ``others``, and blanks for the rest."""
    letters = {char: char | 0x20 for char in range(ord("A"), ord("Z") + 1)}
    letters |= {char: char for char in range(ord("a"), ord("z") + 1)}
    letters |= {ord("l"): ord("i"), ord("L"): ord("i")} | others
    return bytes(letters.get(char, 0x20) for char in range(256))


PLAIN = _table({})
LEET = _table(_LEET)
_CODED = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/_-")
_CODED_CLASS = bytes(0x78 if char in _CODED else 0x20 for char in range(256))
_LETTER_CLASS = LEET.translate(bytes(0x20 if char == ord(" ") else 0x61 for char in range(256)))
_LONG_RUN = b"x" * 24
_SPELLED = b" a a a a "

_SPACED = re.compile(
    r"(?<![A-Za-z0-9@$])(?:[A-Za-z0-9@$][\s._*+/|,-]){2,}[A-Za-z0-9@$](?![A-Za-z0-9@$])"
)
_RUN = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{24,}+")
_HEXADECIMAL = re.compile(r"[0-9A-Fa-f]+")
_ESCAPE = re.compile(
    r"&#(?P<dec>[0-9]{1,7});?|&#[xX](?P<hex>[0-9A-Fa-f]{1,6});?|&(?P<name>[A-Za-z]{2,8});"
    r"|\\u(?P<u>[0-9A-Fa-f]{4})|\\x(?P<x>[0-9A-Fa-f]{2})|\\(?P<blank>[nrt])"
)
_PERCENT = re.compile(r"(?:%[0-9A-Fa-f]{2})++")
_PRINTABLE = bytes(range(32, 127)) + b"\t\n\r"
_MOST_ODD = 8
"""One unprintable byte in so many is let pass."""


def fold(text: str) -> str:
    """``text`` in ASCII, character by character: a run of marks costs no more than other text.

    Look-alikes become what they look like, accents and invisible characters go, tags become the
    characters that they carry, and what has no likeness in ASCII becomes a blank.
    """
    if text.isascii():
        return text
    return text.translate({ord(char): _folded(char) for char in set(text) if not char.isascii()})


def _folded(char: str) -> str:
    if _FIRST_TAG <= ord(char) <= _LAST_TAG:
        return chr(ord(char) - _TO_ASCII)
    if char in _BLANKS or unicodedata.category(char) in _DROPPED:
        return ""
    spread = (_LOOK_ALIKES.get(part, part) for part in unicodedata.normalize("NFKD", char))
    return "".join(part for part in spread if part.isascii()) or " "


def words(folded: bytes, table: bytes = PLAIN) -> list[bytes]:
    """The words of folded text by ``table``, in lower case."""
    return folded.translate(table, _REMOVED).split()


def has_long_run(folded: bytes) -> bool:
    """Whether it holds what may be an encoding, or words run together."""
    return _LONG_RUN in folded.translate(_CODED_CLASS)


def is_spelled_out(folded: bytes) -> bool:
    """Whether four single letters stand apart in a row."""
    return _SPELLED in b" " + folded.translate(_LETTER_CLASS) + b" "


def has_escapes(folded: str) -> bool:
    """Whether it may hold percent, entity or backslash escapes."""
    return "%" in folded or "&" in folded or "\\" in folded


def closed_up(folded: str) -> str:
    """Single letters in a row as one word; two blanks still part two words."""
    return _SPACED.sub(lambda run: run.group()[::2], folded)


def unescaped(folded: str) -> str:
    """``folded`` with percent, entity and backslash escapes resolved once, folded again."""
    return fold(_ESCAPE.sub(_resolved, _PERCENT.sub(_bytes, folded)))


def _bytes(found: re.Match[str]) -> str:
    return bytes.fromhex(found.group().replace("%", "")).decode("utf-8", "replace")


def _resolved(found: re.Match[str]) -> str:
    kind, value = found.lastgroup, found[found.lastgroup or 0]
    if kind == "blank":
        return " "
    if kind == "name":
        return chr(name2codepoint.get(value, 0x20))
    number = int(value, 10 if kind == "dec" else 16)
    return chr(number) if number <= 0x10FFFF else " "  # noqa: PLR2004  # the last code point


def decoded(folded: str) -> str:
    """What the base64 and hexadecimal runs of ``folded`` say where that can be read.

    Runs that only white space parts are one text; others stand on lines of their own.
    """
    out: list[str] = []
    end = 0
    for run in _RUN.finditer(folded):
        said = _said(run.group())
        if said and out and folded[end : run.start()].strip():
            out.append("\n")
        if said:
            out.append(said)
            end = run.end()
    return fold("".join(out))


def _said(run: str) -> str:
    digits = run.removeprefix("0x")
    if len(digits) % 2 == 0 and _HEXADECIMAL.fullmatch(digits):
        said = _readable(bytes.fromhex(digits))
        if said:
            return said
    standard = run.replace("-", "+").replace("_", "/")
    if len(standard) % 4 == 1:  # no encoding has this length
        standard = standard[:-1]
    return _readable(a2b_base64(standard + "=" * (-len(standard) % 4)))


def _readable(raw: bytes) -> str:
    if raw.count(0) * 3 > len(raw):
        raw = raw.replace(b"\0", b"")  # UTF-16, in which every other byte is empty
    try:
        said = raw.decode("utf-8")
    except UnicodeDecodeError:
        is_odd = len(raw.translate(None, _PRINTABLE)) * _MOST_ODD > len(raw)
        return "" if is_odd else raw.decode("ascii", "replace")
    controls = sum(char < " " and char not in "\t\n\r" for char in said)
    return "" if controls * _MOST_ODD > len(said) else said
