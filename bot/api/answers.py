"""What the API answers about jobs, as models.

Lives here: the base of every answer, and answers to agents; the published document is of these.
Must not live here: how they are filled (``wire``). Law: where a stock client wants text it gets
text, never null; instants are ISO 8601 in UTC; fields are added, never changed or removed.
"""

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """The base of every answer."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class WarningAnswer(Answer):
    """A violated constraint that only warns."""

    constraint_id: str
    description: str


class DecisionAnswer(Answer):
    """One decision on a job, as its history tells it."""

    rule_id: str
    action: str
    """ALLOW, ALLOW_WITH_CONSTRAINTS, REQUIRE_APPROVAL or DENY."""
    reason: str
    constraints: dict[str, object] | None
    evaluated_at: str
    policy_snapshot: str
    revision: int


class RoleAnswer(Answer):
    """One role's part in a quorum."""

    role: str
    weight: int
    min_required: int
    votes: int
    missing: int


class QuorumAnswer(Answer):
    """Where the votes stand; ``missing`` is a sentence."""

    weight: int
    threshold: int
    is_met: bool
    missing: str
    roles: list[RoleAnswer]


class OutcomeAnswer(Answer):
    """What came of a run; ``output`` is the form that may be shown, null while there is none."""

    status: str
    error: str
    exit_code: int | None
    duration_ms: int
    sandbox: str
    output_state: str
    output_digest: str
    output: str | None
    findings: list[dict[str, object]]


class SubmittedAnswer(Answer):
    """A job was accepted, or is known already (``is_repeat``)."""

    job_id: str
    trace_id: str
    state: str
    status: str
    decision: str
    reason: str
    rule_id: str
    constraints: dict[str, object] | None
    warnings: list[WarningAnswer]
    dispatch: str
    expires_at: str
    action_digest: str
    binding: str
    is_repeat: bool


class JobItem(Answer):
    """A job in a list."""

    id: str
    job_id: str
    state: str
    topic: str
    tenant: str
    trace_id: str
    created_at: str
    updated_at: str


class JobAnswer(JobItem):
    """One job; ``state`` is the wire's word, ``ticket_state`` ours."""

    status: str
    ticket_state: str
    tenant_id: str
    labels: dict[str, str]
    result_ptr: str
    failure_reason: str
    submitted_by: str
    on_behalf_of: str
    tool: str
    action: str
    environment: str
    target: str
    capability: str
    risk_tags: list[str]
    data_class: str
    dispatch: str
    decision: str
    reason: str
    rule_id: str
    matched_rules: list[str]
    constraint_id: str
    policy_snapshot: str
    constraints: dict[str, object] | None
    warnings: list[WarningAnswer]
    risk_tier: str
    approval_status: str
    quorum: QuorumAnswer | None
    revision: int
    binding: str
    action_digest: str
    expires_at: str
    note: str
    outcome: OutcomeAnswer | None
    decisions: list[DecisionAnswer]


class JobList(Answer):
    """A page of jobs, newest first."""

    items: list[JobItem]
    next_cursor: str | None


class StateAnswer(Answer):
    """Where a job stands after a command."""

    id: str
    job_id: str
    trace_id: str
    state: str


class GrantAnswer(Answer):
    """The single-use grant; ``unenforced`` names constraints that the agent itself must keep."""

    id: str
    action_digest: str
    binding: str
    constraints: dict[str, object]
    unenforced: list[str]


class ConsumedAnswer(StateAnswer):
    """The approval is spent."""

    grant: GrantAnswer


class ReportedAnswer(StateAnswer):
    """An outcome is on record."""

    outcome: OutcomeAnswer


class ProblemAnswer(Answer):
    """Any refusal; further keys name the job where there is one."""

    model_config = ConfigDict(extra="allow", frozen=True)

    error: str
    code: str
    status: int
    request_id: str
    pointer: str = ""
