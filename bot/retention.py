"""The daily look at what has been kept for long enough.

Lives here: walking the log behind a cursor and asking for erasure, in small batches. Must not live
here: what may be erased (``governance.retention`` judges inside the transaction). Law: it may stop
anywhere and begin again; what it passes over it passes over only as the holds stand.
"""

import logging
from collections.abc import Sequence
from datetime import timedelta
from hashlib import sha256
from typing import Protocol

from governance.custody import Custody
from governance.kept import Named
from governance.policy.model import Bundle
from governance.ports import Clock, Reader
from governance.retention import Retention

_log = logging.getLogger(__name__)

BATCH = 64
EVERY_S = 86_400
ACTOR = "system:placet"


class Past(Protocol):
    """Contents in the log's order, and cursors over it."""

    async def contents_after(self, after_seq: int, limit: int) -> Sequence[Named]:
        """Contents named by records after a number; the records of a number all at once."""

    async def cursor(self, name: str) -> int:
        """How far a cursor has come; 0 before its first."""

    async def advance(self, name: str, seq: int) -> None:
        """Move a cursor on; never back."""


def retention_of(bundle: Bundle) -> Retention:
    """For how long ``bundle`` has records kept."""
    audit = bundle.audit
    return Retention(days=audit.retention_days, by_class=audit.retention_by_class)


class Eraser:
    """One pass over what is due."""

    def __init__(self, *, custody: Custody, reader: Reader, past: Past, clock: Clock) -> None:
        self._custody = custody
        self._reader = reader
        self._past = past
        self._clock = clock

    async def sweep(self, retention: Retention) -> int:
        """Erase what was kept for long enough; how many contents went."""
        gone = 0
        for days in sorted({retention.days, *retention.by_class.values()}):
            gone += await self._walk(days, retention)
        if gone:
            _log.info("%d contents were kept for long enough and are erased", gone)
        return gone

    async def _walk(self, days: int, retention: Retention) -> int:
        gone = 0
        until = self._clock.now() - timedelta(days=days)
        name = await self._name(days)
        while True:
            after = await self._past.cursor(name)
            found = await self._past.contents_after(after, BATCH)
            due = [item for item in found if item.at <= until]
            if not due:
                return gone
            wanted = {
                item.digest: None
                for item in due
                if not item.is_gone and retention.days_of(item.data_classes) == days
            }
            if wanted:
                done = await self._custody.expire(tuple(wanted), actor=ACTOR, retention=retention)
                gone += len(done.erased)
            await self._past.advance(name, due[-1].seq)

    async def _name(self, days: int) -> str:
        """The cursor of ``days`` as the holds stand.

        What a hold kept is behind the cursor of that hold alone: the cursor without it still is
        before what was passed over, and goes on from there when the hold is lifted.
        """
        holds = "\n".join(sorted((await self._reader.control()).holds))
        return f"retention:{days}:{sha256(holds.encode()).hexdigest()[:16]}"
