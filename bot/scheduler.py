"""The clock: ticks that only build commands.

Lives here: APScheduler's ticks for expiry, lost runs, stale clearances and checkpoints.
Must not live here: what any of them means (the lifecycle decides, on state read inside the
transaction). Law: a sweep may run anywhere and at any time, twice or never, and nothing is wrong;
a clock that jumps forward stops the sweeps until it is explained.
"""

import logging
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from governance.errors import PlacetError
from governance.outbox import Outbox, Owed, OwedKind
from governance.ports import Clock, Reader
from governance.service import Service
from governance.tickets import commands as cmd

_log = logging.getLogger(__name__)

SWEEP_S = 1.0
BATCH = 256
RECLEAR_AFTER_S = 120
"""An approved action that did not start is confirmed anew after this long."""
MAX_JUMP_S = 300


class WallClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """This instant."""
        return datetime.now(UTC)


class JumpGuard:
    """Notices a wall clock that ran ahead of the monotonic one."""

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._wall_before = clock.now()
        self._steady_before = monotonic()
        self.has_jumped = False

    def check(self) -> bool:
        """Whether time may be trusted; once it jumped by over 5 minutes, it may not."""
        wall, steady = self._clock.now(), self._monotonic()
        ahead = (wall - self._wall_before).total_seconds() - (steady - self._steady_before)
        self._wall_before, self._steady_before = wall, steady
        if ahead > MAX_JUMP_S:
            self.has_jumped = True
            _log.critical("the clock jumped %d s ahead: sweeps stop until a restart", int(ahead))
        return not self.has_jumped


class Sweeper:
    """One pass over what is due."""

    def __init__(
        self, *, service: Service, reader: Reader, outbox: Outbox, clock: Clock, guard: JumpGuard
    ) -> None:
        self._service = service
        self._reader = reader
        self._outbox = outbox
        self._clock = clock
        self._guard = guard

    async def sweep(self) -> int:
        """Expire, mark, declare lost, confirm anew, tell of floods; how many commands ran."""
        if not self._guard.check():
            return 0
        now = self._clock.now()
        due = await self._reader.due(now, clearance_age_s=RECLEAR_AFTER_S, limit=BATCH)
        commands: list[cmd.Command] = [cmd.ExpireTicket(ticket_id=item) for item in due.expiring]
        commands += [cmd.MarkOverdue(ticket_id=item) for item in due.overdue]
        commands += [cmd.DeclareLost(ticket_id=item) for item in due.lost]
        for command in commands:
            try:
                await self._service.handle(command)
            except PlacetError as error:
                _log.warning("sweep of %s: %s", command.ticket_id, error.code)
        if due.floods:
            await self._service.close_floods(due.floods)
        for item in due.uncleared:
            await self._outbox.owe(Owed(kind=OwedKind.CLEAR, key=item), at=now)
        return len(commands)


class Ticker:
    """APScheduler in memory, as a ticker only."""

    def __init__(self) -> None:
        self._scheduler = AsyncIOScheduler(timezone=UTC)

    def every(
        self,
        seconds: float,
        name: str,
        work: Callable[[], Awaitable[object]],
        *,
        at_once: bool = False,
    ) -> None:
        """Run ``work`` every so often, never twice at a time; an error skips one turn."""

        async def turn() -> None:
            try:
                await work()
            except PlacetError as error:
                _log.warning("%s: %s (%s)", name, error.message, error.code)

        first = datetime.now(UTC) + timedelta(seconds=0 if at_once else seconds)
        self._scheduler.add_job(
            turn,
            "interval",
            seconds=seconds,
            id=name,
            max_instances=1,
            coalesce=True,
            misfire_grace_time=None,
            next_run_time=first,
        )

    def start(self) -> None:
        """Begin ticking."""
        self._scheduler.start()

    def stop(self) -> None:
        """Tick no more."""
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
