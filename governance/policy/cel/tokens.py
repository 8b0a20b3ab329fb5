"""The words and signs of a ``when``, read from its text and written anew.

Lives here: tokens, their places, and literals. Must not live here: what they may say
(``text``).
Law: a text is read whole or refused; what is handed on has one spelling for each token.
Source: the Common Expression Language definition, section Syntax. Bytes, unsigned and hexadecimal
numbers and triple quotes are refused.
"""

import re
from dataclasses import dataclass

MAX_CHARS = 1_000
_TOKEN = re.compile(
    r"""(?P<blank>[\ \t\r\n\f]+|//[^\n]*)
    |(?P<string>[rR]"[^"\r\n]*"|[rR]'[^'\r\n]*'|"(?:[^"\\\r\n]|\\.)*+"|'(?:[^'\\\r\n]|\\.)*+')
    |(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>&&|\|\||[=!<>]=|[<>!+\-*/%?:.,()\[\]{}])""",
    re.VERBOSE,
)
_PLAIN = range(0x20, 0x7F)


@dataclass(frozen=True, slots=True)
class Token:
    """One word or sign, and where it stands in the text."""

    kind: str
    text: str
    start: int

    @property
    def is_plain(self) -> bool:
        """A string without prefix and escapes: its text is what stands between the quotes."""
        return self.text[:1] in ('"', "'") and "\\" not in self.text


def tokens(text: str) -> tuple[Token, ...]:
    """The words and signs of ``text`` without comments.

    Raises:
        ValueError: too long, or something that is none of the language's words here.
    """
    if len(text) > MAX_CHARS:
        raise ValueError(f"an expression of {len(text)} characters, at most {MAX_CHARS} are read")
    found: list[Token] = []
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"{text[place]!r} is not understood{place_of(text, place)}")
        token = Token(str(match.lastgroup), match.group(), place)
        if token.kind != "blank":
            _check_neighbour(text, token, found)
            found.append(token)
        place = match.end()
    if not found:
        raise ValueError("an empty expression")
    return tuple(found)


def _check_neighbour(text: str, token: Token, before: list[Token]) -> None:
    """Two words must not touch: ``b"x"``, ``1u`` and triple quotes are other kinds of literal."""
    last = before[-1] if before else None
    if last is None or last.start + len(last.text) != token.start:
        return
    if "sign" not in (last.kind, token.kind):
        words = f"{last.text}{token.text}"[:20]
        raise ValueError(
            f"{words!r} is not understood{place_of(text, last.start)}: bytes, triple quotes, "
            "unsigned and hexadecimal numbers are not read"
        )


def place_of(text: str, place: int) -> str:
    """Line and column of ``place``, as a refusal ends."""
    line = text.count("\n", 0, place)
    return f" (line {line + 1}, column {place - text.rfind(chr(10), 0, place)})"


def quoted(value: str) -> str:
    """``value`` as a literal in the one form that is ever handed on."""
    return f'"{"".join(map(_escaped, value))}"'


def _escaped(char: str) -> str:
    if char in ('"', "\\"):
        return "\\" + char
    return char if ord(char) in _PLAIN else f"\\U{ord(char):08x}"
