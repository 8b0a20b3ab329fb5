"""A rule that restricts by a label says what a request without the label is to it."""

from itertools import product
from typing import Any

import pytest

from governance.policy.bundle import load
from governance.policy.cel.missing import asks_for, labels_read, without
from governance.policy.cel.tokens import tokens
from governance.policy.decision import Effect
from governance.policy.facts import Facts
from governance.policy.lint.findings import LintCode, LintFinding
from governance.policy.lint.labels import missing_labels
from governance.policy.matching import Outcome
from governance.policy.vouching import judged
from tests.unit.policy.asking import AGENT, AT, HEAVY, ask, bundle, decide, rule

TRUE, FALSE, ERROR = Outcome.MATCHED, Outcome.NOT_MATCHED, Outcome.ERROR


def found(match: dict[str, Any], decision: str = "deny") -> list[LintFinding]:
    more = {"tiers": {"t": HEAVY}} if decision == "require_approval" else {}
    return list(missing_labels(bundle(rule("a", decision, **match), **more)))


def pointers(match: dict[str, Any], decision: str = "deny") -> list[str]:
    return [item.pointer.removeprefix("/rules/0/match") for item in found(match, decision)]


@pytest.mark.parametrize("decision", ["deny", "throttle", "require_approval"])
@pytest.mark.parametrize(
    ("match", "pointer"),
    [
        ({"labels": {"pii": "true"}}, "/labels/pii"),
        ({"label_threshold": {"sum": {"more_than": 1}}}, "/label_threshold/sum"),
        ({"label_in": {"a/b": ["x"]}}, "/label_in/a~1b"),
        ({"when": 'labels.pii == "true"'}, "/when"),
        ({"when": 'labels["pii"] == "true"'}, "/when"),
        ({"labels": {"pii": "true"}, "when": "args.x > 1"}, "/labels/pii"),
        ({"labels": {"pii": "true"}, "when": "has(labels.other)"}, "/labels/pii"),
        ({"labels": {"pii": "true"}, "when": "has(labels.pii) || args.x > 1"}, "/labels/pii"),
    ],
)
def test_a_restriction_by_a_label_that_may_be_missing_is_told_with_its_place(
    match: dict[str, Any], pointer: str, decision: str
):
    (finding,) = found(match, decision)
    assert finding.code is LintCode.MISSING_LABEL
    assert finding.pointer == f"/rules/0/match{pointer}"
    assert "rule a looks at the label" in finding.text
    policy = bundle(rule("a", decision, **match), tiers={"t": HEAVY}, default_decision="allow")
    assert decide(ask(arguments={"x": 2}), policy).rule_ids == (
        () if "other" in match.get("when", "") else ("a",)
    )


@pytest.mark.parametrize(
    "match",
    [
        {},
        {"labels": {"pii": "true"}, "when": "has(labels.pii)"},
        {"labels": {"pii": "true"}, "when": "has(labels.pii) && args.x > 1"},
        {"label_in": {"a.b": ["x"]}, "when": '"a.b" in labels'},
        {"label_threshold": {"sum": {"more_than": 1}}, "when": "args.x == 1 && has(labels.sum)"},
        # Meant, by its own words.
        {"labels": {"pii": "true"}, "when": '!has(labels.pii) || labels.pii == "true"'},
        {"when": '!(has(labels.pii)) || labels.pii == "true"'},
        {"label_not_in": {"region": ["eu"]}},
        {"when": "size(labels) > 1"},
        {"when": 'labels[args.name] == "x"'},
        {"when": 'has(args.labels) && args.labels.pii == "x"'},
    ],
)
def test_whoever_asks_for_the_label_or_means_its_lack_is_left_alone(match: dict[str, Any]):
    assert pointers(match) == []


def test_what_loosens_or_only_warns_is_left_alone():
    assert pointers({"labels": {"pii": "true"}}, "allow") == []
    written = {"id": "c", "description": "d", "match": {"labels": {"pii": "true"}}}
    for action, at in (("WARN", []), ("BLOCK", ["/constraints/0/match/labels/pii"])):
        policy = load({"constraints": [{**written, "violationAction": action}]})
        assert [item.pointer for item in missing_labels(policy)] == at
    bare = load({"constraints": [{"id": "c", "description": "d", "violationAction": "BLOCK"}]})
    assert list(missing_labels(bare)) == []


def test_each_label_is_told_once_where_it_is_first_read():
    match = {
        "labels": {"a": "1"},
        "label_in": {"a": ["1"], "b": ["1"]},
        "when": 'labels.a == labels.c && labels.c != labels["d"]',
    }
    assert pointers(match) == ["/labels/a", "/label_in/b", "/when", "/when"]


@pytest.mark.parametrize("label", ["pii", "a.b", "in", 'say "x"', "ä"])
def test_the_fix_that_is_told_is_one(label: str):
    (finding,) = found({"labels": {label: "v"}})
    asked = asks_for(label)
    assert asked in finding.fix
    match = {"labels": {label: "v"}, "when": asked}
    policy = bundle(rule("a", "deny", **match), default_decision="allow")
    assert decide(ask(), policy).rule_ids == ()
    assert decide(ask(labels={label: "v"}), policy).effect is Effect.DENY
    assert pointers(match) == []
    (finding,) = found({"labels": {label: "v"}, "when": "args.x > 1"})
    assert f"begin when by {asked} &&" in finding.fix


SHAPES = [
    "has(labels.x)",
    "!has(labels.x)",
    '"x" in labels',
    '!("x" in labels)',
    '!("y" in labels)',
    'labels.x == "1"',
    '!(labels.x == "1")',
    '!!(labels.x == "1")',
    "!args.p == args.q",
    "has(labels.x) == args.p",
    'has(labels.x) && labels.x == "1"',
    'labels.x == "1" && has(labels.x)',
    'has(labels.x) || labels.x == "1"',
    '!has(labels.x) || labels.x == "1"',
    'has(labels.x) && labels.x == "1" || args.p',
    'args.p && (args.q || labels.x == "1")',
    '(((labels.x == "1")) && args.p)',
    "(args.p) && (args.q)",
    'has(labels.x) ? labels.x == "1" : args.p',
    'args.p ? labels.x == "1" : args.q',
    'args.p ? (args.q ? has(labels.x) : args.p) : args.q ? labels.x == "1" : args.p',
    'labels.x == "1" ? args.p : args.q',
    'args.p ? {"a": labels.x} == {"a": "1"} : args.q',
    '[1].exists(i, labels.x == "1")',
    '[1].exists(i, has(labels.x) && labels.x == "1")',
    'labels.x.startsWith("a")',
    'labels["x"] == "1" || args.p',
    "labels.size() == 3",
]


@pytest.mark.parametrize("text", SHAPES)
def test_whatever_judging_answers_without_the_label_is_among_the_outcomes(text: str):
    policy = bundle(rule("a", "deny", when=text))
    (match,) = [item.match for item in policy.rules.rules]
    told = without(tokens(text), "x")
    for p, q in product((True, False), repeat=2):
        request = ask(arguments={"p": p, "q": q}, labels={"z": "1"})
        subject = judged(request, AGENT, policy, Facts(at=AT)).claims
        assert match.judge(subject) in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("has(labels.x)", {FALSE}),
        ('"x" in labels && args.p', {FALSE}),
        ("!has(labels.x)", {TRUE}),
        ("!!has(labels.x)", {FALSE}),
        ('has(labels.x) && labels.x == "1"', {FALSE}),
        ('has(labels.x) || labels.x == "1"', {TRUE, FALSE, ERROR}),
        ('has(labels.x) ? labels.x == "1" : false', {TRUE, FALSE}),
        ("args.p", {TRUE, FALSE}),
        ('labels.x == "1" ? true : false', {TRUE, FALSE, ERROR}),
    ],
)
def test_the_outcomes_are_no_wider_than_the_words_say(text: str, told: set[Outcome]):
    assert without(tokens(text), "x") == told


def test_only_values_are_read():
    text = (
        'has(labels.a) && labels.b == labels["c"] && args.labels.d && labels.size() == size(labels)'
    )
    assert labels_read(tokens(text)) == ("b", "c")
