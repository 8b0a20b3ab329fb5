"""What a check found.

Lives here: findings and their levels. Must not live here: any check. Law: a finding says in plain
words what is so, what follows from it and what to do.
"""

from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How bad it is; ``rank`` orders them."""

    NOTE = "note"
    WARNING = "warning"
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was found; ``place`` is ``file:line:column``, a path or a setting."""

    area: str
    level: Level
    text: str
    place: str = ""

    def to_json(self) -> dict[str, object]:
        """As ``placet check --json`` prints it."""
        return {
            "area": self.area,
            "level": self.level.value,
            "text": self.text,
            "place": self.place,
        }


def problem_or_warning(*, is_problem: bool) -> Level:
    """A problem where ``is_problem``, a warning elsewhere."""
    return Level.PROBLEM if is_problem else Level.WARNING
