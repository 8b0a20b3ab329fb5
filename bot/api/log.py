"""Reads of the event log.

Lives here: the timeline of a trace and the head. Must not live here: verification (the command
line does that, on an export), which records a caller may see (``sight``). Law: records leave as the
log holds them, digests in place of contents.
"""

from collections.abc import Sequence

from aiohttp import web

from bot.api import bodies, wire
from bot.api import read_answers as reads
from bot.api.calls import Call, answer
from governance.canonical import Json
from governance.errors import Code, Refused
from governance.ports import Logged, TicketQuery
from governance.tickets.binding import stamp
from governance.tickets.ticket import TicketId


async def get_trace(call: Call) -> web.Response:
    """Everything on record of one trace, oldest first.

    The published generated client gets a list of the trace's jobs, each with its events.
    """
    trace_id = bodies.path_id(call.request)
    seen = await call.seen(await _timeline(call, trace_id))
    if not seen:
        upto = (await call.deps.reader.control()).detached_upto
        where = f" among the events after {upto}; older ones are detached" if upto else ""
        raise Refused(Code.NOT_FOUND, f"no trace by that name{where}")
    jobs = dict.fromkeys(item.header.ticket_id for item in seen if item.header.ticket_id)
    if call.is_generated:
        return answer([await _job(call, name, seen) for name in jobs], trace_id=trace_id)
    body = reads.TraceAnswer(trace_id=trace_id, jobs=list(jobs), events=[_event(r) for r in seen])
    return answer(body, trace_id=trace_id)


async def _timeline(call: Call, trace_id: str) -> Sequence[Logged]:
    """Every record of a trace; that it is detached is told to those who see a ticket of it."""
    reader = call.deps.reader
    try:
        return await reader.timeline(trace_id) if trace_id else ()
    except Refused:
        sight = await call.sight()
        query = TicketQuery(
            tenant=call.deps.service.tenant,
            trace_id=trace_id,
            agent=call.confined_to,
            limit=call.deps.limits.max_page,
        )
        if sight.is_whole or any(map(sight.covers, await reader.tickets(query))):
            raise
        return ()


async def _job(call: Call, name: str, records: Sequence[Logged]) -> Json:
    ticket = await call.deps.service.ticket(TicketId(name))
    own = [_event(record) for record in records if record.header.ticket_id == name]
    told: Json = reads.JobTraceAnswer(**wire.item_fields(ticket), events=own).model_dump()
    return told


def _event(record: Logged) -> reads.EventAnswer:
    head = record.header
    return reads.EventAnswer(
        seq=record.seq,
        type=record.type,
        version=record.version,
        at=stamp(record.at),
        actor=head.actor,
        agent_id=head.agent_id,
        job_id=head.ticket_id,
        revision=head.revision,
        binding=head.binding,
        tool=head.tool,
        action=head.action,
        data_class=head.data_class,
        approval_status=head.approval_status,
        outcome=head.outcome,
        payload=record.payload,
        hash=record.hash,
    )


async def get_head(call: Call) -> web.Response:
    """Number and hash of the newest record, to be kept by whoever wants to compare later."""
    seq, newest = await call.deps.reader.head()
    return answer(reads.HeadAnswer(seq=seq, hash=newest))
