"""Keeping this process on the active bundle.

Lives here: noticing an activation, loading what was activated, and what follows.
Must not live here: how a bundle is loaded (``policy``) or a ticket judged (``bot.reassess``).
Law: a process decides by one bundle as a whole; while that is not the active one it is not ready,
and it becomes so without a restart. What cannot be loaded changes nothing here and is tried again.
"""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable

from bot.compose import policy
from bot.settings import Settings
from governance.control import Control
from governance.errors import PlacetError
from governance.policy.model import Bundle
from governance.ports import Reader

_log = logging.getLogger(__name__)

POLL_S = 0.25
_PAUSE_S = 0.05
_RETRY_S = 1.0
_LONGEST_WAIT_S = 30.0

Adopt = Callable[[Bundle], Awaitable[None]]
"""Makes a bundle the one that decides here, with all that hangs on it; or raises, and nothing is
changed."""


async def nothing() -> bool:
    """There is nothing to do after an activation."""
    return True


class PolicyFollower:
    """One process's eye on the active bundle."""

    def __init__(
        self,
        *,
        settings: Settings,
        reader: Reader,
        current: Callable[[], Bundle],
        adopt: Adopt,
        hold: Callable[[], Awaitable[bool]] = nothing,
        disk: str = "",
    ) -> None:
        """``hold`` holds open tickets to the bundle; False: some are left, do it again."""
        self._settings = settings
        self._reader = reader
        self._current = current
        self._adopt = adopt
        self._hold = hold
        self._held = ""
        self._failed, self._failures, self._not_before = "", 0, 0.0
        self._task: asyncio.Task[None] | None = None
        self.problem = ""
        """Why the active bundle is not in use here, by code; empty while it is."""
        self.disk = disk
        """What is unusual about the folder on disk."""

    def start(self) -> None:
        """Begin to follow in the background."""
        self._task = asyncio.create_task(self._run(), name="policy")

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        seen = 0
        while True:
            if await self.turn():
                await asyncio.sleep(_PAUSE_S)
                with contextlib.suppress(PlacetError):
                    seen = await self._reader.changed(seen, POLL_S)
            else:
                await asyncio.sleep(_RETRY_S)

    async def turn(self) -> bool:
        """Be on the active bundle, and have it hold the open tickets; False: not yet."""
        control: Control | None = None
        try:
            control = await self._reader.control()
            if control.snapshot and control.snapshot != self._current().snapshot:
                if control.snapshot == self._failed and self._now() < self._not_before:
                    return False
                bundle = await policy.from_ledger(self._settings, self._reader, control)
                await self._adopt(bundle)
                _log.info("bundle %s decides now: %s", bundle.name, bundle.snapshot)
                self.disk = await policy.on_disk(self._settings, bundle.snapshot)
            self.problem, self._failed, self._failures = "", "", 0
            snapshot = self._current().snapshot
            if control.snapshot == snapshot != self._held and await self._hold():
                self._held = snapshot
        except PlacetError as error:
            if self.problem != error.code:
                _log.error(
                    "the active bundle is not in use here: %s (%s)", error.message, error.code
                )
            self.problem = error.code
            self._put_off(control.snapshot if control else "")
            return False
        return self._held == self._current().snapshot or not control.snapshot

    def _put_off(self, snapshot: str) -> None:
        """Load what cannot be loaded less and less often; another activation is tried at once."""
        self._failures = self._failures + 1 if snapshot == self._failed else 0
        self._failed = snapshot
        self._not_before = self._now() + min(
            2.0 ** min(self._failures, 8) * _RETRY_S, _LONGEST_WAIT_S
        )

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()
