"""Cases as YAML: strict, beside the bundle, and never a part of it."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.bundles import load_bundle
from bot.policy_cases import MAX_FILES, USUAL, files_in, folder_of, read_cases
from governance.action import ActionKind, Dispatch
from governance.errors import Code, InvalidInput
from governance.policy.cases import Case, run
from governance.policy.decision import Effect

BUNDLE = """\
version: v1
rules:
  - id: look
    match: {topics: ["job.look.*"]}
    decision: allow
  - id: slow
    match: {topics: ["job.look.*"]}
    decision: throttle
    rate: {per: agent, count: 1, window_s: 60}
  - id: after
    match:
      topics: ["job.look.*"]
      after: [{topics: ["job.secret"], within: 1h, at_least: 3}]
    decision: deny
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "bundle.yaml").write_text(BUNDLE, encoding="utf-8")
    (tmp_path / "cases").mkdir()
    return tmp_path


def written(folder: Path, text: str, name: str = "a.yaml") -> list[Case]:
    (folder / "cases" / name).write_text(text, encoding="utf-8")
    return [item.case for item in read_cases(folder_of(folder), load_bundle(folder))]


def refused(folder: Path, text: str, place: str, words: str) -> None:
    with pytest.raises(InvalidInput, match=words) as caught:
        written(folder, text)
    assert caught.value.code is Code.INVALID_BUNDLE
    assert caught.value.message.startswith(f"{folder}/cases/a.yaml:{place}: ")


def test_a_case_has_a_usual_agent_time_and_nothing_before(folder: Path):
    (case,) = written(folder, "cases:\n  - {name: c, expect: {effect: deny}}\n")
    assert (case.at, case.past.deeds, case.empty) == (USUAL, (), frozenset())
    assert (case.agent.id, case.agent.tenant, case.agent.roles) == ("agent", "default", ())
    request = case.request
    assert (request.topic, request.action) == ("job.default", ActionKind.EXECUTE)
    assert run(case, load_bundle(folder)).passed


def test_a_case_says_all_that_an_answer_depends_on(folder: Path):
    text = """\
defaults:
  agent: {id: keeper, tenant: acme, roles: [r], environments: [dev], owners: ["slack:T0/U0"]}
  at: "2026-02-03T10:00:00+01:00"
cases:
  - name: all
    request:
      topic: job.look.a
      action: read
      environment: dev
      labels: {k: v}
      arguments: {amount: 50.10}
      risk_tags: [x]
      data_classes: [public]
      target: here
      justification: because
      on_behalf_of: "slack:T0/U1"
      dispatch: release
      trace_id: 0123456789abcdef0123456789abcdef
    deeds:
      - {ago: 10m, topic: job.b, times: 2}
      - {ago: 1m, agent: other, trace_id: t, tool: u, action: read, target: z, data_classes: [PII],
         risk_tags: [Up], labels: {b: c, a: d}, stands: false}
    empty_buckets: [slow]
    expect:
      effect: throttle
      rules: [slow]
      tier: ""
      constraint: c
      reason: many
      people: 0
      warnings: []
      throttled_by: [slow]
      limits: {max_runtime_sec: 3}
  - name: other time
    at: "2026-02-03T10:00:00Z"
    agent: {id: b}
    expect: {effect: deny}
"""
    case, other = written(folder, text)
    assert case.at == datetime(2026, 2, 3, 9, tzinfo=UTC)
    assert (other.at.hour, other.agent.id, other.agent.tenant) == (10, "b", "default")
    assert (case.agent.environments, case.agent.owners) == (("dev",), ("slack:T0/U0",))
    request = case.request
    assert (request.tenant, request.agent, request.target) == ("acme", "keeper", "here")
    assert str(request.content.arguments["amount"]) == "50.10"
    assert request.dispatch is Dispatch.RELEASE
    assert request.trace_id == "0123456789abcdef0123456789abcdef"
    newest, *rest = case.past.deeds
    assert (newest.agent, newest.trace_id, newest.tool, newest.stands) == ("other", "t", "u", False)
    assert (newest.data_classes, newest.risk_tags) == (("pii",), ("up",))
    assert newest.labels == (("a", "d"), ("b", "c"))
    assert [case.at - deed.at for deed in rest] == [
        timedelta(minutes=10),
        timedelta(minutes=10, seconds=1),
    ]
    assert {(deed.agent, deed.trace_id) for deed in rest} == {("keeper", request.trace_id)}
    assert case.empty == {"slow"}
    expected = case.expected
    assert (expected.effect, expected.rules) == (Effect.THROTTLE, frozenset({"slow"}))
    assert (expected.tier, expected.constraint, expected.people) == ("", "c", 0)
    assert (expected.warnings, expected.throttled_by) == (frozenset(), frozenset({"slow"}))
    assert expected.limits is not None
    assert expected.limits.max_runtime_s == 3


def test_what_was_done_before_counts(folder: Path):
    text = """\
cases:
  - name: three
    request: {topic: job.look.a, action: read}
    deeds: [{ago: 5m, topic: job.secret, times: 3}]
    expect: {effect: deny, rules: [after, look]}
  - name: two
    request: {topic: job.look.a, action: read}
    deeds: [{ago: 5m, topic: job.secret, times: 2}]
    expect: {effect: allow}
"""
    bundle = load_bundle(folder)
    assert [run(case, bundle).differences for case in written(folder, text)] == [(), ()]


EXPECT = "expect: {effect: deny}"


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("case: []\n", "1:1", "'case' is not a key|'cases': Field required"),
        ("cases: []\n", "1:1", "cases"),
        (f"cases:\n  - {{name: c, {EXPECT}, requst: {{}}}}\n", "2:39", "'requst' is not a key"),
        ("cases:\n  - {name: c, expect: {effect: maybe}}\n", "2:24", "effect"),
        ("cases:\n  - {name: c}\n", "2:5", "expect"),
        (f"cases:\n  - {{name: c, {EXPECT}, name: d}}\n", "2:39", "stands twice"),
        (
            f"cases:\n  - name: c\n    {EXPECT}\n    request:\n      topik: a\n",
            "5:7",
            "'topik' is not a key that is known here: topic is one",
        ),
        (f"cases:\n  - name: 50\n    {EXPECT}\n", "2:5", "'name': it should be a string: a number"),
        (
            f"cases:\n  - name: c\n    agent: x\n    {EXPECT}\n",
            "3:5",
            "should be a mapping of keys",
        ),
        (f"cases:\n  - name: c\n    topic: x\n    {EXPECT}\n", "3:5", ": it stands in request"),
        (f"cases:\n  - name: c\n    agnt: {{}}\n    {EXPECT}\n", "3:5", ": agent is one"),
        ("cases:\n  - name: c\n    expect: {efect: deny}\n", "3:14", ": effect is one"),
        ("cases:\n  - name: c\n", "2:5", "'expect' is missing"),
        (f"cases:\n  - name: c\n    request: {{topic: 5}}\n    {EXPECT}\n", "3:15", "quotes there"),
        (
            f"cases:\n  - name: c\n    {EXPECT}\n    request: {{labels: {{mcp.tool: 'a b'}}}}\n",
            "4:24",
            "no name",
        ),
        (f"cases:\n  - name: c\n    at: noon\n    {EXPECT}\n", "3:5", "no time with its zone"),
        (
            f"cases:\n  - name: c\n    at: '2026-01-01T10:00:00'\n    {EXPECT}\n",
            "3:5",
            "no time with its zone",
        ),
        (
            f"cases:\n  - name: c\n    {EXPECT}\n    empty_buckets: [look]\n",
            "4:21",
            "no rule 'look' has a rate",
        ),
        (
            f"cases:\n  - {{name: c, {EXPECT}}}\n  - {{name: c, {EXPECT}}}\n",
            "3:5",
            "the case 'c' stands in .*a.yaml:2:5 already",
        ),
    ],
)
def test_what_is_not_understood_is_refused_where_it_stands(
    folder: Path, text: str, place: str, words: str
):
    refused(folder, text, place, words)


def test_the_bundle_never_reads_its_cases(folder: Path):
    before = load_bundle(folder).snapshot
    written(folder, f"cases:\n  - {{name: c, {EXPECT}}}\n")
    assert load_bundle(folder).snapshot == before


def test_cases_lie_beside_a_bundle_of_one_file_too(folder: Path):
    assert folder_of(folder / "bundle.yaml") == folder_of(folder) == folder / "cases"


def test_files_are_read_in_order_and_not_without_bound(folder: Path):
    assert files_in(folder / "none") == []
    for name in ("b.yml", "a.yaml", "notes.txt"):
        (folder / "cases" / name).write_text("", encoding="utf-8")
    assert [file.name for file in files_in(folder / "cases")] == ["a.yaml", "b.yml"]
    assert files_in(folder / "cases" / "b.yml") == [folder / "cases" / "b.yml"]
    for number in range(MAX_FILES):
        (folder / "cases" / f"{number}.yaml").write_text("", encoding="utf-8")
    with pytest.raises(InvalidInput, match="files of cases"):
        files_in(folder / "cases")
