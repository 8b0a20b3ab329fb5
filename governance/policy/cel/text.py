"""The text of a ``when``: its words, and what is refused before anything is evaluated.

Lives here: the checks on an expression's tokens, names and costs above all.
Must not live here: values and evaluation (``expression``).
Law: what is run is written anew from the tokens that were checked, so that no comment, string or
odd spelling can hide something from the checks; the cost of an expression is bounded by its text.
Source: the Common Expression Language definition, sections Syntax and Macros.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from governance.policy.cel.tokens import Token, place_of, tokens

MAX_DEPTH = 16
"""Of brackets within brackets, and of choices (``? :``): a parser's stack is not endless."""
MAX_LOOPS = 4
MAX_IN_LOOPS = 64
"""Words and signs inside of all loops together: each may cost its whole value for every item."""
MAX_MATCHES = 4
MAX_MENTIONS = 32
"""Of variables: what is mentioned is copied."""

VARIABLES = frozenset(
    {
        "action",
        "agent",
        "args",
        "at",
        "data_classes",
        "environment",
        "labels",
        "on_behalf_of",
        "risk_tags",
        "roles",
        "target",
        "tenant",
        "tool",
        "topic",
    }
)
LOOPS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map"})
_TYPES = frozenset({"bool", "double", "int", "list", "map", "null_type", "string"})
_WORDS = frozenset({"true", "false", "null", "in"})
_FUNCTIONS = frozenset({"double", "duration", "has", "int", "size", "string", "timestamp", "type"})
_METHODS = frozenset(
    {
        "contains",
        "endsWith",
        "getDate",
        "getDayOfMonth",
        "getDayOfWeek",
        "getDayOfYear",
        "getFullYear",
        "getHours",
        "getMinutes",
        "getMonth",
        "getSeconds",
        "matches",
        "size",
        "startsWith",
    }
)
_CLOSES = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What the checks found in an expression."""

    tokens: tuple[Token, ...]
    variables: frozenset[str]
    arguments: frozenset[str] | None
    """Those arguments that it names; None: it looks at ``args`` as a whole."""
    patterns: tuple[tuple[Token, bool], ...]
    """What stands in ``matches()``, and whether it stands inside a loop."""


@dataclass(frozen=True, slots=True)
class _Open:
    """A bracket that is not closed yet, and the variable of the loop that it opens."""

    closes: str
    item: str = ""


def check(text: str) -> Checked:
    """Whether ``text`` is one of the expressions that are safe to run, whatever the values are.

    Raises:
        ValueError: in plain words, with line and column.
    """
    return _Check(text).run()


class _Check:
    """One walk over the tokens; it knows which loop it is in."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = tokens(text)
        self._open: list[_Open] = []
        self._loops = 0
        self._in_loops = 0
        self._mentions = 0
        self._used: set[str] = set()
        self._arguments: set[str] = set()
        self._is_whole = False
        self._lists: set[int] = set()
        self._patterns: list[tuple[Token, bool]] = []

    def run(self) -> Checked:
        for number, token in enumerate(self._tokens):
            self._in_loops += bool(self._item())
            if token.kind == "number":
                self._number(token)
            elif token.kind == "sign":
                self._sign(number, token)
            elif token.kind == "name":
                self._name(number, token)
        self._bounds()
        return Checked(
            tokens=self._tokens,
            variables=frozenset(self._used),
            arguments=None if self._is_whole else frozenset(self._arguments),
            patterns=tuple(self._patterns),
        )

    def _bounds(self) -> None:
        choices = sum(token.text == "?" for token in self._tokens if token.kind == "sign")
        for what, found, most in (
            ("loops", self._loops, MAX_LOOPS),
            ("words inside of loops", self._in_loops, MAX_IN_LOOPS),
            ("mentions of variables", self._mentions, MAX_MENTIONS),
            ("matches()", len(self._patterns), MAX_MATCHES),
            ("choices (? :)", choices, MAX_DEPTH),
        ):
            if found > most:
                raise ValueError(f"{found} {what}, at most {most} are evaluated")

    def _refusal(self, token: Token, why: str) -> ValueError:
        return ValueError(f"{why}{place_of(self._text, token.start)}")

    def _get(self, number: int) -> Token:
        inside = 0 <= number < len(self._tokens)
        return self._tokens[number] if inside else Token("end", "", len(self._text))

    def _is_sign(self, number: int, text: str) -> bool:
        token = self._get(number)
        return token.kind == "sign" and token.text == text

    def _item(self) -> str:
        """The variable of the loop that the walk is in, or nothing."""
        return next((bracket.item for bracket in self._open if bracket.item), "")

    def _number(self, token: Token) -> None:
        if Decimal(repr(float(token.text))) != Decimal(token.text):
            raise self._refusal(token, f"{token.text} is more exact than a double can carry")

    def _sign(self, number: int, token: Token) -> None:
        before = self._get(number - 1)
        if token.text == "{" and before.kind == "name" and before.text not in _WORDS:
            raise self._refusal(token, "messages are not known here")
        if token.text in _CLOSES:
            if len(self._open) == MAX_DEPTH:
                raise self._refusal(token, f"more than {MAX_DEPTH} brackets within each other")
            self._open.append(_Open(_CLOSES[token.text], self._new_item(number)))
        elif token.text in _CLOSES.values():
            opened = self._open.pop() if self._open else _Open("")
            if opened.closes != token.text:
                raise self._refusal(token, f"{token.text!r} closes nothing")
            if opened.item or token.text != ")":
                self._lists.add(number)
        elif token.text == "." and (
            self._get(number + 1).kind != "name"
            or not (
                self._get(number - 1).kind in ("name", "string")
                or self._get(number - 1).text in _CLOSES.values()
            )
        ):
            raise self._refusal(token, "a dot stands between a value and a name")

    def _new_item(self, number: int) -> str:
        """The variable of the loop whose bracket opens at ``number``."""
        name = self._get(number - 1)
        is_loop = name.kind == "name" and name.text in LOOPS and self._is_sign(number - 2, ".")
        if not is_loop or not self._is_sign(number, "("):
            return ""
        item = self._get(number + 1)
        if item.kind != "name" or not self._is_sign(number + 2, ","):
            raise self._refusal(name, f"{name.text} needs a name and what is asked of each item")
        if item.text in VARIABLES | _TYPES | _WORDS | _FUNCTIONS:
            raise self._refusal(item, f"{item.text!r} already means something: choose another name")
        return item.text

    def _name(self, number: int, token: Token) -> None:
        is_call = self._is_sign(number + 1, "(")
        if self._is_sign(number - 1, "."):
            if is_call:
                self._method(number, token)
        elif is_call:
            if token.text not in _FUNCTIONS:
                raise self._refusal(token, f"there is no function {token.text!r} here")
        elif token.text in VARIABLES:
            self._variable(number, token)
        elif token.text not in _WORDS | _TYPES and token.text != self._item():
            known = ", ".join(sorted(VARIABLES))
            raise self._refusal(token, f"there is no variable {token.text!r}; there are {known}")

    def _variable(self, number: int, token: Token) -> None:
        self._mentions += 1
        self._used.add(token.text)
        if token.text != "args":
            return
        named = self._get(number + 2)
        if self._is_field(number + 1):
            self._arguments.add(named.text)
        elif self._is_sign(number + 1, "[") and self._is_literal_key(number + 1) and named.is_plain:
            self._arguments.add(named.text[1:-1])
        else:
            self._is_whole = True

    def _method(self, number: int, token: Token) -> None:
        if token.text in LOOPS:
            self._loop(number, token)
        elif token.text not in _METHODS:
            raise self._refusal(token, f"there is no function {token.text!r} here")
        elif token.text == "matches":
            self._pattern(number, token)

    def _loop(self, number: int, token: Token) -> None:
        self._loops += 1
        if self._item():
            raise self._refusal(token, f"{token.text} inside of another loop is not evaluated")
        if self._get(number - 2).kind != "name" and number - 2 not in self._lists:
            raise self._refusal(token, f"{token.text} goes over a field, a list or another loop")
        if token.text == "map":
            item = self._get(number + 2)
            is_item = self._get(number + 4).text == item.text
            if not (is_item and self._is_sign(self._chain(number + 5), ")")):
                raise self._refusal(token, "map only picks: map(x, x.name)")

    def _chain(self, number: int) -> int:
        """The place after the fields and literal keys that begin at ``number``."""
        while True:
            if self._is_field(number):
                number += 2
            elif self._is_sign(number, "[") and self._is_literal_key(number):
                number += 3
            else:
                return number

    def _is_field(self, number: int) -> bool:
        is_named = self._is_sign(number, ".") and self._get(number + 1).kind == "name"
        return is_named and not self._is_sign(number + 2, "(")

    def _is_literal_key(self, number: int) -> bool:
        key = self._get(number + 1)
        return key.kind in ("string", "number") and self._is_sign(number + 2, "]")

    def _pattern(self, number: int, token: Token) -> None:
        pattern = self._get(number + 2)
        if pattern.kind != "string" or not self._is_sign(number + 3, ")"):
            raise self._refusal(token, "matches takes a pattern that is written out, in quotes")
        item = self._item()
        if item and not any(
            self._get(start).text == item and self._chain(start + 1) == number - 1
            for start in self._roots(number)
        ):
            raise self._refusal(token, f"inside of a loop, matches looks at {item} alone")
        self._patterns.append((pattern, bool(item)))

    def _roots(self, number: int) -> Iterator[int]:
        """Where what stands before the dot at ``number - 1`` could begin, the nearest first."""
        start = number - 2
        while self._get(start).kind != "sign" or self._get(start).text in (".", "[", "]"):
            if not self._is_sign(start - 1, "."):
                yield start
            start -= 1  # ends at the latest at the bracket of the loop
