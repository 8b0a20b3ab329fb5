"""Drains the outbox: after a commit at once, after a crash by polling.

Lives here: claiming messages owed and having them worked off, lane by lane. Must not live here:
how a card is drawn, how fast we may speak, or how a directory is asked. Law: an effect is tried
until it is done or buried where people see it, at most one worker has it at a time, a lane that
must wait keeps no other waiting, and no verdict depends on any of it.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from governance.errors import PlacetError, Refused
from governance.outbox import LONGEST_WAIT_S, Claimed, Outbox, Owed, OwedKind
from governance.ports import Clock, Reader, TicketQuery
from governance.sparing import Sparing
from governance.tickets.lifecycle import LIVE, MAY_EXPIRE
from governance.tickets.ticket import Ticket

_log = logging.getLogger(__name__)

POLL_S = 0.25
LEASE_S = 15
"""A worker that dies gives its messages up after this long; a run that takes longer is safe, as its
ticket says that it has started."""
BATCH = 16
MAX_ATTEMPTS = 12
_LONGEST_PAUSE_S = 300
_PAGE = 100
_FOLLOW_S = 1.0
"""A lane that another process works is looked at this often."""


class RetryLater(Exception):
    """The effect could not be done now; ``after_s`` where it is known when it can be.

    What says when is never given up: the other side asked for patience, and nothing is broken.
    """

    def __init__(self, message: str, *, after_s: float | None = None) -> None:
        super().__init__(message)
        self.after_s = after_s


class Undeliverable(Exception):
    """The effect cannot be done until a person mends something."""


Worker = Callable[[str], Awaitable[None]]
"""Works off the message of one key (a ticket id, or a tenant); raises the two errors above."""


def _always() -> float:
    return 0.0


async def _everywhere() -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Lane:
    """Messages that share a limit, worked off in the order of their deadlines.

    ``is_placed`` narrows the lane to keys that have a card, or have none. ``wait_s`` is how long
    nothing may be begun; ``at_once`` how many are begun together; ``leads`` whether this process
    works the lane now. ``rest_s``: it is in no hurry: it looks no more often, and not because
    something was committed.
    """

    kinds: tuple[OwedKind, ...]
    is_placed: bool | None = None
    at_once: int = BATCH
    wait_s: Callable[[], float] = _always
    leads: Callable[[], Awaitable[bool]] = _everywhere
    rest_s: float = 0.0


class Delivery:
    """One process's share of the outbox."""

    def __init__(
        self,
        *,
        outbox: Outbox,
        reader: Reader,
        clock: Clock,
        workers: Mapping[OwedKind, Worker],
        lanes: Sequence[Lane] = (),
        poll_s: float = POLL_S,
    ) -> None:
        """``lanes`` share out the kinds of ``workers``; what none of them names has its own.

        What has no worker here is left to processes that have one.
        """
        self._outbox = outbox
        self._reader = reader
        self._clock = clock
        self._workers = dict(workers)
        named = {kind for lane in lanes for kind in lane.kinds}
        rest = tuple(kind for kind in self._workers if kind not in named)
        ours = [
            replace(lane, kinds=tuple(kind for kind in lane.kinds if kind in self._workers))
            for lane in lanes
        ]
        self._lanes = tuple(lane for lane in (*ours, Lane(kinds=rest)) if lane.kinds)
        self._poll_s = poll_s
        self._tasks: list[asyncio.Task[None]] = []
        self._active = 0
        self._sparing = Sparing(time.monotonic)

    def start(self) -> None:
        """Begin draining in the background."""
        self._tasks = [
            asyncio.create_task(self._run(lane), name="delivery") for lane in self._lanes
        ]

    async def stop(self) -> None:
        """Drain no more; what is claimed becomes due again when its claim runs out."""
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._tasks = []

    @property
    def is_idle(self) -> bool:
        """Whether nothing is being worked off right now."""
        return self._active == 0

    async def _run(self, lane: Lane) -> None:
        seen = 0
        while True:
            try:
                if not await lane.leads():
                    await asyncio.sleep(_FOLLOW_S)
                elif (wait_s := lane.wait_s()) > 0:
                    await asyncio.sleep(min(wait_s, self._poll_s))
                elif lane.rest_s:
                    found = await self._drain(lane)
                    await asyncio.sleep(lane.rest_s if found else max(lane.rest_s, self._poll_s))
                elif not await self._drain(lane):
                    seen = await self._reader.changed(seen, self._poll_s)
            except PlacetError as error:
                if self._sparing.may_say(error.code):
                    _log.warning("the outbox cannot be worked: %s", error.code)
                await asyncio.sleep(1)

    async def drain(self) -> int:
        """Work off one batch of what is due in every lane; how many messages there were."""
        done = 0
        for lane in self._lanes:
            if lane.wait_s() <= 0:
                done += await self._drain(lane)
        return done

    async def _drain(self, lane: Lane) -> int:
        self._active += 1
        try:
            claimed = await self._outbox.claim(
                lane.kinds,
                at=self._clock.now(),
                lease_s=LEASE_S,
                limit=lane.at_once,
                is_placed=lane.is_placed,
            )
            await asyncio.gather(*(self._work(item) for item in claimed))
            return len(claimed)
        finally:
            self._active -= 1

    async def expedite(self, owed: Owed, work: Worker) -> bool:
        """Have ``work`` see to one message at once; False: it is not due, or others have it.

        While it does so nobody else does: of two who would show a ticket one waits for the other.
        """
        self._active += 1
        try:
            claimed = await self._outbox.claim(
                (owed.kind,), at=self._clock.now(), lease_s=LEASE_S, limit=1, key=owed.key
            )
            for item in claimed:
                await self._work(item, work)
            return bool(claimed)
        finally:
            self._active -= 1

    async def _work(self, item: Claimed, work: Worker | None = None) -> None:
        worker = work or self._workers[item.owed.kind]
        try:
            await worker(item.owed.key)
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
        if after_s is None and item.attempts >= MAX_ATTEMPTS:
            await self._outbox.bury(item, error=error)
            _log.error("%s of %s is given up: %s", item.owed.kind, item.owed.key, error)
            return
        exponent = min(item.attempts, MAX_ATTEMPTS)  # patience has no end, a power of two has one
        wait_s = min(2**exponent * 0.5, _LONGEST_PAUSE_S) if after_s is None else after_s
        at = self._clock.now() + timedelta(seconds=min(wait_s, LONGEST_WAIT_S))
        await self._outbox.retry(item, at=at, error=error)


async def owe_all_cards(reader: Reader, outbox: Outbox, clock: Clock) -> None:
    """Owe the card of every ticket that is still live (a freeze shows on all of them).

    None may be left out: a card that was drawn during a freeze has no Approve, and gets it back
    only by being drawn anew.
    """

    async def owe(found: Sequence[Ticket]) -> None:
        cards = [Owed(kind=OwedKind.CARD, key=one.id, deadline=one.expires_at) for one in found]
        await asyncio.gather(*(outbox.owe(card, at=clock.now()) for card in cards))

    query = TicketQuery(needed_people=True, limit=_PAGE, states=tuple(MAY_EXPIRE), soonest=True)
    while page := await reader.tickets(query):
        await owe(page)
        query = replace(query, before=page[-1].id)
    started = TicketQuery(needed_people=True, limit=1000, states=tuple(LIVE - MAY_EXPIRE))
    await owe(await reader.tickets(started))
