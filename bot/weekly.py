"""Once a week: the figures of the week before.

Lives here: when a digest is due and that it was sent. Must not live here: what is in it.
Law: of several processes one sends; a week that was sent is not sent again, after a restart
neither; what failed is tried at the next turn, until the week is over.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Protocol

from governance.ports import Clock

_log = logging.getLogger(__name__)

EVERY_S = 900.0
NAME = "weekly-digest"
HOUR = 8
"""Of Monday, in UTC."""

Send = Callable[[datetime, datetime], Awaitable[None]]
"""Sends the figures from one instant to another."""


class Marks(Protocol):
    """Numbers that only grow, by name, and outlive the process."""

    async def cursor(self, name: str) -> int:
        """How far it is; 0 at first."""
        ...

    async def advance(self, name: str, seq: int) -> None:
        """Note that it is as far as ``seq``."""
        ...


@dataclass(slots=True, kw_only=True)
class Weekly:
    """The digest of one workspace."""

    clock: Clock
    marks: Marks
    leads: Callable[[], Awaitable[bool]]
    send: Send
    failures: type[Exception] | tuple[type[Exception], ...]
    """What ``send`` raises when it did not succeed."""
    _sent: int = 0
    """The newest week that this process has sent."""

    async def turn(self) -> bool:
        """Send what is due; whether something was.

        Raises:
            Unavailable: the log cannot be read, or what was sent cannot be noted now.
        """
        monday = last_monday(self.clock.now())
        week = monday.toordinal() // 7
        if not await self.leads() or await self.marks.cursor(NAME) >= week:
            return False
        if self._sent >= week:  # it is out, and only that could not be noted
            await self.marks.advance(NAME, week)
            return False
        try:
            await self.send(monday - timedelta(days=7), monday)
        except self.failures as error:
            _log.warning("the weekly digest was not sent: %s", error)
            return False
        self._sent = week
        await self.marks.advance(NAME, week)
        return True


def last_monday(now: datetime) -> datetime:
    """The beginning of the newest Monday whose hour of the digest has come."""
    shifted = now.astimezone(UTC) - timedelta(hours=HOUR)
    day = shifted.date() - timedelta(days=shifted.weekday())
    return datetime.combine(day, time(), tzinfo=UTC)
