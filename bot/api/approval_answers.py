"""What the API answers to people, as models.

Lives here: approvals, votes and freezes; the published document is made from these.
Must not live here: how they are filled (``wire``). Law: where a stock client wants text it gets
text, never null; instants are ISO 8601 in UTC; fields are added, never changed or removed.
"""

from bot.api.answers import Answer, JobItem, QuorumAnswer, WarningAnswer


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
    delegator: str | None = None
    """In whose name it was cast; null: in the voter's own."""
    delegation: str = ""


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
    content_erased_at: str | None = None
    """Since when the content is gone for good."""
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


class AttestedAnswer(Answer):
    """What one person found out about an interrupted run."""

    person: str
    took_effect: bool


class DeedAnswer(Answer):
    """What an approver did besides voting (``changed`` False: it was so already).

    ``status`` is withdrawn, stopped, attested (one more person has to find the same), resolved,
    released or discarded; ``output_state`` is empty where nothing ran.
    """

    job_id: str
    trace_id: str
    state: str
    status: str
    changed: bool
    revision: int
    binding: str
    quorum: QuorumAnswer | None
    attested: list[AttestedAnswer]
    output_state: str


class FreezeAnswer(Answer):
    """Whether a target is stopped; ``changed`` False: it was so already.

    ``status`` is frozen, second_person_needed or lifted; ``warning`` is empty, or says that no
    credential is any agent's of that name.
    """

    target: str
    is_frozen: bool
    changed: bool
    status: str
    warning: str = ""
