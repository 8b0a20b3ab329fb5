"""How many problems are kept of a log that may have any number of them.

Lives here: that choice. Must not live here: finding (``verifier``). Law: all are counted; what is
kept is bounded, whoever made the log, and has the first of each kind that was found.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from storage.verify.chain import Problem

MOST = 1_000
"""The first of each kind is kept even after so many."""


class Found(NamedTuple):
    """The problems that were kept, in the order in which they were found; how many of each kind."""

    problems: tuple[Problem, ...]
    kinds: Mapping[str, int]


def kept(problems: Iterator[Problem]) -> Found:
    """Everything that ``problems`` yields, counted, and as many as fit."""
    first: list[Problem] = []
    kinds: Counter[str] = Counter()
    for problem in problems:
        kinds[problem.what] += 1
        if len(first) < MOST or kinds[problem.what] == 1:
            first.append(problem)
    return Found(tuple(first), dict(kinds))
