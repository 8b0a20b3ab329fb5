"""What policy, the log and the probes answer, as models.

Lives here: answers that are about no single job; the published document is made from these.
Must not live here: how they are filled (``wire``). Law: where a stock client wants text it gets
text, never null; instants are ISO 8601 in UTC; fields are added, never changed or removed.
"""

from bot.api.answers import Answer, JobItem, WarningAnswer


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


class JobTraceAnswer(JobItem):
    """A job of a trace with its part of the log."""

    events: list[EventAnswer]


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
