"""Drains the outbox: after a commit at once, after a crash by polling.

Lives here: claiming messages owed and having them worked off. Must not live here: how a card is
drawn or a directory asked. Law: an effect is tried until it is done or buried where people see it,
at most one worker has it at a time, and no verdict depends on it.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from governance.errors import PlacetError, Refused
from governance.outbox import LONGEST_WAIT_S, Claimed, Outbox, Owed, OwedKind
from governance.ports import Clock, Reader, TicketQuery
from governance.tickets.lifecycle import LIVE

_log = logging.getLogger(__name__)

POLL_S = 0.25
LEASE_S = 15
"""A worker that dies gives its messages up after this long; a run that takes longer is safe, as its
ticket says that it has started."""
BATCH = 16
MAX_ATTEMPTS = 12
_LONGEST_PAUSE_S = 300


class RetryLater(Exception):
    """The effect could not be done now; ``after_s`` where the other side said when."""

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Undeliverable(Exception):
    """The effect cannot be done until a person mends something."""


Worker = Callable[[str], Awaitable[None]]
"""Works off the message of one key (a ticket id, or a tenant); raises the two errors above."""


class Delivery:
    """One process's share of the outbox."""

    def __init__(
        self, *, outbox: Outbox, reader: Reader, clock: Clock, workers: Mapping[OwedKind, Worker]
    ) -> None:
        self._outbox = outbox
        self._reader = reader
        self._clock = clock
        self._workers = dict(workers)
        self._task: asyncio.Task[None] | None = None
        self._active = 0

    def start(self) -> None:
        """Begin draining in the background."""
        self._task = asyncio.create_task(self._run(), name="delivery")

    async def stop(self) -> None:
        """Drain no more; what is claimed becomes due again when its claim runs out."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being worked off right now."""
        return self._active == 0

    async def _run(self) -> None:
        seen = 0
        while True:
            try:
                if not await self.drain():
                    seen = await self._reader.changed(seen, POLL_S)
            except PlacetError as error:
                _log.warning("the outbox cannot be read: %s", error.code)
                await asyncio.sleep(1)

    async def drain(self) -> int:
        """Work off one batch of what is due; how many messages there were."""
        self._active += 1
        try:
            claimed = await self._outbox.claim(
                tuple(self._workers), at=self._clock.now(), lease_s=LEASE_S, limit=BATCH
            )
            await asyncio.gather(*(self._work(item) for item in claimed))
            return len(claimed)
        finally:
            self._active -= 1

    async def _work(self, item: Claimed) -> None:
        try:
            await self._workers[item.owed.kind](item.owed.key)
        except Undeliverable as error:
            await self._outbox.bury(item, error=str(error))
            _log.error("%s of %s cannot be delivered: %s", item.owed.kind, item.owed.key, error)
        except RetryLater as error:
            await self._again(item, str(error), error.after_s)
        except Refused:
            # The ticket has moved on, and what it now owes is another message.
            await self._outbox.done(item)
        except PlacetError as error:
            await self._again(item, error.code, None)
        except Exception as error:  # noqa: BLE001  # the loop outlives a bug in any one effect
            _log.exception("%s of %s failed", item.owed.kind, item.owed.key)
            await self._again(item, type(error).__name__, None)
        else:
            await self._outbox.done(item)

    async def _again(self, item: Claimed, error: str, after_s: float | None) -> None:
        if item.attempts >= MAX_ATTEMPTS:
            await self._outbox.bury(item, error=error)
            _log.error("%s of %s is given up: %s", item.owed.kind, item.owed.key, error)
            return
        wait_s = min(2**item.attempts * 0.5, _LONGEST_PAUSE_S) if after_s is None else after_s
        at = self._clock.now() + timedelta(seconds=min(wait_s, LONGEST_WAIT_S))
        await self._outbox.retry(item, at=at, error=error)


async def owe_all_cards(reader: Reader, outbox: Outbox, clock: Clock) -> None:
    """Owe the card of every ticket that is still live (a freeze shows on all of them)."""

    query = TicketQuery(states=tuple(LIVE), needed_people=True, limit=1000)
    for ticket in await reader.tickets(query):
        await outbox.owe(Owed(kind=OwedKind.CARD, key=ticket.id), at=clock.now())
