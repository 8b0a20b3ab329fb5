"""Asking policy without a job.

Lives here: evaluate (recorded, charged), and the answer that explaining gives as well.
Must not live here: rules, or questions that record nothing (``explaining``).
Law: ``effect`` is always exact. ``decision`` never tells a stock client that a constrained action
is simply allowed: such a client would run it without its constraints, so it is told DENY. A
client counts as stock unless it proves itself by Authorization: Bearer and sends no ``meta``.
"""

from collections.abc import Mapping
from typing import Any

from aiohttp import web

from bot.api import bodies, wire
from bot.api import read_answers as reads
from bot.api.asking import action_request, without_unused
from bot.api.calls import Call, answer
from bot.api.schemas import DecideForm
from governance.canonical import Json
from governance.policy.decision import Decision, Effect

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
    fields = decision_fields(
        settled.decision, request.trace_id, retry_s=settled.retry_after_s, is_stock=is_stock
    )
    return answer(reads.PolicyAnswer(**fields, evaluations=None), trace_id=request.trace_id)


async def _form(call: Call) -> tuple[DecideForm, bool]:
    value = await bodies.read_object(call.request, call.deps.limits)
    return decide_form(call, value)


def decide_form(call: Call, value: Mapping[str, Json]) -> tuple[DecideForm, bool]:
    """The request, and whether it comes from a client that knows four effects only.

    Raises:
        InvalidInput: ``invalid_field``.
    """
    is_stock = call.is_stock or "meta" in value
    return bodies.validate(DecideForm, without_unused(value)), is_stock


def decision_fields(
    decision: Decision, trace_id: str, *, retry_s: int, is_stock: bool
) -> dict[str, Any]:
    """The fields of every answer about a decision."""
    effect = decision.effect
    is_unsaid = is_stock and effect is Effect.ALLOW_WITH_CONSTRAINTS
    return {
        "decision": Effect.DENY.value if is_unsaid else effect.value,
        "effect": effect.value,
        "reason": _UNSAID if is_unsaid else decision.reason,
        "rule_id": wire.first(decision.rule_ids),
        "matched_rules": list(decision.rule_ids),
        "policy_snapshot": decision.snapshot,
        "constraints": wire.constraints_of(decision.constraints),
        "warnings": wire.warnings_of(decision.warnings),
        "approval_required": effect is Effect.REQUIRE_APPROVAL,
        "approval_ref": "",
        "risk_tier": decision.risk_tier,
        "remediations": [],
        "throttle_duration_seconds": retry_s if effect is Effect.THROTTLE else 0,
        "safety_bypassed": decision.safety_bypassed,
        "trace_id": trace_id,
    }
