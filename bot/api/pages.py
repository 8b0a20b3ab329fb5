"""Pages of tickets, newest first, of what a caller may see.

Lives here: where a page begins and ends. Must not live here: what a caller may see (``sight``), or
how an item is told. Law: a page tells of no ticket that its reader may not read, neither by a
cursor nor by how much is on it: it holds as many as were asked for, or all that there are in a
stretch of the log whose length says nothing of them; and the list comes to its end.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from bot.api import bodies
from bot.api.calls import Call
from bot.api.sight import Sight
from governance.errors import Code, InvalidInput
from governance.ports import Reader, TicketQuery
from governance.tickets.ticket import Ticket, TicketId, TicketState

AT_ONCE = 200
_PLACE = re.compile(r":([0-9]{1,18})")
"""A number of the log, which no ticket's id looks like; it is public, as the log's head is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """Some tickets, and where the list goes on; None: nowhere."""

    tickets: Sequence[Ticket]
    next_cursor: str | None


async def page_of(
    call: Call, query: TicketQuery, limit: int, is_meant: Callable[[Ticket], bool]
) -> Page:
    """The page of ``query`` that the call's cursor names, of tickets that its caller may see.

    Raises:
        InvalidInput: the cursor is none that this caller was given.
        Refused, Unavailable: as ``Call.sight``.
    """
    sight = await call.sight()
    cursor = bodies.query_text(call.request, "cursor", max_chars=128)
    if sight.is_whole or (query.agent is not None and query.agent == sight.agent):
        before = await _seen(call, sight, cursor) if cursor else None
        return await _plain(call.deps.reader, replace(query, before=before), limit, is_meant)
    until = await _until(call, sight, cursor)
    start = 1
    if query.states != (TicketState.PENDING,):  # of which there are no more than the queue takes
        start = max(1, until - call.deps.limits.looked_through)
    query = replace(query, opened=range(start, until), limit=AT_ONCE)
    found = await _covered(
        call.deps.reader, query, limit, lambda t: sight.covers(t) and is_meant(t)
    )
    if len(found) > limit:
        return Page(tickets=found[:limit], next_cursor=found[limit - 1].id)
    return Page(tickets=found, next_cursor=f":{start}" if start > 1 else None)


async def _plain(
    reader: Reader, query: TicketQuery, limit: int, is_meant: Callable[[Ticket], bool]
) -> Page:
    """A page where its reader may see whatever is found."""
    found = await reader.tickets(replace(query, limit=limit + 1))
    page = found[:limit]
    more = page[-1].id if len(found) > limit else None
    return Page(tickets=list(filter(is_meant, page)), next_cursor=more)


async def _covered(
    reader: Reader, query: TicketQuery, limit: int, is_shown: Callable[[Ticket], bool]
) -> list[Ticket]:
    """The newest of ``query`` that are shown: one more than ``limit``, or all."""
    found: list[Ticket] = []
    while len(found) <= limit:
        some = await reader.tickets(query)
        found += filter(is_shown, some)
        if len(some) < query.limit:
            break
        query = replace(query, before=some[-1].id)
    return found[: limit + 1]


async def _until(call: Call, sight: Sight, cursor: str) -> int:
    """The number of the log before which a page's tickets were opened."""
    place = _PLACE.fullmatch(cursor)
    if place is not None:
        return int(place[1])
    if cursor:
        seq = await call.deps.reader.opened_seq(await _seen(call, sight, cursor))
        return seq or 1
    newest, _ = await call.deps.reader.head()
    return newest + 1


async def _seen(call: Call, sight: Sight, cursor: str) -> TicketId:
    """The ticket that ``cursor`` names; one that may not be seen is as one that is not there."""
    ticket = await call.deps.reader.ticket(TicketId(cursor))
    is_own = ticket is not None and ticket.ask.tenant == call.deps.service.tenant
    if ticket is None or not (is_own and sight.covers(ticket)):
        raise InvalidInput(
            Code.INVALID_FIELD,
            "query cursor: the next_cursor of a page of this list",
            pointer="/query/cursor",
        )
    return ticket.id
