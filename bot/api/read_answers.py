"""What policy, the log and the probes answer, as models.

Lives here: answers that are about no single job; the published document is made from these.
Must not live here: how they are filled (``wire``). Law: where a stock client wants text it gets
text, never null; instants are ISO 8601 in UTC; fields are added, never changed or removed.
"""

from pydantic import RootModel

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


class ComparedAnswer(Answer):
    """One condition of a rule: what it wants, what the request has, and whether it fits."""

    condition: str
    wanted: list[str]
    got: list[str]
    outcome: str
    sentence: str


class RuleAnswer(Answer):
    """One rule and its part in the answer."""

    rule_id: str
    effect: str
    standing: str
    note: str
    reason: str
    conditions: list[ComparedAnswer]


class ChangeAnswer(Answer):
    """One change, and the effect that it alone would give."""

    change: str
    value: str
    effect: str
    reason: str
    rule_ids: list[str]
    is_looser: bool
    sentence: str


class SourceAnswer(Answer):
    """What one source said."""

    source: str
    id: str
    verdict: str
    note: str


class ExplanationAnswer(Answer):
    """Why the active bundle answers so now, and what would change the effect."""

    effect: str
    reason: str
    policy_snapshot: str
    sources: list[SourceAnswer]
    rules: list[RuleAnswer]
    near: list[RuleAnswer]
    changes: list[ChangeAnswer]
    rules_in_all: int


class RecordedAnswer(Answer):
    """What was decided about a job when it was asked for; ``cannot_be_judged`` says why not now."""

    job_id: str
    at: str
    effect: str
    reason: str
    rule_ids: list[str]
    snapshot: str
    trace: list[SourceAnswer]
    cannot_be_judged: str


class ExplainAnswer(PolicyAnswer):
    """A decision and why. Of a job it is the recorded one, beside what would be said now."""

    explanation: ExplanationAnswer | None
    recorded: RecordedAnswer | None


class SimulatedAnswer(Answer):
    """What one bundle says to a recorded request."""

    effect: str
    reason: str
    rule_ids: list[str]
    risk_tier: str
    people: int
    constraints: dict[str, object] | None
    may_throttle: list[str]


class DifferenceAnswer(Answer):
    """One recorded request to which two answers differ."""

    seq: int
    at: str
    job_id: str
    agent: str
    topic: str
    tool: str
    target: str
    is_looser: bool
    old: SimulatedAnswer
    new: SimulatedAnswer


class EffectsAnswer(Answer):
    """How many requests went from one effect to another, or stayed."""

    old: str
    new: str
    count: int


class NotJudgedAnswer(Answer):
    """How many requests could not be judged, and why."""

    reason: str
    count: int


class SimulationAnswer(Answer):
    """What a candidate bundle would change; buckets are not charged, so rates only may throttle."""

    snapshot: str
    judged: int
    matrix: list[EffectsAnswer]
    differing: list[DifferenceAnswer]
    differing_total: int
    looser: int
    newly_denied: int
    newly_allowed: int
    may_throttle: int
    people_old: int
    people_new: int
    not_judged: list[NotJudgedAnswer]
    drift: list[DifferenceAnswer]
    drift_total: int
    not_rederived: int
    never_fire: list[str]
    asks_about_past: bool


class SimulateAnswer(RootModel[ExplainAnswer | SimulationAnswer]):
    """With a ``bundle`` in the body what it would change, else as ``policy/explain``."""


class ConstraintAnswer(Answer):
    """One constraint; ``match`` is null where its id in a request is what violates it.

    ``exception_tier`` is empty where no people can except it, but those of an emergency may.
    """

    id: str
    description: str
    violation_action: str
    metadata: dict[str, object]
    match: object
    exception_tier: str
    emergencies: list[str]


class ConstraintsAnswer(Answer):
    """The constraint registry, and the SHA-256 over it."""

    policy_snapshot: str
    registry_digest: str
    constraints: list[ConstraintAnswer]


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
    notes: list[str]
    snapshot: str
    active_snapshot: str
    frozen: list[FrozenAnswer]
    fail_modes: dict[str, str]
    waiting: int
    """Tickets that wait for people."""
    oldest_waiting_s: int
    """For how long the oldest of them has been there; 0 where none waits."""
    failed_commits: int
    """Transactions that this process could not commit since it began."""
    unwritable_s: int
    """For how long it has not been able to write the log; 0 where it is."""
    unknown: int
    """Runs of which nobody knows the end, and nobody has said it."""
