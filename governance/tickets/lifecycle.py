"""The life of a ticket: the one table of transitions, ``decide`` and ``evolve``.

Lives here: which state may follow which, which decider answers which command, and when an event
may follow. Must not live here: how a decision is reached (the deciders beside this file), what an
event changes (``_changes``).
Law: nothing else changes a ticket's state, and no state is reached outside ``TRANSITIONS``.
"""

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import assert_never

from governance.delegation import Delegations
from governance.tickets import _aftermath, _changes, _nudging, _opening, _running, _voting
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import nudge_commands as nudge_cmd
from governance.tickets import run_events as run_ev
from governance.tickets.decided import Decided
from governance.tickets.ticket import Ticket, TicketState

S = TicketState
_NOTHING_LENT: Delegations = MappingProxyType({})
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
MAY_EXPIRE = frozenset({S.PENDING, S.APPROVED})
"""States that something may still follow."""

OPEN = frozenset({S.PENDING, S.APPROVED})
"""States in which nothing has begun: a newly activated bundle judges these again."""

POLICY_CHANGED = _opening.POLICY_CHANGED
"""Why a ticket was cancelled that a newly activated bundle neither denies nor lets stand."""


def open_ticket(command: cmd.OpenTicket, at: datetime, counters: tuple[ev.Counter, ...]) -> Decided:
    """The event with which a ticket is born; see ``_opening``."""
    return _opening.open_ticket(command, at, counters)


def decide(
    ticket: Ticket,
    command: cmd.Command,
    at: datetime,
    *,
    is_frozen: bool,
    delegations: Delegations = _NOTHING_LENT,
) -> Decided:
    """What ``command`` does to ``ticket`` at event time ``at``; pure.

    ``is_frozen``: its agent, or every agent, is frozen now.
    """
    match command:
        case cmd.CastVote():
            return _voting.cast_vote(
                ticket, command, at, is_frozen=is_frozen, delegations=delegations
            )
        case cmd.WithdrawVote():
            return _voting.withdraw_vote(ticket, command, at)
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
        case nudge_cmd.RemindVoters():
            return _nudging.remind(ticket, command, at)
        case nudge_cmd.EscalateTicket():
            return _nudging.escalate(ticket, command, at)
        case nudge_cmd.RemindResolvers():
            return _nudging.remind_of_lost(ticket, command, at)
        case _:
            return _decide_running(
                ticket, command, at, is_frozen=is_frozen, delegations=delegations
            )


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
        | cmd.JudgeOutput
        | cmd.RedeemGrant
        | cmd.ReportOutcome
    ),
    at: datetime,
    *,
    is_frozen: bool,
    delegations: Delegations,
) -> Decided:
    match command:
        case cmd.ExpireTicket():
            return _running.expire_ticket(ticket, at)
        case cmd.MarkOverdue():
            return _running.mark_overdue(ticket, at)
        case cmd.ClearExecution():
            return _running.clear_execution(ticket, command, delegations, at)
        case cmd.StartExecution():
            return _running.start_execution(
                ticket, command, at, is_frozen=is_frozen, delegations=delegations
            )
        case cmd.DeferExecution():
            return _running.defer_execution(ticket, command)
        case cmd.RecordOutcome():
            return _aftermath.record_outcome(ticket, command, at)
        case cmd.DeclareLost():
            return _aftermath.declare_lost(ticket, at)
        case cmd.ResolveUnknown():
            return _aftermath.resolve_unknown(ticket, command, at)
        case cmd.JudgeOutput():
            return _aftermath.judge_output(ticket, command)
        case cmd.RedeemGrant():
            return _running.redeem_grant(
                ticket, command, at, is_frozen=is_frozen, delegations=delegations
            )
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
        if event.state not in TRANSITIONS[None]:
            raise ValueError(f"no ticket is born {event.state}")
        return _changes.born(event, at)
    if ticket is None or ticket.id != event.ticket_id:
        raise ValueError(f"{type(event).__name__} of {event.ticket_id} without its ticket")
    after = _changes.after(ticket, event, at)
    is_move = after.state is not ticket.state or isinstance(event, _MOVES)
    if is_move and after.state not in TRANSITIONS[ticket.state]:
        raise ValueError(f"{type(event).__name__}: {ticket.state} cannot become {after.state}")
    return after
