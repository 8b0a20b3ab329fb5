"""A page of tickets as one statement.

Lives here: the newest of each state, and those that run out first, each along an index. Must not
live here: running it (``queries``). Law: no page walks or sorts a table that grows.
"""

from collections.abc import Sequence
from typing import NamedTuple

from governance.ports import TicketQuery
from governance.tickets.ticket import TicketState


class Statement(NamedTuple):
    """A statement with ``?`` marks, and their values in order."""

    sql: str
    values: tuple[str | int, ...]


def newest(query: TicketQuery) -> Statement:
    """``opened_seq`` and ``body`` of the newest ``limit`` tickets of each state.

    One indexed walk for each: a list of states would have to be sorted whole.
    """
    walks = [_newest_in(state, query) for state in query.states or (None,)]
    if len(walks) == 1:
        return walks[0]
    parts = (f"SELECT * FROM ({walk.sql}) AS of_{n}" for n, walk in enumerate(walks))  # noqa: S608  # ours
    return Statement(" UNION ALL ".join(parts), tuple(v for walk in walks for v in walk.values))


def soonest(query: TicketQuery) -> Statement:
    """``opened_seq`` and ``body`` along the index of what may expire.

    All else is compared as an expression, which no index fits: one over every ticket of a state
    would be walked whole, and sorted, for each page.
    """
    where, values = ["expiring_at IS NOT NULL"], list[str | int]()
    for column, value in _wanted(query):
        where.append(f"{column} || '' = ?")
        values.append(value)
    if query.states:
        where.append(f"state || '' IN ({', '.join('?' * len(query.states))})")
        values += [state.value for state in query.states]
    if query.needed_people is not None:
        where.append("needed_people + 0 = ?")
        values.append(int(query.needed_people))
    if query.before is not None:
        where.append("(expiring_at, id) > ((SELECT expires_at FROM tickets WHERE id = ?), ?)")
        values += [query.before, query.before]
    return _page(where, "expiring_at, id", values, query.limit)


def _newest_in(state: TicketState | None, query: TicketQuery) -> Statement:
    where, values = list[str](), list[str | int]()
    if state is TicketState.PENDING:
        where.append("state = 'PENDING'")  # as text: so the partial index is known to hold it
    elif state is not None:
        where.append("state = ?")
        values.append(state.value)
    for column, value in _wanted(query):
        # Of all states the tenant's index knows no order: as an expression it is left alone.
        is_sorted = state is not None or column != "tenant"
        where.append(f"{column} = ?" if is_sorted else f"{column} || '' = ?")
        values.append(value)
    if query.needed_people is not None:
        where.append("needed_people = ?")
        values.append(int(query.needed_people))
    if query.before is not None:
        where.append("opened_seq < (SELECT opened_seq FROM tickets WHERE id = ?)")
        values.append(query.before)
    if query.opened is not None:
        where.append("opened_seq >= ? AND opened_seq < ?")
        values += [query.opened.start, query.opened.stop]
    return _page(where, "opened_seq DESC", values, query.limit)


def _wanted(query: TicketQuery) -> Sequence[tuple[str, str]]:
    given = (
        ("tenant", query.tenant),
        ("agent", query.agent),
        ("trace_id", query.trace_id),
        ("topic", query.topic),
    )
    return [(column, value) for column, value in given if value is not None]


def _page(where: Sequence[str], by: str, values: Sequence[str | int], limit: int) -> Statement:
    chosen = f" WHERE {' AND '.join(where)}" if where else ""
    sql = f"SELECT opened_seq, body FROM tickets{chosen} ORDER BY {by} LIMIT ?"  # noqa: S608  # ours
    return Statement(sql, (*values, limit))
