"""Keeps open home tabs up to date, a little later than the log and never faster than Slack lets.

Lives here: following the log, gathering what it changes, publishing at Slack's pace. Must not live
here: what a tab shows (``home.view``), whose it is (``home``). Law: changes that come together are
one publication; only tabs that a change may concern are made again, and only those that then show
something else are published; what cannot be said now is said later, as it is then.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field

from bot.slack.home.home import Home
from bot.slack.sending.client import CallFailedError, RateLimitedError
from governance.errors import PlacetError
from governance.ports import Logged
from governance.principal import PersonId
from governance.tickets.ticket import Ticket, TicketId

_log = logging.getLogger("placet.slack")
GATHER_S = 2.0
"""So long changes are gathered before any tab is made again."""
WAIT_S = 5.0
_REST = 3
"""After a round that took long (a long queue is read for it) others have the longer turn."""
_AT_ONCE = 250
_EVERYBODY = frozenset(
    {
        "AgentFrozen",
        "AgentUnfrozen",
        "BundleActivated",
        "DelegationGranted",
        "DelegationRevoked",
    }
)
"""Events without a ticket that may change anybody's tab."""


@dataclass(slots=True, kw_only=True)
class HomeKeeper:
    """One process's keeper; ``start`` it once, ``stop`` it at the end."""

    home: Home
    gather_s: float = GATHER_S
    _seen: int = -1
    _task: "asyncio.Task[None] | None" = None
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def due(self) -> dict[PersonId, None]:
        """People whose tab is to be looked at, the first to be concerned first."""
        return self.home.late

    def start(self) -> None:
        """Begin to follow the log."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    async def stop(self) -> None:
        """Follow it no longer; a tab that is out of date is made anew when it is opened."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
            self._task = None

    async def _run(self) -> None:
        while True:
            try:
                await self._once()
            except PlacetError as error:
                _log.warning("home tabs wait: %s", error.code.value)
                await asyncio.sleep(self.gather_s)
            except Exception as error:  # noqa: BLE001  # the top of a loop that must go on
                _log.exception("home tabs fail: %s", type(error).__name__)
                self.due.clear()
                await asyncio.sleep(self.gather_s)

    async def _once(self) -> None:
        reader = self.home.desk.reader
        if self._seen < 0:
            self._seen = (await reader.head())[0]
        if not self.due:
            await reader.changed(self._seen, WAIT_S)
            await asyncio.sleep(self.gather_s)
        now = asyncio.get_running_loop().time
        started = now()
        pause_s = await self.refresh()
        await asyncio.sleep(max(pause_s, _REST * (now() - started)))

    async def refresh(self) -> float:
        """Publish what has changed; seconds to wait where Slack wants a pause.

        Raises:
            PlacetError: what is committed cannot be read now.
        """
        async with self._lock:
            await self._look()
            if not self.due:
                return 0.0
            seen = await self.home.scan()
            for person_id in list(self.due):
                try:
                    await self.home.publish(person_id, seen)
                except RateLimitedError as error:
                    return error.retry_after_s
                except (CallFailedError, PlacetError) as error:
                    _log.warning("a home tab was not published: %s", type(error).__name__)
                self.due.pop(person_id, None)
            return 0.0

    async def _look(self) -> None:
        """Whose tab the new records concern."""
        reader = self.home.desk.reader
        self._seen = max(self._seen, 0)
        tickets: dict[TicketId, None] = {}
        while records := await reader.records(self._seen, _AT_ONCE):
            self._seen = records[-1].seq
            if not self.home.readers:
                continue
            if any(record.type in _EVERYBODY for record in records):
                self.due.update(dict.fromkeys(self.home.readers))
            tickets |= dict.fromkeys(_tickets(records))
        found = [await reader.ticket(ticket_id) for ticket_id in tickets]
        changed: list[Ticket] = [ticket for ticket in found if ticket is not None]
        self.due.update(dict.fromkeys(sorted(self.home.concerned(changed))))


def _tickets(records: Sequence[Logged]) -> list[TicketId]:
    return [TicketId(one.header.ticket_id) for one in records if one.header.ticket_id]
