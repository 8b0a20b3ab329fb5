"""What the API answers, as models.

Lives here: the form of every successful answer; the published document is made from these.
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


class ApprovalItem(Answer):
    """A job that needs or needed people: flat for some clients, ``job`` nested for others."""

    job_id: str
    topic: str
    tenant_id: str
    risk_tags: list[str]
    capability: str
    reason: str
    created_at: str
    job: JobItem
    decision: str
    """PENDING, APPROVED or REJECTED."""
    policy_snapshot: str
    policy_rule_id: str
    policy_reason: str
    constraints: dict[str, object] | None
    approval_required: bool
    requested_at: str
    decided_at: str | None
    decided_by: str | None
    job_hash: str
    approval_ref: str
    approval_status: str
    approval_actionability: str
    approval_revision: int
    approval_decision: str
    resolved_by: str
    resolved_at: str | None
    submitted_by: str
    on_behalf_of: str
    decision_summary: str
    tool: str
    action: str
    environment: str
    target: str
    risk_tier: str
    binding: str
    expires_at: str
    is_overdue: bool
    full_view_required: bool
    quorum: QuorumAnswer | None


class ApprovalList(Answer):
    """A page of approvals, newest first."""

    items: list[ApprovalItem]
    next_cursor: str | None


class VoteAnswer(Answer):
    """One counted vote of a ticket."""

    person: str
    role: str
    weight: int
    choice: str
    at: str
    comment: str
    key_id: str
    signature: str
    nonce: str


class ContentAnswer(Answer):
    """The whole action, uncut, numbers and words as the agent wrote them."""

    arguments: dict[str, object]
    prompt: str
    context: object
    justification: str


class ApprovalAnswer(ApprovalItem):
    """One approval whole; ``content`` is null for callers who are no person, or once erased."""

    labels: dict[str, str]
    warnings: list[WarningAnswer]
    constraint_id: str
    data_class: str
    dispatch: str
    note: str
    votes: list[VoteAnswer]
    content: ContentAnswer | None
    content_digest: str
    full_view_recorded: bool


class VotedAnswer(Answer):
    """A vote counts (``is_counted_before``: it already did); ``quorum`` says what is missing."""

    job_id: str
    trace_id: str
    state: str
    status: str
    """counted, approved, rejected, or already_approved and its like for a repeat."""
    is_counted_before: bool
    quorum: QuorumAnswer | None
    binding: str
    approved_by: list[str]
    approved_at: str | None


class PolicyAnswer(Answer):
    """A decision without a job. ``effect`` is always the exact word of the five."""

    decision: str
    effect: str
    reason: str
    rule_id: str
    matched_rules: list[str]
    policy_snapshot: str
    constraints: dict[str, object] | None
    warnings: list[WarningAnswer]
    approval_required: bool
    approval_ref: str
    risk_tier: str
    remediations: list[dict[str, object]]
    throttle_duration_seconds: int
    safety_bypassed: bool
    trace_id: str
    evaluations: list[dict[str, object]] | None


class EventAnswer(Answer):
    """One record of the log."""

    seq: int
    type: str
    version: int
    at: str
    actor: str
    agent_id: str
    job_id: str
    revision: int
    binding: str
    tool: str
    action: str
    data_class: str
    approval_status: str | None
    outcome: str | None
    payload: object
    hash: str


class TraceAnswer(Answer):
    """Everything that the log holds of one trace, oldest first."""

    trace_id: str
    jobs: list[str]
    events: list[EventAnswer]


class FreezeAnswer(Answer):
    """Whether a target is stopped; ``changed`` False: it was so already.

    ``status`` is frozen, second_person_needed or lifted.
    """

    target: str
    is_frozen: bool
    changed: bool
    status: str


class HeadAnswer(Answer):
    """The newest record's number and hash."""

    seq: int
    hash: str


class HealthAnswer(Answer):
    """The process answers."""

    status: str


class FrozenAnswer(Answer):
    """One freeze."""

    target: str
    by: str
    at: str
    reason: str
    unfreeze_asked_by: str


class ReadyAnswer(Answer):
    """Whether this process may be given work, and what is unusual about it."""

    status: str
    reasons: list[str]
    snapshot: str
    active_snapshot: str
    frozen: list[FrozenAnswer]
    fail_modes: dict[str, str]


class ProblemAnswer(Answer):
    """Any refusal; further keys name the job where there is one."""

    model_config = ConfigDict(extra="allow", frozen=True)

    error: str
    code: str
    status: int
    request_id: str
    pointer: str = ""
