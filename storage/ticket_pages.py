"""A page of tickets as one statement.

Lives here: the newest of a state, and those that run out first, each along an index. Must not live
here: running it (``storage.queries``). Law: no page walks or sorts a table that grows.
"""

from sqlalchemy import Select, select, text, tuple_

from governance.ports import TicketQuery
from governance.tickets.ticket import TicketState
from storage.schema import tickets

_PENDING = text("tickets.state = 'PENDING'")


def tickets_in(state: TicketState | None, query: TicketQuery) -> Select[tuple[int, bytes]]:
    chosen = select(tickets.c.opened_seq, tickets.c.body)
    if state is TicketState.PENDING:
        chosen = chosen.where(_PENDING)
    elif state is not None:
        chosen = chosen.where(tickets.c.state == state.value)
    wanted = {
        tickets.c.tenant: query.tenant,
        tickets.c.agent: query.agent,
        tickets.c.trace_id: query.trace_id,
        tickets.c.topic: query.topic,
    }
    for column, value in wanted.items():
        if value is not None:
            chosen = chosen.where(column == value)
    if query.needed_people is not None:
        chosen = chosen.where(tickets.c.needed_people == int(query.needed_people))
    if query.before is not None:
        last = select(tickets.c.opened_seq).where(tickets.c.id == query.before)
        chosen = chosen.where(tickets.c.opened_seq < last.scalar_subquery())
    return chosen.order_by(tickets.c.opened_seq.desc()).limit(query.limit)


def soonest(query: TicketQuery) -> Select[tuple[bytes]]:
    """Along the index of what may expire.

    All else is compared as an expression, which no index fits: one over every ticket of a state
    would be walked whole, and sorted, for each page.
    """
    end = tickets.c.expiring_at
    chosen = select(tickets.c.body).where(end.is_not(None))
    wanted = {
        tickets.c.tenant: query.tenant,
        tickets.c.agent: query.agent,
        tickets.c.trace_id: query.trace_id,
        tickets.c.topic: query.topic,
    }
    for column, value in wanted.items():
        if value is not None:
            chosen = chosen.where(column.concat("") == value)
    if query.states:
        chosen = chosen.where(tickets.c.state.concat("").in_([one.value for one in query.states]))
    if query.needed_people is not None:
        chosen = chosen.where(tickets.c.needed_people + 0 == int(query.needed_people))
    if query.before is not None:
        ended = select(tickets.c.expires_at).where(tickets.c.id == query.before)
        last = tuple_(ended.scalar_subquery(), query.before)
        chosen = chosen.where(tuple_(end, tickets.c.id) > last)
    return chosen.order_by(end, tickets.c.id).limit(query.limit)
