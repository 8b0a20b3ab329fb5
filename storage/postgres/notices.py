"""Between the processes on one PostgreSQL database: who is woken, and who leads.

Lives here: a connection that listens, and one that holds advisory locks. Must not live here: what
a wake or a lead means; a wake is a hint, and a poll finds what a lost one did not say.
Law: a notice names only a process and a size; nothing here ever fails a commit, and a connection
that breaks is made anew.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import psycopg

from governance.sparing import Sparing

CHANNEL = "placet"
_RETRY_S = 1.0
_TRY = "SELECT pg_try_advisory_lock(hashtextextended(%s, 0))"
_log = logging.getLogger("placet.ledger")


class NotifyWakes:
    """This process's ear; its own notices do not wake it."""

    def __init__(self, link: Mapping[str, Any], token: str) -> None:
        self._link = link
        self._token = token
        self._task: asyncio.Task[None] | None = None
        self._sparing = Sparing(time.monotonic)
        self.is_listening = asyncio.Event()
        """Set while hints come in."""

    def start(self, on_wake: Callable[[], None]) -> None:
        """Listen on the running loop; while that cannot be had, the poll alone must do."""
        self._task = asyncio.create_task(self._run(on_wake), name="notices")

    async def close(self) -> None:
        """Listen no more."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def wake_others(self) -> None:
        """Nothing: the commit itself tells them."""

    async def _run(self, on_wake: Callable[[], None]) -> None:
        while True:
            try:
                await self._listen(on_wake)
            except psycopg.Error as error:
                if self._sparing.may_say("notices"):
                    _log.warning("no notices: polling only", extra={"why": type(error).__name__})
            finally:
                self.is_listening.clear()
            await asyncio.sleep(_RETRY_S)

    async def _listen(self, on_wake: Callable[[], None]) -> None:
        connection = await psycopg.AsyncConnection.connect(**self._link, autocommit=True)
        async with connection:
            await connection.execute(f"LISTEN {CHANNEL}")
            self.is_listening.set()
            on_wake()  # whatever was said before anybody listened
            async for notice in connection.notifies():
                if not notice.payload.startswith(f"{self._token} "):
                    on_wake()


class SessionLeader:
    """This process's candidacy: advisory locks of one session, which end with it."""

    def __init__(self, link: Mapping[str, Any]) -> None:
        self._link = link
        self._session: psycopg.AsyncConnection[tuple[Any, ...]] | None = None
        self._held: set[str] = set()
        self._opening = asyncio.Lock()
        self._sparing = Sparing(time.monotonic)
        self._is_closed = False

    async def leads(self, name: str) -> bool:
        """See ``connection.Leader``; whoever cannot ask does not lead."""
        try:
            session = await self._open()
            if session is None:
                return False
            sql = "SELECT true" if name in self._held else _TRY
            given = [] if name in self._held else [f"placet/{name}"]
            row = await (await session.execute(sql, given)).fetchone()
        except psycopg.Error as error:
            if self._sparing.may_say("leads"):
                _log.warning("no word on who leads", extra={"why": type(error).__name__})
            await self._let_go()
            return False
        is_leading = row == (True,)
        if is_leading:
            self._held.add(name)
        return is_leading

    async def close(self) -> None:
        """Leave it to others; from now on nobody here leads."""
        async with self._opening:
            self._is_closed = True
        await self._let_go()

    async def _let_go(self) -> None:
        session, self._session = self._session, None
        self._held.clear()
        if session is not None:
            # Said, not only implied: the server may notice an end later than another asks.
            try:
                with contextlib.suppress(psycopg.Error):
                    await session.execute("SELECT pg_advisory_unlock_all()")
            finally:
                await session.close()

    async def _open(self) -> psycopg.AsyncConnection[tuple[Any, ...]] | None:
        async with self._opening:
            if self._session is None and not self._is_closed:
                self._session = await psycopg.AsyncConnection.connect(**self._link, autocommit=True)
            return self._session
