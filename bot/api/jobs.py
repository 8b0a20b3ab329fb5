"""Jobs: submit, look, wait, list, cancel.

Lives here: what an agent does with its own requests before they are carried out. Must not live
here: redeeming and reporting (``grants``), votes (``approvals``), decisions.
Law: a job is answered only once its decision is durable; waiting changes nothing but what is told.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

from aiohttp import web

from bot.api import answers as ans
from bot.api import bodies, history, leaks, wire
from bot.api.asking import action_request, idempotency_key, without_unused
from bot.api.calls import Call, answer
from bot.api.pages import page_of
from bot.api.problems import Problem, answer_problem
from bot.api.schemas import CancelForm, JobForm
from bot.replies import reply_for
from governance.action import Dispatch
from governance.canonical import Json
from governance.errors import Code, Refused
from governance.policy.decision import Effect
from governance.ports import TicketQuery
from governance.principal import AgentId, actor_agent, actor_person
from governance.steps import Submitted
from governance.tickets.commands import CancelTicket
from governance.tickets.ticket import Ticket, TicketId, TicketState

_PAGE = 50
_TOLD_OF_DENIED = ("job_id", "trace_id", "state", "decision", "reason", "rule_id", "is_repeat")


class Waiting:
    """The long polls that are open now; past the limit one is answered at once.

    When the process shuts down each is answered with what is, so that none holds it up.
    """

    def __init__(self) -> None:
        self.open: set[asyncio.Timeout] = set()
        self._is_closing = False

    def has_room(self, limit: int) -> bool:
        """Whether one more may wait."""
        return not self._is_closing and len(self.open) < limit

    async def close(self, _app: web.Application) -> None:
        """Answer every poll now."""
        self._is_closing = True
        now = asyncio.get_running_loop().time()
        for timeout in self.open:
            timeout.reschedule(now)


WAITING = web.AppKey("waiting", Waiting)


async def submit_job(call: Call) -> web.Response:
    """Ask for an action."""
    raw = await bodies.read_json(call.request, call.deps.limits)
    form = read_form(bodies.as_object(raw, call.deps.limits))
    return await accept(call, form, key=idempotency_key(call, form), raw=raw)


def read_form(value: Mapping[str, Json]) -> JobForm:
    """A body as a job.

    Raises:
        InvalidInput: it is none.
    """
    return bodies.validate(JobForm, without_unused(value))


async def accept(call: Call, form: JobForm, *, key: str, raw: bytes) -> web.Response:
    """Submit ``form``, read from ``raw``, under ``key`` and say what became of it."""
    agent = call.agent
    request = action_request(call, form, agent, key=key, raw=raw)
    done = await call.deps.service.submit(request, agent)
    if done.ticket is None:
        if done.effect is Effect.DENY:
            return _denied_and_counted(done, request.trace_id)
        return _throttled(done, request.trace_id)
    if done.ticket.state is TicketState.DENIED:
        return _denied(done.ticket, is_repeat=done.is_repeat)
    body = wire.submitted(done.ticket, is_repeat=done.is_repeat)
    return answer(body, trace_id=done.ticket.ask.trace_id)


def _throttled(done: Submitted, trace_id: str) -> web.Response:
    problem = Problem(
        code=Code.THROTTLED.value,
        message=done.reason or "too many of these now",
        status=reply_for(Code.THROTTLED).status,
        retry_after_s=max(1, done.retry_after_s),
        extra={
            "state": "THROTTLED",
            "trace_id": trace_id,
            "retry_after_s": max(1, done.retry_after_s),
        },
    )
    response = answer_problem(problem)
    response.headers["X-Trace-Id"] = trace_id
    return response


def _denied(ticket: Ticket, *, is_repeat: bool) -> web.Response:
    body = wire.submitted(ticket, is_repeat=is_repeat)
    told = {name: body[name] for name in _TOLD_OF_DENIED}
    problem = Problem(
        code=Code.POLICY_DENIED.value,
        message=ticket.ruling.reason or "policy denies this action",
        status=reply_for(Code.POLICY_DENIED).status,
        extra=told,
    )
    response = answer_problem(problem)
    response.headers["X-Trace-Id"] = ticket.ask.trace_id
    return response


def _denied_and_counted(done: Submitted, trace_id: str) -> web.Response:
    """One of so many denials that it has no job of its own; nothing is kept under its key."""
    problem = Problem(
        code=Code.POLICY_DENIED.value,
        message=done.reason or "policy denies this action",
        status=reply_for(Code.POLICY_DENIED).status,
        extra={
            "trace_id": trace_id,
            "state": "DENIED",
            "decision": Effect.DENY.value,
            "reason": done.reason,
            "rule_id": done.rule_id,
            "is_repeat": False,
            "is_only_counted": True,
        },
    )
    response = answer_problem(problem)
    response.headers["X-Trace-Id"] = trace_id
    return response


async def get_job(call: Call) -> web.Response:
    """One job; with ``wait`` the answer comes once there is something to do, or time is over."""
    wait_s = bodies.query_wait_s(call.request, most=call.deps.limits.max_wait_s)
    ticket = await call.ticket()
    if wait_s and _is_waiting(ticket):
        ticket = await _wait(call, ticket.id, wait_s)
    ticket = await _redeemed(call, ticket)
    reader = call.deps.reader
    body = wire.job(
        ticket,
        output=await history.shown_output(reader, ticket),
        comment=await history.deciding_comment(reader, ticket),
        decisions=await history.decisions(reader, ticket),
    )
    return answer(body, trace_id=ticket.ask.trace_id)


def _is_waiting(ticket: Ticket) -> bool:
    """Whether its agent can do nothing but wait."""
    if ticket.state is TicketState.PENDING:
        return wire.wire_state(ticket) != wire.FAILED
    is_ours = ticket.ask.dispatch is Dispatch.EXECUTE
    return is_ours and ticket.state in (TicketState.APPROVED, TicketState.EXECUTING)


async def _wait(call: Call, ticket_id: TicketId, wait_s: float) -> Ticket:
    """The ticket once it waits no longer; the log's size is read before the ticket, so that
    nothing committed between the two is missed."""
    waiting = call.request.app[WAITING]
    if waiting.has_room(call.deps.limits.max_waiting):
        with suppress(TimeoutError):
            async with asyncio.timeout(wait_s) as timeout:
                waiting.open.add(timeout)
                try:
                    await _until_settled(call, ticket_id, wait_s)
                finally:
                    waiting.open.discard(timeout)
    return await call.deps.service.ticket(ticket_id)


async def _until_settled(call: Call, ticket_id: TicketId, wait_s: float) -> None:
    while True:
        size, _ = await call.deps.reader.head()
        if not _is_waiting(await call.deps.service.ticket(ticket_id)):
            return
        await call.deps.reader.changed(size, wait_s)


async def _redeemed(call: Call, ticket: Ticket) -> Ticket:
    """For a credential that may redeem by reading: consume before SUCCEEDED is told."""
    agent = call.credential.agent
    is_due = ticket.state is TicketState.APPROVED and ticket.ask.dispatch is Dispatch.RELEASE
    if agent is None or not agent.redeem_on_read or not is_due:
        return ticket
    try:
        return await call.deps.service.redeem(ticket.id, agent)
    except Refused:
        return await call.deps.service.ticket(ticket.id)  # it stands where the refusal left it


async def list_jobs(call: Call) -> web.Response:
    """Jobs, newest first. A page may hold fewer than ``limit`` and still have a next one."""
    request = call.request
    limit = bodies.query_whole(request, "limit", default=_PAGE, most=call.deps.limits.max_page)
    word = bodies.query_text(request, "state").upper()
    tenant = bodies.query_text(request, "tenant") or call.deps.service.tenant
    states = wire.states_behind(word) if word else ()
    if (word and not states) or tenant != call.deps.service.tenant:
        return answer(ans.JobList(items=[], next_cursor=None))
    query = TicketQuery(
        tenant=call.deps.service.tenant,
        states=states,
        agent=call.confined_to or AgentId(bodies.query_text(request, "agent")) or None,
        trace_id=bodies.query_text(request, "trace_id") or None,
        topic=bodies.query_text(request, "topic") or None,
    )
    page = await page_of(call, query, limit, lambda job: word in ("", wire.wire_state(job)))
    items = [wire.job_item(ticket) for ticket in page.tickets]
    return answer(ans.JobList(items=items, next_cursor=page.next_cursor))


async def cancel_job(call: Call) -> web.Response:
    """Take a request back: its agent, who answers for it, or whom it acts for."""
    form = await call.body(CancelForm)
    leaks.refuse({"reason": form.reason})
    ticket = await call.addressed()
    who = call.credential
    command = CancelTicket(
        ticket_id=ticket.id,
        actor=actor_person(who.person) if who.person else actor_agent(call.agent.id),
        agent=None if who.person else call.agent.id,
        person=who.person,
        reason=form.reason,
    )
    after = (await call.deps.service.handle(command)).ticket
    return answer(ans.StateAnswer(**wire.state_fields(after)), trace_id=after.ask.trace_id)


async def get_decisions(call: Call) -> web.Response:
    """Every decision on a job, as a list."""
    ticket = await call.ticket()
    found = await history.decisions(call.deps.reader, ticket)
    return answer([item.model_dump() for item in found], trace_id=ticket.ask.trace_id)
