"""Questions to policy that record nothing.

Lives here: explaining a request or a job, and a candidate bundle against what is on record.
Must not live here: what the answers are (``governance``), or how a candidate is kept in bounds
(``bot.candidate``). Law: nothing is recorded and nothing charged. An agent is told of its own
requests alone; whoever may not read every ticket, agent or person, is told nothing that the agent
could not find by asking otherwise.
"""

from collections.abc import Iterable, Mapping
from typing import Any, cast

from aiohttp import web

from bot.api import bodies, wire
from bot.api import read_answers as reads
from bot.api.asking import action_request
from bot.api.calls import Call, answer
from bot.api.policy import decide_form, decision_fields
from bot.api.schemas import CandidateForm, PastForm
from bot.candidate import Simulations
from bot.decided import decided
from bot.replay import Choice
from governance.action import ActionRequest
from governance.canonical import Json
from governance.errors import Code, Refused
from governance.policy.decision import Effect, TraceLine
from governance.policy.explain import Explanation
from governance.principal import Agent, AgentId
from governance.tickets.ticket import Ticket, TicketId

SIMULATIONS: web.AppKey[Simulations] = web.AppKey("simulations", Simulations)
_NO_KEY = "none"


async def explain(call: Call) -> web.Response:
    """Why it would be decided so now, or was for a job; nothing is recorded and nothing charged."""
    return await _explain(call, await bodies.read_object(call.request, call.deps.limits))


async def simulate(call: Call) -> web.Response:
    """What a posted bundle would change in what is on record; without one, as policy/explain."""
    value = await bodies.read_object(call.request, call.deps.limits)
    if "bundle" not in value:
        return await _explain(call, value)
    form = bodies.validate(CandidateForm, value)
    if call.confined_to is None and not (await call.sight()).is_whole:
        raise Refused(Code.FORBIDDEN, "this tells of every request: it needs a person with a role")
    choice = Choice(
        tenant=call.deps.service.tenant,
        limit=form.limit,
        since=form.since,
        agent=call.confined_to,
        trace_id=form.trace_id,
    )
    running = call.request.app[SIMULATIONS]
    candidate = cast("Mapping[str, Json]", form.bundle)
    report = await running.run(call.credential.id, call.deps.reader, choice, candidate)
    return answer(report)


async def _explain(call: Call, value: Mapping[str, Json]) -> web.Response:
    if "ticket_id" in value:
        form = bodies.validate(PastForm, value)
        ticket = await call.visible(TicketId(form.ticket_id))
        return await _of_job(call, ticket)
    asked, is_stock = decide_form(call, value)
    agent = call.credential.agent or Agent(
        id=AgentId(f"reader-{call.credential.id}"), tenant=call.credential.tenant
    )
    request = action_request(call, asked, agent, key=_NO_KEY)
    found = await _explained(call, request, agent)
    decision = found.decision
    body = reads.ExplainAnswer(
        **decision_fields(
            decision, request.trace_id, retry_s=decision.retry_after_s, is_stock=is_stock
        ),
        evaluations=_lines(found.lines()),
        explanation=_explanation(found),
        recorded=None,
    )
    return answer(body, trace_id=request.trace_id)


async def _explained(call: Call, request: ActionRequest, agent: Agent) -> Explanation:
    for_asker = not (await call.sight()).is_whole
    return await call.deps.service.explain(request, agent, for_asker=for_asker)


async def _of_job(call: Call, ticket: Ticket) -> web.Response:
    """What was decided, beside what the active bundle would say to the same request now."""
    past = await decided(call.deps.reader, ticket)
    recalled = past.recalled
    now: Explanation | None = None
    if recalled.request is not None and recalled.agent is not None:
        now = await _explained(call, recalled.request, recalled.agent)
    ruling = ticket.ruling
    body = reads.ExplainAnswer(
        decision=past.effect,
        effect=past.effect,
        reason=past.reason,
        rule_id=wire.first(past.rule_ids),
        matched_rules=list(past.rule_ids),
        policy_snapshot=past.snapshot,
        constraints=wire.constraints_of(ruling.constraints),
        warnings=wire.warnings_of(ruling.warnings),
        approval_required=past.effect == Effect.REQUIRE_APPROVAL,
        approval_ref=ticket.id if past.effect == Effect.REQUIRE_APPROVAL else "",
        risk_tier=ruling.risk_tier,
        remediations=[],
        throttle_duration_seconds=0,
        safety_bypassed=ruling.safety_bypassed,
        trace_id=ticket.ask.trace_id,
        evaluations=_lines(past.trace),
        explanation=None if now is None else _explanation(now),
        recorded=reads.RecordedAnswer.model_validate(past.to_json()),
    )
    return answer(body, trace_id=ticket.ask.trace_id)


def _lines(trace: Iterable[TraceLine]) -> list[dict[str, object]]:
    return [
        {"source": line.source, "id": line.id, "verdict": line.verdict, "note": line.note}
        for line in trace
    ]


def _explanation(found: Explanation) -> reads.ExplanationAnswer:
    told: dict[str, Any] = {
        **found.to_json(),
        "effect": found.decision.effect.value,
        "reason": found.decision.reason,
        "policy_snapshot": found.decision.snapshot,
    }
    return reads.ExplanationAnswer.model_validate(told)
