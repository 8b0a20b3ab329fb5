"""Reads of what is no longer in the database.

Lives here: that error, and the look whether a story begins before the records that are left. Must
not live here: other reads (``queries``). Law: a story of which a part is detached is not
answered as if it were whole. What was refused at once left no row by which a trace would show it.
"""

from collections.abc import Collection

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from governance.errors import Code, Refused
from governance.sentences import Sentence
from storage.schema.tables import deeds, detached, tickets


def gone(upto: int, wanted: str) -> Refused:
    """Why ``wanted`` cannot be read: events up to ``upto`` lie in files."""
    return Refused(
        Code.DETACHED,
        Sentence(
            "{wanted} is detached: events 1 to {upto} lie in the files of sealed segments alone",
            wanted=wanted,
            upto=upto,
        ),
        details={"upto": upto},
    )


async def hold_ticket(connection: AsyncConnection, ticket_id: str) -> None:
    """Whether the records of a ticket are all there.

    Raises:
        Refused: ``detached``.
    """
    upto = await _upto(connection)
    if upto:
        born = select(tickets.c.opened_seq).where(tickets.c.id == ticket_id)
        _hold(upto, (await connection.execute(born)).scalar(), ticket_id)


async def hold_trace(connection: AsyncConnection, trace_id: str, tenants: Collection[str]) -> None:
    """Whether the records of a trace are all there, of which ``tenants`` have some.

    Raises:
        Refused: ``detached``.
    """
    upto = await _upto(connection)
    if upto:
        of_trace = select(tickets.c.opened_seq).where(tickets.c.trace_id == trace_id)
        first = of_trace.order_by(tickets.c.opened_seq).limit(1)
        _hold(upto, (await connection.execute(first)).scalar(), trace_id)
    if upto and tenants:
        of_trace = select(func.min(deeds.c.seq)).where(
            deeds.c.tenant.in_(tenants), deeds.c.trace_id == trace_id
        )
        _hold(upto, (await connection.execute(of_trace)).scalar(), trace_id)


async def _upto(connection: AsyncConnection) -> int:
    found = (await connection.execute(select(func.max(detached.c.last)))).scalar()
    return int(found or 0)


def _hold(upto: int, born: int | None, name: str) -> None:
    if born is not None and born <= upto:
        raise gone(upto, f"{name}, which began at event {born},")
