from types import MappingProxyType

import pytest

from governance.policy.facts import Facts
from governance.policy.masks import Masks, words_of
from governance.policy.matching import Match, Outcome, Subject
from governance.policy.vouching import judged
from tests.unit.policy.asking import AGENT, AT, READ, ask, bundle

MANY = 1_200
NUMBERED_FROM = 7


def subject(**fields: object) -> Subject:
    return judged(ask(action=READ, **fields), AGENT, bundle(), Facts(at=AT)).claims


def let_through(matches: list[Match], asked: Subject) -> list[int]:
    numbers = [number + NUMBERED_FROM for number in range(len(matches))]
    found = Masks(matches, numbers).fitting(words_of(asked), asked.labels)
    return [number - NUMBERED_FROM for number in found]


def numbered(count: int) -> list[Match]:
    """Matches that each ask for a tag of their own, and for one that is everybody's in tens."""
    return [
        Match(risk_tags=frozenset({f"tag{number}", f"tens{number // 10}"}))
        for number in range(count)
    ]


@pytest.mark.parametrize("count", [9, MANY])
def test_words_leave_exactly_the_matches_that_ask_for_them(count: int):
    last = count - 1
    asked = subject(risk_tags=(f"tag{last}", "tag3", "elsewhere"))
    assert let_through(numbered(count), asked) == [3, last]
    assert let_through(numbered(count), subject(risk_tags=("tens0",))) == [*range(min(count, 10))]
    assert let_through(numbered(count), subject()) == []


@pytest.mark.parametrize("count", [0, 1, 8])
def test_few_matches_are_all_left_to_be_judged(count: int):
    assert let_through(numbered(count), subject()) == [*range(count)]


def test_a_match_that_asks_for_nothing_is_always_left():
    matches = [*numbered(20), Match(), *numbered(20)]
    assert let_through(matches, subject(risk_tags=("other",))) == [20]


def test_a_missing_label_leaves_a_match_in_and_another_value_rules_it_out():
    matches = [Match(labels=MappingProxyType({"team": name})) for name in "abcdefghij"]
    assert let_through(matches, subject()) == [*range(10)]
    assert let_through(matches, subject(labels={"team": "c"})) == [2]
    assert let_through(matches, subject(labels={"other": "c"})) == [*range(10)]


def test_more_label_keys_than_are_looked_at_lose_no_match():
    matches = [Match(labels=MappingProxyType({f"key{number}": "x"})) for number in range(60)]
    labels = {f"key{number}": "y" for number in range(60)} | {"key7": "x", "key59": "x"}
    left = let_through(matches, subject(labels=labels))
    judged_so = [
        number
        for number, match in enumerate(matches)
        if match.judge(subject(labels=labels)) is Outcome.MATCHED
    ]
    assert {*judged_so} == {7, 59}
    assert {*judged_so} <= {*left} < {*range(60)}


def test_one_of_several_requirements_that_is_missing_may_only_leave_a_match_in():
    matches = [Match(requires=frozenset({"gpu", f"net{number}"})) for number in range(10)]
    assert 4 in let_through(matches, subject(requires=("gpu", "net4")))
    assert let_through(matches, subject(requires=("net4",))) == []
