"""What came of an approved ticket, in the past tense: its run, or its release to the agent.

Lives here: event shapes, their type names and versions, as in ``events``. Must not live here: what
people and policy did to it before (``events``), who appends them (``_running``).
Law: as in ``events``: a stored shape never changes, and only this package builds these events.
"""

from dataclasses import dataclass
from typing import ClassVar

from governance.errors import Code
from governance.execution import RunReport, SandboxTier
from governance.principal import AgentId, PersonId
from governance.tickets.ticket import Run, TicketId


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionCleared:
    """The directory confirmed every voter just now."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    people: tuple[PersonId, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionDeferred:
    """It could not start and stays approved."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    code: Code
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionStarted:
    """The effect may begin: committed before it."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    run: Run
    action_digest: str
    plan_digest: str
    sandbox: SandboxTier


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionSucceeded:
    """The action was done."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    run_id: str
    report: RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionFailed:
    """The action ran and failed; a revision or an expiry follows in the same commit."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    run_id: str
    report: RunReport


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecutionLost:
    """The lease passed: nobody knows whether it took effect."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeAttested:
    """A person said what became of an interrupted run, and by which evidence."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    person: PersonId
    took_effect: bool
    comment_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnknownResolved:
    """Enough people found the same; when it took no effect, a revision follows in the same commit.

    ``person`` is the last of ``people``.
    """

    version: ClassVar[int] = 2
    ticket_id: TicketId
    revision: int
    person: PersonId
    took_effect: bool
    people: tuple[PersonId, ...] = ()
    """Who attested it; none in records of version 1, in which one person's word was enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputReleased:
    """A person let the redacted form of a quarantined output be seen."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    person: PersonId
    shown_digest: str
    comment_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputDiscarded:
    """A person said that nobody is ever to see a quarantined output."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    person: PersonId
    comment_digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class GrantRedeemed:
    """The agent holds a single-use grant; ``unenforced`` names constraints left to it."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    agent: AgentId
    grant_id: str
    action_digest: str
    unenforced: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeReported:
    """What the agent said came of a released action."""

    version: ClassVar[int] = 1
    ticket_id: TicketId
    revision: int
    report: RunReport


RunEvent = (
    ExecutionCleared
    | ExecutionDeferred
    | ExecutionStarted
    | ExecutionSucceeded
    | ExecutionFailed
    | ExecutionLost
    | UnknownResolved
    | GrantRedeemed
    | OutcomeReported
    | OutcomeAttested
    | OutputReleased
    | OutputDiscarded
)
"""Everything that can happen to a ticket because it was approved."""
