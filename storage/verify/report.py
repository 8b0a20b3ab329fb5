"""What a verification hands back.

Lives here: counts and problems as values. Must not live here: finding them (``verifier``). Law:
what was not looked at is counted, too.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from storage.verify.chain import Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was verified.

    ``uncovered`` records are newer than the newest good checkpoint, ``unsigned`` ones newer than
    the newest signed head.
    """

    events: int
    tickets: int
    votes: int
    signatures: int
    checkpoints: int
    uncovered: int
    unsigned: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is wrong, and how much was looked at; no problems = the log verifies.

    Of very many ``problems`` some are kept; ``kinds`` counts all of them by what they are.
    """

    problems: tuple[Problem, ...]
    kinds: Mapping[str, int]
    counts: Counts
    size: int
    root: bytes
    head: str
    since: int = 0
    """Records up to here were not looked at: a seal vouches for what they say."""
    seals: int = 0
    detached: int = 0
    """Records up to here are not in the database; their files were read where ``since`` is 0."""
