"""Tickets in the words of ``/api/v1``.

Lives here: the pure mapping from a ticket to each answer. Must not live here: I/O.
Law: the wire's state follows from the ticket alone, by ``lifecycle.WIRE`` and one exception: a run
that failed answers FAILED until people have decided anew, so that waiting clients end.
"""

from collections.abc import Mapping, Sequence

from bot.api import answers as ans
from bot.api import approval_answers as people
from governance.canonical import Json
from governance.execution import OutputState, RunReport, RunStatus
from governance.policy.decision import Constraints, Warned
from governance.tickets.binding import stamp
from governance.tickets.lifecycle import WIRE
from governance.tickets.quorum import tally
from governance.tickets.ticket import Basis, Choice, Ticket, TicketState

S = TicketState
FAILED = "FAILED"
_AFTER_FAILURE = frozenset({S.PENDING, S.CANCELLED, S.EXPIRED})
"""Where a run that failed leaves its ticket."""
_ENDED_BADLY = frozenset({"DENIED", "CANCELLED", FAILED})
SHOWABLE = frozenset({OutputState.CLEAN, OutputState.REDACTED, OutputState.RELEASED})
"""Output states whose shown form may leave."""
_WORDS = {S.PENDING: "PENDING", S.REJECTED: "REJECTED", S.DENIED: "REJECTED"} | {
    S.EXPIRED: "REJECTED",
    S.CANCELLED: "REJECTED",
}


def wire_state(ticket: Ticket) -> str:
    """The state that clients are told."""
    report = ticket.report
    if ticket.state in _AFTER_FAILURE and report and report.status is RunStatus.FAILED:
        return FAILED
    return WIRE[ticket.state][0]


def states_behind(word: str) -> tuple[TicketState, ...]:
    """The ticket states that may be told as ``word``; empty for a word that is never told."""
    found = {state for state, (told, _) in WIRE.items() if told == word}
    return tuple(found | _AFTER_FAILURE if word == FAILED else found)


def first(items: Sequence[str]) -> str:
    """The first, or nothing."""
    return items[0] if items else ""


def constraints_of(constraints: Constraints) -> dict[str, object] | None:
    """What is set, or null."""
    return dict(constraints.to_json()) or None


def warnings_of(warned: Sequence[Warned]) -> list[ans.WarningAnswer]:
    """Violated constraints that only warn."""
    return [
        ans.WarningAnswer(constraint_id=item.constraint_id, description=item.description)
        for item in warned
    ]


def quorum_of(ticket: Ticket) -> ans.QuorumAnswer | None:
    """Where the votes stand, for a ticket that needs people."""
    if ticket.ruling.requirement is None:
        return None
    counted = tally(ticket.ruling.requirement, ticket.votes)
    return ans.QuorumAnswer(
        weight=counted.weight,
        threshold=counted.threshold,
        is_met=counted.is_met,
        missing="" if counted.is_met else counted.sentence(),
        roles=[
            ans.RoleAnswer(
                role=role.role,
                weight=role.weight,
                min_required=role.min_required,
                votes=role.count,
                missing=role.missing,
            )
            for role in counted.roles
        ],
    )


def submitted(ticket: Ticket, *, is_repeat: bool) -> dict[str, Json]:
    """The fields of ``SubmittedAnswer``; as a mapping, since this answer is given most of all."""
    ask, ruling, state = ticket.ask, ticket.ruling, wire_state(ticket)
    return {
        "job_id": ticket.id,
        "trace_id": ask.trace_id,
        "state": state,
        "status": state.lower(),
        "decision": ruling.effect.value,
        "reason": ruling.reason,
        "rule_id": first(ruling.rule_ids),
        "constraints": ruling.constraints.to_json() or None,
        "warnings": [item.model_dump() for item in warnings_of(ruling.warnings)],
        "dispatch": ask.dispatch.value,
        "expires_at": stamp(ticket.expires_at),
        "action_digest": ask.action_digest,
        "binding": ticket.binding,
        "is_repeat": is_repeat,
    }


def item_fields(ticket: Ticket) -> dict[str, str]:
    """The fields of ``JobItem``."""
    return {
        "id": ticket.id,
        "job_id": ticket.id,
        "state": wire_state(ticket),
        "topic": ticket.ask.topic,
        "tenant": ticket.ask.tenant,
        "trace_id": ticket.ask.trace_id,
        "created_at": stamp(ticket.created_at),
        "updated_at": stamp(ticket.updated_at),
    }


def job_item(ticket: Ticket) -> ans.JobItem:
    """A job in a list."""
    return ans.JobItem(**item_fields(ticket))


def state_fields(ticket: Ticket) -> dict[str, str]:
    """The fields of ``StateAnswer``."""
    return {
        "id": ticket.id,
        "job_id": ticket.id,
        "trace_id": ticket.ask.trace_id,
        "state": wire_state(ticket),
    }


def outcome_of(report: RunReport, output: str | None) -> ans.OutcomeAnswer:
    """A run's report; ``output`` is its shown form."""
    return ans.OutcomeAnswer(
        status=report.status.value,
        error=report.error,
        exit_code=report.exit_code,
        duration_ms=report.duration_ms,
        sandbox=report.sandbox,
        output_state=report.output_state.value,
        output_digest=report.output_digest,
        output=output,
        findings=[
            {"scanner": item.scanner, "rule": item.rule, "place": item.place}
            for item in report.findings
        ],
    )


def job(
    ticket: Ticket, *, output: str | None, comment: str, decisions: Sequence[ans.DecisionAnswer]
) -> ans.JobAnswer:
    """One job; ``comment`` is the deciding vote's."""
    ask, ruling, state = ticket.ask, ticket.ruling, wire_state(ticket)
    shown = bool(ticket.report and ticket.report.output_digest)
    return ans.JobAnswer(
        **item_fields(ticket),
        status=state.lower(),
        ticket_state=ticket.state.value,
        tenant_id=ask.tenant,
        labels=dict(ask.labels),
        result_ptr=f"/api/v1/jobs/{ticket.id}" if shown else "",
        failure_reason=failure_reason(ticket, comment) if state in _ENDED_BADLY else "",
        submitted_by=ask.agent,
        on_behalf_of=ask.on_behalf_of or "",
        tool=ask.tool,
        action=ask.action.value,
        environment=ask.environment,
        target=ask.target,
        capability=ask.capability,
        risk_tags=list(ask.risk_tags),
        data_class=ask.data_class,
        dispatch=ask.dispatch.value,
        decision=ruling.effect.value,
        reason=ruling.reason,
        rule_id=first(ruling.rule_ids),
        matched_rules=list(ruling.rule_ids),
        constraint_id=ruling.constraint_id,
        policy_snapshot=ruling.snapshot,
        constraints=constraints_of(ruling.constraints),
        warnings=warnings_of(ruling.warnings),
        risk_tier=ruling.risk_tier,
        approval_status=WIRE[ticket.state][1],
        quorum=quorum_of(ticket),
        revision=ticket.revision,
        binding=ticket.binding,
        action_digest=ask.action_digest,
        expires_at=stamp(ticket.expires_at),
        note=ticket.note,
        outcome=outcome_of(ticket.report, output) if ticket.report else None,
        decisions=list(decisions),
    )


def failure_reason(ticket: Ticket, comment: str) -> str:
    """One sentence on why a job did not come to its end."""
    if wire_state(ticket) == FAILED and ticket.report and ticket.report.error:
        return ticket.report.error
    if ticket.state is S.REJECTED:
        said = f": {comment}" if comment else ""
        return f"rejected by {ticket.decided_by} ({ticket.note}){said}"
    if ticket.state is S.DENIED:
        return ticket.note or ticket.ruling.reason
    return ticket.note or ticket.state.value.lower()


def deciders(ticket: Ticket) -> list[str]:
    """Who decided: the approving voters, or whoever ended it."""
    if ticket.decided_by:
        return [ticket.decided_by]
    return [vote.person for vote in ticket.votes if vote.choice is Choice.APPROVE]


def approval_fields(ticket: Ticket) -> Mapping[str, object]:
    """The fields of ``ApprovalItem``."""
    ask, ruling = ticket.ask, ticket.ruling
    is_open = ticket.state is S.PENDING
    decided_at = None if is_open else stamp(ticket.approved_at or ticket.updated_at)
    by = "" if is_open else ", ".join(deciders(ticket))
    word = _WORDS.get(ticket.state, "APPROVED")
    return {
        "job_id": ticket.id,
        "topic": ask.topic,
        "tenant_id": ask.tenant,
        "risk_tags": list(ask.risk_tags),
        "capability": ask.capability,
        "reason": ruling.reason,
        "created_at": stamp(ticket.created_at),
        "job": job_item(ticket),
        "decision": word,
        "policy_snapshot": ruling.snapshot,
        "policy_rule_id": first(ruling.rule_ids),
        "policy_reason": ruling.reason,
        "constraints": constraints_of(ruling.constraints),
        "approval_required": ticket.basis is not Basis.POLICY and ruling.requirement is not None,
        "requested_at": stamp(ticket.created_at),
        "decided_at": decided_at,
        "decided_by": by or None,
        "job_hash": ask.action_digest,
        "approval_ref": ticket.id,
        "approval_status": WIRE[ticket.state][1],
        "approval_actionability": "actionable" if is_open else "terminal",
        "approval_revision": ticket.revision,
        "approval_decision": "" if is_open else word.lower(),
        "resolved_by": by,
        "resolved_at": decided_at,
        "submitted_by": ask.agent,
        "on_behalf_of": ask.on_behalf_of or "",
        "decision_summary": ruling.reason,
        "tool": ask.tool,
        "action": ask.action.value,
        "environment": ask.environment,
        "target": ask.target,
        "risk_tier": ruling.risk_tier,
        "binding": ticket.binding,
        "expires_at": stamp(ticket.expires_at),
        "is_overdue": ticket.is_overdue,
        "full_view_required": ask.needs_full_view,
        "quorum": quorum_of(ticket),
    }


def approval_item(ticket: Ticket) -> people.ApprovalItem:
    """An approval in a list."""
    return people.ApprovalItem.model_validate(approval_fields(ticket))
