"""From APPROVED on: cleared, started once for exactly what was bound, ended, or left unknown."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from governance.action import Dispatch
from governance.errors import Code
from governance.execution import RunStatus, SandboxTier
from governance.policy.decision import Constraints, Effect
from governance.principal import AgentId, PersonId
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets._running import CLEARANCE_LIFE_S
from governance.tickets.ticket import Basis, Run, Ticket, TicketState
from tests.support.build import AGENT, ANNA, BEN, OWNER, T0, report, requirement
from tests.support.core import (
    ADMIN,
    CARA,
    DAN,
    OPERATOR,
    PEOPLE,
    REQUESTER,
    TICKET,
    after,
    approved,
    ballot,
    born,
    clearing,
    code,
    decide,
    decision,
    executing,
    kinds,
    played,
    redeeming,
    request,
    starting,
)

S = TicketState
RELEASE = request(dispatch=Dispatch.RELEASE)
SUCCESS, FAILURE = report(), report(RunStatus.FAILED)


def _in(seconds: float) -> datetime:
    return T0 + timedelta(seconds=seconds)


def _allowed(**changes: object) -> Ticket:
    return born(decision=decision(Effect.ALLOW, **changes))


def _cleared(**changes: object) -> Ticket:
    ticket = approved(**changes)
    return played(ticket, clearing(ticket))


# Clearance


def test_voters_who_still_hold_their_roles_clear_it_to_start():
    ticket = approved()
    decided = decide(ticket, clearing(ticket))
    assert decided.events == (
        run_ev.ExecutionCleared(ticket_id=TICKET, revision=1, people=(ANNA, BEN)),
    )
    assert after(ticket, decided.events, _in(7)).cleared_at == _in(7)


def test_what_policy_alone_allowed_is_cleared_without_voters():
    ticket = _allowed()
    assert kinds(decide(ticket, clearing(ticket))) == ["ExecutionCleared"]


@pytest.mark.parametrize(
    "standing",
    [
        {ANNA: PEOPLE[ANNA]},
        {ANNA: PEOPLE[ANNA], BEN: frozenset({OPERATOR})},
        {ANNA: PEOPLE[ANNA], BEN: frozenset[str]()},
    ],
    ids=["deactivated", "another role", "no role"],
)
def test_a_voter_who_lost_the_role_takes_the_quorum_along(
    standing: dict[PersonId, frozenset[str]],
):
    ticket = approved()
    decided = decide(ticket, clearing(ticket, standing=standing))
    assert decided.events == (ev.QuorumLost(ticket_id=TICKET, revision=1, dropped=(BEN,)),)
    again = after(ticket, decided.events, T0)
    assert (again.state, again.basis, again.approved_at) == (S.PENDING, None, None)
    assert [vote.person for vote in again.votes] == [ANNA]
    assert played(again, ballot(again, CARA, ADMIN)).state is S.APPROVED


def test_a_quorum_that_holds_without_the_lost_vote_stays_cleared():
    ticket = born(decision=decision(requirement=requirement(threshold=5)))
    ticket = played(ticket, *(ballot(ticket, who) for who in (ANNA, DAN)))
    ticket = played(ticket, ballot(ticket, BEN, ADMIN))
    loose = replace(ticket, ruling=replace(ticket.ruling, requirement=requirement(threshold=4)))
    without_dan = {ANNA: PEOPLE[ANNA], BEN: PEOPLE[BEN]}
    assert kinds(decide(loose, clearing(loose, standing=without_dan))) == ["ExecutionCleared"]


def test_a_clearance_does_not_survive_a_lost_quorum():
    ticket = _cleared()
    lost = played(ticket, clearing(ticket, standing={ANNA: PEOPLE[ANNA]}))
    again = played(lost, ballot(lost, CARA, ADMIN))
    assert code(decide(again, starting(again))) is Code.CLEARANCE_STALE


def test_a_deactivated_requester_or_owner_cancels_it():
    ticket = approved()
    decided = decide(ticket, clearing(ticket, withdrawn=REQUESTER))
    assert kinds(decided) == ["TicketCancelled"]
    done = after(ticket, decided.events, T0)
    assert (done.state, done.decided_by) == (S.CANCELLED, "system:placet")
    assert REQUESTER in done.note


@pytest.mark.parametrize("ticket", [born(), executing()], ids=["pending", "executing"])
def test_only_what_is_approved_is_cleared(ticket: Ticket):
    decided = decide(ticket, clearing(ticket, withdrawn=OWNER))
    assert (decided.events, decided.refusal) == ((), None)


def test_a_clearance_of_an_older_revision_is_ignored():
    ticket = approved()
    assert decide(ticket, clearing(ticket, revision=2)).events == ()


# Start


def test_a_start_is_committed_with_its_lease_and_its_digests():
    ticket = _cleared()
    decided = decide(ticket, starting(ticket), _in(5))
    run = Run(id="run-1", executor="exec-1", started_at=_in(5), lease_until=_in(35))
    assert decided.events == (
        run_ev.ExecutionStarted(
            ticket_id=TICKET,
            revision=1,
            run=run,
            action_digest=ticket.ask.action_digest,
            plan_digest="6" * 64,
            sandbox=SandboxTier.A,
        ),
    )
    running = after(ticket, decided.events, _in(5))
    assert (running.state, running.run, running.note) == (S.EXECUTING, run, "")


def test_a_start_needs_a_clearance_under_a_minute_old():
    assert code(decide(approved(), starting(approved()))) is Code.CLEARANCE_STALE
    ticket = _cleared()
    assert decide(ticket, starting(ticket), _in(CLEARANCE_LIFE_S - 0.001)).refusal is None
    decided = decide(ticket, starting(ticket), _in(CLEARANCE_LIFE_S))
    assert (code(decided), decided.events) == (Code.CLEARANCE_STALE, ())


@pytest.mark.parametrize("changes", [{"action_digest": "0" * 64}, {"plan_digest": ""}])
def test_other_bytes_than_the_approved_ones_never_start(changes: dict[str, object]):
    ticket = _cleared()
    decided = decide(ticket, starting(ticket, **changes))
    assert (code(decided), decided.events) == (Code.DIGEST_MISMATCH, ())


def test_a_weaker_sandbox_than_bound_never_starts():
    ticket = _cleared()
    assert ticket.ruling.sandbox == "A-"
    assert kinds(decide(ticket, starting(ticket, sandbox=SandboxTier.A_MINUS))) == [
        "ExecutionStarted"
    ]
    decided = decide(ticket, starting(ticket, sandbox=SandboxTier.B))
    assert (code(decided), decided.events) == (Code.NO_SANDBOX, ())


def test_a_frozen_agent_starts_and_redeems_nothing():
    ticket = _cleared()
    decided = decide(ticket, starting(ticket), is_frozen=True)
    assert (code(decided), decided.events) == (Code.FROZEN, ())
    grant = _cleared(request=RELEASE)
    decided = decide(grant, redeeming(grant), is_frozen=True)
    assert (code(decided), decided.events) == (Code.FROZEN, ())


def test_what_is_not_approved_never_starts():
    for ticket in (born(), born(decision=decision(Effect.DENY))):
        decided = decide(ticket, starting(ticket))
        assert (code(decided), decided.events) == (Code.NOT_APPROVED, ())


def test_a_second_start_is_refused_while_it_runs_and_ever_after():
    running = executing()
    outcome = cmd.RecordOutcome(ticket_id=TICKET, run_id="run-1", report=SUCCESS)
    for ticket in (running, played(running, outcome)):
        decided = decide(ticket, starting(ticket, run_id="run-2"))
        assert (code(decided), decided.events) == (Code.ALREADY_CONSUMED, ())


def test_a_start_at_the_expiry_expires_it():
    ticket = approved()
    ticket = played(ticket, clearing(ticket), at=_in(3599))
    decided = decide(ticket, starting(ticket), ticket.expires_at)
    assert (code(decided), kinds(decided)) == (Code.EXPIRED, ["TicketExpired"])
    assert after(ticket, decided.events, ticket.expires_at).note == "not used in time"


def test_what_is_released_is_not_executed_and_the_other_way_round():
    grant, job = _cleared(request=RELEASE), _cleared()
    assert code(decide(grant, starting(grant))) is Code.WRONG_DISPATCH
    assert code(decide(job, redeeming(job))) is Code.WRONG_DISPATCH


# Deferral


def _defer(reason: str = "no sandbox") -> cmd.DeferExecution:
    return cmd.DeferExecution(ticket_id=TICKET, code=Code.NO_SANDBOX, reason=reason)


def test_a_deferral_says_once_why_it_waits_and_leaves_it_approved():
    decided = decide(approved(), _defer())
    assert decided.events == (
        run_ev.ExecutionDeferred(
            ticket_id=TICKET, revision=1, code=Code.NO_SANDBOX, reason="no sandbox"
        ),
    )
    ticket = after(approved(), decided.events, T0)
    assert (ticket.state, ticket.note, ticket.deferrals) == (S.APPROVED, "no sandbox", 1)
    assert decide(ticket, _defer()).events == ()
    assert played(ticket, _defer("another")).deferrals == 2


def test_only_what_is_approved_is_deferred():
    assert decide(born(), _defer()).events == ()


# Outcomes


def _outcome(result: object = SUCCESS, run_id: str = "run-1") -> cmd.RecordOutcome:
    return cmd.RecordOutcome(ticket_id=TICKET, run_id=run_id, report=result)  # type: ignore[arg-type]


def test_a_success_ends_it():
    decided = decide(executing(), _outcome())
    assert decided.events == (
        run_ev.ExecutionSucceeded(ticket_id=TICKET, revision=1, run_id="run-1", report=SUCCESS),
    )
    done = after(executing(), decided.events, T0)
    assert (done.state, done.report) == (S.EXECUTED, SUCCESS)


def test_a_failure_is_pending_again_and_its_votes_are_void():
    running = executing()
    decided = decide(running, _outcome(FAILURE))
    assert kinds(decided) == ["ExecutionFailed", "TicketRevised"]
    assert decided.events[0] == run_ev.ExecutionFailed(
        ticket_id=TICKET, revision=1, run_id="run-1", report=FAILURE
    )
    again = after(running, decided.events, T0)
    assert (again.state, again.revision, again.votes, again.run) == (S.PENDING, 2, (), None)
    assert (again.report, again.note) == (FAILURE, "the run failed; its votes are void")
    assert (again.ruling, again.expires_at) == (running.ruling, running.expires_at)
    assert again.binding != running.binding
    assert code(decide(again, starting(again))) is Code.NOT_APPROVED


def test_a_failure_past_the_expiry_expires_it():
    decided = decide(executing(), _outcome(FAILURE), executing().expires_at)
    assert kinds(decided) == ["ExecutionFailed", "TicketExpired"]
    assert after(executing(), decided.events, T0).state is S.EXPIRED


def test_a_failure_of_what_nobody_approved_ends_it_because_nobody_could_approve_a_second_run():
    ticket = _allowed()
    running = played(ticket, clearing(ticket), starting(ticket))
    decided = decide(running, _outcome(FAILURE))
    assert kinds(decided) == ["ExecutionFailed", "TicketRevised", "TicketCancelled"]
    done = after(running, decided.events, T0)
    assert (done.state, done.revision) == (S.CANCELLED, 2)
    assert decided.events[1].note == "the run failed"  # type: ignore[union-attr]


@pytest.mark.parametrize("status", [RunStatus.FAILED, RunStatus.UNREPORTED])
def test_whatever_is_no_success_counts_as_failed(status: RunStatus):
    assert kinds(decide(executing(), _outcome(report(status))))[0] == "ExecutionFailed"


def test_the_outcome_of_another_run_or_of_none_is_refused():
    done = played(executing(), _outcome())
    for ticket, run_id in ((executing(), "run-2"), (approved(), "run-1"), (done, "run-1")):
        decided = decide(ticket, _outcome(run_id=run_id))
        assert (code(decided), decided.events) == (Code.WRONG_STATE, ())


# Unknown


def _lost() -> Ticket:
    return played(executing(), cmd.DeclareLost(ticket_id=TICKET), at=_in(30))


def test_a_run_is_lost_when_its_lease_passes_and_not_before():
    lost = cmd.DeclareLost(ticket_id=TICKET)
    assert decide(executing(), lost, _in(29.999)).events == ()
    assert decide(executing(), lost, _in(30)).events == (
        run_ev.ExecutionLost(ticket_id=TICKET, revision=1, run_id="run-1"),
    )
    assert _lost().state is S.UNKNOWN
    assert decide(_lost(), lost, _in(99)).events == ()
    assert decide(approved(), lost, _in(99)).events == ()


def test_what_is_unknown_never_starts_again():
    assert code(decide(_lost(), starting(_lost()))) is Code.NOT_APPROVED


# Release


def test_a_grant_is_redeemed_once():
    ticket = _cleared(request=RELEASE)
    decided = decide(ticket, redeeming(ticket))
    assert decided.events == (
        run_ev.GrantRedeemed(
            ticket_id=TICKET,
            revision=1,
            agent=AGENT,
            grant_id="g-1",
            action_digest=ticket.ask.action_digest,
            unenforced=("max_runtime_s", "network_allow"),
        ),
    )
    done = after(ticket, decided.events, T0)
    assert done.state is S.RELEASED
    again = decide(done, redeeming(done, grant_id="g-2"))
    assert (code(again), again.events) == (Code.ALREADY_CONSUMED, ())


def test_a_grant_without_constraints_leaves_nothing_unenforced():
    ticket = _cleared(request=RELEASE, decision=decision(constraints=Constraints()))
    assert decide(ticket, redeeming(ticket)).events[0].unenforced == ()  # type: ignore[union-attr]


def test_another_agents_grant_does_not_exist():
    ticket = _cleared(request=RELEASE)
    decided = decide(ticket, redeeming(ticket, agent=AgentId("other")))
    assert (code(decided), decided.events) == (Code.NOT_FOUND, ())


def test_a_grant_for_another_action_is_refused():
    ticket = _cleared(request=RELEASE)
    wrong = decide(ticket, redeeming(ticket, action_digest="0" * 64))
    assert (code(wrong), wrong.events) == (Code.DIGEST_MISMATCH, ())
    right = redeeming(ticket, action_digest=ticket.ask.action_digest)
    assert kinds(decide(ticket, right)) == ["GrantRedeemed"]


def test_a_grant_needs_approval_a_clearance_and_time():
    waiting = born(request=RELEASE)
    assert code(decide(waiting, redeeming(waiting))) is Code.NOT_APPROVED
    uncleared = approved(request=RELEASE)
    assert code(decide(uncleared, redeeming(uncleared))) is Code.CLEARANCE_STALE
    decided = decide(uncleared, redeeming(uncleared), uncleared.expires_at)
    assert (code(decided), kinds(decided)) == (Code.EXPIRED, ["TicketExpired"])


def _report(result: object = SUCCESS, agent: AgentId = AGENT) -> cmd.ReportOutcome:
    return cmd.ReportOutcome(ticket_id=TICKET, agent=agent, report=result)  # type: ignore[arg-type]


def test_an_agents_report_is_an_annotation_that_never_reopens_the_ticket():
    ticket = _cleared(request=RELEASE)
    ticket = played(ticket, redeeming(ticket))
    decided = decide(ticket, _report(FAILURE))
    assert decided.events == (run_ev.OutcomeReported(ticket_id=TICKET, revision=1, report=FAILURE),)
    done = after(ticket, decided.events, T0)
    assert (done.state, done.report) == (S.RELEASED, FAILURE)
    same = decide(done, _report(FAILURE))
    assert (same.events, same.refusal) == ((), None)
    other = decide(done, _report(SUCCESS))
    assert (code(other), other.events) == (Code.ALREADY_CONSUMED, ())


def test_only_its_agent_reports_on_what_was_released():
    ticket = _cleared(request=RELEASE)
    assert code(decide(ticket, _report())) is Code.WRONG_STATE
    done = played(ticket, redeeming(ticket))
    assert code(decide(done, _report(agent=AgentId("other")))) is Code.NOT_FOUND


# Time


@pytest.mark.parametrize("start", [born, approved])
def test_it_expires_at_its_time_and_not_before(start):  # noqa: ANN001
    ticket = start()
    expire = cmd.ExpireTicket(ticket_id=TICKET)
    assert decide(ticket, expire, ticket.expires_at - timedelta(microseconds=1)).events == ()
    decided = decide(ticket, expire, ticket.expires_at)
    assert decided.events == (ev.TicketExpired(ticket_id=TICKET, revision=1),)
    assert after(ticket, decided.events, ticket.expires_at).state is S.EXPIRED


def test_what_runs_or_is_over_does_not_expire():
    expire = cmd.ExpireTicket(ticket_id=TICKET)
    for ticket in (executing(), _lost(), played(executing(), _outcome())):
        assert decide(ticket, expire, _in(99_999)).events == ()


def test_silence_is_noted_once():
    late = cmd.MarkOverdue(ticket_id=TICKET)
    ticket = born()
    assert decide(ticket, late, _in(899.999)).events == ()
    assert decide(ticket, late, _in(900)).events == (
        ev.ResponseOverdue(ticket_id=TICKET, revision=1),
    )
    noted = played(ticket, late, at=_in(900))
    assert noted.is_overdue
    assert noted.state is S.PENDING
    assert decide(noted, late, _in(901)).events == ()


def test_silence_is_nothing_where_no_answer_is_due():
    late = cmd.MarkOverdue(ticket_id=TICKET)
    patient = born(decision=decision(requirement=requirement(respond_within_s=None)))
    unasked = replace(_allowed(), state=S.PENDING)
    for ticket in (patient, unasked, approved()):
        assert decide(ticket, late, _in(9_999)).events == ()


# Cancel


@pytest.mark.parametrize(
    "by", [{"agent": AGENT}, {"person": OWNER}, {"person": REQUESTER}], ids=str
)
@pytest.mark.parametrize("start", [born, approved])
def test_whoever_asked_or_answers_for_it_takes_it_back(start, by: dict[str, object]):  # noqa: ANN001
    cancel = cmd.CancelTicket(ticket_id=TICKET, actor="agent:x", reason="done by hand", **by)  # type: ignore[arg-type]
    decided = decide(start(), cancel)
    assert decided.events == (
        ev.TicketCancelled(ticket_id=TICKET, revision=1, actor="agent:x", reason="done by hand"),
    )
    done = after(start(), decided.events, T0)
    assert (done.state, done.decided_by, done.note) == (S.CANCELLED, "agent:x", "done by hand")
    again = decide(done, cancel)
    assert (again.events, again.refusal) == ((), None)


@pytest.mark.parametrize("by", [{}, {"agent": AgentId("other")}, {"person": ANNA}], ids=str)
def test_nobody_else_cancels_it_or_learns_that_it_exists(by: dict[str, object]):
    cancel = cmd.CancelTicket(ticket_id=TICKET, actor="x", **by)  # type: ignore[arg-type]
    decided = decide(born(), cancel)
    assert (code(decided), decided.events) == (Code.NOT_FOUND, ())


def test_what_runs_or_is_over_is_not_cancelled():
    cancel = cmd.CancelTicket(ticket_id=TICKET, actor="x", agent=AGENT)
    for ticket in (executing(), played(executing(), _outcome())):
        assert code(decide(ticket, cancel)) is Code.ALREADY_RESOLVED


@pytest.mark.parametrize(
    "forged",
    [
        {"votes": ()},
        {"basis": Basis.POLICY},
        {"binding": "0" * 64},
        {"basis": Basis.POLICY, "votes": ()},
    ],
)
@pytest.mark.parametrize("dispatch", list(Dispatch))
def test_a_projection_that_says_approved_must_show_why(
    forged: dict[str, object], dispatch: Dispatch
):
    """A row altered in the database starts and redeems nothing."""
    ticket = approved(request=request(dispatch=dispatch))
    ticket = played(ticket, clearing(ticket))
    command = starting(ticket) if dispatch is Dispatch.EXECUTE else redeeming(ticket)
    assert code(decide(ticket, command)) is None
    altered = replace(ticket, **forged)
    decided = decide(altered, command)
    assert (code(decided), decided.events) == (Code.DIGEST_MISMATCH, ())
