"""The laws of an explanation: it tells what ``evaluate`` answers, once each, and nothing false."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.action import ActionKind, ActionRequest, Content, Dispatch
from governance.policy.bundle import Bundle
from governance.policy.cases import Case, Expected, run
from governance.policy.counterfactual import (
    MOST_READ_BYTES,
    MOST_TOLD,
    MOST_TRIED,
    OPERATORS,
    Kind,
    counterfactuals,
)
from governance.policy.decision import Effect, TraceLine
from governance.policy.evaluate import evaluate
from governance.policy.explain import (
    MOST_NEAR,
    MOST_RULES,
    ExplainedRule,
    Explanation,
    Standing,
    once,
)
from governance.policy.explain import explain as explain_
from governance.policy.facts import Facts, Past
from governance.policy.matching import Outcome
from governance.policy.vouching import judged
from governance.principal import Agent
from tests.unit.policy.asking import AGENT, AT, BOUND, READ, WRITE, ask, bundle, rule, tool
from tests.unit.policy.test_evaluate_properties import policy_of, requests, rules

DEV = {"dev": {}, "prod": {}}


def explain(
    request: ActionRequest, policy: Bundle, *, agent: Agent = AGENT, for_asker: bool = False
) -> Explanation:
    return explain_(request, agent, policy, at=AT, for_asker=for_asker)


def told(rules_: tuple[ExplainedRule, ...], rule_id: str) -> ExplainedRule:
    (found,) = [item for item in rules_ if item.rule_id == rule_id]
    return found


def changes(told: Explanation) -> dict[tuple[Kind, str], Effect]:
    return {(item.kind, item.value): item.effect for item in told.changes}


@settings(max_examples=60, deadline=None)
@given(rules(), requests(), st.sampled_from(["most_restrictive", "first_match"]), st.booleans())
def test_the_effect_explained_is_the_effect_evaluated(
    items: list[dict[str, object]], request: ActionRequest, strategy: str, for_asker: bool
):
    policy = policy_of(items, strategy)
    decision = evaluate(request, AGENT, policy, at=AT)
    assert explain(request, policy, for_asker=for_asker).decision == decision


def decided_as_a_case(request: ActionRequest, policy: Bundle) -> tuple[str, ...]:
    """What ``expect.rules`` is compared with."""
    nothing = Expected(effect=Effect.DENY)
    case = Case(name="c", request=request, agent=AGENT, at=AT, expected=nothing)
    return run(case, policy).decision.rule_ids


def test_of_rules_in_order_the_earlier_one_decides():
    policy = bundle(
        rule("one", "deny", topics=["job.*"]),
        rule("two", "deny", topics=["job.x"]),
        strategy="first_match",
    )
    found = explain(ask("job.x"), policy)
    assert told(found.rules, "one").standing is Standing.DECIDES
    assert told(found.rules, "one").note == ""
    assert told(found.rules, "two").standing is Standing.OUTWEIGHED
    assert told(found.rules, "two").note == "an earlier rule decides"


@settings(max_examples=60, deadline=None)
@given(rules(), requests(), st.sampled_from(["most_restrictive", "first_match"]))
def test_every_rule_that_matches_is_told_once_and_every_other_line_too(
    items: list[dict[str, object]], request: ActionRequest, strategy: str
):
    policy = policy_of(items, strategy)
    found = explain(request, policy)
    ids = [item.rule_id for item in found.rules]
    assert len(ids) == len(set(ids))
    traced = [line for line in found.decision.trace if line.source == "rule"]
    assert set(ids) == {line.id for line in traced}
    assert set(found.decision.rule_ids) <= set(ids)
    assert [line for line in found.lines() if line.source != "rule"] == [
        line for line in found.decision.trace if line.source not in ("rule", "rules")
    ]
    assert all(
        (item.standing is Standing.NOT_COUNTED)
        == any(line.id == item.rule_id and line.verdict == "not counted" for line in traced)
        for item in found.rules
    )
    deciding = [item for item in found.rules if item.standing is Standing.DECIDES]
    assert {item.rule_id for item in deciding} == set(decided_as_a_case(request, policy))


@settings(max_examples=60, deadline=None)
@given(rules(), requests())
def test_a_near_rule_fails_on_exactly_one_condition_and_no_matching_rule_is_near(
    items: list[dict[str, object]], request: ActionRequest
):
    found = explain(request, policy_of(items))
    for item in found.near:
        missed = [one for one in item.conditions if one.outcome is Outcome.NOT_MATCHED]
        assert len(missed) == 1
        assert missed[0].sentence in item.note
    matching = {item.rule_id for item in found.rules}
    assert matching.isdisjoint(item.rule_id for item in found.near)


def changed(kind: Kind, value: str, request: ActionRequest, policy: Bundle, agent: Agent) -> Effect:
    """The change made by hand, and the effect of that."""
    fold = value.casefold()
    key, _, word = value.partition("=")
    fields: dict[Kind, dict[str, object]] = {
        Kind.WITHOUT_TAG: {
            "risk_tags": tuple(tag for tag in request.risk_tags if tag.casefold() != fold)
        },
        Kind.WITHOUT_CLASS: {
            "data_classes": tuple(c for c in request.data_classes if c.casefold() != fold)
        },
        Kind.ACTION: {"action": value},
        Kind.ENVIRONMENT: {"environment": value},
        Kind.DISPATCH: {"dispatch": value},
        Kind.LABEL: {"labels": {**request.labels, key: word}},
        Kind.WITHOUT_LABEL: {
            "labels": {name: word for name, word in request.labels.items() if name != value}
        },
        Kind.TOOL: {"tool": value},
    }
    if kind is Kind.ENVIRONMENT_BOUND:
        agent = replace(agent, environments=(*agent.environments, value))
    elif kind is Kind.ROLE:
        agent = replace(agent, roles=(*agent.roles, value))
    else:
        kinds = {"action": ActionKind, "dispatch": Dispatch}
        given = {n: kinds[n](v) if n in kinds else v for n, v in fields[kind].items()}
        request = replace(request, **given)
    return evaluate(request, agent, policy, at=AT).effect


@settings(max_examples=60, deadline=None)
@given(rules(), requests())
def test_every_change_that_is_told_gives_the_effect_that_is_told(
    items: list[dict[str, object]], request: ActionRequest
):
    policy = policy_of(items)
    found = explain(request, policy)
    for item in found.changes:
        assert item.effect is not found.decision.effect
        assert item.is_looser == (item.effect.rank < found.decision.effect.rank)
        if item.kind is not Kind.REGISTERED:
            assert changed(item.kind, item.value, request, policy, AGENT) is item.effect
    looser = [item.is_looser for item in found.changes]
    assert looser == sorted(looser, reverse=True)


def test_a_near_rule_says_what_it_wants_instead():
    policy = bundle(
        rule("dev-writes", "allow", topics=["job.x"], environments=["dev"]), environments=DEV
    )
    (near,) = explain(ask("job.x", environment="prod"), policy, agent=BOUND).near
    assert near.standing is Standing.NEAR
    assert near.note == "environment is prod, the rule wants dev"
    assert changes(explain(ask("job.x", environment="prod"), policy, agent=BOUND)) == {
        (Kind.ENVIRONMENT, "dev"): Effect.ALLOW
    }


def test_near_rules_are_few_and_the_best_fitting_come_first():
    many = [rule(f"r{n}", "allow", topics=["job.x"], risk_tags=[f"t{n}"]) for n in range(40)]
    best = rule("best", "allow", topics=["job.x"], actions=["execute"], risk_tags=["other"])
    strict = rule("strict", "deny", topics=["job.x"], risk_tags=["other"])
    far = rule("far", "allow", topics=["job.y"], risk_tags=["other"])
    near = explain(ask("job.x"), bundle(*many, best, strict, far)).near
    assert len(near) == MOST_NEAR
    assert [item.rule_id for item in near[:3]] == ["best", "strict", "r0"]
    assert "far" not in {item.rule_id for item in near}


def test_without_a_tag_the_next_rule_speaks():
    policy = bundle(
        rule("no", "deny", risk_tags=["destructive"]),
        rule("writes", "require_approval", topics=["job.x"]),
    )
    found = explain(ask("job.x", risk_tags=(" Destructive", "b")), policy)
    assert told(found.rules, "no").standing is Standing.DECIDES
    assert told(found.rules, "writes").standing is Standing.DECIDES
    assert told(found.rules, "writes").note == "something stricter is the answer"
    (change,) = found.changes
    assert change.sentence == "without risk tag  Destructive: REQUIRE_APPROVAL by rule writes"


def test_a_rule_that_allows_is_not_named_for_the_denial_of_the_registry():
    policy = bundle(rule("reads", "allow", tools=["job.read"]), tools={"job.read": tool()})
    found = explain(ask(tool="job.read", action=READ), policy)
    denials = [item for item in found.changes if item.effect is Effect.DENY]
    assert denials
    assert all("by rule" not in item.sentence for item in denials)
    assert any("may not" in item.sentence for item in denials)


def test_an_unregistered_tool_is_told_what_registration_would_do_but_not_to_its_agent():
    policy = bundle(tools={"job.read": tool()})
    request = ask(tool="job.reed", action=READ)
    found = changes(explain(request, policy))
    assert found == {
        (Kind.TOOL, "job.read"): Effect.ALLOW,
        (Kind.REGISTERED, "job.reed"): Effect.ALLOW,
    }
    known = bundle(tools={"job.read": tool(), "job.reed": tool()})
    assert evaluate(request, AGENT, known, at=AT).effect is Effect.ALLOW
    assert changes(explain(request, policy, for_asker=True)) == {
        (Kind.TOOL, "job.read"): Effect.ALLOW
    }


def test_a_registered_tool_would_have_both_actions_that_are_claimed_for_it():
    found = explain(ask(tool="x", action=READ, labels={"mcp.action": "write"}), bundle())
    assert changes(found)[Kind.REGISTERED, "x"] is Effect.REQUIRE_APPROVAL


def test_names_that_begin_alike_are_tried_first():
    names = {f"a{n}": tool() for n in range(20)} | {"zed.one": tool(), "zed": tool()}
    found = changes(explain(ask(tool="zed.on", action=READ), bundle(tools=names)))
    tried = [value for kind, value in found if kind is Kind.TOOL]
    assert tried[:2] == ["zed.one", "zed"]
    assert len(tried) == 10


def test_an_agent_is_told_neither_of_rules_for_others_nor_of_their_names():
    policy = bundle(
        rule("theirs", "allow", topics=["job.x"], agents=["payer", "auditor"]),
        rule("ours", "require_approval", topics=["job.x"], agents=["deployer", "payer"]),
        rule("role", "allow", topics=["job.x"], roles=["boss"]),
        rule("who", "require_approval", topics=["job.x"], when="agent == 'payer-2'"),
        rule("held", "require_approval", topics=["job.x"], when="'boss' in roles"),
        rule("when", "require_approval", topics=["job.x"], when="target == 'payer-3'"),
    )
    whole = explain(ask("job.x"), policy)
    assert {item.rule_id for item in whole.near} == {"theirs", "role", "who", "held", "when"}
    assert "payer" in str(whole.to_json())
    own = explain(ask("job.x"), policy, for_asker=True)
    (near,) = own.near
    assert near.rule_id == "when"
    assert near.note == "another condition: it does not hold"
    assert told(own.rules, "ours").conditions[0].wanted == ("deployer",)
    assert "payer" not in str(own.to_json())
    assert "boss" not in str(own.to_json())
    assert OPERATORS.isdisjoint(item.kind for item in own.changes)


def test_an_expression_about_who_asks_that_holds_does_not_hide_a_rule_from_its_agent():
    policy = bundle(rule("mine", "allow", topics=["job.y"], when=f"agent == '{AGENT.id}'"))
    assert [item.rule_id for item in explain(ask("job.x"), policy, for_asker=True).near] == ["mine"]


def test_why_a_rule_is_not_counted_tells_its_agent_no_expression():
    policy = bundle(
        rule("dev", "allow", when="environment == 'dev' && agent != 'payer'"), environments=DEV
    )
    request = ask(environment="dev")
    assert "payer" in told(explain(request, policy).rules, "dev").note
    item = told(explain(request, policy, for_asker=True).rules, "dev")
    assert item.standing is Standing.NOT_COUNTED
    assert item.note.endswith("vouched for is: another condition: it does not hold")


def test_of_tools_and_places_an_agent_is_told_those_that_would_help_it():
    policy = bundle(
        rule("ok", "require_approval", topics=["job.x"]),
        rule("dev", "allow", topics=["job.x"], tools=["mine"]),
        tools={"mine": tool(), "payer": tool(scope="path:payer/*")},
        environments={"prod": {}, "payroll": {"requires_human_approval": True}},
    )
    whole = changes(explain(ask("job.x", tool="none", action=READ), policy))
    assert whole[Kind.TOOL, "mine"] is Effect.REQUIRE_APPROVAL
    free = bundle(
        rule("ok", "allow", topics=["job.x"]),
        tools={"payer": tool(scope="path:payer/*")},
        environments={"prod": {}, "payroll": {"requires_human_approval": True}},
    )
    kinds = {kind for kind, _ in changes(explain(ask("job.x", action=READ), free))}
    assert {Kind.TOOL, Kind.ENVIRONMENT} <= kinds
    assert "pay" not in str(explain(ask("job.x", action=READ), free, for_asker=True).to_json())
    own = changes(explain(ask("job.x", tool="none", action=READ), policy, for_asker=True))
    assert own == {(Kind.TOOL, "mine"): Effect.REQUIRE_APPROVAL}


def test_what_only_an_operator_can_change_is_told_to_operators():
    policy = bundle(
        rule("dev", "allow", topics=["job.x"], environments=["dev"]),
        environments=DEV,
        clearance={"confidential": ["security-admin"]},
    )
    found = changes(explain(ask("job.x", environment="dev"), policy))
    assert found == {(Kind.ENVIRONMENT_BOUND, "dev"): Effect.ALLOW}
    request = ask("job.x", environment="dev", data_classes=("confidential",))
    found = changes(explain(request, policy, agent=BOUND))
    assert found == {
        (Kind.WITHOUT_CLASS, "confidential"): Effect.ALLOW,
        (Kind.ROLE, "security-admin"): Effect.ALLOW,
    }


def test_a_rule_that_claims_alone_would_match_is_told_as_not_counted_and_why():
    policy = bundle(rule("dev", "allow", environments=["dev"]), environments=DEV)
    item = told(explain(ask(environment="dev"), policy).rules, "dev")
    assert item.standing is Standing.NOT_COUNTED
    assert item.note == (
        "it loosens, and claims alone loosen nothing; "
        "vouched for is: environment is prod, the rule wants dev"
    )


def test_a_missing_label_cannot_be_judged_and_giving_it_is_a_change():
    policy = bundle(
        rule("blue", "allow", topics=["job.x"], labels={"team": "blue"}),
        rule("red", "require_approval", topics=["job.x"], labels={"team": "red"}),
    )
    found = explain(ask("job.x"), policy)
    assert "label team cannot be judged" in told(found.rules, "blue").note
    assert changes(found) == {(Kind.LABEL, "team=blue"): Effect.ALLOW}
    wrong = explain(ask("job.x", labels={"team": "red"}), policy)
    assert told(wrong.near, "blue").note == "label team is red, the rule wants blue"
    assert (Kind.LABEL, "team=blue") in changes(wrong)


def test_what_a_ticket_needs_is_told_as_what_could_be_given():
    policy = bundle(
        rule("writes", "require_approval"),
        ticket={"required_fields": ["justification"]},
    )
    assert changes(explain(ask(), policy)) == {
        (Kind.GIVING, "justification"): Effect.REQUIRE_APPROVAL
    }
    both = bundle(rule("writes", "require_approval"), ticket={"required_fields": ["on_behalf_of"]})
    assert changes(explain(ask(), both)) == {
        (Kind.GIVING, "person it acts for"): Effect.REQUIRE_APPROVAL
    }


def test_a_rate_may_throttle_and_nothing_is_taken():
    rate = {"per": "agent", "count": 1, "window_s": 60}
    policy = bundle(rule("slow", "throttle", rate=rate), rule("ok", "allow"))
    item = told(explain(ask(), policy).rules, "slow")
    assert item.standing is Standing.MAY_THROTTLE
    assert "bucket" in item.note


def test_requirements_and_capability_can_be_left_away():
    policy = bundle(
        rule("gpu", "deny", requires=["gpu"]),
        rule("cap", "deny", capabilities=["shell"]),
        rule("ok", "allow"),
    )
    assert changes(explain(ask(requires=("gpu",)), policy)) == {
        (Kind.WITHOUT_REQUIREMENT, "gpu"): Effect.ALLOW
    }
    assert changes(explain(ask(capability="shell"), policy)) == {
        (Kind.WITHOUT_CAPABILITY, "shell"): Effect.ALLOW
    }


def test_no_argument_and_no_word_of_the_agent_is_in_an_explanation():
    policy = bundle(rule("ok", "allow", topics=["job.y"]), tools={"one": tool()})
    content = Content(
        arguments={"key": "hush-1"}, prompt="hush-2", context="hush-3", justification="hush-4"
    )
    found = explain(ask(tool="one", content=content), policy)
    assert "hush" not in str(found)


def test_a_long_word_is_cut():
    policy = bundle(rule("x", "deny", risk_tags=["t" * 200, *(f"u{n}" for n in range(20))]))
    found = explain(ask(risk_tags=("t" * 200,)), policy)
    (condition,) = found.rules[0].conditions
    assert condition.got == ("t" * 79 + "…",)
    assert condition.wanted[0] == "t" * 79 + "…"
    assert condition.wanted[-1] == "13 more"


def test_however_much_is_asked_the_work_is_bounded():
    words = [f"w{n}" for n in range(50)]
    policy = bundle(
        rule("ok", "allow"),
        *(rule(f"l{n}", "deny", labels={f"k{n}": "v"}) for n in range(MOST_RULES + 50)),
        environments={f"e{n}": {} for n in range(50)},
        tools={f"tool{n}": tool() for n in range(50)},
    )
    request = ask(
        tool="none",
        risk_tags=tuple(words),
        data_classes=tuple(words),
        requires=tuple(words),
        labels=dict.fromkeys(words, "v"),
    )
    found = explain(request, policy)
    assert len(found.rules) == MOST_RULES
    assert len(found.changes) <= MOST_TOLD < MOST_TRIED
    assert len(found.near) <= MOST_NEAR


def test_the_longer_the_request_the_fewer_changes_are_tried():
    no = rule("no", "deny", risk_tags=["w0"], capabilities=["c"])
    policy = bundle(no, rule("ok", "allow"))
    told_of = [
        len(
            explain(
                ask(risk_tags=("w0",), capability="c", arguments={"text": "x" * length}), policy
            ).changes
        )
        for length in (10, MOST_READ_BYTES)
    ]
    assert told_of[0] > told_of[1] == 1


def test_what_cannot_be_evaluated_is_explained_by_its_fail_mode():
    policy = replace(bundle(), tools=None)
    found = explain(ask(tool="x"), policy)
    assert found.decision.effect is Effect.DENY
    assert [line.source for line in found.sources] == ["fail_mode"]
    assert (found.rules, found.near, found.changes) == ((), (), ())


def test_a_count_that_was_not_looked_up_is_not_guessed_at():
    policy = bundle(
        rule("ok", "allow"),
        rule("fast", "deny", velocity={"per": "label:team", "more_than": 5, "within": "60s"}),
    )
    request = ask(labels={"team": "blue"})
    looked_up = dict.fromkeys(policy.lookback.tallies_of(request), 0)
    found = explain_(request, AGENT, policy, at=AT, past=Past(counts=looked_up))
    assert found.decision.effect is Effect.ALLOW
    assert found.changes == ()


def test_an_explanation_is_plain_json():
    policy = bundle(rule("writes", "require_approval", actions=["write"], reason="care"))
    value = explain(ask(action=WRITE), policy).to_json()
    assert isinstance(value["rules"], list)
    assert value["rules"][0] == {
        "rule_id": "writes",
        "effect": "REQUIRE_APPROVAL",
        "standing": "decides",
        "note": "",
        "reason": "care",
        "conditions": [
            {
                "condition": "action",
                "wanted": ["write"],
                "got": ["write"],
                "outcome": "matched",
                "sentence": "action is write, the rule wants write",
            }
        ],
    }
    assert value["rules_in_all"] == 1


def test_where_a_signal_spoke_the_part_that_it_is_about_is_told_and_never_its_text():
    said = TraceLine(source="signal", id="injection", verdict="DENY", note="a signal")
    policy = bundle(rule("ok", "allow"))
    content = Content(arguments={"a": "hush"}, prompt="hush", context="hush", justification="hush")
    request = ask(content=content)
    asked = judged(request, AGENT, policy, Facts(at=AT))
    denied = replace(evaluate(request, AGENT, policy, at=AT), effect=Effect.DENY, trace=(said,))
    found = counterfactuals(asked, denied, (), for_asker=True)
    told = [item.value for item in found if item.kind is Kind.WITHOUT_SIGNAL]
    assert told == ["its prompt", "its context", "its justification", "its arguments"]
    assert "hush" not in str(found)


def test_a_recorded_trace_tells_each_rule_once():
    word = TraceLine(source="rule", id="a", verdict="DENY", note="rule a")
    match = TraceLine(source="rule", id="a", verdict="DENY", note="closed")
    other = TraceLine(source="registry", id="a", verdict="DENY")
    assert once([other, word, match]) == (other, match)
