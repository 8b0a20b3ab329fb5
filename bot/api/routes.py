"""The route table.

Lives here: every path of the API with what it needs and answers; the application and the published
document are both made from it. Must not live here: handlers. Law: a route without scopes is one
that proves its caller otherwise or needs no proof, and says so.
"""

from bot.api import (
    acts,
    approvals,
    explaining,
    freezes,
    grants,
    health,
    jobs,
    log,
    policy,
    registry,
    schemas,
    webhooks,
)
from bot.api import answers as ans
from bot.api import approval_answers as people
from bot.api import read_answers as reads
from bot.api.audit_routes import AUDIT
from bot.api.described import BASE, OpenRoute, Route
from governance.principal import Scope

OPENAPI = f"{BASE}/openapi.json"
_SUBMIT, _READ, _APPROVE = (frozenset({s}) for s in (Scope.SUBMIT, Scope.READ, Scope.APPROVE))


_PAGE = ("limit", "cursor")
JOBS = (
    Route(
        method="POST",
        path=f"{BASE}/jobs",
        handler=jobs.submit_job,
        scopes=_SUBMIT,
        body=schemas.JobForm,
        answer=ans.SubmittedAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/jobs",
        handler=jobs.list_jobs,
        scopes=_READ,
        answer=ans.JobList,
        query=(*_PAGE, "state", "topic", "tenant", "trace_id", "agent"),
    ),
    Route(
        method="GET",
        path=f"{BASE}/jobs/{{id}}",
        handler=jobs.get_job,
        scopes=_READ,
        answer=ans.JobAnswer,
        query=("wait",),
    ),
    Route(
        method="POST",
        path=f"{BASE}/jobs/{{id}}/cancel",
        handler=jobs.cancel_job,
        scopes=_SUBMIT | _APPROVE,
        body=schemas.CancelForm,
        answer=ans.StateAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/jobs/{{id}}/consume",
        handler=grants.consume_job,
        scopes=_SUBMIT,
        body=schemas.ConsumeForm,
        answer=ans.ConsumedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/jobs/{{id}}/outcome",
        handler=grants.report_outcome,
        scopes=_SUBMIT,
        body=schemas.OutcomeForm,
        answer=ans.ReportedAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/jobs/{{id}}/decisions",
        handler=jobs.get_decisions,
        scopes=_READ,
        answer=ans.DecisionAnswer,
        is_list=True,
    ),
)
"""What agents do with their requests."""

PEOPLE = (
    Route(
        method="GET",
        path=f"{BASE}/approvals",
        handler=approvals.list_approvals,
        scopes=_READ | _APPROVE,
        answer=people.ApprovalList,
        query=(*_PAGE, "include_resolved"),
    ),
    Route(
        method="GET",
        path=f"{BASE}/approvals/{{id}}",
        handler=approvals.get_approval,
        scopes=_READ | _APPROVE,
        answer=people.ApprovalAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/approvals/{{id}}/approve",
        handler=approvals.approve,
        scopes=_APPROVE,
        body=schemas.VoteForm,
        answer=people.VotedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/approvals/{{id}}/reject",
        handler=approvals.reject,
        scopes=_APPROVE,
        body=schemas.VoteForm,
        answer=people.VotedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/approvals/{{id}}/withdraw",
        handler=acts.withdraw,
        scopes=_APPROVE,
        body=schemas.SaidForm,
        answer=people.DeedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/approvals/{{id}}/stop",
        handler=acts.stop,
        scopes=_APPROVE,
        body=schemas.SaidForm,
        answer=people.DeedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/approvals/{{id}}/resolve",
        handler=acts.resolve,
        scopes=_APPROVE,
        body=schemas.ResolveForm,
        answer=people.DeedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/approvals/{{id}}/output",
        handler=acts.judge_output,
        scopes=_APPROVE,
        body=schemas.OutputForm,
        answer=people.DeedAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/freeze",
        handler=freezes.freeze,
        scopes=_APPROVE,
        body=schemas.FreezeForm,
        answer=people.FreezeAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/unfreeze",
        handler=freezes.unfreeze,
        scopes=_APPROVE,
        body=schemas.FreezeForm,
        answer=people.FreezeAnswer,
    ),
)
"""What people do with their own credentials."""

READS = (
    Route(
        method="POST",
        path=f"{BASE}/policy/evaluate",
        handler=policy.evaluate,
        scopes=_SUBMIT,
        body=schemas.DecideForm,
        answer=reads.PolicyAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/policy/explain",
        handler=explaining.explain,
        scopes=_READ,
        body=schemas.ExplainForm,
        answer=reads.ExplainAnswer,
    ),
    Route(
        method="POST",
        path=f"{BASE}/policy/simulate",
        handler=explaining.simulate,
        scopes=_READ,
        body=schemas.SimulateForm,
        answer=reads.SimulateAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/policy/constraints",
        handler=registry.get_constraints,
        scopes=_READ,
        answer=reads.ConstraintsAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/traces/{{id}}",
        handler=log.get_trace,
        scopes=_READ,
        answer=reads.TraceAnswer,
    ),
    Route(
        method="GET",
        path=f"{BASE}/audit/head",
        handler=log.get_head,
        scopes=_READ | _APPROVE,
        answer=reads.HeadAnswer,
    ),
)
"""Questions to policy and to the log."""

ROUTES: tuple[Route, ...] = (*JOBS, *PEOPLE, *READS, *AUDIT)

OPEN_ROUTES: tuple[OpenRoute, ...] = (
    OpenRoute(
        method="POST",
        path="/webhooks/jobs",
        handler=webhooks.submit_webhook,  # proves its caller by a signature
        body=schemas.JobForm,
        answer=ans.SubmittedAnswer,
    ),
    OpenRoute(method="GET", path="/healthz", handler=health.healthz, answer=reads.HealthAnswer),
    OpenRoute(method="GET", path="/readyz", handler=health.readyz, answer=reads.ReadyAnswer),
)
"""What asks for no bearer token; the published document itself is mounted beside these."""
