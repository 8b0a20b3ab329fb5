"""The condition ``when``: an expression in the Common Expression Language.

Lives here: compiling one, the values that it sees, and its outcome. Must not live here: which
expressions are safe to run (``text``).
Law: judging never raises and never takes long: a value too big, a number that a double cannot carry
exactly, a failure of any kind and an answer that is not true or false are all ERROR.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from math import isfinite
from typing import Protocol

from governance.canonical import MAX_DEPTH, Json
from governance.policy.cel.text import LOOPS, Checked, check
from governance.policy.cel.tokens import Token, place_of, quoted
from governance.policy.matching import Outcome, Subject

MAX_ITEMS = 256
"""Of one list or mapping: what a loop goes over."""
MAX_VALUES = 1_000
MAX_TEXT = 65_536
"""Characters of all texts and keys together."""
MAX_PATTERN = 200
MAX_PATTERN_COST = 1_000
MAX_PATTERN_COST_IN_LOOP = 300
"""Of all patterns together: inside of a loop each is read anew for every item."""
_SHOWN = 200
_WHOLE = 2**53
_REPEATED = re.compile(r"\{([0-9]+)(?:,([0-9]*))?\}")
_WIDE = re.compile(r"\\[wWdDsSpPbBuUx]|\(\?[a-zA-Z]*i|[^\x00-\x7f]")
_COST_OF_WIDE = 60
_OPEN = re.compile(r"\[\^|\.|\[:")
_COST_OF_OPEN = 5
_AT_THE_END = re.compile(r"mismatched input '<EOF>'")
_MISPLACED = re.compile(r"^(?:mismatched|extraneous) input")
_BEFORE_PLACE = re.compile(r"^.*?ERROR: <input>:", re.DOTALL)
_CLAIMED = frozenset({"labels", "on_behalf_of", "target"})
_WHO = frozenset({"agent", "roles", "tenant"})


_FIRST = (Outcome.MATCHED, Outcome.ERROR, Outcome.NOT_MATCHED)


class _Program(Protocol):
    def execute(self, context: dict[str, object] | None = None) -> object: ...

    def functions(self) -> list[str]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Expression:
    """One compiled ``when``; the same text is the same condition."""

    text: str
    variables: frozenset[str] = field(compare=False)
    arguments: frozenset[str] | None = field(compare=False)
    """The arguments that it names; None: all of them."""
    program: _Program = field(repr=False, compare=False)

    @property
    def reads_claims(self) -> bool:
        """Whether it looks at what nobody but the agent says."""
        return not _CLAIMED.isdisjoint(self.variables)

    @property
    def asks_who(self) -> bool:
        """Whether it looks at who asks, which nobody can ask otherwise."""
        return not _WHO.isdisjoint(self.variables)

    def judge(self, subject: Subject) -> Outcome:
        """What the expression says of ``subject``: of several environments, any may match."""
        names: Iterable[str] = ("",)
        if "environment" in self.variables:
            names = sorted(subject.environments)
        outcomes = {self._judge(subject, name) for name in names}
        return next((said for said in _FIRST if said in outcomes), Outcome.ERROR)

    def _judge(self, subject: Subject, environment: str) -> Outcome:
        try:
            answer = self.program.execute(self._values(subject, environment))
        except Exception:  # noqa: BLE001  # whatever an engine raises, the rule cannot be judged
            return Outcome.ERROR
        except BaseException as panic:
            # A panic of the Rust engine is no Exception; an interrupt of the process goes on.
            if type(panic).__name__ != "PanicException":
                raise
            return Outcome.ERROR
        if answer is True:
            return Outcome.MATCHED
        return Outcome.NOT_MATCHED if answer is False else Outcome.ERROR

    def describe(self) -> str:
        """In words, for a trace."""
        text = " ".join(self.text.split())
        return f"when {text if len(text) <= _SHOWN else text[: _SHOWN - 1] + '…'}"

    def _values(self, subject: Subject, environment: str) -> dict[str, object]:
        budget = _Budget()
        found: dict[str, object] = {}
        for name in self.variables:
            if name == "at":
                found[name] = subject.facts.at
            elif name == "environment":
                found[name] = budget.plain(environment)
            elif name == "args":
                found[name] = budget.plain(self._arguments(subject.arguments))
            else:
                found[name] = budget.plain(_READERS[name](subject))
        return found

    def _arguments(self, given: Mapping[str, Json]) -> Mapping[str, Json]:
        if self.arguments is None:
            return given
        return {name: given[name] for name in self.arguments if name in given}


_READERS: Mapping[str, Callable[[Subject], Json]] = {
    "action": lambda subject: subject.action.value,
    "agent": lambda subject: subject.agent,
    "data_classes": lambda subject: sorted(subject.data_classes),
    "labels": lambda subject: subject.labels,
    "on_behalf_of": lambda subject: subject.on_behalf_of,
    "risk_tags": lambda subject: sorted(subject.risk_tags),
    "roles": lambda subject: sorted(subject.roles),
    "target": lambda subject: subject.target,
    "tenant": lambda subject: subject.tenant,
    "tool": lambda subject: subject.tool,
    "topic": lambda subject: subject.topic,
}


class _Budget:
    """Copies values for the engine and refuses when they are more than it may be given."""

    __slots__ = ("_text", "_values")

    def __init__(self) -> None:
        self._text = MAX_TEXT
        self._values = MAX_VALUES

    def plain(self, value: Json, depth: int = 0) -> object:
        """``value`` with every number as a double.

        Raises:
            ValueError: too many values, too much text, a list too long, or a number that a double
                cannot carry exactly.
        """
        self._values -= 1
        if self._values < 0 or depth > MAX_DEPTH:
            raise ValueError("more values than an expression is given")
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, str):
            return self._string(value)
        if isinstance(value, int | Decimal):
            return double_of(value)
        if isinstance(value, Mapping):
            _check_length(value)
            return {self._string(name): self.plain(item, depth + 1) for name, item in value.items()}
        if isinstance(value, list | tuple):
            _check_length(value)
            return [self.plain(item, depth + 1) for item in value]
        raise TypeError(f"{type(value).__name__} is no JSON value")

    def _string(self, text: str) -> str:
        self._text -= len(text)
        if self._text < 0:
            raise ValueError("more text than an expression is given")
        return text


def _check_length(value: Mapping[str, Json] | Sequence[Json]) -> None:
    if len(value) > MAX_ITEMS:
        raise ValueError(f"{len(value)} items, at most {MAX_ITEMS} are looked at")


def double_of(value: int | Decimal) -> float:
    """The double whose shortest form is ``value``; equal values give equal doubles.

    Raises:
        ArithmeticError, ValueError: there is none.
    """
    found = float(value)
    if isinstance(value, int) and -_WHOLE <= value <= _WHOLE:
        return found
    if not isfinite(found) or Decimal(repr(found)) != value:
        raise ValueError("a number that a double cannot carry exactly")
    return found + 0.0  # no negative zero: it equals zero, so it must not divide otherwise


def compile_expression(text: str) -> Expression:
    """Check and compile ``text``.

    Raises:
        ValueError: in plain words, with line and column where the place is known.
    """
    checked = check(text)
    # Takes half a second and is needed by few bundles.
    from cel import cel

    written = " ".join(_written(token, text, cel.compile) for token in checked.tokens)
    _check_patterns(checked, text, cel.compile)
    return Expression(
        text=text,
        variables=checked.variables,
        arguments=checked.arguments,
        program=_compiled(written, text, cel.compile),
    )


def _written(token: Token, text: str, compiler: Callable[[str], _Program]) -> str:
    return quoted(_literal(token, text, compiler)) if token.kind == "string" else token.text


def _literal(token: Token, text: str, compiler: Callable[[str], _Program]) -> str:
    """What a string literal stands for, by the engine's own word."""
    try:
        value = compiler(token.text).execute({})
    except Exception as error:
        raise ValueError(f"this text is not understood{place_of(text, token.start)}") from error
    assert isinstance(value, str)  # noqa: S101  # the engine reads a string literal as one
    return value


def _check_patterns(checked: Checked, text: str, compiler: Callable[[str], _Program]) -> None:
    left = {False: MAX_PATTERN_COST, True: MAX_PATTERN_COST_IN_LOOP}
    for token, in_loop in checked.patterns:
        pattern = _literal(token, text, compiler)
        place = place_of(text, token.start)
        if len(pattern) > MAX_PATTERN:
            raise ValueError(f"a pattern of more than {MAX_PATTERN} characters{place}")
        cost = pattern_cost(pattern)
        if cost > left[in_loop]:
            raise ValueError(
                f"a pattern that costs {cost}, where {left[in_loop]} is left to all of them{place}"
            )
        left[in_loop] -= cost
        try:
            compiler(f'"".matches({quoted(pattern)})').execute({})
        except Exception as error:
            raise ValueError(f"this is no pattern{place}") from error


def pattern_cost(pattern: str) -> int:
    """A bound for the steps of ``pattern``: repetitions multiply, wide classes weigh more."""
    cost = len(pattern) + _COST_OF_WIDE * len(_WIDE.findall(pattern))
    cost += _COST_OF_OPEN * len(_OPEN.findall(pattern))
    for least, most in _REPEATED.findall(pattern):
        cost *= max(int(least[:6]), int(most[:6] or 0), 1)
    return cost


def _compiled(written: str, text: str, compiler: Callable[[str], _Program]) -> _Program:
    try:
        compiler(text)  # first, so that what is wrong is told at its place
        program = compiler(written)
    except Exception as error:
        raise ValueError(_sentence(str(error))) from error
    # A loop of another form is left standing as a call of nothing.
    for name in LOOPS.intersection(program.functions()):
        raise ValueError(f"{name} takes a name and one question about each item")
    return program


def _sentence(error: str) -> str:
    """The first thing that the engine finds wrong, with its place."""
    place, _, message = _BEFORE_PLACE.sub("", error).partition("\n")[0].partition(": ")
    message = message.removeprefix("Syntax error: ").partition(" expecting ")[0]
    message = _AT_THE_END.sub("it ends too early", message[:_SHOWN])
    message = _MISPLACED.sub("unexpected", message)
    return f"{message} (line {place.replace(':', ', column ')})"
