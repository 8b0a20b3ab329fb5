"""Conditions over labels and the time of day.

Lives here: what a label's value and the moment are compared with. Must not live here: expressions
(``cel``) or the past (``history``).
Law: numbers are compared as exact decimals; a label that is missing, or no number where one is
asked for, cannot be judged; a moment is read as the clocks of a zone show it.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import time, tzinfo
from decimal import Decimal

from governance.canonical import parse
from governance.errors import InvalidInput
from governance.policy.matching import Outcome, Subject

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelThreshold:
    """A label whose number lies within every bound that is set."""

    label: str
    more_than: int | Decimal | None = None
    at_least: int | Decimal | None = None
    less_than: int | Decimal | None = None
    at_most: int | Decimal | None = None

    @property
    def reads_claims(self) -> bool:
        """A label is the agent's word."""
        return True

    def judge(self, subject: Subject) -> Outcome:
        """ERROR where the label is missing or no number."""
        value = number_of(subject.labels.get(self.label))
        if value is None:
            return Outcome.ERROR
        return Outcome.MATCHED if self.lets(value) else Outcome.NOT_MATCHED

    def lets(self, value: int | Decimal) -> bool:
        """Whether ``value`` lies within the bounds."""
        return (
            (self.more_than is None or value > self.more_than)
            and (self.at_least is None or value >= self.at_least)
            and (self.less_than is None or value < self.less_than)
            and (self.at_most is None or value <= self.at_most)
        )

    def describe(self) -> str:
        """In words, for a trace."""
        bounds = {
            "more than": self.more_than,
            "at least": self.at_least,
            "less than": self.less_than,
            "at most": self.at_most,
        }
        words = [f"{name} {bound}" for name, bound in bounds.items() if bound is not None]
        return f"label {self.label} {' and '.join(words)}"


def number_of(text: str | None) -> int | Decimal | None:
    """The number that ``text`` is in JSON's spelling, exactly; None where it is none."""
    if text is None or _NUMBER.fullmatch(text) is None:
        return None
    try:
        value = parse(text)
    except InvalidInput:
        return None
    return value if isinstance(value, int | Decimal) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelAmong:
    """A label whose value is one of those listed, or none of them."""

    label: str
    values: frozenset[str]
    is_listed: bool
    """False: it must be none of ``values``."""

    @property
    def reads_claims(self) -> bool:
        """A label is the agent's word."""
        return True

    def judge(self, subject: Subject) -> Outcome:
        """ERROR where the label is missing."""
        value = subject.labels.get(self.label)
        if value is None:
            return Outcome.ERROR
        is_met = (value in self.values) is self.is_listed
        return Outcome.MATCHED if is_met else Outcome.NOT_MATCHED

    def describe(self) -> str:
        """In words, for a trace."""
        words = "one of" if self.is_listed else "none of"
        return f"label {self.label} {words} {', '.join(sorted(self.values))}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Hours of some days, from ``begin`` up to but without ``end``, on the clocks of one zone.

    With an end that is not after its beginning it runs past midnight, and its days are those on
    which it begins. None as the end is midnight.
    """

    days: frozenset[int]
    """0 is Monday."""
    begin: time
    end: time | None
    zone: tzinfo
    zone_name: str

    def holds(self, subject: Subject) -> bool:
        """Whether the moment lies inside.

        The clocks are read as people read them: an hour that is repeated counts both times, and
        one that is left out never comes.
        """
        local = subject.facts.at.astimezone(self.zone)
        now, day = local.time(), local.weekday()
        if self.end is None or self.begin < self.end:
            is_before_end = self.end is None or now < self.end
            return day in self.days and self.begin <= now and is_before_end
        return (day in self.days and now >= self.begin) or (
            (day - 1) % 7 in self.days and now < self.end
        )

    def describe(self) -> str:
        """In words, for a trace."""
        days = "every day" if len(self.days) == len(DAYS) else ", ".join(_names(self.days))
        end = "24:00" if self.end is None else f"{self.end:%H:%M}"
        return f"{days} {self.begin:%H:%M} to {end} {self.zone_name}"


def _names(days: Iterable[int]) -> list[str]:
    return [DAYS[day] for day in sorted(days)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """A moment that lies in any of some windows."""

    windows: tuple[Window, ...]

    @property
    def reads_claims(self) -> bool:
        """The moment is a fact."""
        return False

    def judge(self, subject: Subject) -> Outcome:
        """Whether any window holds."""
        is_met = any(window.holds(subject) for window in self.windows)
        return Outcome.MATCHED if is_met else Outcome.NOT_MATCHED

    def describe(self) -> str:
        """In words, for a trace."""
        return "time " + " or ".join(window.describe() for window in self.windows)
