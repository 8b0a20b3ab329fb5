"""After a run: who says what an interrupted one did, how often one may fail, what is shown."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from governance.action import Dispatch
from governance.errors import Code
from governance.execution import OutputState, RunStatus
from governance.policy.decision import Effect, RoleRequirement
from governance.principal import Eligible
from governance.tickets import commands as cmd
from governance.tickets import run_events as run_ev
from governance.tickets._aftermath import MAX_FAILED_RUNS
from governance.tickets.quorum import asks_for_two
from governance.tickets.ticket import Attested, Ticket, TicketState
from tests.support.build import ANNA, BEN, OWNER, T0, report, requirement
from tests.support.core import (
    ADMIN,
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
    person,
    played,
    redeeming,
    request,
    starting,
)

S = TicketState
WHY, SHOWN = "8" * 64, "9" * 64
LATER = T0 + timedelta(seconds=30)
ALONE = requirement(roles=(RoleRequirement(role=OPERATOR, weight=1),), threshold=1)


def _lost(ticket: Ticket | None = None) -> Ticket:
    return played(ticket or executing(), cmd.DeclareLost(ticket_id=TICKET), at=LATER)


def _lost_alone() -> Ticket:
    """Of a tier that one person decides."""
    ticket = born(decision=decision(requirement=ALONE))
    ticket = played(ticket, ballot(ticket, ANNA))
    return _lost(played(ticket, clearing(ticket), starting(ticket)))


def _resolve(
    who: str = DAN,
    *roles: str,
    took_effect: bool = True,
    comment_digest: str = WHY,
    revision: int | None = None,
    standing: Eligible = PEOPLE,
) -> cmd.ResolveUnknown:
    return cmd.ResolveUnknown(
        ticket_id=TICKET,
        person=person(who, *roles),
        took_effect=took_effect,
        comment_digest=comment_digest,
        revision=revision,
        standing=standing,
    )


# Unknown


@pytest.mark.parametrize(
    ("changes", "is_for_two"),
    [
        ({}, True),
        ({"roles": ALONE.roles, "threshold": 1}, False),
        ({"roles": ALONE.roles, "threshold": 2}, True),
        ({"roles": (RoleRequirement(role=OPERATOR, weight=3, min_required=1),)}, True),
        (
            {"roles": (RoleRequirement(role=OPERATOR, weight=3, min_required=1),), "threshold": 3},
            False,
        ),
        (
            {"roles": (RoleRequirement(role=OPERATOR, weight=3, min_required=2),), "threshold": 3},
            True,
        ),
        (
            {
                "roles": (
                    RoleRequirement(role=OPERATOR, weight=3),
                    RoleRequirement(role=ADMIN, weight=1, min_required=1),
                ),
                "threshold": 3,
            },
            True,
        ),
    ],
)
def test_a_tier_asks_for_two_where_no_vote_alone_meets_it(
    changes: dict[str, object], is_for_two: bool
):
    assert asks_for_two(requirement(**changes)) is is_for_two


def test_one_word_settles_it_where_one_person_decides():
    decided = decide(_lost_alone(), _resolve())
    assert decided.events == (
        run_ev.OutcomeAttested(
            ticket_id=TICKET, revision=1, person=DAN, took_effect=True, comment_digest=WHY
        ),
        run_ev.UnknownResolved(
            ticket_id=TICKET, revision=1, person=DAN, took_effect=True, people=(DAN,)
        ),
    )
    done = after(_lost_alone(), decided.events, T0)
    assert (done.state, done.decided_by) == (S.EXECUTED, DAN)


def test_one_word_is_kept_and_settles_nothing_where_two_decide():
    decided = decide(_lost(), _resolve())
    assert kinds(decided) == ["OutcomeAttested"]
    waiting = after(_lost(), decided.events, T0)
    assert waiting.state is S.UNKNOWN
    assert waiting.attested == (Attested(person=DAN, took_effect=True, comment_digest=WHY),)


def test_the_second_person_who_found_the_same_settles_it():
    waiting = played(_lost(), _resolve(ANNA))
    decided = decide(waiting, _resolve(BEN))
    assert kinds(decided) == ["OutcomeAttested", "UnknownResolved"]
    assert decided.events[1].people == (ANNA, BEN)  # type: ignore[union-attr]
    assert after(waiting, decided.events, T0).state is S.EXECUTED


def test_two_who_disagree_leave_it_unknown_until_one_of_them_or_a_third_agrees():
    split = played(_lost(), _resolve(ANNA), _resolve(BEN, took_effect=False))
    assert split.state is S.UNKNOWN
    by_third = decide(split, _resolve(DAN, took_effect=False))
    assert by_third.events[1].people == (BEN, DAN)  # type: ignore[union-attr]
    by_change = played(split, _resolve(BEN))
    assert by_change.state is S.EXECUTED
    assert [one.took_effect for one in by_change.attested] == [True, True]


@pytest.mark.parametrize("standing", [{}, {ANNA: frozenset({"visitor"})}, {BEN: PEOPLE[BEN]}])
def test_a_word_does_not_count_any_more_once_its_person_lost_the_role(standing: Eligible):
    waiting = played(_lost(), _resolve(ANNA))
    decided = decide(waiting, _resolve(BEN, standing=standing))
    assert kinds(decided) == ["OutcomeAttested"]
    third = after(waiting, decided.events, T0)
    settled = decide(third, _resolve(DAN, standing={BEN: PEOPLE[BEN]}))
    assert settled.events[1].people == (BEN, DAN)  # type: ignore[union-attr]


def test_two_words_that_came_at_once_settle_it_when_one_of_them_is_said_again():
    both = played(_lost(), _resolve(ANNA), _resolve(BEN, standing={}))
    assert both.state is S.UNKNOWN
    again = decide(both, _resolve(BEN))
    assert kinds(again) == ["UnknownResolved"]
    assert after(both, again.events, T0).state is S.EXECUTED


def test_the_same_word_twice_is_one():
    waiting = played(_lost(), _resolve(ANNA))
    assert decide(waiting, _resolve(ANNA)).events == ()
    assert decide(waiting, _resolve(ANNA)).refusal is None
    done = played(waiting, _resolve(BEN))
    assert decide(done, _resolve(BEN)).events == ()
    assert decide(done, _resolve(BEN)).refusal is None


def test_no_effect_asks_people_again():
    waiting = played(_lost(), _resolve(ANNA, took_effect=False))
    decided = decide(waiting, _resolve(BEN, took_effect=False))
    assert kinds(decided) == ["OutcomeAttested", "UnknownResolved", "TicketRevised"]
    assert decided.events[2].cause == "retry_after_unknown"  # type: ignore[union-attr]
    again = after(waiting, decided.events, T0)
    assert (again.state, again.revision, again.votes, again.attested) == (S.PENDING, 2, (), ())
    assert (again.decided_by, again.failures) == (BEN, 1)


def test_no_effect_past_the_expiry_expires_it():
    late = _lost_alone().expires_at
    assert kinds(decide(_lost_alone(), _resolve(took_effect=False), late)) == [
        "OutcomeAttested",
        "UnknownResolved",
        "TicketExpired",
    ]


def test_what_became_of_it_is_said_with_evidence():
    decided = decide(_lost(), _resolve(comment_digest=""))
    assert (code(decided), decided.events) == (Code.EVIDENCE_REQUIRED, ())


def test_only_an_approver_who_did_not_ask_resolves_the_unknown():
    assert code(decide(_lost(), _resolve(DAN, "visitor"))) is Code.WRONG_ROLE
    assert code(decide(_lost(), _resolve(OWNER, OPERATOR))) is Code.SELF_APPROVAL_DENIED
    assert code(decide(_lost(), _resolve(REQUESTER, OPERATOR))) is Code.SELF_APPROVAL_DENIED
    assert code(decide(approved(), _resolve())) is Code.WRONG_STATE


def test_a_word_on_an_older_revision_does_not_count():
    decided = decide(_lost(), _resolve(revision=2))
    assert (code(decided), decided.events) == (Code.SUPERSEDED_REVISION, ())
    assert kinds(decide(_lost(), _resolve(revision=1))) == ["OutcomeAttested"]


def test_anyone_who_approves_anything_resolves_what_policy_alone_allowed():
    ticket = born(decision=decision(Effect.ALLOW))
    ticket = _lost(played(ticket, clearing(ticket), starting(ticket)))
    nobody = replace(_resolve(), person=replace(person(DAN), roles=frozenset()))
    assert code(decide(ticket, nobody)) is Code.WRONG_ROLE
    assert kinds(decide(ticket, _resolve(DAN, "anything"))) == [
        "OutcomeAttested",
        "UnknownResolved",
    ]


# Failure


def _failing(ticket: Ticket, at: datetime = T0) -> Ticket:
    for who, role in ((ANNA, OPERATOR), (BEN, ADMIN)):
        ticket = played(ticket, ballot(ticket, who, role), at=at)
    ticket = played(ticket, clearing(ticket), starting(ticket), at=at)
    outcome = cmd.RecordOutcome(ticket_id=TICKET, run_id="run-1", report=report(RunStatus.FAILED))
    return played(ticket, outcome, at=at)


def test_a_run_that_failed_is_asked_for_again_only_so_often():
    ticket = born()
    for failed in range(1, MAX_FAILED_RUNS):
        ticket = _failing(ticket)
        assert (ticket.state, ticket.revision, ticket.failures) == (S.PENDING, failed + 1, failed)
    ticket = _failing(ticket)
    assert (ticket.state, ticket.failures) == (S.CANCELLED, MAX_FAILED_RUNS)
    assert f"failed {MAX_FAILED_RUNS} times" in ticket.note


def test_a_run_that_had_no_effect_counts_as_one_that_failed():
    ticket = replace(_lost(), failures=MAX_FAILED_RUNS - 1)
    ticket = played(ticket, *(_resolve(who, took_effect=False) for who in (ANNA, BEN)))
    assert (ticket.state, ticket.failures) == (S.CANCELLED, MAX_FAILED_RUNS)


# Output


def _quarantined() -> Ticket:
    held = report(output_state=OutputState.QUARANTINED, shown_digest="")
    outcome = cmd.RecordOutcome(ticket_id=TICKET, run_id="run-1", report=held)
    return played(executing(), outcome)


def _judge(
    who: str = ANNA, *roles: str, shown_digest: str = SHOWN, comment_digest: str = WHY
) -> cmd.JudgeOutput:
    return cmd.JudgeOutput(
        ticket_id=TICKET,
        person=person(who, *roles),
        shown_digest=shown_digest,
        comment_digest=comment_digest,
    )


def test_a_released_output_is_shown_in_its_redacted_form():
    decided = decide(_quarantined(), _judge())
    assert decided.events == (
        run_ev.OutputReleased(
            ticket_id=TICKET, revision=1, person=ANNA, shown_digest=SHOWN, comment_digest=WHY
        ),
    )
    now = after(_quarantined(), decided.events, T0).report
    before = _quarantined().report
    assert now is not None
    assert before is not None
    assert (now.output_state, now.shown_digest) == (OutputState.RELEASED, SHOWN)
    assert now.output_digest == before.output_digest


def test_a_discarded_output_is_never_shown():
    decided = decide(_quarantined(), _judge(shown_digest=""))
    assert kinds(decided) == ["OutputDiscarded"]
    gone = after(_quarantined(), decided.events, T0)
    assert gone.state is S.EXECUTED
    assert gone.report is not None
    assert (gone.report.output_state, gone.report.shown_digest) == (OutputState.DISCARDED, "")
    assert code(decide(gone, _judge(BEN))) is Code.WRONG_STATE


def test_the_same_decision_twice_is_one():
    released = played(_quarantined(), _judge())
    assert decide(released, _judge(BEN)).events == ()
    assert decide(released, _judge(BEN)).refusal is None
    assert code(decide(released, _judge(BEN, shown_digest=""))) is Code.WRONG_STATE


def test_what_an_agent_reported_of_a_release_is_judged_alike():
    held = report(output_state=OutputState.QUARANTINED, shown_digest="")
    ticket = born(request=request(dispatch=Dispatch.RELEASE), decision=decision(Effect.ALLOW))
    ticket = played(ticket, clearing(ticket), redeeming(ticket))
    assert code(decide(ticket, _judge())) is Code.WRONG_STATE
    told = cmd.ReportOutcome(ticket_id=TICKET, agent=ticket.ask.agent, report=held)
    assert kinds(decide(played(ticket, told), _judge())) == ["OutputReleased"]


def test_nothing_is_judged_that_is_not_held_back():
    clean = played(
        executing(), cmd.RecordOutcome(ticket_id=TICKET, run_id="run-1", report=report())
    )
    assert code(decide(clean, _judge())) is Code.WRONG_STATE
    failed = replace(_quarantined(), state=S.PENDING)
    assert code(decide(failed, _judge())) is Code.WRONG_STATE


def test_only_an_approver_who_did_not_ask_judges_it_and_says_why():
    assert code(decide(_quarantined(), _judge(DAN, "visitor"))) is Code.WRONG_ROLE
    assert code(decide(_quarantined(), _judge(OWNER, OPERATOR))) is Code.SELF_APPROVAL_DENIED
    stale = replace(_judge(), revision=2)
    assert code(decide(_quarantined(), stale)) is Code.SUPERSEDED_REVISION
    for shown in (SHOWN, ""):
        decided = decide(_quarantined(), _judge(shown_digest=shown, comment_digest=""))
        assert (code(decided), decided.events) == (Code.EVIDENCE_REQUIRED, ())
