"""What each event changes about a ticket.

Lives here: the new value of every field. Must not live here: whether the event may follow
(``lifecycle``), why it happened (the deciders). Law: a new revision keeps nothing of the votes,
the run or the evidence of the one before it.
"""

from datetime import datetime

from governance.execution import OutputState, RunReport
from governance.replacing import replace
from governance.tickets import events as ev
from governance.tickets import nudge_events as nudge_ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import (
    Attested,
    Basis,
    Escalated,
    FullView,
    Reminded,
    Ticket,
    TicketState,
    Vote,
)

S = TicketState


def born(event: ev.TicketOpened, at: datetime) -> Ticket:
    """The ticket that ``event`` opens."""
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


def after(ticket: Ticket, event: ev.TicketEvent, at: datetime) -> Ticket:
    """The ticket once ``event`` has happened at ``at``.

    Raises:
        ValueError: an event that is not known to change a ticket.
    """
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
            is_open = ticket.state is S.PENDING
            note = "not decided in time" if is_open else "not used in time"
            return replace(ticket, updated_at=at, state=S.EXPIRED, note=note)
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
        case run_ev.GrantRedeemed():
            return replace(ticket, updated_at=at, state=S.RELEASED)
        case _:
            return _after_run(ticket, event, at)


def _after_run(ticket: Ticket, event: ev.TicketEvent, at: datetime) -> Ticket:
    match event:
        case run_ev.ExecutionSucceeded():
            return replace(ticket, updated_at=at, state=S.EXECUTED, report=event.report)
        case run_ev.ExecutionFailed():
            failures = ticket.failures + 1
            return replace(ticket, updated_at=at, report=event.report, failures=failures)
        case run_ev.ExecutionLost():
            note = "its executor vanished: nobody knows whether it took effect"
            return replace(ticket, updated_at=at, state=S.UNKNOWN, note=note)
        case run_ev.OutcomeAttested():
            return replace(ticket, updated_at=at, attested=_with_word(ticket, event))
        case run_ev.UnknownResolved():
            return _resolved(ticket, event, at)
        case run_ev.OutcomeReported():
            return replace(ticket, updated_at=at, report=event.report)
        case run_ev.OutputReleased() | run_ev.OutputDiscarded():
            return replace(ticket, updated_at=at, report=_judged(ticket, event))
        case nudge_ev.VotersReminded() | nudge_ev.ResolversReminded():
            one = Reminded(number=event.number, at=at, people=event.people)
            return replace(ticket, updated_at=at, reminders=(*ticket.reminders, one))
        case nudge_ev.TicketEscalated():
            return replace(ticket, updated_at=at, escalated=_with_step(ticket, event, at))
        case _:
            raise ValueError(f"{type(event).__name__} is not known to change a ticket")


def _with_step(
    ticket: Ticket, event: nudge_ev.TicketEscalated, at: datetime
) -> tuple[Escalated, ...]:
    step = Escalated(
        step=event.step, at=at, channel=event.channel, roles=event.roles, people=event.people
    )
    return (*ticket.escalated, step)


def _resolved(ticket: Ticket, event: run_ev.UnknownResolved, at: datetime) -> Ticket:
    found = replace(ticket, updated_at=at, decided_by=event.person)
    if not event.took_effect:
        return replace(found, failures=ticket.failures + 1)
    return replace(found, state=S.EXECUTED, note="found to have taken effect")


def _judged(
    ticket: Ticket, event: run_ev.OutputReleased | run_ev.OutputDiscarded
) -> RunReport | None:
    if ticket.report is None:
        raise ValueError(f"{type(event).__name__} of {ticket.id}, which has no output")
    if isinstance(event, run_ev.OutputDiscarded):
        return replace(ticket.report, output_state=OutputState.DISCARDED)
    return replace(
        ticket.report, output_state=OutputState.RELEASED, shown_digest=event.shown_digest
    )


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
        attested=(),
        reminders=(),
        is_overdue=False,
        note=event.note,
    )


def _with_word(ticket: Ticket, event: run_ev.OutcomeAttested) -> tuple[Attested, ...]:
    """What people said, with the newest word in the place of that person's earlier one."""
    others = (one for one in ticket.attested if one.person != event.person)
    mine = Attested(
        person=event.person, took_effect=event.took_effect, comment_digest=event.comment_digest
    )
    return (*others, mine)
