"""How an approved action is started or redeemed.

Lives here: the deciders from APPROVED to the start. Must not live here: anything that runs, what
came of a run (``_aftermath``). Law: at most once: the start is committed before the effect, on a
fresh clearance, for exactly the digests that were bound.
"""

from datetime import datetime, timedelta

from governance.action import Dispatch
from governance.delegation import Delegations
from governance.errors import Code, Refused
from governance.execution import SandboxTier
from governance.policy.decision import Requirement
from governance.principal import actor_person
from governance.sentences import Sentence
from governance.tickets import commands as cmd
from governance.tickets import delegated
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets._opening import bind
from governance.tickets.decided import NOTHING, Decided, is_now, refused
from governance.tickets.quorum import tally
from governance.tickets.ticket import Basis, Run, Ticket, TicketState

CLEARANCE_LIFE_S = 60


def clear_execution(
    ticket: Ticket, command: cmd.ClearExecution, delegations: Delegations, at: datetime
) -> Decided:
    """Confirm the voters: cleared, back to pending, or cancelled with its requester gone."""
    if ticket.state is not TicketState.APPROVED or command.revision != ticket.revision:
        return NOTHING
    if command.withdrawn is not None:
        cancelled = ev.TicketCancelled(
            ticket_id=ticket.id,
            revision=ticket.revision,
            actor="system:placet",
            reason=f"{actor_person(command.withdrawn)} who answers for it is deactivated",
        )
        return Decided(events=(cancelled,))
    requirement = ticket.ruling.requirement
    if ticket.basis is Basis.PEOPLE and requirement is not None:
        dropped = _dropped(ticket, command, requirement, delegations, at)
        if dropped is not None:
            return Decided(events=(dropped,))
    people = tuple(sorted(command.standing))
    cleared = run_ev.ExecutionCleared(ticket_id=ticket.id, revision=ticket.revision, people=people)
    return Decided(events=(cleared,))


def _dropped(
    ticket: Ticket,
    command: cmd.ClearExecution,
    requirement: Requirement,
    delegations: Delegations,
    at: datetime,
) -> ev.QuorumLost | None:
    standing = [
        vote
        for vote in delegated.standing(ticket.votes, delegations, at)
        if vote.person in command.standing
        and vote.role in command.standing.get(vote.voice, frozenset())
        and (vote.delegator is None or command.is_admitted)
    ]
    if tally(requirement, standing).is_met:
        return None
    kept = {vote.person for vote in standing}
    return ev.QuorumLost(
        ticket_id=ticket.id,
        revision=ticket.revision,
        dropped=tuple(vote.person for vote in ticket.votes if vote.person not in kept),
    )


def _start_problem(
    ticket: Ticket, at: datetime, *, is_frozen: bool, delegations: Delegations
) -> Refused | None:
    """What keeps an action from starting or being redeemed now."""
    if ticket.state in (TicketState.EXECUTING, TicketState.EXECUTED, TicketState.RELEASED):
        return Refused(
            Code.ALREADY_CONSUMED, Sentence("ticket {ticket} was used already", ticket=ticket.id)
        )
    if ticket.state is not TicketState.APPROVED:
        return Refused(
            Code.NOT_APPROVED, Sentence("{ticket_is}, not approved", ticket_is=is_now(ticket))
        )
    if not _is_vouched(ticket):
        return Refused(
            Code.DIGEST_MISMATCH,
            Sentence("ticket {ticket} says approved, and its parts do not agree", ticket=ticket.id),
        )
    if is_frozen:
        return Refused(Code.FROZEN, f"{ticket.ask.agent} is frozen")
    age = at - ticket.cleared_at if ticket.cleared_at else None
    if age is None or age >= timedelta(seconds=CLEARANCE_LIFE_S):
        return Refused(
            Code.CLEARANCE_STALE,
            Sentence("the voters of {ticket} were not confirmed lately", ticket=ticket.id),
        )
    if ticket.basis is Basis.PEOPLE and not delegated.is_met(ticket, delegations, at):
        return Refused(
            Code.CLEARANCE_STALE,
            Sentence("a delegation behind {ticket} has ended", ticket=ticket.id),
        )
    return None


def _is_vouched(ticket: Ticket) -> bool:
    """Whether the ticket itself shows why it is approved.

    A projection that was altered to say APPROVED must show a quorum, or a ruling that needs none,
    and the binding that belongs to it: a second look at what the lifecycle made sure of.
    """
    ruling = ticket.ruling
    if ticket.binding != bind(ticket.id, ticket.revision, ticket.ask, ruling, ticket.expires_at):
        return False
    if ticket.basis is Basis.PEOPLE:
        return ruling.requirement is not None and tally(ruling.requirement, ticket.votes).is_met
    return ruling.effect.loosens and ruling.requirement is None


def start_execution(
    ticket: Ticket,
    command: cmd.StartExecution,
    at: datetime,
    *,
    is_frozen: bool,
    delegations: Delegations,
) -> Decided:
    """Commit to running exactly the approved action."""
    if ticket.ask.dispatch is not Dispatch.EXECUTE:
        return refused(Code.WRONG_DISPATCH, f"ticket {ticket.id} is released, not executed")
    late = expire_ticket(ticket, at)
    if late.events:
        return refused(Code.EXPIRED, f"ticket {ticket.id} has expired", *late.events)
    problem = _start_problem(ticket, at, is_frozen=is_frozen, delegations=delegations)
    if problem is not None:
        return Decided(refusal=problem)
    wanted = (ticket.ask.action_digest, ticket.ruling.plan_digest)
    if (command.action_digest, command.plan_digest) != wanted:
        return refused(
            Code.DIGEST_MISMATCH, f"the bytes to run are not what ticket {ticket.id} approves"
        )
    if not SandboxTier(ticket.ruling.sandbox).accepts(command.sandbox):
        return refused(
            Code.NO_SANDBOX,
            f"ticket {ticket.id} needs sandbox {ticket.ruling.sandbox}, offered {command.sandbox}",
        )
    run = Run(
        id=command.run_id,
        executor=command.executor,
        started_at=at,
        lease_until=at + timedelta(seconds=command.lease_s),
    )
    started = run_ev.ExecutionStarted(
        ticket_id=ticket.id,
        revision=ticket.revision,
        run=run,
        action_digest=command.action_digest,
        plan_digest=command.plan_digest,
        sandbox=command.sandbox,
    )
    return Decided(events=(started,))


def defer_execution(ticket: Ticket, command: cmd.DeferExecution) -> Decided:
    """Note why it does not start; the same reason twice is one event."""
    if ticket.state is not TicketState.APPROVED or ticket.note == command.reason:
        return NOTHING
    event = run_ev.ExecutionDeferred(
        ticket_id=ticket.id, revision=ticket.revision, code=command.code, reason=command.reason
    )
    return Decided(events=(event,))


def redeem_grant(
    ticket: Ticket,
    command: cmd.RedeemGrant,
    at: datetime,
    *,
    is_frozen: bool,
    delegations: Delegations,
) -> Decided:
    """Hand the approval to its agent, once."""
    if command.agent != ticket.ask.agent:
        return refused(Code.NOT_FOUND, Sentence("no ticket {ticket} of yours", ticket=ticket.id))
    if ticket.ask.dispatch is not Dispatch.RELEASE:
        return refused(
            Code.WRONG_DISPATCH,
            Sentence("ticket {ticket} is executed here, not released", ticket=ticket.id),
        )
    late = expire_ticket(ticket, at)
    if late.events:
        return refused(Code.EXPIRED, f"ticket {ticket.id} has expired", *late.events)
    problem = _start_problem(ticket, at, is_frozen=is_frozen, delegations=delegations)
    if problem is not None:
        return Decided(refusal=problem)
    if command.action_digest not in ("", ticket.ask.action_digest):
        return refused(Code.DIGEST_MISMATCH, f"ticket {ticket.id} approves another action")
    event = run_ev.GrantRedeemed(
        ticket_id=ticket.id,
        revision=ticket.revision,
        agent=command.agent,
        grant_id=command.grant_id,
        action_digest=ticket.ask.action_digest,
        unenforced=tuple(sorted(ticket.ruling.constraints.to_json())),
    )
    return Decided(events=(event,))


def report_outcome(ticket: Ticket, command: cmd.ReportOutcome) -> Decided:
    """An agent's word on a released action, once; it never reopens the ticket."""
    if command.agent != ticket.ask.agent:
        return refused(Code.NOT_FOUND, Sentence("no ticket {ticket} of yours", ticket=ticket.id))
    if ticket.state is not TicketState.RELEASED:
        return refused(Code.WRONG_STATE, f"ticket {ticket.id} was not released")
    if ticket.report is not None:
        return (
            NOTHING
            if ticket.report == command.report
            else refused(Code.ALREADY_CONSUMED, f"the outcome of {ticket.id} was reported already")
        )
    event = run_ev.OutcomeReported(
        ticket_id=ticket.id, revision=ticket.revision, report=command.report
    )
    return Decided(events=(event,))


def expire_ticket(ticket: Ticket, at: datetime) -> Decided:
    """Expire what is due and still open."""
    if ticket.state in (TicketState.PENDING, TicketState.APPROVED) and at >= ticket.expires_at:
        event = ev.TicketExpired(ticket_id=ticket.id, revision=ticket.revision)
        return Decided(events=(event,))
    return NOTHING


def mark_overdue(ticket: Ticket, at: datetime) -> Decided:
    """Note once that nobody answered in time."""
    requirement = ticket.ruling.requirement
    if ticket.state is not TicketState.PENDING or ticket.is_overdue or requirement is None:
        return NOTHING
    within = requirement.respond_within_s
    if within is None or at < ticket.created_at + timedelta(seconds=within):
        return NOTHING
    event = ev.ResponseOverdue(ticket_id=ticket.id, revision=ticket.revision)
    return Decided(events=(event,))


def cancel_ticket(ticket: Ticket, command: cmd.CancelTicket) -> Decided:
    """Whoever asked, or answers for who asked, takes it back."""
    is_own = command.agent == ticket.ask.agent or command.person in ticket.ask.excluded
    if not is_own:
        return refused(Code.NOT_FOUND, Sentence("no ticket {ticket} of yours", ticket=ticket.id))
    if ticket.state is TicketState.CANCELLED:
        return NOTHING
    if ticket.state not in (TicketState.PENDING, TicketState.APPROVED):
        return refused(Code.ALREADY_RESOLVED, f"ticket {ticket.id} is {ticket.state.value.lower()}")
    event = ev.TicketCancelled(
        ticket_id=ticket.id,
        revision=ticket.revision,
        actor=command.actor,
        reason=command.reason,
    )
    return Decided(events=(event,))
