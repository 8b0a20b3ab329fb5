"""The clock: ticks that only build commands.

Lives here: APScheduler's ticks for expiry, lost runs, stale clearances and checkpoints.
Must not live here: what any of them means (the lifecycle decides, on state read inside the
transaction). Law: a sweep may run anywhere and at any time, twice or never, and nothing is wrong;
a clock that is ahead of the monotonic one stops the sweeps, one that goes back stops nothing.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime, timedelta

from apscheduler.schedulers.asyncio import AsyncIOScheduler

from governance.errors import Code, PlacetError
from governance.outbox import Outbox, Owed, OwedKind
from governance.ports import Clock, DueWork, Reader
from governance.service import Service
from governance.sparing import Sparing
from governance.tickets import commands as cmd
from governance.tickets.ticket import TicketId

_log = logging.getLogger(__name__)

SWEEP_S = 1.0
BATCH = 256
_ROUNDS = 64
"""Batches of one sweep; what is left waits for the next."""
RECLEAR_AFTER_S = 120
"""An approved action that did not start is confirmed anew after this long."""
MAX_JUMP_S = 300
LOOK_S = 1.0
"""The clock is compared with the monotonic one this often."""
STEP_S = 2.0
"""A difference that no adjustment by a time service makes between two looks."""


class WallClock:
    """The machine's clock, in UTC."""

    def now(self) -> datetime:
        """This instant."""
        return datetime.now(UTC)


class JumpGuard:
    """Notices a wall clock that ran ahead of the monotonic one since the process began.

    In one jump or in many small ones; a clock that went back and returned is not ahead.
    """

    def __init__(self, clock: Clock, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._monotonic = monotonic
        self._offset = _offset_s(clock, monotonic)
        self.has_jumped = False

    def check(self) -> bool:
        """Whether time may be trusted: not while it is over 5 minutes ahead."""
        ahead = _offset_s(self._clock, self._monotonic) - self._offset
        was_ahead, self.has_jumped = self.has_jumped, ahead > MAX_JUMP_S
        if self.has_jumped and not was_ahead:
            _log.critical(
                "the clock jumped %d s ahead: sweeps stop until it is back, or a restart",
                int(ahead),
            )
        elif was_ahead and not self.has_jumped:
            _log.warning("the clock is back: sweeps go on")
        return not self.has_jumped


def _offset_s(clock: Clock, monotonic: Callable[[], float]) -> float:
    return clock.now().timestamp() - monotonic()


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
        self._sparing = Sparing(time.monotonic)

    async def sweep(self) -> int:
        """Expire, mark, declare lost, confirm anew, tell of floods; how many commands ran."""
        ran = 0
        for number in range(_ROUNDS):
            if not self._guard.check():
                break
            now = self._clock.now()
            due = await self._reader.due(now, clearance_age_s=RECLEAR_AFTER_S, limit=BATCH)
            done = await self._handled(due)
            ran += len(done)
            if due.floods:
                await self._service.close_floods(due.floods)
            if not number:  # they stay due until they are confirmed: once is enough
                owed = [Owed(kind=OwedKind.CLEAR, key=item) for item in due.uncleared]
                await asyncio.gather(*(self._outbox.owe(message, at=now) for message in owed))
            is_more = BATCH in (len(due.expiring), len(due.overdue), len(due.lost))
            if not is_more or not any(done):
                break
        return ran

    async def _handled(self, due: DueWork) -> list[bool]:
        """Whether each command was carried out; together, so that they share transactions."""
        commands: list[cmd.Command] = [cmd.ExpireTicket(ticket_id=item) for item in due.expiring]
        over = frozenset(due.expiring)
        commands += [cmd.MarkOverdue(ticket_id=item) for item in due.overdue if item not in over]
        commands += [cmd.DeclareLost(ticket_id=item) for item in due.lost]
        found = await self._service.handle_all(commands)
        self._tell(commands, found)
        return [not isinstance(one, PlacetError) for one in found]

    def _tell(self, commands: Sequence[cmd.Command], found: Sequence[object]) -> None:
        """Of what was not done: how many, and one to begin with."""
        failed: dict[Code, list[TicketId]] = {}
        for command, one in zip(commands, found, strict=True):
            if isinstance(one, PlacetError):
                failed.setdefault(one.code, []).append(command.ticket_id)
        for code, tickets in failed.items():
            if self._sparing.may_say(code):
                _log.warning(
                    "sweep: %d were not done, such as that of %s: %s",
                    len(tickets),
                    tickets[0],
                    code,
                )


class Ticker:
    """APScheduler in memory, as a ticker only.

    Its next turn is a time of the wall clock. When that is set back, a turn would come as much
    later; so the clock is looked at, and after a step every job has its turn at once.
    """

    def __init__(
        self,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        *,
        look_s: float = LOOK_S,
    ) -> None:
        # That a turn is skipped while the one before it lasts is as it should be, and no warning.
        logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
        self._scheduler = AsyncIOScheduler(timezone=UTC)
        self._clock = clock or WallClock()
        self._monotonic = monotonic
        self._look_s = look_s
        self._offset = _offset_s(self._clock, monotonic)
        self._sparing = Sparing(time.monotonic)
        self._next_look: asyncio.TimerHandle | None = None

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
                if self._sparing.may_say(f"{name} {error.code}"):
                    _log.warning("%s: %s (%s)", name, error.message, error.code)
            except asyncio.CancelledError:
                return  # it ticks no more; raised, the scheduler would log it as an error

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
        self._look()

    def stop(self) -> None:
        """Tick no more."""
        if self._next_look is not None:
            self._next_look.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def _look(self) -> None:
        before, self._offset = self._offset, _offset_s(self._clock, self._monotonic)
        if abs(self._offset - before) > STEP_S:
            _log.warning("the clock was set by %d s", round(self._offset - before))
            for job in self._scheduler.get_jobs():
                job.modify(next_run_time=datetime.now(UTC))
        loop = asyncio.get_running_loop()
        self._next_look = loop.call_later(self._look_s, self._look)
