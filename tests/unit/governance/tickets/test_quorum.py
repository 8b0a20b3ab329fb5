"""Weighted votes: met, missing and reachable agree with counting every possibility."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from governance.policy.decision import Requirement, RoleRequirement
from governance.principal import Eligible, PersonId
from governance.tickets.quorum import (
    choose_role,
    is_reachable,
    role_choices,
    tally,
    tally_with,
)
from governance.tickets.ticket import Choice, Vote
from tests.support.build import ANNA, BEN, requirement, vote
from tests.support.core import ADMIN, CARA, DAN, OPERATOR, PEOPLE

NAMES = ["r1", "r2", "r3"]
TWO_REVIEWERS = (
    RoleRequirement(role=OPERATOR, weight=2, min_required=1),
    RoleRequirement(role="reviewer", weight=1, min_required=2),
    RoleRequirement(role=ADMIN, weight=1, min_required=0),
)
WHO = [PersonId(name) for name in ("p1", "p2", "p3", "p4", "p5")]


def _weigh(needed: Requirement, votes: Sequence[Vote]) -> bool:
    """Whether the quorum is met, said another way than the code says it."""
    approving = [item for item in votes if item.choice is Choice.APPROVE]
    weight = 0
    for role in needed.roles:
        voters = {item.person for item in approving if item.role == role.role}
        heard = min(len(voters), 1) if needed.distinct_roles else len(voters)
        if heard < role.min_required:
            return False
        weight += heard * role.weight
    if needed.reviewer and needed.reviewer not in {item.person for item in approving}:
        return False
    return weight >= needed.threshold


def _could(needed: Requirement, votes: Sequence[Vote], eligible: Eligible) -> bool:
    """Whether any way in which the others might vote meets the quorum."""
    voted = {item.person for item in votes}
    others = [who for who in eligible if who not in voted]
    names = [role.role for role in needed.roles]
    ways = [[None, *(name for name in names if name in eligible[who])] for who in others]
    return any(
        _weigh(
            needed,
            [
                *votes,
                *(
                    vote(who, role, needed.weight_of(role) or 0)
                    for who, role in zip(others, way, strict=True)
                    if role is not None
                ),
            ],
        )
        for way in product(*ways)
    )


@st.composite
def _requirements(draw: st.DrawFn) -> Requirement:
    distinct = draw(st.booleans())
    roles = tuple(
        RoleRequirement(
            role=name,
            weight=draw(st.integers(1, 3)),
            min_required=draw(st.integers(0, 1 if distinct else 2)),
        )
        for name in NAMES[: draw(st.integers(1, 3))]
    )
    return Requirement(
        tier="t",
        roles=roles,
        threshold=draw(st.integers(1, 9)),
        ttl_s=60,
        distinct_roles=distinct,
        reviewer=draw(st.sampled_from([None, None, *WHO[:3]])),
    )


@st.composite
def _situations(draw: st.DrawFn) -> tuple[Requirement, list[Vote], Eligible]:
    needed = draw(_requirements())
    voters = draw(st.lists(st.sampled_from(WHO), unique=True, max_size=3))
    votes = [
        vote(
            who,
            role := draw(st.sampled_from([*NAMES, "gone"])),
            needed.weight_of(role) or 0,
            choice=draw(st.sampled_from([Choice.APPROVE, Choice.APPROVE, Choice.REJECT])),
        )
        for who in voters
    ]
    eligible = {
        who: draw(st.frozensets(st.sampled_from([*NAMES, "none"]), max_size=3))
        for who in draw(st.lists(st.sampled_from(WHO), unique=True, max_size=4))
    }
    return needed, votes, eligible


@settings(max_examples=3 * settings().max_examples)
@given(_situations())
def test_a_quorum_is_met_when_weight_every_role_and_the_reviewer_are_there(
    situation: tuple[Requirement, list[Vote], Eligible],
):
    needed, votes, _ = situation
    event(f"met {_weigh(needed, votes)}")
    assert tally(needed, votes).is_met is _weigh(needed, votes)


@settings(max_examples=3 * settings().max_examples)
@given(_situations())
def test_reachable_is_what_some_way_of_voting_would_meet(
    situation: tuple[Requirement, list[Vote], Eligible],
):
    event(f"reachable {_could(*situation)}")
    assert is_reachable(*situation) is _could(*situation)


@settings(max_examples=3 * settings().max_examples)
@given(_situations())
def test_the_chosen_role_keeps_the_quorum_reachable_if_any_role_does(
    situation: tuple[Requirement, list[Vote], Eligible],
):
    needed, votes, eligible = situation
    who = WHO[4]
    roles = frozenset(NAMES[:2])
    others = [item for item in votes if item.person != who]
    chosen = choose_role(needed, votes, eligible, who, roles)
    usable = [role for role in needed.roles if role.role in roles]
    assert chosen in {role.role for role in usable}

    def keeps(role: RoleRequirement) -> bool:
        mine = vote(who, role.role, role.weight)
        rest = {name: held for name, held in eligible.items() if name != who}
        return _could(needed, [*others, mine], rest)

    keeping = [role for role in usable if keeps(role)]
    assert not keeping or chosen in {role.role for role in keeping}
    heard = {item.role for item in others if item.choice is Choice.APPROVE}
    fresh = [role for role in keeping if not (needed.distinct_roles and role.role in heard)]
    if fresh:
        assert needed.weight_of(chosen or "") == max(role.weight for role in fresh)


def test_one_person_counts_once_however_many_votes_a_list_holds():
    twice = [vote(ANNA, OPERATOR, 1), vote(ANNA, ADMIN, 3)]
    counted = tally(requirement(), twice)
    assert (counted.weight, counted.is_met) == (1, False)


def test_rejections_and_foreign_roles_weigh_nothing():
    votes = [vote(ANNA, OPERATOR, choice=Choice.REJECT), vote(BEN, "visitor", 9)]
    assert tally(requirement(), votes).weight == 0


def test_weight_comes_from_the_requirement_and_not_from_the_vote():
    assert tally(requirement(), [vote(ANNA, OPERATOR, 99)]).weight == 1


def test_the_threshold_is_met_at_and_above_it():
    needed = requirement(threshold=4)
    both = [vote(ANNA, OPERATOR), vote(BEN, ADMIN, 3)]
    assert tally(needed, both).is_met
    assert tally(needed, [*both, vote(DAN, OPERATOR)]).is_met
    assert not tally(replace(needed, threshold=5), both).is_met


@pytest.mark.parametrize(
    ("changes", "votes", "sentence"),
    [
        ({}, [], "needs 1 operator and 1 security-admin"),
        ({}, [vote(ANNA, OPERATOR)], "needs 1 security-admin"),
        ({"roles": TWO_REVIEWERS, "threshold": 4}, [], "needs 1 operator and 2 reviewers"),
        (
            {"roles": TWO_REVIEWERS, "threshold": 6},
            [],
            "needs 1 operator, 2 reviewers and 2 more weight",
        ),
        ({"threshold": 6}, [vote(ANNA, OPERATOR)], "needs 1 security-admin and 2 more weight"),
        ({"threshold": 5}, [vote(ANNA), vote(BEN, ADMIN)], "needs 1 more weight"),
        ({"reviewer": CARA}, [vote(ANNA), vote(BEN, ADMIN)], "needs the named reviewer"),
        ({}, [vote(ANNA), vote(BEN, ADMIN)], "quorum met"),
    ],
)
def test_what_is_missing_is_said_in_words(
    changes: dict[str, object], votes: list[Vote], sentence: str
):
    assert tally(requirement(**changes), votes).sentence() == sentence


def test_a_person_of_two_roles_is_counted_in_one_of_them_only():
    assert not is_reachable(requirement(), (), {CARA: PEOPLE[CARA]})
    assert is_reachable(requirement(), (), {CARA: PEOPLE[CARA], ANNA: PEOPLE[ANNA]})


def test_who_has_voted_is_not_counted_a_second_time():
    cast = [vote(CARA, OPERATOR)]
    assert not is_reachable(requirement(), cast, {CARA: PEOPLE[CARA]})
    assert is_reachable(requirement(), cast, {CARA: PEOPLE[CARA], BEN: PEOPLE[BEN]})


def test_a_reviewer_who_holds_no_role_of_the_tier_can_never_approve():
    needed = requirement(reviewer=DAN)
    assert is_reachable(needed, (), PEOPLE)
    assert not is_reachable(needed, (), {**PEOPLE, DAN: frozenset({"visitor"})})
    rejecting = vote(DAN, OPERATOR, choice=Choice.REJECT)
    assert not is_reachable(needed, [rejecting], PEOPLE)


def test_the_default_role_is_the_heaviest_one():
    assert choose_role(requirement(), (), PEOPLE, CARA, PEOPLE[CARA]) == ADMIN


def test_the_default_role_is_a_lighter_one_where_only_that_keeps_it_reachable():
    few = {CARA: PEOPLE[CARA], BEN: PEOPLE[BEN]}
    assert choose_role(requirement(), (), few, CARA, PEOPLE[CARA]) == OPERATOR


def test_the_default_role_is_not_one_that_is_filled_where_roles_are_distinct():
    roles = (
        RoleRequirement(role=OPERATOR, weight=2, min_required=1),
        RoleRequirement(role=ADMIN, weight=2, min_required=1),
    )
    needed = requirement(roles=roles, distinct_roles=True)
    assert choose_role(needed, [vote(ANNA, OPERATOR, 2)], PEOPLE, CARA, PEOPLE[CARA]) == ADMIN


def test_who_holds_no_role_of_the_requirement_has_none_to_choose():
    assert choose_role(requirement(), (), PEOPLE, DAN, frozenset({"visitor"})) is None


def test_the_heaviest_role_is_chosen_where_nothing_is_reachable():
    assert choose_role(requirement(threshold=99), (), PEOPLE, CARA, PEOPLE[CARA]) == ADMIN


def _choices(needed: Requirement, votes: Sequence[Vote], eligible: Eligible) -> list[str]:
    return [item.role for item in role_choices(needed, votes, eligible, CARA, PEOPLE[CARA])]


def test_a_person_of_two_roles_chooses_where_each_leads_elsewhere():
    assert _choices(requirement(), (), PEOPLE) == [ADMIN, OPERATOR]
    assert _choices(requirement(), [vote(CARA, OPERATOR)], PEOPLE) == [ADMIN, OPERATOR]


def test_there_is_nothing_to_choose_where_one_role_alone_keeps_it_reachable():
    assert _choices(requirement(), (), {CARA: PEOPLE[CARA], BEN: PEOPLE[BEN]}) == []
    assert _choices(requirement(threshold=99), (), PEOPLE) == []


def test_there_is_nothing_to_choose_where_each_role_meets_it():
    roles = (RoleRequirement(role=OPERATOR, weight=1), RoleRequirement(role=ADMIN, weight=3))
    assert _choices(requirement(roles=roles, threshold=1), (), PEOPLE) == []
    assert _choices(requirement(roles=roles, threshold=2), (), PEOPLE) == [ADMIN, OPERATOR]


def test_who_holds_one_role_has_nothing_to_choose():
    assert role_choices(requirement(), (), PEOPLE, ANNA, PEOPLE[ANNA]) == ()
    assert role_choices(requirement(), (), PEOPLE, DAN, frozenset({"visitor"})) == ()


def test_where_a_vote_would_lead_is_counted_in_the_place_of_the_earlier_one():
    cast = [vote(ANNA, OPERATOR), vote(CARA, OPERATOR)]
    assert tally_with(requirement(), cast, CARA, ADMIN).is_met
    assert tally_with(requirement(), cast, CARA, OPERATOR).weight == 2
    assert tally_with(requirement(), cast, BEN, ADMIN) == tally(
        requirement(), [*cast, vote(BEN, ADMIN, 3)]
    )
