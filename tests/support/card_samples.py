"""Card views of every state, for goldens, properties and attacks."""

# overrides are any field of the value that is built

import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from typing import Any

from bot.slack.cards.view import CardView
from governance.action import Content, Dispatch
from governance.canonical import Json
from governance.control import Frozen
from governance.execution import OutputState, RunStatus
from governance.policy.bundle import load
from governance.policy.decision import Constraints, Effect, RoleRequirement
from governance.policy.tools import Tool
from governance.tickets.ticket import (
    Attested,
    Basis,
    Choice,
    Escalated,
    Ticket,
    TicketState,
)
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
    return {**found, **_forms(), **_tiers(approved), **_outcomes(approved)}


def tool(**changes: Any) -> Tool:
    """The tool of the sample ticket, as its bundle registers it."""
    written = {"actions": ["execute"], "classification": "internal", **changes}
    return _loaded(json.dumps(written))


@cache
def _loaded(written: str) -> Tool:
    bundle = load({"version": "v1", "tools": {"deploy.service": json.loads(written)}})
    return next(iter(bundle.tools))


PUSH = {
    "title": "Push one branch to the remote of the release team",
    "arguments": {
        "type": "object",
        "additionalProperties": False,
        "properties": {"branch": {}, "message": {}, "ticket": {}},
    },
    "runner": {"argv": ["/usr/bin/git", "push", "--message={message}", "--", "{branch}"]},
}
OLD = "[limits]\nmax_connections = 100\ntimeout_s = 30\n[log]\nlevel = info\n"
RECORDS: list[Json] = [
    {"host": "web-1", "port": 8080, "tls": True},
    {"host": "web-2", "port": 8080, "tls": False},
    {"host": "web-3", "port": "8080", "note": "port is a text here"},
]


def shown_as(arguments: dict[str, Json], **written: Any) -> CardView:
    """A pending action of a tool that is shown as ``written`` says."""
    plain = tool(**written)
    ruling = build.ruling(plan_digest=plain.plan_digest)
    content = Content(arguments=arguments, justification=CONTENT.justification)
    return view(ticket(ruling=ruling), content=content, tool=plain)


def _forms() -> dict[str, CardView]:
    """The action in each form that a tool may be shown by."""
    change = {"form": "diff", "before": "old", "after": "new"}
    new = OLD.replace("100", "250").replace("info", "debug ")
    long = "\n".join(f"key_{n} = {n}" for n in range(90)) + "\n"
    return {
        "form_command": shown_as(
            {"branch": "main; rm -rf /", "message": "it's\u202e done", "ticket": "OPS-7"}, run=PUSH
        ),
        "form_command_argument": shown_as(
            {"argv": ["psql", "-c", "select 1; drop table x"], "host": "db-1"},
            shows={"form": "command", "argument": "argv"},
        ),
        "form_command_text": shown_as(
            {"line": "cd /srv\nmake deploy | tee log "},
            shows={"form": "command", "argument": "line"},
        ),
        "form_diff": shown_as({"path": "a.ini", "old": OLD, "new": new}, shows=change),
        "form_diff_long": shown_as(
            {"old": long, "new": long.replace("key_45 = 45", "key_45 = 0")}, shows=change
        ),
        "form_new_text": shown_as({"new": "one\ntwo"}, shows={"form": "diff", "after": "new"}),
        "form_patch": shown_as(
            {"patch": "--- a\n+++ b\n@@ -1 +1 @@\n-x\n+y\n"},
            shows={"form": "diff", "argument": "patch"},
        ),
        "form_table": shown_as(
            {"rows": RECORDS, "mode": "upsert"}, shows={"form": "table", "argument": "rows"}
        ),
        "form_does_not_fit": shown_as(
            {"rows": "all of them"}, shows={"form": "table", "argument": "rows"}
        ),
        "fields_nested": view(
            content=Content(
                arguments={
                    "user": {"name": "Ada", "tags": ["a", "b"], "age": 36, "id": "36"},
                    "note": "first line\nsecond line ",
                    "empty": "",
                    "list": [{"x": None}, {"x": "null"}],
                },
                prompt="Do it\nnow",
                context={"why": "because"},
            )
        ),
    }


def _tiers(approved: dict[str, Any]) -> dict[str, CardView]:
    """Tiers that ask for one person, for very many, for nobody; votes in somebody's name."""
    light = build.requirement(
        tier="light",
        roles=(RoleRequirement(role="operator", weight=1, min_required=1),),
        threshold=1,
    )
    weighty = build.requirement(
        roles=(
            RoleRequirement(role="operator", weight=1, min_required=0),
            RoleRequirement(role="reviewer", weight=2, min_required=0),
        ),
        threshold=4,
    )
    emergency = build.ruling(requirement=light, risk_tier="emergency:fire", constraint_id="pause")
    lent = build.vote(build.BEN, "operator", 1, delegator=build.ANNA, delegation="d-1")
    nobody = build.ruling(Effect.ALLOW, constraints=Constraints())
    return {
        "tier_light": view(ticket(ruling=build.ruling(requirement=light, risk_tier="light"))),
        "tier_by_weight": view(ticket(ruling=build.ruling(requirement=weighty), votes=(lent,))),
        "tier_emergency": view(ticket(ruling=emergency)),
        "by_policy": view(
            ticket(state=TicketState.EXECUTED, ruling=nobody, report=build.report()), output="ok\n"
        ),
        "traced": view(
            ticket(**{**approved, "state": TicketState.EXECUTING}),
            trace_url="https://traces.example.com/trace/" + "a" * 32,
        ),
    }


def _outcomes(approved: dict[str, Any]) -> dict[str, CardView]:
    """What became of runs and of their outputs."""
    done = {**approved, "state": TicketState.EXECUTED}
    gone = {**approved, "state": TicketState.RELEASED, "ask": build.ask(dispatch=Dispatch.RELEASE)}
    by_state = {
        f"output_{state.value}": view(
            ticket(**done, report=build.report(output_state=state)), output="42 rows\n"
        )
        for state in (OutputState.CLEAN, OutputState.RELEASED, OutputState.DISCARDED)
    }
    return {
        **by_state,
        "output_cut": view(
            ticket(**done, report=build.report(duration_ms=93_500)),
            output="".join(f"row {n}\n" for n in range(500)),
        ),
        "unknown_attested": view(
            ticket(
                **{**approved, "state": TicketState.UNKNOWN},
                attested=(
                    Attested(person=build.ANNA, took_effect=True, comment_digest="d"),
                    Attested(person=build.BEN, took_effect=False),
                ),
            ),
            comments={"d": "the deploy log has *version* 1.2.3"},
        ),
        "escalated": view(
            ticket(
                revision=3,
                failures=2,
                escalated=(
                    Escalated(
                        step=1,
                        at=build.T0,
                        channel="C0BOARD",
                        roles=("director",),
                        people=(build.BEN,),
                    ),
                    Escalated(
                        step=2, at=build.T0, channel="", roles=(), people=(build.ANNA, build.BEN)
                    ),
                ),
            )
        ),
        "released_unreported": view(
            ticket(**gone, report=build.report(RunStatus.UNREPORTED, exit_code=None, sandbox=""))
        ),
        "released_failed": view(
            ticket(**gone, report=build.report(RunStatus.FAILED, error="disk full", sandbox=""))
        ),
    }
