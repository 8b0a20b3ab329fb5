"""What came of a run: its outcome, what people found out, and the fate of a held-back output.

Lives here: the deciders after a start. Must not live here: the start itself (``_running``).
Law: an interrupted run is UNKNOWN until as many people as its tier asks for say the same, each with
their evidence; a run that failed voids its votes and is asked for again only so often.
"""

from datetime import datetime

from governance.errors import Code, Refused
from governance.execution import OutputState, RunStatus
from governance.principal import Person, PersonId
from governance.sentences import Sentence
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets._opening import revise
from governance.tickets.decided import NOTHING, Decided, is_now, refused
from governance.tickets.quorum import asks_for_two
from governance.tickets.ticket import Ticket, TicketState

MAX_FAILED_RUNS = 5
"""So often one request may fail; after that its agent has to ask anew."""
_DONE = (TicketState.EXECUTED, TicketState.RELEASED)
_JUDGED = {
    OutputState.CLEAN: Sentence("the output of ticket {ticket} is clean"),
    OutputState.REDACTED: Sentence("the output of ticket {ticket} is redacted"),
    OutputState.RELEASED: Sentence("the output of ticket {ticket} is released"),
    OutputState.DISCARDED: Sentence("the output of ticket {ticket} is discarded"),
}


def record_outcome(ticket: Ticket, command: cmd.RecordOutcome, at: datetime) -> Decided:
    """What came of a run: done, or void votes and pending again."""
    run = ticket.run
    if ticket.state is not TicketState.EXECUTING or run is None or run.id != command.run_id:
        return refused(
            Code.WRONG_STATE, f"ticket {ticket.id} is not executing run {command.run_id}"
        )
    if command.report.status is RunStatus.SUCCEEDED:
        done = run_ev.ExecutionSucceeded(
            ticket_id=ticket.id,
            revision=ticket.revision,
            run_id=command.run_id,
            report=command.report,
        )
        return Decided(events=(done,))
    failed = run_ev.ExecutionFailed(
        ticket_id=ticket.id, revision=ticket.revision, run_id=command.run_id, report=command.report
    )
    return Decided(events=(failed, *_again(ticket, at, cause="execution_failed")))


def _again(ticket: Ticket, at: datetime, *, cause: str) -> tuple[ev.TicketEvent, ...]:
    """After a run that had no effect: pending anew, expired, or (nobody to ask) cancelled."""
    if at >= ticket.expires_at:
        return (ev.TicketExpired(ticket_id=ticket.id, revision=ticket.revision),)
    note = "the run failed; its votes are void" if ticket.votes else "the run failed"
    revised = revise(ticket, cause=cause, note=note)
    failed = ticket.failures + 1
    if ticket.ruling.requirement is None:
        # Policy alone allowed it: there is nobody to approve a second run, the agent asks anew.
        reason = "the run failed; ask again for another"
    elif failed >= MAX_FAILED_RUNS:
        reason = f"the run failed {failed} times; ask again for another"
    else:
        return (revised,)
    cancelled = ev.TicketCancelled(
        ticket_id=ticket.id,
        revision=revised.revision,
        actor="system:placet",
        reason=reason,
    )
    return (revised, cancelled)


def declare_lost(ticket: Ticket, at: datetime) -> Decided:
    """No outcome within the lease: nobody knows what happened."""
    run = ticket.run
    if ticket.state is not TicketState.EXECUTING or run is None or at < run.lease_until:
        return NOTHING
    event = run_ev.ExecutionLost(ticket_id=ticket.id, revision=ticket.revision, run_id=run.id)
    return Decided(events=(event,))


def _approver_problem(
    ticket: Ticket, person: Person, *, may: Sentence, revision: int | None
) -> Refused | None:
    """Why this person's word on what a run left behind does not count; ``may`` says for what."""
    if revision not in (None, ticket.revision):
        return Refused(
            Code.SUPERSEDED_REVISION,
            f"you saw revision {revision}, ticket {ticket.id} is at {ticket.revision}",
        )
    requirement = ticket.ruling.requirement
    names = {item.role for item in requirement.roles} if requirement else person.roles
    if not names & person.roles:
        return Refused(
            Code.WRONG_ROLE, Sentence("only an approver of this ticket may {may}", may=may)
        )
    if person.names & ticket.ask.excluded:
        return Refused(Code.SELF_APPROVAL_DENIED, f"somebody else must {may}")
    return None


def resolve_unknown(ticket: Ticket, command: cmd.ResolveUnknown, at: datetime) -> Decided:
    """A person found out what became of an interrupted run."""
    problem = _approver_problem(
        ticket, command.person, may=Sentence("say what became of it"), revision=command.revision
    )
    if problem is not None:
        return Decided(refusal=problem)
    said = next((one for one in ticket.attested if one.person == command.person.id), None)
    is_repeat = said is not None and said.took_effect is command.took_effect
    if ticket.state is not TicketState.UNKNOWN:
        if is_repeat:
            return NOTHING
        return refused(Code.WRONG_STATE, is_now(ticket))
    if not command.comment_digest:
        return refused(
            Code.EVIDENCE_REQUIRED, Sentence("say where you looked and what you saw there")
        )
    attested = run_ev.OutcomeAttested(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=command.person.id,
        took_effect=command.took_effect,
        comment_digest=command.comment_digest,
    )
    word = () if is_repeat else (attested,)
    return Decided(events=(*word, *_settled(ticket, command, at)))


def _settled(
    ticket: Ticket, command: cmd.ResolveUnknown, at: datetime
) -> tuple[ev.TicketEvent, ...]:
    """What follows once enough people found the same; nothing before that."""
    agreed = _agreed(ticket, command)
    requirement = ticket.ruling.requirement
    if requirement is not None and asks_for_two(requirement) and not agreed:
        return ()
    resolved = run_ev.UnknownResolved(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=command.person.id,
        took_effect=command.took_effect,
        people=(*agreed, command.person.id),
    )
    if command.took_effect:
        return (resolved,)
    return (resolved, *_again(ticket, at, cause="retry_after_unknown"))


def _agreed(ticket: Ticket, command: cmd.ResolveUnknown) -> tuple[PersonId, ...]:
    """Others who found the same, and could still say so today."""
    requirement = ticket.ruling.requirement
    names = {item.role for item in requirement.roles} if requirement else set()
    return tuple(
        one.person
        for one in ticket.attested
        if one.took_effect is command.took_effect
        and one.person != command.person.id
        and names & command.standing.get(one.person, frozenset())
    )


def judge_output(ticket: Ticket, command: cmd.JudgeOutput) -> Decided:
    """A person releases the redacted form of a quarantined output, or discards the output."""
    problem = _approver_problem(
        ticket, command.person, may=Sentence("decide about its output"), revision=command.revision
    )
    if problem is not None:
        return Decided(refusal=problem)
    report = ticket.report
    if report is None or ticket.state not in _DONE:
        return refused(
            Code.WRONG_STATE,
            Sentence("ticket {ticket} has no output to decide about", ticket=ticket.id),
        )
    wanted = OutputState.RELEASED if command.shown_digest else OutputState.DISCARDED
    if report.output_state is wanted:
        return NOTHING
    if report.output_state is not OutputState.QUARANTINED:
        return refused(Code.WRONG_STATE, Sentence(_JUDGED[report.output_state], ticket=ticket.id))
    if not command.comment_digest:
        return refused(
            Code.EVIDENCE_REQUIRED, Sentence("say why its output may be seen, or may not")
        )
    if wanted is OutputState.RELEASED:
        released = run_ev.OutputReleased(
            ticket_id=ticket.id,
            revision=ticket.revision,
            person=command.person.id,
            shown_digest=command.shown_digest,
            comment_digest=command.comment_digest,
        )
        return Decided(events=(released,))
    discarded = run_ev.OutputDiscarded(
        ticket_id=ticket.id,
        revision=ticket.revision,
        person=command.person.id,
        comment_digest=command.comment_digest,
    )
    return Decided(events=(discarded,))
