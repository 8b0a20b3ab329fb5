"""What approvers do besides voting: withdraw, stop, resolve, decide about an output.

Lives here: from a person's request to one deed and its answer. Must not live here: whether it
counts (the core), what a deed is made of (``bot.deeds``). Law: a deed is always the credential
holder's own, and the answer says what is committed.
"""

from aiohttp import web

from bot.api import approval_answers as people
from bot.api import leaks, wire
from bot.api.calls import Call, answer
from bot.api.schemas import OutputForm, ResolveForm, SaidForm
from bot.deeds import Deed, Deeds
from governance.steps import Handled
from governance.tickets.ticket import Ticket, TicketState


async def withdraw(call: Call) -> web.Response:
    """Take one's vote back while nothing is settled."""
    deed = await _deed(call, await call.body(SaidForm))
    return _answered(await _deeds(call).withdraw(deed), "withdrawn")


async def stop(call: Call) -> web.Response:
    """Stop what is approved before it starts."""
    deed = await _deed(call, await call.body(SaidForm))
    return _answered(await _deeds(call).stop(deed), "stopped")


async def resolve(call: Call) -> web.Response:
    """Say whether an interrupted run took effect, and by which evidence."""
    form = await call.body(ResolveForm)
    handled = await _deeds(call).resolve(await _deed(call, form), took_effect=form.took_effect)
    waits = handled.ticket.state is TicketState.UNKNOWN
    return _answered(handled, "attested" if waits else "resolved")


async def judge_output(call: Call) -> web.Response:
    """Release the redacted form of a quarantined output, or discard the output."""
    form = await call.body(OutputForm)
    deed = await _deed(call, form)
    if form.decision == "discard":
        return _answered(await _deeds(call).discard(deed), "discarded")
    return _answered(await _deeds(call).release(deed), "released")


def _deeds(call: Call) -> Deeds:
    return Deeds(service=call.deps.service, reader=call.deps.reader)


async def _deed(call: Call, form: SaidForm) -> Deed:
    leaks.refuse({"comment": form.words})
    ticket = await call.addressed()
    return Deed(ticket_id=ticket.id, person=call.person, comment=form.words, revision=form.revision)


def _answered(handled: Handled, status: str) -> web.Response:
    ticket = handled.ticket
    body = people.DeedAnswer(
        job_id=ticket.id,
        trace_id=ticket.ask.trace_id,
        state=wire.wire_state(ticket),
        status=status,
        changed=handled.is_changed,
        revision=ticket.revision,
        binding=ticket.binding,
        quorum=wire.quorum_of(ticket),
        attested=_attested(ticket),
        output_state=ticket.report.output_state.value if ticket.report else "",
    )
    return answer(body, trace_id=ticket.ask.trace_id)


def _attested(ticket: Ticket) -> list[people.AttestedAnswer]:
    return [
        people.AttestedAnswer(person=one.person, took_effect=one.took_effect)
        for one in ticket.attested
    ]
