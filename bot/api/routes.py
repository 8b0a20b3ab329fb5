"""The route table.

Lives here: every path of the API with what it needs and answers; the application and the published
document are both made from it. Must not live here: handlers. Law: a route without scopes is one
that proves its caller otherwise or needs no proof, and says so.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel

from bot.api import answers as ans
from bot.api import approval_answers as people
from bot.api import (
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
from bot.api import read_answers as reads
from bot.api.calls import Call, OpenCall
from governance.principal import Scope

BASE = "/api/v1"
OPENAPI = f"{BASE}/openapi.json"
_SUBMIT, _READ, _APPROVE = (frozenset({s}) for s in (Scope.SUBMIT, Scope.READ, Scope.APPROVE))


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What the published document says of a route."""

    method: str
    path: str
    answer: type[BaseModel]
    body: type[BaseModel] | None = None
    is_list: bool = False
    query: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Route(Described):
    """A route for the holder of a credential with one of ``scopes``."""

    handler: Callable[[Call], Awaitable[web.Response]]
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenRoute(Described):
    """A route that asks for no bearer token."""

    handler: Callable[[OpenCall], Awaitable[web.Response]]


_PAGE = ("limit", "cursor")
QUERY = {
    "agent": "only this agent's",
    "cursor": "next_cursor of the page before",
    "include_resolved": "true: also what is decided already; default false",
    "limit": "how many at most",
    "state": "only jobs in this state of the wire",
    "tenant": "only this tenant's; another than the credential's finds nothing",
    "topic": "only this topic, exactly",
    "trace_id": "only this trace",
    "wait": "wait until there is something to do, at most so long: 30s, 500ms, 1m",
}
"""What each query parameter means."""

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

ROUTES: tuple[Route, ...] = (*JOBS, *PEOPLE, *READS)

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
