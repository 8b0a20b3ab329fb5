"""The laws of a comparison: it says what ``Match.judge`` does, condition by condition."""

from dataclasses import dataclass, fields, replace

import pytest
from hypothesis import given, settings

from governance.action import ActionRequest
from governance.policy.compare import compare, is_near
from governance.policy.facts import Facts
from governance.policy.matching import Match, Outcome, Subject, glob
from governance.policy.vouching import judged
from tests.unit.policy.asking import AGENT, AT, ask, bundle
from tests.unit.policy.test_evaluate_properties import policy_of, requests, rules


def subject(request: ActionRequest | None = None) -> Subject:
    return judged(request or ask(), AGENT, bundle(), Facts(at=AT)).claims


@dataclass(frozen=True)
class Says:
    outcome: Outcome

    def judge(self, subject: Subject) -> Outcome:
        assert subject
        return self.outcome

    def describe(self) -> str:
        return "more than 3"


def overall(match: Match, asked: Subject) -> Outcome:
    outcomes = {item.outcome for item in compare(match, asked)}
    for outcome in (Outcome.NOT_MATCHED, Outcome.ERROR):
        if outcome in outcomes:
            return outcome
    return Outcome.MATCHED


@settings(max_examples=150, deadline=None)
@given(rules(), requests())
def test_a_match_is_what_its_conditions_say_together(
    items: list[dict[str, object]], request: ActionRequest
):
    policy = policy_of(items)
    asked = judged(request, AGENT, policy, Facts(at=AT)).claims
    for item in policy.rules.rules:
        assert overall(item.match, asked) is item.match.judge(asked)
        missed = [c for c in compare(item.match, asked) if c.outcome is Outcome.NOT_MATCHED]
        assert is_near(item.match, asked) == (len(missed) == 1)


def test_every_condition_that_a_match_may_have_is_compared():
    one = {
        "topics": (glob("job.other"),),
        "labels": {"team": "blue"},
        "conditions": (Says(Outcome.NOT_MATCHED),),
    }
    asked = replace(subject(), labels={"team": "red"})
    for spec in fields(Match):
        if not spec.init or spec.name.startswith("_"):
            continue
        match = Match(**{spec.name: one.get(spec.name, frozenset({"other"}))})
        assert match.judge(asked) is Outcome.NOT_MATCHED, spec.name
        (found,) = compare(match, asked)
        assert found.outcome is Outcome.NOT_MATCHED, spec.name
        assert is_near(match, asked), spec.name


def test_two_misses_are_not_near_wherever_they_are():
    asked = replace(subject(), labels={"team": "red"})
    says = Says(Outcome.NOT_MATCHED)
    other = frozenset({"other"})
    for match in (
        Match(tools=other, actions=other),
        Match(tools=other, topics=(glob("x"),)),
        Match(requires=other, labels={"team": "blue"}),
        Match(labels={"team": "blue"}, conditions=(says,)),
        Match(conditions=(says, says, says)),
        Match(requires=other, tools=other, conditions=(says,)),
    ):
        assert not is_near(match, asked)
    assert not is_near(Match(), asked)


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        (Outcome.MATCHED, "it holds"),
        (Outcome.NOT_MATCHED, "it does not hold"),
        (Outcome.ERROR, "it cannot be judged"),
    ],
)
def test_a_condition_of_another_kind_is_told_by_what_it_says_of_itself(
    outcome: Outcome, words: str
):
    (found,) = compare(Match(conditions=(Says(outcome),)), subject())
    assert found.sentence == f"more than 3: {words}"


def test_what_is_not_given_is_said_so():
    (missed,) = compare(Match(risk_tags=frozenset({"b", "a"})), subject())
    assert missed.sentence == "no risk tag is given, the rule wants a or b"
    assert missed.to_json() == {
        "condition": "risk tag",
        "wanted": ["a", "b"],
        "got": [],
        "outcome": "not_matched",
        "sentence": "no risk tag is given, the rule wants a or b",
    }
