"""The life of a ticket: the one table of transitions, ``decide`` and ``evolve``.

Lives here: which state may follow which, which decider answers which command, and what each event
does to a ticket. Must not live here: how a decision is reached (the deciders beside this file).
Law: nothing else changes a ticket's state, and no state is reached outside ``TRANSITIONS``.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import assert_never

from governance.replacing import replace
from governance.tickets import _opening, _running, _voting
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.decided import Decided
from governance.tickets.ticket import Basis, FullView, Ticket, TicketState, Vote

S = TicketState
TRANSITIONS: Mapping[TicketState | None, frozenset[TicketState]] = {
    None: frozenset({S.PENDING, S.APPROVED, S.DENIED}),
    S.PENDING: frozenset(
        {S.PENDING, S.APPROVED, S.REJECTED, S.EXPIRED, S.CANCELLED, S.DENIED},
    ),
    S.APPROVED: frozenset(
        {S.EXECUTING, S.RELEASED, S.EXPIRED, S.CANCELLED, S.DENIED, S.REJECTED, S.PENDING},
    ),
    S.EXECUTING: frozenset({S.EXECUTED, S.PENDING, S.EXPIRED, S.UNKNOWN}),
    S.UNKNOWN: frozenset({S.EXECUTED, S.PENDING, S.EXPIRED}),
    S.EXECUTED: frozenset(),
    S.RELEASED: frozenset(),
    S.DENIED: frozenset(),
    S.REJECTED: frozenset(),
    S.EXPIRED: frozenset(),
    S.CANCELLED: frozenset(),
}
"""Every state change that exists; None is before birth, an empty set is an end."""

WIRE: Mapping[TicketState, tuple[str, str]] = {
    S.PENDING: ("APPROVAL_REQUIRED", "pending"),
    S.APPROVED: ("SCHEDULED", "approved"),
    S.EXECUTING: ("RUNNING", "approved"),
    S.EXECUTED: ("SUCCEEDED", "approved"),
    S.RELEASED: ("SUCCEEDED", "approved"),
    S.DENIED: ("DENIED", "denied"),
    S.REJECTED: ("DENIED", "denied"),
    S.EXPIRED: ("DENIED", "expired"),
    S.CANCELLED: ("CANCELLED", "cancelled"),
    S.UNKNOWN: ("FAILED", "approved"),
}
"""Our state -> state of ``/api/v1`` and status of the Agent Approval Protocol."""

_MOVES = (
    ev.TicketApproved,
    ev.TicketRejected,
    ev.TicketExpired,
    ev.TicketCancelled,
    ev.TicketDenied,
    ev.TicketRevised,
    ev.QuorumLost,
    run_ev.ExecutionStarted,
    run_ev.ExecutionSucceeded,
    run_ev.ExecutionLost,
    run_ev.GrantRedeemed,
)
"""Events that always move a ticket, so that none of them can happen to it twice."""

LIVE = frozenset({S.PENDING, S.APPROVED, S.EXECUTING, S.UNKNOWN})
"""States that something may still follow."""

OPEN = frozenset({S.PENDING, S.APPROVED})
"""States in which nothing has begun: a newly activated bundle judges these again."""

POLICY_CHANGED = _opening.POLICY_CHANGED
"""Why a ticket was cancelled that a newly activated bundle neither denies nor lets stand."""


def open_ticket(command: cmd.OpenTicket, at: datetime, counters: tuple[ev.Counter, ...]) -> Decided:
    """The event with which a ticket is born; see ``_opening``."""
    return _opening.open_ticket(command, at, counters)


def decide(ticket: Ticket, command: cmd.Command, at: datetime, *, is_frozen: bool) -> Decided:
    """What ``command`` does to ``ticket`` at event time ``at``; pure.

    ``is_frozen``: its agent, or every agent, is frozen now.
    """
    match command:
        case cmd.CastVote():
            return _voting.cast_vote(ticket, command, at, is_frozen=is_frozen)
        case cmd.WithdrawVote():
            return _voting.withdraw_vote(ticket, command)
        case cmd.RecordRefusal():
            return _voting.record_refusal(ticket, command)
        case cmd.OpenFullView():
            return _voting.open_full_view(ticket, command)
        case cmd.StopTicket():
            return _voting.stop_ticket(ticket, command)
        case cmd.CancelTicket():
            return _running.cancel_ticket(ticket, command)
        case cmd.ReassessTicket():
            return _opening.reassess(ticket, command)
        case _:
            return _decide_running(ticket, command, at, is_frozen=is_frozen)


def _decide_running(
    ticket: Ticket,
    command: (
        cmd.ExpireTicket
        | cmd.MarkOverdue
        | cmd.ClearExecution
        | cmd.StartExecution
        | cmd.DeferExecution
        | cmd.RecordOutcome
        | cmd.DeclareLost
        | cmd.ResolveUnknown
        | cmd.RedeemGrant
        | cmd.ReportOutcome
    ),
    at: datetime,
    *,
    is_frozen: bool,
) -> Decided:
    match command:
        case cmd.ExpireTicket():
            return _running.expire_ticket(ticket, at)
        case cmd.MarkOverdue():
            return _running.mark_overdue(ticket, at)
        case cmd.ClearExecution():
            return _running.clear_execution(ticket, command)
        case cmd.StartExecution():
            return _running.start_execution(ticket, command, at, is_frozen=is_frozen)
        case cmd.DeferExecution():
            return _running.defer_execution(ticket, command)
        case cmd.RecordOutcome():
            return _running.record_outcome(ticket, command, at)
        case cmd.DeclareLost():
            return _running.declare_lost(ticket, at)
        case cmd.ResolveUnknown():
            return _running.resolve_unknown(ticket, command, at)
        case cmd.RedeemGrant():
            return _running.redeem_grant(ticket, command, at, is_frozen=is_frozen)
        case cmd.ReportOutcome():
            return _running.report_outcome(ticket, command)
        case _:
            assert_never(command)


def evolve(ticket: Ticket | None, event: ev.TicketEvent, at: datetime) -> Ticket:
    """The ticket after ``event``, which happened at ``at``.

    Raises:
        ValueError: the event cannot follow; the log was not written by this product.
    """
    if isinstance(event, ev.TicketOpened):
        if ticket is not None:
            raise ValueError(f"ticket {event.ticket_id} is born twice")
        return _born(event, at)
    if ticket is None or ticket.id != event.ticket_id:
        raise ValueError(f"{type(event).__name__} of {event.ticket_id} without its ticket")
    after = _after(ticket, event, at)
    is_move = after.state is not ticket.state or isinstance(event, _MOVES)
    if is_move and after.state not in TRANSITIONS[ticket.state]:
        raise ValueError(f"{type(event).__name__}: {ticket.state} cannot become {after.state}")
    return after


def _born(event: ev.TicketOpened, at: datetime) -> Ticket:
    if event.state not in TRANSITIONS[None]:
        raise ValueError(f"no ticket is born {event.state}")
    return Ticket(
        id=event.ticket_id,
        revision=1,
        state=event.state,
        basis=event.basis,
        ask=event.ask,
        ruling=event.ruling,
        binding=event.binding,
        created_at=at,
        updated_at=at,
        expires_at=event.expires_at,
        approved_at=at if event.state is S.APPROVED else None,
    )


def _after(ticket: Ticket, event: ev.TicketEvent, at: datetime) -> Ticket:
    match event:
        case ev.VoteCast():
            return replace(ticket, updated_at=at, votes=_with_vote(ticket, event.vote))
        case ev.VoteWithdrawn():
            kept = tuple(vote for vote in ticket.votes if vote.person != event.person)
            return replace(ticket, updated_at=at, votes=kept)
        case ev.VoteRefused():
            entry = (event.person, event.code.value)
            return replace(ticket, updated_at=at, refusals=(*ticket.refusals, entry))
        case ev.TicketUpheld():
            return replace(ticket, updated_at=at, upheld_by=event.snapshot)
        case ev.FullViewOpened():
            view = FullView(person=event.person, revision=event.revision)
            return replace(ticket, updated_at=at, full_views=(*ticket.full_views, view))
        case ev.TicketApproved():
            return replace(
                ticket, updated_at=at, state=S.APPROVED, basis=Basis.PEOPLE, approved_at=at
            )
        case ev.TicketRejected():
            return replace(
                ticket, updated_at=at, state=S.REJECTED, decided_by=event.person, note=event.cause
            )
        case ev.TicketExpired():
            was = "decided" if ticket.state is S.PENDING else "used"
            return replace(ticket, updated_at=at, state=S.EXPIRED, note=f"not {was} in time")
        case ev.TicketCancelled():
            return replace(
                ticket, updated_at=at, state=S.CANCELLED, decided_by=event.actor, note=event.reason
            )
        case ev.TicketDenied():
            told = event.ruling
            return replace(
                ticket, updated_at=at, state=S.DENIED, ruling=told, note=told.reason, upheld_by=""
            )
        case _:
            return _after_approval(ticket, event, at)


def _after_approval(ticket: Ticket, event: ev.TicketEvent, at: datetime) -> Ticket:
    match event:
        case ev.TicketRevised():
            return _revised(ticket, event, at)
        case ev.QuorumLost():
            return _quorum_lost(ticket, event, at)
        case ev.ResponseOverdue():
            return replace(ticket, updated_at=at, is_overdue=True)
        case run_ev.ExecutionCleared():
            return replace(ticket, updated_at=at, cleared_at=at)
        case run_ev.ExecutionDeferred():
            return replace(ticket, updated_at=at, note=event.reason, deferrals=ticket.deferrals + 1)
        case run_ev.ExecutionStarted():
            return replace(ticket, updated_at=at, state=S.EXECUTING, run=event.run, note="")
        case run_ev.ExecutionSucceeded():
            return replace(ticket, updated_at=at, state=S.EXECUTED, report=event.report)
        case run_ev.ExecutionFailed():
            return replace(ticket, updated_at=at, report=event.report)
        case run_ev.ExecutionLost():
            note = "its executor vanished: nobody knows whether it took effect"
            return replace(ticket, updated_at=at, state=S.UNKNOWN, note=note)
        case run_ev.UnknownResolved():
            state = S.EXECUTED if event.took_effect else ticket.state
            note = "found to have taken effect" if event.took_effect else ticket.note
            return replace(ticket, updated_at=at, state=state, decided_by=event.person, note=note)
        case run_ev.GrantRedeemed():
            return replace(ticket, updated_at=at, state=S.RELEASED)
        case run_ev.OutcomeReported():
            return replace(ticket, updated_at=at, report=event.report)
        case _:
            raise ValueError(f"{type(event).__name__} is not known to change a ticket")


def _with_vote(ticket: Ticket, vote: Vote) -> tuple[Vote, ...]:
    return (*(item for item in ticket.votes if item.person != vote.person), vote)


def _quorum_lost(ticket: Ticket, event: ev.QuorumLost, at: datetime) -> Ticket:
    kept = tuple(vote for vote in ticket.votes if vote.person not in event.dropped)
    return replace(
        ticket,
        updated_at=at,
        state=S.PENDING,
        basis=None,
        votes=kept,
        approved_at=None,
        cleared_at=None,
        note="an approver lost their role; their vote no longer counts",
    )


def _revised(ticket: Ticket, event: ev.TicketRevised, at: datetime) -> Ticket:
    return replace(
        ticket,
        updated_at=at,
        upheld_by=ticket.upheld_by if event.ruling == ticket.ruling else "",
        state=S.PENDING,
        basis=None,
        revision=event.revision,
        ruling=event.ruling,
        binding=event.binding,
        expires_at=event.expires_at,
        votes=(),
        approved_at=None,
        cleared_at=None,
        run=None,
        deferrals=0,
        refusals=(),
        is_overdue=False,
        note=event.note,
    )
