"""The laws of a simulation: history re-derives, nothing is guessed, what is looser is loud."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.action import ActionRequest
from governance.differences import Answer, Case, answer_of, differs, is_looser
from governance.digests import content_digest
from governance.policy.bundle import Bundle
from governance.policy.decision import Constraints, Effect, RejectPolicy, RoleRequirement
from governance.policy.evaluate import evaluate
from governance.policy.facts import Past
from governance.principal import Agent
from governance.recorded import UNKEPT_CLAIMS, UNKEPT_CONTENT
from governance.simulation import MOST_TOLD, Report, Simulation
from governance.tickets._opening import ask_of, ruling_of
from tests.support.build import requirement
from tests.unit.policy.asking import AGENT, AT, BOUND, ask, bundle, rule
from tests.unit.policy.test_evaluate_properties import policy_of, requests, rules

RATE = {"per": "agent", "count": 1, "window_s": 60}


def case(
    request: ActionRequest, policy: Bundle, *, seq: int = 1, agent: Agent = AGENT, **changes: object
) -> Case:
    """``request`` as it is recorded under ``policy``."""
    at = AT + timedelta(seconds=seq)
    decision = evaluate(request, agent, policy, at=at, past=Past())
    raw = request.content.to_bytes()
    base = Case(
        seq=seq,
        at=at,
        ticket_id=f"t-{seq}",
        ask=ask_of(request, agent, decision, content=content_digest(raw)),
        ruling=ruling_of(decision),
        content=raw,
    )
    return replace(base, **changes)


def simulate(candidate: Bundle, deciding: Bundle | None, *cases: Case, most: int = 5) -> Report:
    known = {} if deciding is None else {deciding.snapshot: deciding}
    simulation = Simulation(candidate, known, most=most)
    for item in cases:
        simulation.judge(item)
    return simulation.report()


@settings(max_examples=60, deadline=None)
@given(
    rules(),
    st.lists(requests(), min_size=1, max_size=5),
    st.sampled_from(["most_restrictive", "first_match"]),
    st.sampled_from([AGENT, BOUND, replace(AGENT, roles=("boss",))]),
)
def test_the_bundle_that_decided_differs_in_nothing_from_history(
    items: list[dict[str, object]], asked: list[ActionRequest], strategy: str, agent: Agent
):
    policy = policy_of(items, strategy)
    cases = [case(one, policy, seq=n, agent=agent) for n, one in enumerate(asked, 1)]
    report = simulate(policy, policy, *cases)
    assert report.judged == len(cases)
    assert (report.differing_total, report.drift_total, report.not_rederived) == (0, 0, 0)
    assert all(old is new for old, new in report.matrix)
    assert report.people_old == report.people_new


ALLOWS = bundle(rule("ok", "allow"))
DENIES = bundle(rule("no", "deny", reason="closed"), rule("idle", "deny", topics=["job.never"]))


def test_what_is_newly_denied_is_counted_told_and_stricter():
    report = simulate(DENIES, ALLOWS, case(ask("job.x"), ALLOWS))
    assert report.matrix == {(Effect.ALLOW, Effect.DENY): 1}
    assert (report.newly_denied, report.newly_allowed, report.looser) == (1, 0, 0)
    (found,) = report.differing
    assert (found.topic, found.new.rule_ids, found.new.reason) == ("job.x", ("no",), "closed")
    assert not found.is_looser
    assert report.never_fire == ("idle",)


def test_what_is_newly_allowed_is_loud_and_comes_first():
    cases = [
        case(ask("job.x"), DENIES, seq=2),
        case(ask("job.x"), ALLOWS, seq=1),
    ]
    simulation = Simulation(
        bundle(rule("ok", "allow", topics=["job.x"]), rule("no", "deny", topics=["job.y"])),
        {DENIES.snapshot: DENIES, ALLOWS.snapshot: ALLOWS},
    )
    for item in (*cases, case(ask("job.y"), ALLOWS, seq=3)):
        simulation.judge(item)
    report = simulation.report()
    assert [item.is_looser for item in report.differing] == [True, False]
    assert (report.newly_allowed, report.looser) == (1, 1)


def test_what_is_not_whole_on_record_is_counted_and_not_judged():
    whole = case(ask("job.x", arguments={"a": 1}), ALLOWS)
    lost = replace(whole, content=None)
    old = replace(whole, ask=replace(whole.ask, claims=None))
    report = simulate(DENIES, ALLOWS, lost, lost, old)
    assert report.judged == 0
    assert report.not_judged == {UNKEPT_CLAIMS: 1, UNKEPT_CONTENT: 2}
    assert report.matrix == {}


def test_an_answer_that_history_does_not_rederive_is_drift_and_the_record_is_what_counts():
    altered = case(ask("job.x"), ALLOWS)
    altered = replace(altered, ruling=replace(altered.ruling, effect=Effect.REQUIRE_APPROVAL))
    report = simulate(ALLOWS, ALLOWS, altered)
    assert report.drift_total == 1
    assert report.drift[0].old.effect is Effect.REQUIRE_APPROVAL
    assert report.drift[0].new.effect is Effect.ALLOW
    assert report.matrix == {(Effect.REQUIRE_APPROVAL, Effect.ALLOW): 1}


def test_a_bundle_that_is_not_at_hand_is_said_so_and_the_record_counts():
    report = simulate(DENIES, None, case(ask("job.x"), ALLOWS))
    assert (report.not_rederived, report.drift_total) == (1, 0)
    assert report.matrix == {(Effect.ALLOW, Effect.DENY): 1}


def test_an_empty_bucket_is_neither_drift_nor_a_difference():
    slow = bundle(rule("ok", "allow"), rule("slow", "throttle", rate=RATE))
    throttled = case(ask("job.x"), slow)
    ruling = replace(throttled.ruling, effect=Effect.THROTTLE, rule_ids=("slow",))
    report = simulate(slow, slow, replace(throttled, ruling=ruling))
    assert (report.drift_total, report.differing_total, report.may_throttle) == (0, 0, 1)
    assert simulate(ALLOWS, slow, replace(throttled, ruling=ruling)).looser == 1
    hard = bundle(rule("stop", "throttle"))
    stopped = case(ask("job.x"), hard)
    assert simulate(hard, hard, stopped).drift_total == 0


def test_lists_are_bounded_and_counts_are_whole():
    cases = [case(ask("job.x"), ALLOWS, seq=number) for number in range(1, 9)]
    report = simulate(DENIES, ALLOWS, *cases, most=3)
    assert (len(report.differing), report.differing_total) == (3, 8)
    drifting = [replace(item, ruling=replace(item.ruling, rule_ids=())) for item in cases]
    report = simulate(ALLOWS, ALLOWS, *drifting, most=3)
    assert (len(report.drift), report.drift_total) == (3, 8)
    assert MOST_TOLD == 200


def test_rules_about_the_past_see_the_cases_before():
    after = {"id": "second", "match": {"after": [{"within": "1h"}]}, "decision": "deny"}
    policy = bundle(rule("ok", "allow"), after)
    cases = [case(ask("job.x"), ALLOWS, seq=number) for number in (1, 2, 3)]
    report = simulate(policy, ALLOWS, *cases)
    assert report.asks_about_past
    assert report.matrix == {(Effect.ALLOW, Effect.ALLOW): 1, (Effect.ALLOW, Effect.DENY): 2}
    undone = [replace(item, stands=False) for item in cases]
    assert simulate(policy, ALLOWS, *undone).newly_denied == 0
    assert not simulate(ALLOWS, ALLOWS).asks_about_past


def test_a_report_is_plain_json():
    report = simulate(DENIES, ALLOWS, case(ask("job.x"), ALLOWS), case(ask(), ALLOWS, content=b""))
    told = report.to_json()
    assert told["matrix"] == [{"old": "ALLOW", "new": "DENY", "count": 1}]
    assert isinstance(told["not_judged"], list)
    assert isinstance(told["differing"], list)
    first = told["differing"][0]
    assert isinstance(first, Mapping)
    assert first["at"] == "2026-03-02T09:00:01.000000Z"
    assert isinstance(first["new"], Mapping)
    assert first["new"]["people"] == 0


def answer(effect: Effect = Effect.ALLOW, **changes: object) -> Answer:
    base = Answer(
        effect=effect, reason="", rule_ids=(), constraints=Constraints(), requirement=None
    )
    return replace(base, **changes)


ASKS = answer(Effect.REQUIRE_APPROVAL, requirement=requirement())
LIGHT = replace(requirement(), threshold=1, roles=requirement().roles[:1], tier="light")


OPERATORS = RoleRequirement(role="operator", weight=2, min_required=2)
OTHERS = RoleRequirement(role="other", weight=9, min_required=9)


def asking(**changes: object) -> Answer:
    return replace(ASKS, requirement=replace(requirement(), **changes))


@pytest.mark.parametrize(
    ("old", "new", "looser"),
    [
        (answer(Effect.DENY), answer(), True),
        (answer(), answer(Effect.DENY), False),
        (answer(may_throttle=("a",)), answer(), True),
        (answer(), answer(may_throttle=("a",)), False),
        (answer(constraints=Constraints(max_retries=1)), answer(), True),
        (
            answer(constraints=Constraints(max_retries=1)),
            answer(constraints=Constraints(max_retries=0)),
            False,
        ),
        (
            answer(constraints=Constraints(paths_deny=("b", "a"))),
            answer(constraints=Constraints(paths_deny=("a", "b"))),
            False,
        ),
        (ASKS, replace(ASKS, requirement=LIGHT), True),
        (replace(ASKS, requirement=LIGHT), ASKS, False),  # whoever satisfies it satisfied LIGHT
        (ASKS, asking(tier="renamed"), False),
        (ASKS, asking(threshold=5), False),
        (ASKS, asking(threshold=3), False),  # its minimums alone weigh 4
        (asking(threshold=6), asking(threshold=5), True),
        (asking(threshold=6), asking(threshold=7), False),
        (ASKS, asking(roles=(OPERATORS, OPERATORS)), True),
        (asking(roles=(OPERATORS,)), asking(roles=(OTHERS,), threshold=9), True),
        (asking(distinct_roles=True), ASKS, True),
        (ASKS, asking(distinct_roles=True), False),
        (ASKS, asking(reject_policy=RejectPolicy.WEIGHT), True),
        (asking(reject_policy=RejectPolicy.WEIGHT), ASKS, False),
        (ASKS, asking(ttl_s=requirement().ttl_s + 1), True),
        (ASKS, replace(ASKS, requirement=replace(requirement(), step_up=True)), False),
        (ASKS, replace(ASKS, requirement=None), True),
        (replace(ASKS, requirement=None), ASKS, False),
        (ASKS, ASKS, False),
    ],
)
def test_what_is_not_surely_as_strict_is_looser(old: Answer, new: Answer, looser: bool):
    assert is_looser(old, new) is looser


def test_only_what_somebody_would_notice_differs():
    one = answer(reason="a", constraints=Constraints(paths_deny=("b", "a")))
    assert not differs(one, answer(reason="b", constraints=Constraints(paths_deny=("a", "b"))))
    assert differs(one, answer())
    assert differs(ASKS, replace(ASKS, requirement=LIGHT))
    assert ASKS.people == 2
    assert answer_of(evaluate(ask(), AGENT, DENIES, at=AT)).effect is Effect.DENY
