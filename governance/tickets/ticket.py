"""A ticket and its parts, as immutable values.

Lives here: what a ticket is at one moment. Must not live here: how it changes (``lifecycle``).
Law: one ticket is one action; everything people approve is frozen per revision in ``binding``.
"""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import NewType

from governance.action import ActionKind, Dispatch
from governance.execution import RunReport
from governance.making import quickly_made
from governance.policy.decision import Constraints, Effect, Requirement, Warned
from governance.principal import AgentId, PersonId, TenantId

TicketId = NewType("TicketId", str)


class TicketState(StrEnum):
    """Where a ticket stands; ``lifecycle.TRANSITIONS`` says what may follow."""

    PENDING = "PENDING"
    APPROVED = "APPROVED"
    EXECUTING = "EXECUTING"
    EXECUTED = "EXECUTED"
    RELEASED = "RELEASED"
    DENIED = "DENIED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"
    UNKNOWN = "UNKNOWN"


class Basis(StrEnum):
    """Why an approved ticket is approved."""

    POLICY = "policy"
    PEOPLE = "people"


class Choice(StrEnum):
    """What a vote says."""

    APPROVE = "approve"
    REJECT = "reject"


@dataclass(frozen=True, slots=True, kw_only=True)
class Vote:
    """One person's signed vote on one revision.

    ``signature`` is base64 of 64 bytes (r and s, ES256) over ``binding.vote_message``.
    """

    person: PersonId
    role: str
    weight: int
    choice: Choice
    at: datetime
    nonce: str
    key_id: str
    signature: str
    comment_digest: str = ""
    delegator: PersonId | None = None
    """In whose name it was cast; None: in the voter's own."""
    delegation: str = ""
    """The delegation that entitled to it."""

    @property
    def voice(self) -> PersonId:
        """Whose voice it is: each counts once on a revision."""
        return self.delegator or self.person


@dataclass(frozen=True, slots=True, kw_only=True)
class FullView:
    """A person has been sent the last page of the whole action."""

    person: PersonId
    revision: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One attempt to execute; ``lease_until`` passes when its executor is gone."""

    id: str
    executor: str
    started_at: datetime
    lease_until: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """What one person found out about an interrupted run."""

    person: PersonId
    took_effect: bool
    comment_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminded:
    """These people were reminded, at ``at``, for the ``number``-th time that it may be."""

    number: int
    at: datetime
    people: tuple[PersonId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalated:
    """A step of the tier's escalation came at ``at``; ``channel`` may be empty."""

    step: int
    at: datetime
    channel: str
    roles: tuple[str, ...]
    people: tuple[PersonId, ...]


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What policy judged besides the rest of an ``Ask``: the request can be judged again by it.

    ``environment`` and ``risk_tags`` as they were asked, before policy took them; ``agent_*`` as
    the credential had them then.
    """

    environment: str = ""
    risk_tags: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    ttl_s: int | None = None
    agent_roles: tuple[str, ...] = ()
    agent_environments: tuple[str, ...] = ()


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Ask:
    """What was asked, without its content: the part of the request that the log may keep."""

    tenant: TenantId
    agent: AgentId
    on_behalf_of: PersonId | None = None
    owners: tuple[PersonId, ...] = ()
    topic: str
    tool: str = ""
    action: ActionKind
    environment: str
    target: str = ""
    capability: str = ""
    risk_tags: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    data_class: str = "internal"
    dispatch: Dispatch
    trace_id: str
    idempotency_key: str
    request_digest: str
    content_digest: str
    action_digest: str
    needs_full_view: bool = False
    claims: Claims | None = None
    """None: recorded before they were kept."""

    @property
    def excluded(self) -> frozenset[PersonId]:
        """The people who may not vote on it: whom it acts for and who answers for the agent."""
        return frozenset(self.owners) | ({self.on_behalf_of} if self.on_behalf_of else set())


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What policy decided about a ticket, as far as the ticket keeps it."""

    effect: Effect
    reason: str
    snapshot: str
    rule_ids: tuple[str, ...] = ()
    constraint_ids: tuple[str, ...] = ()
    constraint_id: str = ""
    constraints: Constraints = field(default_factory=Constraints)
    warnings: tuple[Warned, ...] = ()
    risk_tier: str = ""
    requirement: Requirement | None = None
    plan_digest: str = ""
    sandbox: str = "A"
    safety_bypassed: bool = False


@quickly_made
@dataclass(frozen=True, slots=True, kw_only=True)
class Ticket:
    """The whole of a ticket at one moment.

    ``binding`` is hex of what this revision's votes sign. ``note`` is one sentence on why the
    ticket stands where it does (a failure, a deferral, who decided).
    """

    id: TicketId
    revision: int
    state: TicketState
    basis: Basis | None = None
    ask: Ask
    ruling: Ruling
    binding: str
    created_at: datetime
    updated_at: datetime
    expires_at: datetime
    votes: tuple[Vote, ...] = ()
    full_views: tuple[FullView, ...] = ()
    approved_at: datetime | None = None
    cleared_at: datetime | None = None
    deferrals: int = 0
    run: Run | None = None
    report: RunReport | None = None
    decided_by: str = ""
    note: str = ""
    is_overdue: bool = False
    refusals: tuple[tuple[PersonId, str], ...] = ()
    """Refused votes already recorded, by person and code: a repeat adds no event."""
    upheld_by: str = ""
    """The snapshot of the newest bundle that judged it again and let its ruling stand."""
    attested: tuple[Attested, ...] = ()
    """What people said became of this revision's interrupted run, the newest word of each."""
    failures: int = 0
    """Runs of any revision that failed, or were found to have had no effect."""
    reminders: tuple[Reminded, ...] = ()
    """Who was reminded of this revision, in turn."""
    escalated: tuple[Escalated, ...] = ()
    """Steps of its tier's escalation that came, in turn; they outlive a revision."""

    @property
    def judged_by(self) -> str:
        """The snapshot of the newest bundle that judged it; nothing starts by an older one."""
        return self.upheld_by or self.ruling.snapshot

    def vote_of(self, person: PersonId) -> Vote | None:
        """The counted vote of ``person`` on this revision."""
        return next((vote for vote in self.votes if vote.person == person), None)

    def has_seen_all(self, person: PersonId) -> bool:
        """Whether ``person`` may approve without opening the full view first."""
        if not self.ask.needs_full_view:
            return True
        return any(v.person == person and v.revision == self.revision for v in self.full_views)
