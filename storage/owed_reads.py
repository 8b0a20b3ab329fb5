"""Reads of what is owed, of how far each sink has read, and of where cards are.

Lives here: the questions to the outbox, the cursors and the places. Must not live here: claims and
other writes (``outbox``). Law: nothing here writes.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, func, select, text

from governance.outbox import Backlog, Owed, OwedKind, Place
from governance.tickets.ticket import TicketId
from storage.reading import Reading
from storage.schema.tables import outbox

_PLACE = "SELECT channel, ts, shown FROM places WHERE ticket_id = ?"
_CURSOR = "SELECT seq FROM cursors WHERE name = ?"


class OwedReads(Reading):
    """See ``governance.outbox.Outbox``."""

    async def dead(self) -> Sequence[tuple[Owed, str]]:
        """See ``governance.outbox.Outbox``; so are the others."""
        query = select(outbox.c.kind, outbox.c.key, outbox.c.error).where(outbox.c.dead == 1)
        rows = await self._rows(query.order_by(outbox.c.kind, outbox.c.key))
        return [(Owed(kind=OwedKind(row.kind), key=row.key), row.error) for row in rows]

    async def backlog(self) -> Sequence[Backlog]:
        grouped = (outbox.c.kind, outbox.c.error, outbox.c.dead)
        many = func.count().label("n")
        query: Select[Any] = select(*grouped, many).group_by(*grouped).order_by(*grouped)
        return [
            Backlog(kind=OwedKind(row.kind), error=row.error, is_dead=bool(row.dead), count=row.n)
            for row in await self._rows(query)
        ]

    async def unplaced(self, limit: int) -> int:
        alive = text("dead = 0")  # as text: so the partial index is known to hold it
        waiting = select(outbox.c.key).where(
            alive, outbox.c.kind == OwedKind.CARD.value, outbox.c.placed == 0
        )
        bounded = waiting.limit(limit).subquery()
        return int(await self._value(select(func.count()).select_from(bounded)))

    async def cursor(self, name: str) -> int:
        rows = await self._points.rows(_CURSOR, name)
        return int(rows[0][0]) if rows else 0

    async def place(self, ticket_id: TicketId) -> Place | None:
        rows = await self._points.rows(_PLACE, ticket_id)
        if not rows:
            return None
        channel, ts, shown = rows[0]
        return Place(channel=channel, ts=ts, shown=shown)
