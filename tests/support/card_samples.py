"""Card views of every state, for goldens, properties and attacks."""

# overrides are any field of the value that is built

from dataclasses import replace
from datetime import timedelta
from typing import Any

from bot.slack.card_view import CardView
from governance.action import Content, Dispatch
from governance.control import Frozen
from governance.execution import OutputState, RunStatus
from governance.policy.decision import RoleRequirement
from governance.tickets.ticket import Basis, Choice, Ticket, TicketState
from tests.support import build

CONTENT = Content(
    arguments={"service": "web", "version": "1.2.3", "dry_run": False},
    justification="The fix for the checkout page is in this version.",
)


def ticket(**changes: Any) -> Ticket:
    """A pending deployment with nothing around it."""
    plain = build.sample_ticket(votes=(), run=None, report=None, refusals=())
    return replace(plain, **changes)


def view(of: Ticket | None = None, **changes: Any) -> CardView:
    """The view of ``of``, with a plain content."""
    base = CardView(ticket=of or ticket(), content=CONTENT, team_id="T1")
    return replace(base, **changes)


def samples() -> dict[str, CardView]:
    """One view for each thing that a card can look like."""
    first = build.vote(build.ANNA, "operator", 1)
    second = build.vote(build.BEN, "security-admin", 3)
    rejection = build.vote(build.BEN, "security-admin", 3, choice=Choice.REJECT, comment_digest="c")
    approved = {"state": TicketState.APPROVED, "basis": Basis.PEOPLE, "votes": (first, second)}
    failed = build.report(RunStatus.FAILED, exit_code=2, error="the service did not come up")
    restless = build.ruling(
        constraint_id="pause-flag",
        safety_bypassed=True,
        requirement=build.requirement(
            comment_required=True, step_up=True, reviewer=build.BEN, distinct_roles=True
        ),
    )
    long = Content(arguments={"sql": "select 1;\n" * 900}, justification="it is long")
    found = {
        "pending": view(),
        "half_approved": view(ticket(votes=(first,))),
        "pending_for_a_person": view(
            ticket(ask=build.ask(on_behalf_of=build.ANNA, dispatch=Dispatch.RELEASE))
        ),
        "pending_cut": view(ticket(ask=build.ask(needs_full_view=True)), content=long),
        "pending_erased": view(content=None),
        "pending_exception": view(ticket(ruling=restless, is_overdue=True)),
        "pending_frozen": view(
            frozen=Frozen(target="all", by=build.BEN, at=build.T0, reason="odd requests")
        ),
        "pending_sandbox_note": view(sandbox_note="No cgroup here: limits by rlimits (tier A-)."),
        "pending_lookalike": view(ticket(ask=build.ask(target="p\u0430ypal-prod"))),
        "approved": view(ticket(**approved)),
        "approved_deferred": view(
            ticket(**approved, note="no sandbox of tier A is available", deferrals=1)
        ),
        "executing": view(ticket(**{**approved, "state": TicketState.EXECUTING})),
        "executed": view(
            ticket(**{**approved, "state": TicketState.EXECUTED}, report=build.report()),
            output="deployed web 1.2.3\ntoken=[redacted]\n",
        ),
        "executed_quarantined": view(
            ticket(
                **{**approved, "state": TicketState.EXECUTED},
                report=build.report(output_state=OutputState.QUARANTINED),
            )
        ),
        "failed": view(
            ticket(revision=2, report=failed, note="the run failed; its votes are void")
        ),
        "released": view(
            ticket(
                **{**approved, "state": TicketState.RELEASED},
                ask=build.ask(dispatch=Dispatch.RELEASE),
            )
        ),
        "denied": view(ticket(state=TicketState.DENIED, note="a stricter policy denies it")),
        "rejected": view(
            ticket(
                state=TicketState.REJECTED,
                votes=(first, rejection),
                decided_by=build.BEN,
                note="veto",
            ),
            comments={"c": "not on a Friday"},
        ),
        "expired": view(ticket(state=TicketState.EXPIRED, note="not decided in time")),
        "cancelled": view(
            ticket(state=TicketState.CANCELLED, decided_by="agent:deployer", note="not needed")
        ),
        "unknown": view(ticket(**{**approved, "state": TicketState.UNKNOWN}, note="vanished")),
    }
    many = tuple(build.vote(f"slack:T1/U{n}", "operator", 1) for n in range(40))
    wide = build.requirement(
        roles=tuple(
            RoleRequirement(role=f"role-{n}", weight=n + 1, min_required=1) for n in range(30)
        )
    )
    found["crowded"] = view(ticket(votes=many, ruling=build.ruling(requirement=wide)))
    found["expires_later"] = view(ticket(expires_at=build.T0 + timedelta(days=2)))
    return found
