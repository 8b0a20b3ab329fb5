"""What may be asked of a ticket, in the imperative.

Lives here: commands as values, already parsed and resolved. Must not live here: decisions.
Law: every door (Slack, REST, command line, clock, executor) builds these and nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from governance.action import ActionRequest, Digests
from governance.errors import Code
from governance.execution import RunReport, SandboxTier
from governance.policy.decision import Decision
from governance.policy.facts import Considered
from governance.principal import Agent, AgentId, Eligible, Person, PersonId, TenantId
from governance.tickets.nudge_commands import NudgeCommand
from governance.tickets.ticket import Choice, TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenTicket:
    """Open the ticket of a decided request; ``eligible`` are the people who could vote."""

    ticket_id: TicketId
    request: ActionRequest
    agent: Agent
    decision: Decision
    content_digest: str
    eligible: Eligible = field(default_factory=dict)
    considered: Considered | None = None
    digests: Digests | None = None
    """The request's, where they are known already."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CastVote:
    """Count one signed vote. ``signed_at`` is what was signed, not when it is judged."""

    ticket_id: TicketId
    revision: int
    person: Person
    choice: Choice
    role: str
    weight: int
    binding: str
    signed_at: datetime
    nonce: str
    key_id: str
    signature: str
    comment_digest: str = ""
    eligible: Eligible = field(default_factory=dict)
    is_role_chosen: bool = False
    """The person named the role: then another role than before is a change, not a repeat."""
    delegator: PersonId | None = None
    """In whose name; None: in one's own."""
    delegation: str = ""
    lent: frozenset[str] = frozenset()
    lent_names: frozenset[PersonId] = frozenset()
    """The delegator's roles in the directory now, and every id of that human."""
    is_admitted: bool = False
    snapshot: str = ""
    """Whether a bundle lets such votes count in this tier, and which one says so."""

    @property
    def voice(self) -> PersonId:
        """Whose voice it is."""
        return self.delegator or self.person.id

    @property
    def voice_names(self) -> frozenset[PersonId]:
        """Every id of whose voice it is."""
        return (self.person.names if self.delegator is None else self.lent_names) | {self.voice}

    @property
    def held(self) -> frozenset[str]:
        """The roles that this voice has."""
        return self.person.roles if self.delegator is None else self.lent


@dataclass(frozen=True, slots=True, kw_only=True)
class Ballot:
    """A person's wish to vote, as an edge parsed it; nothing in it is authority.

    ``revision`` and ``binding`` (at least 12 hex digits) are what the person was shown; None
    where the door shows nothing (then the current ones are meant).
    """

    tenant: TenantId
    ticket_id: TicketId
    person_id: PersonId
    choice: Choice
    comment: str = ""
    role: str | None = None
    revision: int | None = None
    binding: str | None = None
    delegator: PersonId | None = None
    """In whose name; None: in one's own, or, for who has no vote of their own, as was lent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WithdrawVote:
    """Take one's vote back while the ticket is pending."""

    ticket_id: TicketId
    revision: int
    person: Person


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordRefusal:
    """Record that a person who may not vote tried to (identity refusals come before a vote)."""

    ticket_id: TicketId
    person: PersonId
    choice: Choice
    code: Code
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenFullView:
    """Record that the last page of the whole goes to this person now, or that its file was read."""

    ticket_id: TicketId
    revision: int
    person: PersonId
    file_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelTicket:
    """Withdraw the request; only the agent that asked, its owners, or the human it acts for."""

    ticket_id: TicketId
    actor: str
    agent: AgentId | None = None
    person: PersonId | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopTicket:
    """An approver stops an approved action before it starts."""

    ticket_id: TicketId
    person: Person
    comment_digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpireTicket:
    """Expire it if it is due; a no-op otherwise."""

    ticket_id: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class MarkOverdue:
    """Note that nobody decided within ``respond_within``; a no-op when it is not so."""

    ticket_id: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearExecution:
    """Confirm the voters against the directory before the action starts.

    ``standing``: the current roles of each voter and of whoever lent one a voice, without those
    who were deactivated.
    ``withdrawn``: requester or owner who was deactivated, which cancels the ticket.
    """

    ticket_id: TicketId
    revision: int
    standing: Mapping[PersonId, frozenset[str]]
    withdrawn: PersonId | None = None
    is_admitted: bool = True
    """The bundle lets votes by delegation count in its tier."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StartExecution:
    """Commit to running, before the effect. The digests are of the bytes that will run."""

    ticket_id: TicketId
    run_id: str
    executor: str
    lease_s: int
    action_digest: str
    plan_digest: str
    sandbox: SandboxTier


@dataclass(frozen=True, slots=True, kw_only=True)
class DeferExecution:
    """It cannot start now: it stays approved and says why."""

    ticket_id: TicketId
    code: Code
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordOutcome:
    """What came of a run."""

    ticket_id: TicketId
    run_id: str
    report: RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclareLost:
    """The lease passed without an outcome; a no-op while it lives."""

    ticket_id: TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolveUnknown:
    """A person says whether an interrupted run took effect, and how they know.

    ``revision`` is the one whose card they saw; None where the door shows none. ``standing``: the
    current roles of those who said something before, without whoever may not act any more.
    """

    ticket_id: TicketId
    person: Person
    took_effect: bool
    comment_digest: str = ""
    revision: int | None = None
    standing: Eligible = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class JudgeOutput:
    """A person lets a quarantined output be seen in its redacted form, or discards it.

    ``shown_digest`` is of that redacted form, empty for a discard; ``revision`` as above.
    """

    ticket_id: TicketId
    person: Person
    shown_digest: str = ""
    comment_digest: str = ""
    revision: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RedeemGrant:
    """The agent consumes the approval, once; ``grant_id`` names the grant it then holds."""

    ticket_id: TicketId
    agent: AgentId
    grant_id: str
    action_digest: str = ""
    """The digest of what it will run, where the client can say it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportOutcome:
    """What the agent says came of a released action; never reopens the ticket."""

    ticket_id: TicketId
    agent: AgentId
    report: RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ReassessTicket:
    """Judge an open ticket by a newly activated bundle."""

    ticket_id: TicketId
    decision: Decision


Command = (
    CastVote
    | WithdrawVote
    | RecordRefusal
    | OpenFullView
    | CancelTicket
    | StopTicket
    | ExpireTicket
    | MarkOverdue
    | ClearExecution
    | StartExecution
    | DeferExecution
    | RecordOutcome
    | DeclareLost
    | ResolveUnknown
    | JudgeOutput
    | RedeemGrant
    | ReportOutcome
    | ReassessTicket
    | NudgeCommand
)
"""Everything that may be asked of an existing ticket."""
