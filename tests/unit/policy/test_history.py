"""Conditions over the past: what counts, what cannot be known, and how far a bundle looks."""

from datetime import timedelta

import pytest

from governance.action import ActionRequest
from governance.policy.decision import Effect
from governance.policy.evaluate import evaluate
from governance.policy.facts import (
    Deed,
    DeedsOf,
    Facts,
    Past,
    Tally,
    Whose,
    considered,
)
from governance.policy.history import (
    After,
    Earlier,
    Lookback,
    Velocity,
    falls_under,
    lookback,
)
from governance.policy.matching import Outcome, Subject, glob
from governance.policy.vouching import judged
from governance.principal import AgentId
from tests.unit.policy.asking import AGENT, AT, READ, WRITE, ask, bundle, refused, rule

MATCHED, NOT_MATCHED, ERROR = Outcome.MATCHED, Outcome.NOT_MATCHED, Outcome.ERROR


def deed(ago_s: float = 1, **fields: object) -> Deed:
    own: dict[str, object] = {
        "ticket_id": "t-1",
        "at": AT - timedelta(seconds=ago_s),
        "agent": AGENT.id,
        "trace_id": "trace",
        "topic": "job.read",
        "tool": "files",
        "action": "read",
        "target": "web-1",
        "data_classes": ("internal", "pii"),
        "risk_tags": ("prod",),
    }
    return Deed(**{**own, **fields})  # type: ignore[arg-type]


def subject(*deeds: Deed, request: ActionRequest | None = None, **past: object) -> Subject:
    facts = Facts(at=AT, past=Past(deeds=deeds, **past))  # type: ignore[arg-type]
    return judged(request or ask(), AGENT, bundle(), facts).claims


def earlier(**fields: object) -> Earlier:
    return Earlier(**{"within_s": 60, **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "other"),
    [
        ({"topics": (glob("job.*"),)}, {"topic": "mail.send"}),
        ({"tools": frozenset({"files"})}, {"tool": "mail"}),
        ({"actions": frozenset({"read"})}, {"action": "write"}),
        ({"data_classes": frozenset({"pii"})}, {"data_classes": ("internal",)}),
        ({"risk_tags": frozenset({"prod"})}, {"risk_tags": ()}),
        ({}, {"stands": False}),
        ({}, {"agent": AgentId("other")}),
        ({"of": Whose.TRACE}, {"trace_id": "another"}),
        ({}, {"at": AT - timedelta(seconds=60, microseconds=1)}),
    ],
)
def test_a_deed_counts_when_every_condition_of_its_entry_holds(
    fields: dict[str, object], other: dict[str, object]
):
    assert earlier(**fields).judge(subject(deed())) is MATCHED
    assert earlier(**fields).judge(subject(deed(**other))) is NOT_MATCHED
    assert earlier(**fields).judge(subject()) is NOT_MATCHED


def test_another_agent_counts_for_the_trace_and_another_trace_for_the_agent():
    assert earlier(of=Whose.TRACE).judge(subject(deed(agent=AgentId("other")))) is MATCHED
    assert earlier().judge(subject(deed(trace_id="another"))) is MATCHED


def test_a_window_holds_both_of_its_ends():
    assert earlier().judge(subject(deed(60))) is MATCHED
    assert earlier().judge(subject(deed(0))) is MATCHED


@pytest.mark.parametrize(
    ("distinct", "field", "values", "enough"),
    [
        ("", "target", ["a", "a", "a"], True),
        ("targets", "target", ["a", " A ", "b"], False),
        ("targets", "target", ["a", "b", "c"], True),
        ("targets", "target", ["", "", "a"], True),
        ("tools", "tool", ["a", "a", "b"], False),
        ("tools", "tool", ["a", "b", ""], True),
        ("topics", "topic", ["a", "b", "b"], False),
        ("topics", "topic", ["a", "b", "c"], True),
        ("data_classes", "data_classes", [("a",), ("a", "b")], False),
        ("data_classes", "data_classes", [("a", "c"), ("b",)], True),
    ],
)
def test_different_values_are_counted_once_and_an_unnamed_target_may_be_any(
    distinct: str, field: str, values: list[object], enough: bool
):
    deeds = [deed(**{field: value}) for value in values]
    outcome = earlier(at_least=3, distinct=distinct).judge(subject(*deeds))
    assert outcome is (MATCHED if enough else NOT_MATCHED)


def test_what_could_not_be_read_is_an_error_unless_enough_was_seen():
    cut = {"agent": AT - timedelta(seconds=60)}
    assert earlier(at_least=2).judge(subject(deed(), cut=cut)) is ERROR
    assert earlier(at_least=1).judge(subject(deed(), cut=cut)) is MATCHED
    assert earlier(at_least=2, within_s=59).judge(subject(deed(), cut=cut)) is NOT_MATCHED
    assert earlier(at_least=2, of=Whose.TRACE).judge(subject(deed(), cut=cut)) is NOT_MATCHED


def test_every_entry_must_hold_and_one_that_does_not_settles_it():
    yes, no, unclear = earlier(), earlier(tools=frozenset({"x"}), within_s=1), earlier(at_least=9)
    seen = subject(deed(), cut={"agent": AT - timedelta(seconds=30)})
    assert After(entries=(yes, yes)).judge(seen) is MATCHED
    assert After(entries=(yes, unclear)).judge(seen) is ERROR
    assert After(entries=(unclear, no)).judge(seen) is NOT_MATCHED


def velocity(per: str = "agent", more_than: int = 2, within_s: int = 60) -> Velocity:
    return Velocity(per=per, more_than=more_than, within_s=within_s)


def tally(per: str, value: str, most: int = 2) -> Tally:
    return Tally(tenant=AGENT.tenant, per=per, value=value, within_s=60, most=most)


def test_the_request_itself_is_one_of_those_that_are_counted():
    for found, outcome in ((0, NOT_MATCHED), (1, NOT_MATCHED), (2, MATCHED), (None, ERROR)):
        counts = {tally("agent", AGENT.id): found}
        assert velocity().judge(subject(counts=counts)) is outcome


def test_a_count_that_nobody_made_is_an_error():
    assert velocity().judge(subject(counts={})) is ERROR


@pytest.mark.parametrize(
    ("per", "value", "fields"),
    [
        ("agent", "deployer", {}),
        ("tenant", "", {}),
        ("tool", "files", {"tool": "files"}),
        ("tool", "files", {"labels": {"mcp.tool": "files"}}),
        ("tool", "", {}),
        ("trace", "trace", {}),
        ("label:team", "core", {"labels": {"team": "core"}}),
        ("label:team", "", {}),
    ],
)
def test_what_is_looked_up_before_is_what_is_asked_for_later(
    per: str, value: str, fields: dict[str, object]
):
    request = ask(**fields)
    wanted = velocity(per).tally_of(request)
    assert wanted == tally(per, value)
    assert velocity(per).judge(subject(request=request, counts={wanted: 2})) is MATCHED


def test_without_counts_the_deeds_themselves_are_counted():
    labelled = deed(labels=(("team", "core"),))
    some = (labelled, deed(60), deed(61))
    assert velocity(more_than=2).judge(subject(*some)) is MATCHED
    assert velocity(more_than=3).judge(subject(*some)) is NOT_MATCHED
    wanted = {
        tally("agent", "deployer"): True,
        tally("agent", "other"): False,
        tally("tenant", ""): True,
        tally("tool", "files"): True,
        tally("tool", "mail"): False,
        tally("trace", "trace"): True,
        tally("trace", "other"): False,
        tally("label:team", "core"): True,
        tally("label:team", ""): False,
        tally("label:size", ""): True,
    }
    assert {item: falls_under(labelled, item) for item in wanted} == wanted


def test_a_bundle_looks_as_far_back_as_its_farthest_rule():
    found = lookback(
        [
            After(entries=(earlier(), earlier(within_s=900), earlier(of=Whose.TRACE))),
            After(entries=(earlier(within_s=30),)),
            velocity(),
            velocity(),
            velocity("tool"),
        ]
    )
    assert found == Lookback(agent_s=900, trace_s=60, velocities=(velocity(), velocity("tool")))
    assert lookback([]).is_empty
    assert [lookback([c]).is_empty for c in (velocity(), After(entries=(earlier(),)))] == [
        False
    ] * 2
    wanted = found.wanted_for(ask())
    assert wanted.deeds == (
        DeedsOf(tenant=AGENT.tenant, whose=Whose.AGENT, value="deployer", within_s=900),
        DeedsOf(tenant=AGENT.tenant, whose=Whose.TRACE, value="trace", within_s=60),
    )
    assert wanted.tallies == (tally("agent", "deployer"), tally("tool", ""))
    assert Lookback().wanted_for(ask()).deeds == ()


def test_the_record_changes_with_every_deed_and_with_whether_it_stands():
    wanted = Lookback(agent_s=60, velocities=(velocity(),)).wanted_for(ask())
    counts = {tally("agent", "deployer"): 1}
    told = [
        considered(wanted, Past(deeds=deeds, counts=counts))
        for deeds in ((), (deed(seq=1),), (deed(seq=2),), (deed(seq=1, stands=False),))
    ]
    assert len({one.digest for one in told}) == 4
    assert [(one.agent_s, one.trace_s, one.deeds) for one in told[:2]] == [(60, 0, 0), (60, 0, 1)]
    (count,) = told[0].counts
    assert (count.per, count.value, count.within_s, count.most) == ("agent", "deployer", 60, 2)
    assert count.found == 1
    assert considered(wanted, Past()).counts == ()


def test_conditions_tell_what_they_ask():
    entry = earlier(
        at_least=5,
        distinct="data_classes",
        topics=(glob("job.*"),),
        tools=frozenset({"b", "a"}),
        within_s=3600,
    )
    assert After(entries=(entry, earlier(of=Whose.TRACE))).describe() == (
        "after 5 different data classes of the agent within 3600 s (topics job.*; tools a, b)"
        " and 1 deeds of the trace within 60 s"
    )
    assert velocity("label:team").describe() == "more than 2 requests per label:team within 60 s"


class Any:
    """A condition of another kind."""

    reads_claims = True

    def judge(self, subject: Subject) -> Outcome:
        return MATCHED if subject.topic else ERROR

    def describe(self) -> str:
        return "any"


def test_conditions_of_another_kind_do_not_look_back():
    assert lookback([Any()]).is_empty


def test_only_a_count_by_label_rests_on_the_agents_word():
    assert not After(entries=(earlier(),)).reads_claims
    assert [velocity(per).reads_claims for per in ("agent", "label:team")] == [False, True]


# In a bundle

EXFILTRATION = rule(
    "exfiltration",
    "deny",
    topics=["mail.*"],
    after=[{"actions": ["read"], "data_classes": [" PII "], "within": "1h"}],
)


def decided(*deeds: Deed, past: Past | None = None, request: ActionRequest | None = None) -> Effect:
    policy = bundle(rule("mail", "allow", topics=["mail.*"]), EXFILTRATION)
    asked = request or ask("mail.send", action=WRITE)
    return evaluate(asked, AGENT, policy, at=AT, deeds=deeds, past=past).effect


def test_a_read_of_personal_data_stops_the_mail_that_follows():
    assert decided() is Effect.ALLOW
    assert decided(deed(3600)) is Effect.DENY
    assert decided(deed(3601)) is Effect.ALLOW
    assert decided(deed(data_classes=("internal",))) is Effect.ALLOW


def test_a_past_that_was_cut_restricts():
    cut = Past(cut={"agent": AT - timedelta(seconds=5)})
    assert decided(past=cut) is Effect.DENY


def test_a_constraint_may_look_back_as_well():
    warn = {
        "id": "C-1",
        "description": "many reads",
        "violationAction": "WARN",
        "match": {"after": [{"of": "trace", "within": "5m", "distinct": "targets"}]},
    }
    policy = bundle(rule("work", "allow"), constraints=[warn])
    assert policy.lookback == Lookback(trace_s=300)
    found = evaluate(ask(action=READ), AGENT, policy, at=AT, deeds=(deed(),))
    assert [item.constraint_id for item in found.warnings] == ["C-1"]


def test_too_many_requests_within_a_window_are_stopped():
    fast = rule("fast", "deny", velocity={"per": "agent", "more_than": 2, "within": "1m"})
    policy = bundle(rule("work", "allow"), fast)
    assert policy.lookback == Lookback(velocities=(velocity(),))
    for deeds, effect in (((deed(),), Effect.ALLOW), ((deed(), deed(60)), Effect.DENY)):
        assert evaluate(ask(action=READ), AGENT, policy, at=AT, deeds=deeds).effect is effect


@pytest.mark.parametrize("decision", ["allow", "allow_with_constraints"])
@pytest.mark.parametrize(
    "match",
    [{"after": [{"within": "1h"}]}, {"velocity": {"per": "agent", "more_than": 1, "within": "1s"}}],
)
def test_the_past_lets_nothing_through(decision: str, match: dict[str, object]):
    item = rule("r", decision, constraints={"isolated": True}, **match)
    refused({"version": "v1", "rules": [item]}, "/rules/0/match", "only restrict")


@pytest.mark.parametrize(
    ("match", "place", "words"),
    [
        ({"after": [{"within": "25h"}]}, "/after/0/within", "24h"),
        ({"after": [{"within": "1h"}, {"within": "2d"}]}, "/after/1/within", "24h"),
        ({"after": [{}]}, "/after/0/within", "missing"),
        ({"after": [{"within": "1h", "topics": ["["]}]}, "/after/0/topics/0", "too early|class"),
        ({"after": [{"within": "1h", "of": "tenant"}]}, "/after/0/of", "agent"),
        ({"after": [{"within": "1h", "at_least": 1001}]}, "/after/0/at_least", "1000"),
        ({"velocity": {"per": "agent", "more_than": 1, "within": "2d"}}, "/velocity/within", "24h"),
        (
            {"velocity": {"per": "label:", "more_than": 1, "within": "1h"}},
            "/velocity/per",
            "label:NAME",
        ),
        (
            {"velocity": {"per": "agent", "more_than": 0, "within": "1h"}},
            "/velocity/more_than",
            "1",
        ),
    ],
)
def test_what_cannot_be_remembered_is_refused_at_load(
    match: dict[str, object], place: str, words: str
):
    item = rule("r", "deny", **match)
    refused({"version": "v1", "rules": [item]}, f"/rules/0/match{place}", words)


def _bucket(request: ActionRequest, per: str) -> str:
    rate = {"per": per, "count": 1, "window_s": 60}
    policy = bundle(rule("work", "allow"), rule("slow", "throttle", rate=rate))
    (demand,) = evaluate(request, AGENT, policy, at=AT).demands
    return demand.key


def test_a_bucket_may_be_kept_for_each_value_of_a_label_and_one_for_requests_without():
    def labelled(team: str) -> str:
        return _bucket(ask(action=READ, labels={"team": team}), "label:team")

    without = _bucket(ask(action=READ), "label:team")
    assert len({labelled("core"), labelled("data"), without}) == 3
    assert labelled("") == without
    assert labelled("core") != _bucket(ask(action=READ, labels={"team": "core"}), "label:size")
