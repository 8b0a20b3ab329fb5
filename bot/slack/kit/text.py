r"""Untrusted text made inert: what is there is seen, and nothing it says takes effect.

Lives here: escapes for what cannot be seen, marks for mixed alphabets, cuts, the fallback line.
Must not live here: blocks. Law: every character of the original is visible, either itself or as
``\u{hex}``; two different texts never look the same for want of an escape; a cut says so.
"""

import re
import unicodedata
from functools import lru_cache
from typing import NewType

Inert = NewType("Inert", str)
"""Text that went through ``inert`` or is our own wording; blocks are built from nothing else."""

_HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Co", "Cn", "Cs", "Zl", "Zp"})
# Letters and symbols that draw nothing, or merge with what stands before them.
_BLANKS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\u034f\u180b\u180c\u180d\u180f")
_VARIATION = re.compile("[\ufe00-\ufe0f\U000e0100-\U000e01ef]")
_MAX_MARKS = 2  # combining marks on one letter that real languages need
_ESCAPE = re.compile(r"\\u\{[0-9a-f]{1,6}(?: x\d+)?\}")
_WORD = re.compile(r"\w{2,}")
_COMPATIBLE = frozenset({"CJK", "HIRAGANA", "KATAKANA", "HANGUL", "BOPOMOFO"})
_ELLIPSIS = "\u2026"


def inert(text: str, *, is_multiline: bool = False) -> Inert:
    r"""``text`` with everything that hides, reorders or draws nothing shown as ``\u{hex}``.

    A newline or a tab stays only where ``is_multiline``; runs of one hidden character are counted.
    """
    if text.isascii() and "\\u{" not in text:
        plain = text.replace("\n", "").replace("\t", "") if is_multiline else text
        if plain.isprintable():
            return Inert(text)  # most texts: the walk below would change nothing
    out: list[str] = []
    marks = _MAX_MARKS  # a mark that begins a text would merge with what stands before it
    run: list[str] = []
    for place, char in enumerate(text):
        is_mark, is_hidden = _nature(char)
        if is_mark:
            marks += 1
        else:
            marks = 0 if char.isalnum() else _MAX_MARKS  # and so would one on a blank or a sign
        if marks > _MAX_MARKS or (is_hidden and not (is_multiline and char in "\n\t")):
            if run and run[0] != char:
                out.append(_shown_run(run))
                run = []
            run.append(char)
            continue
        if run:
            out.append(_shown_run(run))
            run = []
        # A backslash that could be read as one of our escapes is escaped itself.
        out.append(r"\u{5c}" if char == "\\" and text[place + 1 : place + 3] == "u{" else char)
    out.append(_shown_run(run))
    return Inert("".join(out))


@lru_cache(4_096)
def _nature(char: str) -> tuple[bool, bool]:
    """Whether it is drawn on the character before it, and whether it draws nothing or reorders."""
    if " " <= char <= "~":
        return False, False
    category = unicodedata.category(char)
    is_mark = category in {"Mn", "Me"} or bool(unicodedata.combining(char))
    is_blank = char in _BLANKS or bool(_VARIATION.match(char))
    return is_mark, is_blank or category in _HIDDEN_CATEGORIES or category == "Zs"


def _shown_run(run: list[str]) -> str:
    if not run:
        return ""
    one = f"\\u{{{ord(run[0]):x}}}"
    counted = f"{one[:-1]} x{len(run)}}}"
    spelled = one * len(run)
    return counted if len(counted) < len(spelled) else spelled


def clip(text: Inert, most: int) -> Inert:
    """At most ``most`` code points; a cut ends in an ellipsis and never halves an escape."""
    if len(text) <= most:
        return text
    return Inert(head(text, most - 1) + _ELLIPSIS)


def head(text: Inert, most: int) -> Inert:
    """The first ``most`` code points or a few less: no escape is cut in two."""
    if len(text) <= most:
        return text
    cut = max(0, most)
    for found in _ESCAPE.finditer(text, max(0, cut - 20), cut + 20):
        if found.start() < cut < found.end():
            cut = found.start()
    return Inert(text[:cut])


def words(text: str, most: int) -> Inert:
    """One inert line of at most ``most`` code points; what is empty reads as a dash."""
    return clip(inert(text), most) or Inert("-")


def pages(text: Inert, size: int) -> list[Inert]:
    """The whole text in pieces of at most ``size`` code points, cut at line ends where possible."""
    found: list[Inert] = []
    rest = text
    while len(rest) > size:
        piece = head(rest, size)
        newline = piece.rfind("\n", size // 2)
        if newline > 0:
            piece = Inert(piece[: newline + 1])
        found.append(piece)
        rest = Inert(rest[len(piece) :])
    if rest or not found:
        found.append(rest)
    return found


def is_blank(text: str) -> bool:
    """Whether a reader would see nothing at all."""
    return not any(unicodedata.category(char)[0] in "LNPS" and char not in _BLANKS for char in text)


def mixed_alphabets(text: str) -> tuple[Inert, ...]:
    r"""Words that mix alphabets, each with its foreign letters as ``\u{hex}``; at most three."""
    found: dict[str, Inert] = {}
    for match in _WORD.finditer(text):
        word = match.group()
        scripts = {script for char in word if (script := _script(char))}
        if len(scripts) > 1 and not scripts <= _COMPATIBLE and word not in found:
            spelled = "".join(
                char if _script(char) in ("", "LATIN") else f"\\u{{{ord(char):x}}}" for char in word
            )
            found[word] = clip(Inert(spelled), 120)
            if len(found) == 3:  # noqa: PLR2004  # more than three tell nobody more
                break
    return tuple(found.values())


def _script(char: str) -> str:
    """The alphabet of a letter, by the first word of its Unicode name; empty for the rest."""
    if not char.isalpha():
        return ""
    name = unicodedata.name(char, "")
    first = name.split(" ", 1)[0]
    if first in {"FULLWIDTH", "MATHEMATICAL", "MODIFIER", "DOUBLE-STRUCK", "SCRIPT"}:
        return "STYLED"
    return first


_BACKWARDS = frozenset({"R", "AL", "AN"})
_SPACED = re.compile(r"\S+")


def in_order(text: Inert) -> Inert:
    r"""``text`` with every right-to-left letter as ``\u{hex}``, where the order has a meaning.

    Such a letter draws the numbers and signs behind it to its other side.
    """
    if text.isascii():
        return text
    return Inert("".join(f"\\u{{{ord(char):x}}}" if _runs_back(char) else char for char in text))


def right_to_left(text: str) -> tuple[Inert, ...]:
    """Words with right-to-left letters, those letters spelled out; at most three."""
    if text.isascii():
        return ()
    found = (match.group() for match in _SPACED.finditer(text))
    words_of = dict.fromkeys(word for word in found if any(map(_runs_back, word)))
    return tuple(clip(in_order(inert(word)), 120) for word in list(words_of)[:3])


def _runs_back(char: str) -> bool:
    return unicodedata.bidirectional(char) in _BACKWARDS


_LOOKS = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        "*": "\u2217",
        "_": "\uff3f",
        "~": "\u223c",
        "`": "\u02cb",
        ":": "\u2236",
        "@": "\uff20",
        "#": "\uff03",
        ".": "\u2024",
        "|": "\u2223",
    }
)


def fallback(text: Inert, most: int) -> str:
    """``text`` for a message's top-level ``text``, which Slack parses as mrkdwn.

    Mrkdwn has no escape for its marks, so each is replaced by a character that looks the same.
    """
    return clip(text, most).translate(_LOOKS)


def unescape(text: str) -> str:
    """What a person typed, from Slack's three escapes in command text."""
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
