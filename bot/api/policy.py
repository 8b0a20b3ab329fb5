"""Asking policy without a job.

Lives here: evaluate (recorded, charged) and explain (neither). Must not live here: rules.
Law: ``effect`` is always exact. ``decision`` never tells a stock client that a constrained action
is simply allowed: such a client would run it without its constraints, so it is told DENY. A
client counts as stock unless it proves itself by Authorization: Bearer and sends no ``meta``.
"""

from aiohttp import web

from bot.api import bodies, wire
from bot.api import read_answers as reads
from bot.api.asking import action_request, without_unused
from bot.api.calls import Call, answer
from bot.api.schemas import DecideForm
from governance.action import ActionRequest
from governance.canonical import Json
from governance.policy.decision import Decision, Effect
from governance.principal import Agent, AgentId

_NO_KEY = "none"
_UNSAID = (
    "allowed under constraints only, which this client cannot apply: "
    "submit it as a job, or read effect and constraints"
)


async def evaluate(call: Call) -> web.Response:
    """Decide and record, without a job."""
    form, is_stock = await _form(call)
    request = action_request(call, form, call.agent, key=_NO_KEY)
    settled = await call.deps.service.evaluate(request, call.agent)
    body = _answer(
        settled.decision, request, retry_s=settled.retry_after_s, is_stock=is_stock, trace=None
    )
    return answer(body, trace_id=request.trace_id)


async def explain(call: Call) -> web.Response:
    """What would be decided now, with its trace; nothing is recorded and nothing charged."""
    form, is_stock = await _form(call)
    agent = call.credential.agent or Agent(
        id=AgentId(f"reader-{call.credential.id}"), tenant=call.credential.tenant
    )
    request = action_request(call, form, agent, key=_NO_KEY)
    decision = call.deps.service.explain(request, agent)
    trace: list[dict[str, object]] = [
        {"source": line.source, "id": line.id, "verdict": line.verdict, "note": line.note}
        for line in decision.trace
    ]
    retry_s = decision.retry_after_s
    body = _answer(decision, request, retry_s=retry_s, is_stock=is_stock, trace=trace)
    return answer(body, trace_id=request.trace_id)


async def _form(call: Call) -> tuple[DecideForm, bool]:
    """The request, and whether it comes from a client that knows four effects only."""
    value: dict[str, Json] = {
        **without_unused(await bodies.read_object(call.request, call.deps.limits))
    }
    return bodies.validate(DecideForm, value), call.is_stock or "meta" in value


def _answer(
    decision: Decision,
    request: ActionRequest,
    *,
    retry_s: int,
    is_stock: bool,
    trace: list[dict[str, object]] | None,
) -> reads.PolicyAnswer:
    effect = decision.effect
    is_unsaid = is_stock and effect is Effect.ALLOW_WITH_CONSTRAINTS
    return reads.PolicyAnswer(
        decision=Effect.DENY.value if is_unsaid else effect.value,
        effect=effect.value,
        reason=_UNSAID if is_unsaid else decision.reason,
        rule_id=wire.first(decision.rule_ids),
        matched_rules=list(decision.rule_ids),
        policy_snapshot=decision.snapshot,
        constraints=wire.constraints_of(decision.constraints),
        warnings=wire.warnings_of(decision.warnings),
        approval_required=effect is Effect.REQUIRE_APPROVAL,
        approval_ref="",
        risk_tier=decision.risk_tier,
        remediations=[],
        throttle_duration_seconds=retry_s if effect is Effect.THROTTLE else 0,
        safety_bypassed=decision.safety_bypassed,
        trace_id=request.trace_id,
        evaluations=trace,
    )
