"""Approvals: the queue, one ticket whole, and a person's vote.

Lives here: what people do over HTTP with their own credential. Must not live here: whether a vote
counts (the core). Law: the whole action is sent only after the full view is on record, so that
"was sent" is never less than "was seen"; a vote is always the credential holder's own.
"""

from aiohttp import web

from bot.api import approval_answers as people
from bot.api import bodies, history, leaks, wire
from bot.api.calls import Call, answer
from bot.api.pages import page_of
from bot.api.schemas import VoteForm
from governance.action import parse_content
from governance.ports import TicketQuery
from governance.tickets.binding import stamp
from governance.tickets.commands import Ballot, OpenFullView
from governance.tickets.lifecycle import WIRE
from governance.tickets.ticket import Choice, Ticket, TicketState

_PAGE = 100
_NO_REASON = "none given"


async def list_approvals(call: Call) -> web.Response:
    """Jobs that wait for people, newest first; with ``include_resolved`` also those decided.

    To whoever may not read them all, a page may hold fewer than ``limit`` and have a next one.
    """
    request, limits = call.request, call.deps.limits
    with_old = bodies.query_flag(request, "include_resolved", default=False)
    limit = bodies.query_whole(request, "limit", default=_PAGE, most=limits.max_page)
    query = TicketQuery(
        tenant=call.deps.service.tenant,
        states=() if with_old else (TicketState.PENDING,),
        agent=call.confined_to,
        needed_people=True,
    )
    page = await page_of(call, query, limit, lambda _: True)
    items = [wire.approval_item(ticket) for ticket in page.tickets]
    return answer(people.ApprovalList(items=items, next_cursor=page.next_cursor))


async def get_approval(call: Call) -> web.Response:
    """One approval whole. Fetching it with a person's credential counts as the full view."""
    ticket = await call.ticket()
    raw = await call.deps.reader.content(ticket.ask.content_digest)
    is_recorded = False
    if raw is not None and call.credential.person is not None:
        ticket, is_recorded = await _viewed(call, ticket), True
    elif call.confined_to is None:
        raw = None  # neither a person who answers for having seen it, nor the agent that wrote it
    content = None if raw is None else parse_content(raw)
    erased_at = await call.deps.reader.erased_at(ticket.ask.content_digest)
    body = people.ApprovalAnswer.model_validate(
        {
            **wire.approval_fields(ticket),
            "labels": dict(ticket.ask.labels),
            "warnings": wire.warnings_of(ticket.ruling.warnings),
            "constraint_id": ticket.ruling.constraint_id,
            "data_class": ticket.ask.data_class,
            "dispatch": ticket.ask.dispatch.value,
            "note": ticket.note,
            "votes": await _votes(call, ticket),
            "content": content
            and people.ContentAnswer(
                arguments=dict(content.arguments),
                prompt=content.prompt,
                context=content.context,
                justification=content.justification,
            ),
            "content_digest": ticket.ask.content_digest,
            "content_erased_at": None if erased_at is None else stamp(erased_at),
            "full_view_recorded": is_recorded,
        }
    )
    return answer(body, trace_id=ticket.ask.trace_id)


async def _viewed(call: Call, ticket: Ticket) -> Ticket:
    """Record that this person is sent everything; an account that may not act is sent nothing."""
    person = await call.deps.service.person(call.person)
    command = OpenFullView(ticket_id=ticket.id, revision=ticket.revision, person=person.id)
    return (await call.deps.service.handle(command)).ticket


async def _votes(call: Call, ticket: Ticket) -> list[people.VoteAnswer]:
    return [
        people.VoteAnswer(
            person=vote.person,
            role=vote.role,
            weight=vote.weight,
            choice=vote.choice.value,
            at=stamp(vote.at),
            comment=await history.text(call.deps.reader, vote.comment_digest) or "",
            key_id=vote.key_id,
            signature=vote.signature,
            nonce=vote.nonce,
            delegator=vote.delegator,
            delegation=vote.delegation,
        )
        for vote in ticket.votes
    ]


async def approve(call: Call) -> web.Response:
    """Vote for it."""
    return await _vote(call, Choice.APPROVE)


async def reject(call: Call) -> web.Response:
    """Vote against it."""
    return await _vote(call, Choice.REJECT)


async def _vote(call: Call, choice: Choice) -> web.Response:
    form = await call.body(VoteForm)
    leaks.refuse(dict(form))
    ticket = await call.addressed()
    comment = form.words
    requirement = ticket.ruling.requirement
    if (
        choice is Choice.REJECT
        and not comment
        and not (requirement and requirement.comment_required)
    ):
        comment = _NO_REASON
    ballot = Ballot(
        tenant=ticket.ask.tenant,
        ticket_id=ticket.id,
        person_id=call.person,
        choice=choice,
        comment=comment,
        role=form.role,
        revision=form.revision,
        binding=form.binding,
    )
    handled = await call.deps.service.vote(ballot)
    return answer(
        _voted(handled.ticket, choice, is_new=handled.is_changed),
        trace_id=handled.ticket.ask.trace_id,
    )


def _voted(ticket: Ticket, choice: Choice, *, is_new: bool) -> people.VotedAnswer:
    told = WIRE[ticket.state][1]
    approvers = [vote.person for vote in ticket.votes if vote.choice is Choice.APPROVE]
    if ticket.state is TicketState.PENDING:
        status = "counted" if is_new else "already_counted"
    elif choice is Choice.REJECT:
        status = "rejected" if is_new else "already_rejected"
    else:
        status = told if is_new else f"already_{told}"
    return people.VotedAnswer(
        job_id=ticket.id,
        trace_id=ticket.ask.trace_id,
        state=wire.wire_state(ticket),
        status=status,
        is_counted_before=not is_new,
        quorum=wire.quorum_of(ticket),
        binding=ticket.binding,
        approved_by=approvers,
        approved_at=stamp(ticket.approved_at) if ticket.approved_at else None,
    )
