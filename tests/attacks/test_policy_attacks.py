"""Threat: an agent names and repeats what it likes, to get past the policy or past the log."""

import os
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bot.cli.main import app
from bot.policy_cases import read_cases
from governance.errors import InvalidInput
from governance.policy import counterfactual
from governance.policy.bundle import Bundle
from governance.policy.counterfactual import MOST_JUDGED
from governance.policy.decision import Effect
from governance.policy.evaluate import evaluate
from governance.policy.explain import explain
from tests.integration.api.world import running
from tests.support.commits import whole
from tests.unit.policy.asking import AGENT, AT, ask, bundle, decide, rule


@pytest.mark.parametrize(
    ("tools", "effect"),
    [
        ({}, Effect.DENY),
        ({"t": {"environments": ["dev"]}}, Effect.ALLOW),
        ({"t": {}}, Effect.DENY),
    ],
)
def test_naming_an_open_environment_opens_nothing(tools: dict[str, object], effect: Effect):
    registered = {
        name: {"actions": ["read"], "classification": "internal", **more}  # type: ignore[dict-item]
        for name, more in tools.items()
    }
    policy: Bundle = bundle(environments={"dev": {"fail_mode": "unsafe_open"}}, tools=registered)
    unjudged = ask(labels=None, environment="dev", tool="t")
    assert decide(unjudged, policy, agent=AGENT).effect is effect


async def test_small_refusals_hide_no_other_kind_of_refusal():
    rules = [
        {"id": "a-small", "match": {"risk_tags": ["small"]}, "decision": "deny"},
        {"id": "grave", "match": {"topics": ["job.wipe"]}, "decision": "deny"},
        {"id": "open", "match": {"topics": ["job.*"]}, "decision": "allow"},
    ]
    async with running(rules=rules) as world:
        for body in (
            {"topic": "job.a", "risk_tags": ["small"]},
            {"topic": "job.a", "tool": "nobody.registered"},
        ):
            for _ in range(6):
                assert (await world.post("jobs", body=body)).status == 403
        before = await world.size()
        for body in (
            {"topic": "job.wipe", "risk_tags": ["small"]},
            {"topic": "job.a", "data_classes": ["confidential"]},
        ):
            told = await world.post("jobs", body=body)
            assert (told.status, "job_id" in told.text) == (403, True)
        assert [record.type for record in (await whole(world.ledger))[before:]] == [
            "TicketOpened",
            "TicketOpened",
        ]


@pytest.mark.parametrize("searching", [False, True])
def test_explaining_many_rules_tries_few_changes_however_much_is_named(
    searching: bool, monkeypatch: pytest.MonkeyPatch
):
    number = 400 if searching else 10_000
    match = {"when": "size(args) > 3"} if searching else {}
    policy = bundle(
        *[rule(f"r-{each}", "deny", topics=["job.*"], **match) for each in range(number)]
    )
    asked = ask("job.a", risk_tags=tuple(f"t-{each}" for each in range(50)))
    judged = []
    monkeypatch.setattr(
        counterfactual, "evaluate", lambda *a, **k: judged.append(1) or evaluate(*a, **k)
    )
    assert explain(asked, AGENT, policy, at=AT).decision.effect is Effect.DENY
    assert 1 <= len(judged) <= MOST_JUDGED // number


def test_a_request_for_explain_may_be_a_pipe_or_without_end_and_neither_hangs_nor_fills_memory(
    tmp_path: Path,
):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for place, told in ((pipe, "not JSON"), ("/dev/zero", "bytes")):
        answer = CliRunner().invoke(app, ["policy", "explain", "--request", str(place)])
        assert (answer.exit_code, told in answer.output) == (2, True), answer.output


def test_cases_before_the_first_year_are_refused_with_their_place(tmp_path: Path):
    cases = tmp_path / "cases.yaml"
    cases.write_text(
        "cases: [{name: x, request: {topic: job.a}, expect: {effect: deny},"
        " deeds: [{ago: 9999999d, topic: a}]}]"
    )
    with pytest.raises(InvalidInput, match=r"cases\.yaml:1:\d+: this was before the first year"):
        read_cases(cases, bundle())
