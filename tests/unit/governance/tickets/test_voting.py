"""How votes count, and each reason why one does not."""

from dataclasses import replace
from datetime import timedelta

import pytest

from governance.action import Content
from governance.errors import Code
from governance.policy.decision import Effect, RejectPolicy, RoleRequirement
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets import events as ev
from governance.tickets._voting import MAX_RECORDED_REFUSALS
from governance.tickets.ticket import Basis, Choice, FullView, Ticket, TicketState, Vote
from tests.support.build import ANNA, BEN, OWNER, T0, requirement
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
    code,
    decide,
    decision,
    executing,
    kinds,
    person,
    played,
    request,
)

S = TicketState
LATE = T0 + timedelta(hours=1)


def _needing(**terms: object) -> Ticket:
    return born(decision=decision(requirement=requirement(**terms)))


# What counts


def test_a_vote_is_kept_as_it_was_signed():
    ticket = born()
    vote = ballot(ticket, ANNA, comment_digest="c" * 64)
    decided = decide(ticket, vote)
    expected = Vote(
        person=ANNA,
        role=OPERATOR,
        weight=1,
        choice=Choice.APPROVE,
        at=T0,
        nonce=vote.nonce,
        key_id=vote.key_id,
        signature=vote.signature,
        comment_digest="c" * 64,
    )
    assert decided.events == (ev.VoteCast(ticket_id=TICKET, revision=1, vote=expected),)
    assert decided.refusal is None
    assert after(ticket, decided.events, T0).votes == (expected,)


def test_the_vote_that_meets_the_quorum_approves_in_the_same_breath():
    ticket = played(born(), ballot(born(), ANNA))
    assert ticket.state is S.PENDING
    decided = decide(ticket, ballot(ticket, BEN, ADMIN))
    assert kinds(decided) == ["VoteCast", "TicketApproved"]
    assert decided.events[1] == ev.TicketApproved(
        ticket_id=TICKET, revision=1, weight=4, threshold=4
    )
    done = after(ticket, decided.events, T0 + timedelta(seconds=5))
    assert (done.state, done.basis) == (S.APPROVED, Basis.PEOPLE)
    assert done.approved_at == T0 + timedelta(seconds=5)


def test_a_repeat_of_ones_own_counted_vote_adds_nothing_even_when_all_is_decided():
    ticket = played(born(), ballot(born(), ANNA))
    for again in (ticket, approved()):
        decided = decide(again, ballot(again, ANNA), LATE, is_frozen=True)
        assert (decided.events, decided.refusal) == ((), None)


def test_a_person_may_change_a_vote_which_replaces_the_earlier_one():
    ticket = _needing(reject_policy=RejectPolicy.WEIGHT)
    ticket = played(ticket, ballot(ticket, ANNA))
    decided = decide(ticket, ballot(ticket, ANNA, choice=Choice.REJECT))
    assert kinds(decided) == ["VoteCast"]
    changed = after(ticket, decided.events, T0)
    assert [(vote.person, vote.choice) for vote in changed.votes] == [(ANNA, Choice.REJECT)]


def test_votes_above_the_threshold_are_no_different_from_votes_at_it():
    ticket = _needing(threshold=2)
    ticket = played(ticket, ballot(ticket, BEN, ADMIN))
    assert ticket.state is S.PENDING  # weight 3 of 2, and no operator yet
    assert played(ticket, ballot(ticket, ANNA)).state is S.APPROVED


def test_a_vote_that_leaves_no_way_to_the_quorum_is_still_counted():
    ticket = born()
    vote = ballot(ticket, ANNA, eligible={ANNA: PEOPLE[ANNA]})
    assert kinds(decide(ticket, vote)) == ["VoteCast"]


# What does not count


def _refusal(ticket: Ticket, vote: cmd.CastVote, **how: bool) -> tuple[Code | None, list[str]]:
    decided = decide(ticket, vote, **how)
    return code(decided), kinds(decided)


RECORDED = ["VoteRefused"]


def test_a_vote_on_a_superseded_revision_is_refused():
    ticket = born()
    stale = ballot(ticket, ANNA, revision=2)
    assert _refusal(ticket, stale) == (Code.SUPERSEDED_REVISION, RECORDED)


def test_a_vote_on_another_binding_is_refused():
    ticket = born()
    assert _refusal(ticket, ballot(ticket, ANNA, binding="0" * 64)) == (
        Code.BINDING_MISMATCH,
        RECORDED,
    )


@pytest.mark.parametrize(
    ("who", "choice"),
    [(OWNER, Choice.APPROVE), (OWNER, Choice.REJECT), (REQUESTER, Choice.APPROVE)],
)
def test_nobody_votes_on_what_they_asked_for_or_answer_for(who: PersonId, choice: Choice):
    ticket = born()
    vote = replace(ballot(ticket, choice=choice), person=person(who, OPERATOR, ADMIN))
    assert _refusal(ticket, vote) == (Code.SELF_APPROVAL_DENIED, RECORDED)


def test_an_agent_cannot_take_a_veto_away_by_naming_somebody():
    """The human it says it acts for is its claim; whoever is named may still say no."""
    ticket = born()
    vote = replace(ballot(ticket, choice=Choice.REJECT), person=person(REQUESTER, OPERATOR, ADMIN))
    decided = decide(ticket, vote)
    assert decided.refusal is None
    assert kinds(decided) == ["VoteCast", "TicketRejected"]


@pytest.mark.parametrize(
    ("roles", "role"),
    [
        (("visitor",), "visitor"),
        (("visitor",), OPERATOR),
        ((OPERATOR,), ADMIN),
        ((OPERATOR, "visitor"), "visitor"),
        ((OPERATOR,), ""),
    ],
)
def test_a_vote_in_a_role_that_one_does_not_hold_or_that_has_no_vote_is_refused(
    roles: tuple[str, ...], role: str
):
    ticket = born()
    vote = replace(ballot(ticket, role=role), person=person(ANNA, *roles), weight=3)
    assert _refusal(ticket, vote) == (Code.WRONG_ROLE, RECORDED)


def test_a_vote_signed_with_another_weight_is_refused():
    ticket = born()
    assert _refusal(ticket, ballot(ticket, ANNA, weight=3)) == (Code.ROLE_NO_LONGER_FITS, RECORDED)


@pytest.mark.parametrize("choice", list(Choice))
def test_a_vote_without_the_comment_that_the_tier_asks_for_is_refused(choice: Choice):
    ticket = _needing(comment_required=True)
    vote = ballot(ticket, ANNA, choice=choice)
    assert _refusal(ticket, vote) == (Code.COMMENT_REQUIRED, RECORDED)
    assert _refusal(ticket, replace(vote, comment_digest="c" * 64))[0] is None


def test_a_freeze_stops_approvals_and_lets_rejections_through():
    ticket = born()
    assert _refusal(ticket, ballot(ticket), is_frozen=True) == (Code.FROZEN, RECORDED)
    no = ballot(ticket, choice=Choice.REJECT)
    assert _refusal(ticket, no, is_frozen=True) == (None, ["VoteCast", "TicketRejected"])


def test_an_approval_without_the_step_up_is_refused_and_a_rejection_needs_none():
    ticket = _needing(step_up=True)
    assert _refusal(ticket, ballot(ticket)) == (Code.STEP_UP_REQUIRED, RECORDED)
    assert _refusal(ticket, ballot(ticket, choice=Choice.REJECT))[0] is None


def test_a_cut_action_is_approved_only_by_who_opened_the_full_view():
    ticket = born(request=request(content=Content(prompt="x" * 5_000)))
    assert _refusal(ticket, ballot(ticket)) == (Code.FULL_VIEW_REQUIRED, RECORDED)
    assert _refusal(ticket, ballot(ticket, choice=Choice.REJECT))[0] is None
    seen = played(ticket, cmd.OpenFullView(ticket_id=TICKET, revision=1, person=ANNA))
    assert _refusal(seen, ballot(seen, ANNA))[0] is None
    assert _refusal(seen, ballot(seen, DAN))[0] is Code.FULL_VIEW_REQUIRED
    newer = replace(seen, revision=2)
    assert _refusal(newer, ballot(newer, ANNA))[0] is Code.FULL_VIEW_REQUIRED


def test_a_vote_at_the_expiry_expires_the_ticket():
    ticket = born()
    decided = decide(ticket, ballot(ticket), ticket.expires_at)
    assert decided.events == (ev.TicketExpired(ticket_id=TICKET, revision=1),)
    assert code(decided) is Code.EXPIRED
    assert after(ticket, decided.events, LATE).state is S.EXPIRED
    just = ticket.expires_at - timedelta(microseconds=1)
    assert kinds(decide(ticket, ballot(ticket), just)) == ["VoteCast"]


def test_a_vote_after_the_decision_is_refused_without_an_event():
    expired = played(born(), cmd.ExpireTicket(ticket_id=TICKET), at=LATE)
    assert _refusal(expired, ballot(expired, DAN)) == (Code.EXPIRED, [])
    for ticket in (approved(), executing(), born(decision=decision(Effect.DENY))):
        assert _refusal(ticket, ballot(ticket, DAN)) == (Code.ALREADY_RESOLVED, [])


def test_a_ticket_that_asks_nobody_takes_no_vote():
    ticket = born(decision=decision(Effect.ALLOW))
    waiting = replace(ticket, state=S.PENDING)
    assert _refusal(waiting, ballot(waiting)) == (Code.WRONG_STATE, [])


def test_a_role_that_would_block_the_quorum_gives_way_to_one_that_does_not():
    ticket = born()
    few = {CARA: PEOPLE[CARA], BEN: PEOPLE[BEN]}
    heavy = ballot(ticket, CARA, ADMIN, eligible=few)
    assert _refusal(ticket, heavy) == (Code.ROLE_NO_LONGER_FITS, [])
    light = ballot(ticket, CARA, OPERATOR, eligible=few)
    assert _refusal(ticket, light) == (None, ["VoteCast"])


def test_the_excluded_make_nothing_reachable():
    ticket = _needing(reject_policy=RejectPolicy.WEIGHT)
    few = {ANNA: PEOPLE[ANNA], BEN: PEOPLE[BEN], OWNER: frozenset({OPERATOR})}
    no = ballot(ticket, ANNA, choice=Choice.REJECT, eligible=few)
    assert _refusal(ticket, no) == (None, ["VoteCast", "TicketRejected"])


def test_the_human_whom_an_agent_names_keeps_the_veto():
    # The name is the agent's claim: it takes no veto away from anybody.
    ticket = born()
    no = ballot(ticket, choice=Choice.REJECT)
    decided = decide(ticket, replace(no, person=person(REQUESTER, OPERATOR)))
    assert kinds(decided) == ["VoteCast", "TicketRejected"]


# Refusals on record


def _attempt(**changes: object) -> cmd.RecordRefusal:
    base = cmd.RecordRefusal(
        ticket_id=TICKET,
        person=DAN,
        choice=Choice.APPROVE,
        code=Code.VOTER_IS_GUEST,
        reason="guests do not vote",
    )
    return replace(base, **changes)


def test_a_refusal_names_person_choice_and_code_and_never_counts():
    decided = decide(born(), _attempt())
    assert code(decided) is Code.VOTER_IS_GUEST
    assert decided.events == (
        ev.VoteRefused(
            ticket_id=TICKET,
            revision=1,
            person=DAN,
            choice=Choice.APPROVE,
            code=Code.VOTER_IS_GUEST,
        ),
    )
    ticket = after(born(), decided.events, T0)
    assert ticket == replace(born(), refusals=((DAN, "voter_is_guest"),))


def test_a_refusal_is_recorded_once_per_person_and_code():
    ticket = after(born(), decide(born(), _attempt()).events, T0)
    again = decide(ticket, _attempt(choice=Choice.REJECT))
    assert (code(again), again.events) == (Code.VOTER_IS_GUEST, ())
    assert kinds(decide(ticket, _attempt(person=ANNA))) == RECORDED
    assert kinds(decide(ticket, _attempt(code=Code.VOTER_IS_BOT))) == RECORDED


def test_a_flood_of_refusals_stops_filling_the_log():
    known = tuple((PersonId(f"p{n}"), "wrong_role") for n in range(MAX_RECORDED_REFUSALS))
    full, almost = replace(born(), refusals=known), replace(born(), refusals=known[1:])
    assert _kinds_and_code(full) == ([], Code.VOTER_IS_GUEST)
    assert _kinds_and_code(almost) == (RECORDED, Code.VOTER_IS_GUEST)


def _kinds_and_code(ticket: Ticket) -> tuple[list[str], Code | None]:
    decided = decide(ticket, _attempt())
    return kinds(decided), code(decided)


# Rejections


def test_one_rejection_is_a_veto():
    ticket = born()
    no = ballot(ticket, ANNA, choice=Choice.REJECT, comment_digest="c" * 64)
    decided = decide(ticket, no)
    assert decided.events[1:] == (
        ev.TicketRejected(
            ticket_id=TICKET, revision=1, person=ANNA, cause="veto", comment_digest="c" * 64
        ),
    )
    done = after(ticket, decided.events, T0)
    assert (done.state, done.decided_by, done.note) == (S.REJECTED, ANNA, "veto")


def test_rejection_by_weight_ends_it_once_approval_is_out_of_reach():
    ticket = _needing(reject_policy=RejectPolicy.WEIGHT)
    ticket = played(ticket, ballot(ticket, CARA, ADMIN, choice=Choice.REJECT))
    assert ticket.state is S.PENDING  # BEN can still bring the security-admin's vote
    decided = decide(ticket, ballot(ticket, BEN, ADMIN, choice=Choice.REJECT))
    assert kinds(decided) == ["VoteCast", "TicketRejected"]
    assert decided.events[1].cause == "unreachable"  # type: ignore[union-attr]


def test_an_approval_that_became_a_rejection_no_longer_counts_towards_the_quorum():
    ticket = _needing(reject_policy=RejectPolicy.WEIGHT)
    ticket = played(ticket, ballot(ticket, ANNA))
    few = {ANNA: PEOPLE[ANNA], BEN: PEOPLE[BEN]}
    decided = decide(ticket, ballot(ticket, ANNA, choice=Choice.REJECT, eligible=few))
    assert kinds(decided) == ["VoteCast", "TicketRejected"]


# Taking a vote back


def _withdrawal(who: str = ANNA, revision: int = 1) -> cmd.WithdrawVote:
    return cmd.WithdrawVote(ticket_id=TICKET, revision=revision, person=person(who))


def test_a_vote_may_be_taken_back_while_nothing_is_decided():
    ticket = played(born(), ballot(born(), ANNA), ballot(born(), DAN))
    decided = decide(ticket, _withdrawal())
    assert decided.events == (ev.VoteWithdrawn(ticket_id=TICKET, revision=1, person=ANNA),)
    kept = after(ticket, decided.events, T0)
    assert [vote.person for vote in kept.votes] == [DAN]


def test_there_is_nothing_to_take_back_where_no_vote_counts():
    assert code(decide(born(), _withdrawal())) is Code.NO_VOTE


def test_a_vote_on_a_decided_ticket_or_an_older_revision_is_not_taken_back():
    assert code(decide(approved(), _withdrawal())) is Code.ALREADY_RESOLVED
    ticket = played(born(), ballot(born(), ANNA))
    assert code(decide(ticket, _withdrawal(revision=2))) is Code.SUPERSEDED_REVISION


# The full view


def _view(revision: int = 1, who: PersonId = ANNA) -> cmd.OpenFullView:
    return cmd.OpenFullView(ticket_id=TICKET, revision=revision, person=who)


def test_a_full_view_is_recorded_once_per_person_and_revision():
    decided = decide(born(), _view())
    assert decided.events == (ev.FullViewOpened(ticket_id=TICKET, revision=1, person=ANNA),)
    ticket = after(born(), decided.events, T0)
    assert ticket.full_views == (FullView(person=ANNA, revision=1),)
    assert decide(ticket, _view()).events == ()
    assert kinds(decide(ticket, _view(who=BEN))) == ["FullViewOpened"]
    assert kinds(decide(replace(ticket, revision=2), _view(2))) == ["FullViewOpened"]


def test_a_full_view_of_an_older_revision_is_refused_and_of_a_decided_one_is_no_event():
    assert code(decide(born(), _view(2))) is Code.SUPERSEDED_REVISION
    decided = decide(approved(), _view())
    assert (decided.events, decided.refusal) == ((), None)


def test_a_withdrawal_after_the_expiry_expires_the_ticket():
    ticket = played(born(), ballot(born()))
    decided = decide(ticket, _withdrawal(), LATE)
    assert (code(decided), kinds(decided)) == (Code.EXPIRED, ["TicketExpired"])


# Change of role


def _in_role(ticket: Ticket, role: str, *, chosen: bool = True) -> cmd.CastVote:
    return ballot(ticket, CARA, role, is_role_chosen=chosen)


def test_a_person_changes_the_role_they_vote_in_while_it_is_pending():
    ticket = played(born(), _in_role(born(), ADMIN))
    decided = decide(ticket, _in_role(ticket, OPERATOR))
    assert kinds(decided) == ["VoteCast"]
    changed = after(ticket, decided.events, T0)
    assert [(vote.person, vote.role, vote.weight) for vote in changed.votes] == [
        (CARA, OPERATOR, 1)
    ]


def test_the_same_vote_in_the_same_role_or_in_none_that_was_named_is_a_repeat():
    ticket = played(born(), _in_role(born(), ADMIN))
    for again in (_in_role(ticket, ADMIN), _in_role(ticket, OPERATOR, chosen=False)):
        assert (decide(ticket, again).events, decide(ticket, again).refusal) == ((), None)


def test_a_change_of_role_after_the_decision_is_too_late():
    ticket = played(born(), _in_role(born(), ADMIN))
    ticket = played(ticket, ballot(ticket, ANNA))
    assert ticket.state is S.APPROVED
    assert code(decide(ticket, _in_role(ticket, OPERATOR))) is Code.ALREADY_RESOLVED


# Stop


def _stop(who: str = ANNA, *roles: str) -> cmd.StopTicket:
    return cmd.StopTicket(ticket_id=TICKET, person=person(who, *roles), comment_digest="c" * 64)


def test_an_approver_stops_what_is_approved_before_it_starts():
    decided = decide(approved(), _stop(DAN))
    assert decided.events == (
        ev.TicketRejected(
            ticket_id=TICKET, revision=1, person=DAN, cause="stopped", comment_digest="c" * 64
        ),
    )
    assert after(approved(), decided.events, T0).state is S.REJECTED


def test_who_is_no_approver_stops_nothing():
    assert code(decide(approved(), _stop(DAN, "visitor"))) is Code.WRONG_ROLE
    allowed = born(decision=decision(Effect.ALLOW))
    nobody = replace(_stop(), person=replace(person(DAN), roles=frozenset()))
    assert code(decide(allowed, nobody)) is Code.WRONG_ROLE
    assert kinds(decide(allowed, _stop(DAN, "visitor"))) == ["TicketRejected"]


def test_what_is_not_approved_or_runs_already_is_not_stopped():
    for ticket in (born(), executing()):
        assert code(decide(ticket, _stop())) is Code.WRONG_STATE


def test_a_stop_needs_only_one_of_the_tiers_roles():
    roles = (RoleRequirement(role=OPERATOR, weight=4, min_required=1),)
    ticket = _needing(roles=roles)
    ticket = played(ticket, ballot(ticket, ANNA))
    assert ticket.state is S.APPROVED
    assert kinds(decide(ticket, _stop(CARA))) == ["TicketRejected"]
    assert code(decide(ticket, _stop(BEN))) is Code.WRONG_ROLE


def test_a_second_stop_finds_it_stopped():
    stopped = played(approved(), _stop(DAN))
    assert (decide(stopped, _stop(ANNA)).events, decide(stopped, _stop(ANNA)).refusal) == ((), None)
    rejected = played(born(), ballot(born(), choice=Choice.REJECT))
    assert code(decide(rejected, _stop())) is Code.WRONG_STATE
