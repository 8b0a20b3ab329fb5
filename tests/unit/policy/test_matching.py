import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.policy.conditions import LabelThreshold, Times
from governance.policy.facts import Facts
from governance.policy.matching import Match, Outcome, glob
from governance.policy.vouching import judged
from tests.unit.policy.asking import AGENT, AT, READ, ask, bundle


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("job.read.*", "job.read.a.b"),
        ("job.read.*", "job.read."),
        ("*", ""),
        ("**", "anything.at.all"),
        ("job.?.x", "job.é.x"),
        ("job.[a-cx].y", "job.b.y"),
        ("job.[a-cx].y", "job.x.y"),
        ("job.[^a-c].y", "job.d.y"),
        (r"job.\*", "job.*"),
        (r"job.[\]]", "job.]"),
        ("a*b*c", "a-b-b-c-c"),
        ("org/infra-*", "org/infra-net"),
        ("a/*/c", "a/b/c"),
        ("job.deploy.*", "job.deploy.web.eu"),
        ("job.*.prod", "job.deploy.web.prod"),
        ("job.*é", "job.caf\u00e9"),
        ("?", "\U0001f680"),
        ("job.[а-я]", "job.ж"),
        (r"[\^a]", "^"),
        ("[^^]", "a"),
    ],
)
def test_a_topic_glob_matches_the_whole_text(pattern: str, text: str):
    assert glob(pattern).matches(text)


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("job.read.*", "job.read"),
        ("job.read.*", "xjob.read.a"),
        ("job.read", "job.read.a"),
        ("job.Read", "job.read"),
        ("job.?", "job."),
        ("job.?", "job./"),
        ("job.[^a]", "job./"),
        ("job.[a-c]", "job.d"),
        ("a*b", "a/b"),
        ("org/infra-*", "org/infra-a/b"),
        ("a*b*c", "a-c-b"),
        ("a*b*c", "a-c"),
        ("ab*ba", "aba"),
        ("a/*", "a/b/c"),
        ("", "x"),
        ("job.deploy.*", "job.deployer"),
        ("JOB.*", "job.x"),
        ("straße", "STRASSE"),
        ("caf\u00e9", "cafe\u0301"),
        ("job.?", "job.e\u0301"),
        ("job.a", "job.а"),
        ("*", "a/b"),
    ],
)
def test_a_topic_glob_refuses_what_it_does_not_say(pattern: str, text: str):
    assert not glob(pattern).matches(text)


@pytest.mark.parametrize("pattern", ["job.[", "job.[a", "job.[a-", "job.[]", "job.[z-a]", "job.\\"])
def test_a_malformed_glob_is_refused(pattern: str):
    with pytest.raises(ValueError, match="pattern"):
        glob(pattern)


def _naive(pattern: str, text: str) -> bool:
    if not pattern:
        return not text
    if pattern[0] == "*":
        return _naive(pattern[1:], text) or (
            text != "" and text[0] != "/" and _naive(pattern, text[1:])
        )
    if not text:
        return False
    fits = text[0] != "/" if pattern[0] == "?" else pattern[0] == text[0]
    return fits and _naive(pattern[1:], text[1:])


@given(st.text("ab./*?", max_size=8), st.text("ab./", max_size=9))
def test_a_glob_agrees_with_the_definition(pattern: str, text: str):
    assert glob(pattern).matches(text) is _naive(pattern, text)


def test_a_glob_of_many_stars_costs_little():
    assert not glob("*a" * 60 + "b").matches("a" * 256)


POLICY = bundle(environments={"dev": {}})
REQUEST = ask(
    "job.x",
    action=READ,
    environment="dev",
    capability="Net.Scan",
    risk_tags=("Prod ",),
    requires=("gpu", "net"),
    labels={"team": "blue"},
    data_classes=("PII",),
)
CLAIMS = judged(REQUEST, AGENT, POLICY, Facts(at=AT)).claims


@pytest.mark.parametrize(
    "match",
    [
        Match(),
        Match(actions=frozenset({"read"}), tenants=frozenset({"acme"})),
        Match(agents=frozenset({"deployer", "other"})),
        Match(capabilities=frozenset({"net.scan"})),
        Match(risk_tags=frozenset({"prod", "other"})),
        Match(requires=frozenset({"gpu", "net"})),
        Match(environments=frozenset({"dev"})),
        Match(data_classes=frozenset({"pii"})),
        Match(topics=(glob("job.y"), glob("job.x"))),
        Match(labels={"team": "blue"}),
    ],
)
def test_conditions_are_any_of_their_entries(match: Match):
    assert match.judge(CLAIMS) is Outcome.MATCHED


@pytest.mark.parametrize(
    "match",
    [
        Match(tools=frozenset({"t"})),
        Match(actions=frozenset({"write"})),
        Match(tenants=frozenset({"other"})),
        Match(agents=frozenset({"other"})),
        Match(roles=frozenset({"admin"})),
        Match(capabilities=frozenset({"other"})),
        Match(risk_tags=frozenset({"dev"})),
        Match(requires=frozenset({"gpu", "tpu"})),
        Match(environments=frozenset({"lab"})),
        Match(data_classes=frozenset({"financial"})),
        Match(topics=(glob("job.y"),)),
        Match(labels={"team": "red", "missing": "x"}),
    ],
)
def test_every_condition_has_to_hold(match: Match):
    assert match.judge(CLAIMS) is Outcome.NOT_MATCHED


def test_an_environment_that_only_the_agent_names_is_prod_as_well():
    assert Match(environments=frozenset({"prod"})).judge(CLAIMS) is Outcome.MATCHED


def test_a_match_names_what_cannot_be_judged():
    match = Match(
        labels={"team": "blue", "customer": "x"},
        conditions=(LabelThreshold(label="amount", more_than=5), Times(windows=())),
    )
    assert match.unclear(CLAIMS) == ("label customer is missing", "label amount more than 5")


def test_a_match_knows_whether_it_looks_at_the_agents_own_words():
    assert not Match(topics=(glob("*"),), conditions=(Times(windows=()),)).reads_claims
    assert Match(labels={"a": "b"}).reads_claims
    assert Match(conditions=(LabelThreshold(label="amount", at_most=5),)).reads_claims


def test_a_label_that_is_asked_for_and_missing_is_an_error():
    assert Match(labels={"team": "blue", "customer": "x"}).judge(CLAIMS) is Outcome.ERROR
