"""Follows the log and hands it on, with a cursor that survives.

Lives here: reading records after a cursor and remembering how far they were delivered.
Must not live here: where they go or how they look. Law: nothing is dropped and nothing is skipped:
the cursor moves only after the records were delivered (at least once), and while it cannot be moved
nothing more goes out. Who begins to follow a log whose oldest records are detached is told from
where on it follows.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Sequence

from governance.errors import Code, PlacetError, Refused
from governance.outbox import Outbox
from governance.ports import Logged, Reader
from governance.sparing import Sparing

_log = logging.getLogger(__name__)
_PAGE = 100

Emit = Callable[[Sequence[Logged]], Awaitable[int]]
"""Delivers the first of the records given; answers the last sequence number that is out.

Raising ``Postponed`` means: the same ones again later.
"""


class Postponed(Exception):
    """The records could not be delivered; try again in ``after_s`` seconds."""

    def __init__(self, message: str, *, after_s: float = 5.0) -> None:
        super().__init__(message)
        self.after_s = after_s


class Follower:
    """One sink's reader."""

    def __init__(
        self,
        *,
        name: str,
        reader: Reader,
        outbox: Outbox,
        emit: Emit,
        batch: int = 2000,
        pause_s: float = 1.0,
        leads: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """``leads``: whether this process is the one that delivers; None: it is the only one."""
        self._name = name
        self._reader = reader
        self._outbox = outbox
        self._emit = emit
        self._batch = batch
        self._pause_s = pause_s
        self._leads = leads
        self._delivered = 0
        """How far this process has delivered."""
        self._sparing = Sparing(time.monotonic)
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin following in the background."""
        self._task = asyncio.create_task(self._run(), name=f"sink-{self._name}")

    async def stop(self) -> None:
        """Follow no more; the cursor stays where delivery was certain."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        seen = 0
        while True:
            try:
                moved = await self.step()
                if moved:
                    await asyncio.sleep(self._pause_s)
                else:
                    seen = await self._reader.changed(seen, self._pause_s)
            except Postponed as error:
                _log.warning("sink %s waits: %s", self._name, error)
                await asyncio.sleep(error.after_s)
            except PlacetError as error:
                if self._sparing.may_say(error.code):
                    _log.warning("sink %s waits: %s", self._name, error.code)
                await asyncio.sleep(self._pause_s)

    async def step(self) -> int:
        """Deliver some of what is new; how many records went out."""
        if self._leads is not None and not await self._leads():
            return 0
        after = await self._outbox.cursor(self._name)
        if self._delivered <= after:
            records = await self._read(after)
            if not records:
                return 0
            self._delivered = await self._emit(records)
        # Else it is out already, and only that could not be noted.
        await self._outbox.advance(self._name, self._delivered)
        return self._delivered - after

    async def _read(self, after: int) -> list[Logged]:
        """What is new, page by page: whoever clicks meanwhile waits for no more than one."""
        found: list[Logged] = []
        while len(found) < self._batch:
            most = min(_PAGE, self._batch - len(found))
            page = await self._page(found[-1].seq if found else after, most)
            found += page
            if len(page) < most:
                break
        return found

    async def _page(self, after: int, most: int) -> Sequence[Logged]:
        try:
            return await self._reader.records(after, most)
        except Refused as error:
            if error.code is not Code.DETACHED:
                raise
            await self._begin(after, int(error.details["upto"]))
            return ()

    async def _begin(self, after: int, upto: int) -> None:
        """Follow from the first record that is still in the database, and say so."""
        _log.error(
            "sink %s does not get events %d to %d: they are detached, their files have them",
            self._name,
            after + 1,
            upto,
        )
        await self._outbox.advance(self._name, upto)
