"""When a ticket that waits asks for a reminder, or for a step of its tier's escalation.

Lives here: the moments, from the bundle's words and a ticket's life. Must not live here: whether
one was taken already (``tickets._nudging``), zones and calendars (``bot.reminding``), messages.
Law: nobody is reminded in the first quarter of a ticket's life, and of several moments that have
passed only the last counts; a step tells people and gives nobody a vote.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from governance.principal import PersonId

DAY_MINUTES = 1_440
_PASSED_OVER = 4
"""No reminder in the first so-manieth part of a life."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """Who is told when nobody decided for ``after_s``; ``channel`` may be empty."""

    after_s: int
    channel: str = ""
    roles: tuple[str, ...] = ()
    people: tuple[PersonId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """One tier's reminders, the earliest first, and its steps in turn."""

    before_s: tuple[int, ...] = (7_200, 900)
    most_a_day: int = 3
    is_urgent: bool = False
    steps: tuple[Step, ...] = ()

    def reminder(self, opened_at: datetime, expires_at: datetime, now: datetime) -> int:
        """The number of the last reminder whose moment has come; 0: none has."""
        found = 0
        for number, moment in enumerate(self._moments(opened_at, expires_at), start=1):
            if moment is not None and moment <= now:
                found = number
        return found

    def step(self, opened_at: datetime, now: datetime) -> int:
        """How many of the steps have come."""
        return sum(opened_at + timedelta(seconds=step.after_s) <= now for step in self.steps)

    def following(self, opened_at: datetime, expires_at: datetime, now: datetime) -> datetime:
        """When it is to be looked at next: the next moment, at the latest when it expires."""
        moments = [at for at in self._moments(opened_at, expires_at) if at is not None]
        moments += [opened_at + timedelta(seconds=step.after_s) for step in self.steps]
        return min((at for at in moments if at > now), default=expires_at)

    def _moments(self, opened_at: datetime, expires_at: datetime) -> list[datetime | None]:
        first = opened_at + (expires_at - opened_at) / _PASSED_OVER
        moments = [expires_at - timedelta(seconds=before) for before in self.before_s]
        return [moment if moment >= first else None for moment in moments]


@dataclass(frozen=True, slots=True, kw_only=True)
class QuietHours:
    """From ``start`` up to ``end``, in minutes of the day; over midnight where it ends earlier."""

    start: int
    end: int

    def minutes_left(self, minute: int) -> int:
        """How long it is still quiet at ``minute`` of somebody's day; 0: it is not."""
        length = (self.end - self.start) % DAY_MINUTES
        into = (minute - self.start) % DAY_MINUTES
        return length - into if into < length else 0


_STANDARD = Timing()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminders:
    """What a bundle says of all this."""

    quiet: QuietHours | None = None
    tiers: Mapping[str, Timing] = field(default_factory=lambda: MappingProxyType({}))
    """Levels of severity and tiers that stand in for others are among them where they differ."""

    def of(self, tier: str) -> Timing:
        """The timing of a tier; of one that says nothing, the standard one."""
        return self.tiers.get(tier, _STANDARD)
