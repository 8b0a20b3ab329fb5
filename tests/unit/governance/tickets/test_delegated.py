"""Votes in somebody else's name: one human, one voice, and only while it is lent."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from governance.action import Dispatch
from governance.delegation import Delegation, Delegations, evolve_delegations
from governance.errors import Code
from governance.policy.decision import RejectPolicy
from governance.principal import PersonId
from governance.tickets import commands as cmd
from governance.tickets import lifecycle, quorum
from governance.tickets.decided import Decided
from governance.tickets.delegated import is_met, stands, swept
from governance.tickets.ticket import Choice, Ticket, TicketState
from tests.support.build import ANNA, BEN, OWNER, T0, granted, requirement, vote
from tests.support.core import (
    ADMIN,
    CARA,
    DAN,
    OPERATOR,
    PEOPLE,
    REQUESTER,
    after,
    ballot,
    born,
    clearing,
    code,
    decision,
    kinds,
    person,
    redeeming,
    request,
    starting,
)

DAY = timedelta(days=1)
LENT = evolve_delegations({}, granted(delegator=ANNA, delegate=DAN, roles=()), T0)
"""ANNA, an operator, lends DAN her voice."""


def _decide(
    ticket: Ticket,
    command: cmd.Command,
    *,
    lent: Delegations = LENT,
    at: datetime = T0,
    is_frozen: bool = False,
) -> Decided:
    return lifecycle.decide(ticket, command, at, is_frozen=is_frozen, delegations=lent)


def _lent(ticket: Ticket, who: PersonId = DAN, **changes: Any) -> cmd.CastVote:
    """WHO votes in ANNA's name."""
    base = replace(
        ballot(ticket, who, OPERATOR),
        delegator=ANNA,
        delegation="d-1",
        lent=PEOPLE[ANNA],
        lent_names=frozenset({ANNA}),
        is_admitted=True,
    )
    return replace(base, **changes)


def _played(ticket: Ticket, *commands: cmd.Command, lent: Delegations = LENT) -> Ticket:
    for command in commands:
        decided = _decide(ticket, command, lent=lent)
        assert decided.refusal is None, decided.refusal
        ticket = after(ticket, decided.events, T0)
    return ticket


def _approved(**changes: Any) -> Ticket:
    """ANNA's voice by DAN, and BEN's own."""
    ticket = born(**changes)
    return _played(ticket, _lent(ticket), ballot(ticket, BEN, ADMIN))


def test_a_vote_in_anothers_name_has_their_role_and_says_whose_it_is():
    ticket = _played(born(), _lent(born()))
    (cast,) = ticket.votes
    assert (cast.person, cast.delegator, cast.voice) == (DAN, ANNA, ANNA)
    assert (cast.role, cast.weight, cast.delegation) == (OPERATOR, 1, "d-1")
    assert _approved().state is TicketState.APPROVED


def test_a_person_without_any_role_votes_by_what_was_lent():
    ticket = born()
    eve = PersonId("slack:T1/UEVE")
    lent = evolve_delegations({}, granted(delegate=eve, roles=()), T0)
    command = replace(_lent(ticket), person=replace(person(ANNA), id=eve, roles=frozenset()))
    assert kinds(_decide(ticket, command, lent=lent)) == ["VoteCast"]


def test_one_human_one_voice_the_delegator_votes_not_again():
    ticket = _played(born(), _lent(born()))
    assert code(_decide(ticket, ballot(ticket, ANNA))) is Code.VOICE_USED


def test_one_human_one_voice_the_delegate_votes_not_for_who_voted():
    ticket = _played(born(), ballot(born(), ANNA))
    assert code(_decide(ticket, _lent(ticket))) is Code.VOICE_USED


def test_one_human_one_voice_two_delegates_of_one_person_count_once():
    lent = dict(LENT)
    lent["d-2"] = replace(lent["d-1"], id="d-2", delegate=CARA)
    ticket = _played(born(), _lent(born()), lent=lent)
    second = _lent(ticket, CARA, delegation="d-2")
    assert code(_decide(ticket, second, lent=lent)) is Code.VOICE_USED


def test_a_voice_is_known_by_every_id_of_its_human():
    ticket = _played(born(), ballot(born(), ANNA))
    other = PersonId("slack:T1/WANNA")
    lent = {"d-1": replace(LENT["d-1"], delegator=other)}
    command = _lent(ticket, delegator=other, lent_names=frozenset({ANNA, other}))
    assert code(_decide(ticket, command, lent=lent)) is Code.VOICE_USED


def test_a_delegate_counts_once_in_their_own_name_or_in_anothers():
    ticket = _played(born(), ballot(born(), DAN))
    changed = _played(ticket, _lent(ticket))
    assert [(one.person, one.voice) for one in changed.votes] == [(DAN, ANNA)]
    assert _decide(changed, _lent(changed)).events == ()
    back = _played(changed, ballot(changed, DAN))
    assert [one.voice for one in back.votes] == [DAN]


@pytest.mark.parametrize("whose", [OWNER, REQUESTER])
def test_whoever_asked_lends_no_approval(whose: PersonId):
    lent = evolve_delegations({}, granted(delegator=whose, delegate=DAN, roles=()), T0)
    command = _lent(born(), delegator=whose, lent_names=frozenset({whose}))
    assert code(_decide(born(), command, lent=lent)) is Code.SELF_APPROVAL_DENIED


def test_whoever_asked_votes_in_nobodys_name():
    ticket = born()
    command = replace(_lent(ticket), person=replace(person(ANNA), id=OWNER))
    assert code(_decide(ticket, command)) is Code.SELF_APPROVAL_DENIED


_OVER = {"d-1": replace(LENT["d-1"], ends_at=T0)}
_ELSEWHERE = {"d-1": replace(LENT["d-1"], delegate=CARA)}
_FROM_ANOTHER = {"d-1": replace(LENT["d-1"], delegator=CARA)}
_OTHER_ROLE = {"d-1": replace(LENT["d-1"], roles=(ADMIN,))}


@pytest.mark.parametrize("lent", [{}, _OVER, _ELSEWHERE, _FROM_ANOTHER, _OTHER_ROLE])
def test_without_a_delegation_in_force_nothing_is_lent(lent: dict[str, Delegation]):
    assert code(_decide(born(), _lent(born()), lent=lent)) is Code.DELEGATION_VOID


def test_a_tier_that_takes_no_delegation_counts_no_such_vote():
    assert code(_decide(born(), _lent(born(), is_admitted=False))) is Code.DELEGATION_VOID


def test_a_role_that_the_delegator_lost_is_not_lent():
    command = _lent(born(), lent=frozenset())
    assert code(_decide(born(), command)) is Code.WRONG_ROLE


@pytest.mark.parametrize("reviewer", [ANNA, DAN])
def test_the_named_reviewer_votes_in_person_and_for_nobody_else(reviewer: PersonId):
    ticket = born(decision=decision(requirement=requirement(reviewer=reviewer)))
    assert code(_decide(ticket, _lent(ticket))) is Code.DELEGATION_VOID


def test_a_reject_in_anothers_name_counts():
    decided = _decide(born(), _lent(born(), choice=Choice.REJECT, comment_digest="9" * 64))
    assert kinds(decided) == ["VoteCast", "TicketRejected"]


def test_a_vote_whose_delegation_ended_goes_when_the_next_one_comes():
    ticket = _played(born(), _lent(born()))
    decided = _decide(ticket, ballot(ticket, BEN, ADMIN), lent={})
    assert kinds(decided) == ["QuorumLost", "VoteCast"]
    later = after(ticket, decided.events, T0)
    assert later.state is TicketState.PENDING
    assert [one.person for one in later.votes] == [BEN]


def test_the_delegator_votes_again_once_it_ended():
    ticket = _played(born(), _lent(born()))
    decided = _decide(ticket, ballot(ticket, ANNA), lent={})
    assert kinds(decided) == ["QuorumLost", "VoteCast"]
    assert [one.person for one in after(ticket, decided.events, T0).votes] == [ANNA]


def test_a_refused_vote_sweeps_nothing_away():
    ticket = _played(born(), _lent(born()))
    assert kinds(_decide(ticket, ballot(ticket, OWNER), lent={})) == ["VoteRefused"]


def test_a_repeat_after_the_end_is_no_repeat():
    ticket = _played(born(), _lent(born()))
    assert code(_decide(ticket, _lent(ticket), lent={})) is Code.DELEGATION_VOID


def _standing(ticket: Ticket) -> dict[PersonId, frozenset[str]]:
    everybody = {who for one in ticket.votes for who in (one.person, one.voice)}
    return {who: PEOPLE[who] for who in everybody}


def test_before_the_run_both_people_are_confirmed():
    ticket = _approved()
    whole = clearing(ticket, standing=_standing(ticket))
    assert kinds(_decide(ticket, whole)) == ["ExecutionCleared"]
    for gone in (ANNA, DAN):
        standing = {who: held for who, held in _standing(ticket).items() if who != gone}
        decided = _decide(ticket, clearing(ticket, standing=standing))
        assert kinds(decided) == ["QuorumLost"]
        assert [one.person for one in after(ticket, decided.events, T0).votes] == [BEN]


def test_before_the_run_the_delegator_still_holds_the_role():
    ticket = _approved()
    standing = _standing(ticket) | {ANNA: frozenset({ADMIN})}
    assert kinds(_decide(ticket, clearing(ticket, standing=standing))) == ["QuorumLost"]


def test_before_the_run_the_delegation_is_still_in_force_and_admitted():
    ticket = _approved()
    whole = clearing(ticket, standing=_standing(ticket))
    assert kinds(_decide(ticket, whole, lent={})) == ["QuorumLost"]
    barred = replace(whole, is_admitted=False)
    assert kinds(_decide(ticket, barred)) == ["QuorumLost"]


def test_nothing_starts_on_a_delegation_that_ended_after_the_clearance():
    ticket = _approved()
    ticket = _played(ticket, clearing(ticket, standing=_standing(ticket)))
    assert code(_decide(ticket, starting(ticket), lent={})) is Code.CLEARANCE_STALE
    assert kinds(_decide(ticket, starting(ticket))) == ["ExecutionStarted"]


def test_nothing_is_redeemed_on_a_delegation_that_ended_after_the_clearance():
    ticket = _approved(request=request(dispatch=Dispatch.RELEASE))
    ticket = _played(ticket, clearing(ticket, standing=_standing(ticket)))
    assert code(_decide(ticket, redeeming(ticket), lent={})) is Code.CLEARANCE_STALE
    assert kinds(_decide(ticket, redeeming(ticket))) == ["GrantRedeemed"]


def test_a_tally_counts_a_voice_once_whatever_the_hands():
    twice = (vote(ANNA), vote(DAN, delegator=ANNA, delegation="d-1"))
    assert quorum.tally(requirement(), twice).weight == 1


def test_who_is_spoken_for_is_no_further_voter():
    wanted = requirement(reject_policy=RejectPolicy.WEIGHT)
    by_dan = (vote(DAN, delegator=ANNA, delegation="d-1", choice=Choice.REJECT),)
    people = {who: PEOPLE[who] for who in (ANNA, BEN, DAN)}
    assert not quorum.is_reachable(wanted, by_dan, people)
    assert quorum.is_reachable(wanted, (), people)


def test_ones_own_vote_stands_without_any_delegation():
    assert stands(vote(ANNA), {}, T0)
    assert not stands(vote(DAN, delegator=CARA, delegation="d-1"), LENT, T0)


def test_only_open_tickets_are_swept():
    ticket = _approved()
    assert swept(ticket, {}, T0) is ticket
    assert not is_met(ticket, {}, T0)
    assert is_met(ticket, LENT, T0)


def test_a_ticket_that_asks_nobody_is_met_by_nothing():
    ticket = _approved()
    bare = replace(ticket, ruling=replace(ticket.ruling, requirement=None))
    assert not is_met(bare, LENT, T0)
