"""Every shipped bundle is decided as its cases say, and no rule of it is untested."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from bot.bundles import load_bundle, read, shipped
from bot.executor.action_parsing import parse_action
from bot.executor.sandbox import SandboxSpec
from bot.executor.worker import _tightened
from bot.policy_cases import folder_of, read_cases
from governance.action import ActionKind, Dispatch
from governance.execution import SandboxTier
from governance.policy.bundle import load
from governance.policy.cases import coverage, run
from governance.policy.compiling.tiers import BUILT_IN
from governance.policy.decision import Effect
from governance.policy.lint.findings import LintCode, Severity
from governance.policy.lint.linter import lint
from governance.policy.tiers import people_needed
from governance.tickets.quorum import is_reachable
from tests.unit.policy.asking import AGENT, ask, decide, rule

SHIPPED = sorted(
    path for path in shipped("default").parent.iterdir() if path.is_dir() and path.name[0] != "_"
)
MEANT = {
    "content": {},
    "data": {LintCode.SINGLE_PERSON_TIER: 1},
    "default": {LintCode.NO_APPROVERS: 1},
    "demo": {LintCode.SINGLE_PERSON_TIER: 3, LintCode.TOOL_WITHOUT_SCOPE: 7},
    "experimental": {},
    "infrastructure": {},
    "regulated": {},
    "support": {LintCode.SINGLE_PERSON_TIER: 1},
}
"""What is meant so, bundle by bundle: each was looked at, and its comments say why."""
UNUSED_TIERS = {
    "default": {"two-people"},  # it asks nobody yet; the test below says who would be
    "infrastructure": {"incident"},  # the emergency's own tier is made of it
}


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_a_shipped_bundle_answers_as_its_cases_say(path: Path):
    bundle = load_bundle(path)
    placed = read_cases(folder_of(path), bundle)
    outcomes = [run(item.case, bundle) for item in placed]
    assert [
        (outcome.case.name, outcome.differences) for outcome in outcomes if outcome.differences
    ] == []
    covered = coverage(outcomes, bundle)
    assert (covered.unreached, covered.unseen, covered.constraints_unreached) == ((), (), ())
    assert covered.is_full
    assert placed
    asked = {outcome.decision.risk_tier for outcome in outcomes}
    assert set(bundle.tiers) - asked - {BUILT_IN} == UNUSED_TIERS.get(path.name, set())


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_what_a_shipped_bundle_has_run_here_can_start_under_its_limits(path: Path):
    bundle = load_bundle(path)
    for placed in read_cases(folder_of(path), bundle):
        decision = run(placed.case, bundle).decision
        if placed.case.request.dispatch is Dispatch.EXECUTE and decision.effect is not Effect.DENY:
            assert _tightened(SandboxSpec(argv=("/bin/true",)), decision.constraints)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_actions_of_a_shipped_bundle_are_ones_that_the_executor_knows(path: Path):
    for found in load_bundle(path).tools:
        if found.run is not None:
            assert parse_action(found.name, found.run).name == found.name


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_the_linter_says_nothing_of_a_shipped_bundle_that_is_not_meant(path: Path):
    report = lint(load_bundle(path), reaches=lambda tier, people: is_reachable(tier, (), people))
    assert report.of(Severity.ERROR) == ()
    assert Counter(finding.code for finding in report.findings) == Counter(MEANT[path.name])
    assert report.unclear == ()


@pytest.mark.parametrize(
    "path", [path for path in SHIPPED if path.name != "demo"], ids=lambda path: path.name
)
def test_a_tool_that_changes_something_says_what_the_card_is_about(path: Path):
    """The demo's story has tools without; whoever copies a profile should not."""
    for found in load_bundle(path).tools:
        if found.run is not None or set(found.actions) != {ActionKind.READ}:
            assert found.target, found.name
            assert found.arguments is not None, found.name


def test_the_tables_of_the_data_bundle_are_counted_by_their_names():
    tools = [found for found in load_bundle(shipped("data")).tools if found.name != "message.send"]
    assert {found.target for found in tools} == {"dataset"}


def test_every_shipped_bundle_is_looked_at():
    assert {path.name for path in SHIPPED} == set(MEANT)


def test_the_page_about_the_bundles_tells_of_each():
    page = (Path(__file__).parents[3] / "docs" / "bundles.md").read_text("utf-8")
    for path in SHIPPED:
        assert f"](../policies/{path.name})" in page


def test_a_rule_without_a_tier_takes_two_people_in_the_default_bundle():
    mapping = {**read(shipped("default") / "bundle.yaml").mapping}
    mapping["rules"] = [rule("ask", "require_approval", topics=["job.report.*"])]
    decision = decide(ask("job.report.weekly"), load(mapping))
    assert (decision.effect, decision.risk_tier) == (Effect.REQUIRE_APPROVAL, "two-people")
    assert decision.requirement is not None
    assert people_needed(decision.requirement) == 2


def test_the_regulated_bundle_lets_nothing_pass_without_two_people_in_two_roles():
    bundle = load_bundle(shipped("regulated"))
    assert not bundle.default_decision.loosens
    assert not any(each.effect.loosens for each in bundle.rules.rules)
    for tier in bundle.tiers.values():
        assert not tier.release_allowed
        assert tier.comment_required
        assert tier.distinct_roles
        assert tier.sandbox is SandboxTier.A
        assert sum(role.min_required > 0 for role in tier.roles) >= 2
        assert (people_needed(tier) or 0) >= 2
    assert not bundle.emergencies
    assert not bundle.exceptions
    assert bundle.approval_required_for == {action.value for action in ActionKind}
    assert bundle.required_fields == {"justification", "on_behalf_of", "target"}
    assert bundle.audit.retention_days == 2555
    for found in bundle.tools:
        assert found.run is not None, "what nobody may release and nobody can run is no tool"


def test_whatever_the_regulated_bundle_asks_about_has_no_network_and_a_card_without_contents():
    bundle = load_bundle(shipped("regulated"))
    asked = [
        outcome.decision
        for placed in read_cases(folder_of(shipped("regulated")), bundle)
        if (outcome := run(placed.case, bundle)).decision.effect is Effect.REQUIRE_APPROVAL
    ]
    assert len(asked) >= 3
    for decision in asked:
        assert decision.constraints.network_allow == ()
        assert set(decision.constraints.redact_deny) >= {"arguments", "prompt", "context", "output"}


@pytest.mark.parametrize(
    "named",
    [
        "",
        "prod",
        "PROD",
        " lab",
        "lab\u200b",
        "l\u0430b",
        "lab.",
        "lab/../lab",
        "l a b",
        "lab,prod",
    ],
)
def test_no_spelling_of_an_environment_lets_an_unbound_agent_into_the_lab(named: str):
    bundle = load_bundle(shipped("experimental"))
    request = ask("job.lab.run.sum", environment=named)
    assert decide(request, bundle).effect is Effect.DENY
    if named.strip() != "lab":  # blanks around a name are no other name
        lab = replace(AGENT, environments=("lab",))
        assert decide(request, bundle, agent=lab).effect is Effect.DENY


@pytest.mark.parametrize("severity", ["", "normal", "high", "HIGH ", "none", "normal,high"])
@pytest.mark.parametrize("environment", ["prod", "staging", "dev", "nowhere"])
def test_security_votes_on_destroying_whatever_the_agent_calls_it(severity: str, environment: str):
    bundle = load_bundle(shipped("infrastructure"))
    request = ask(
        tool="stack.destroy",
        environment=environment,
        labels={"severity": severity} if severity else {},
        arguments={"project": "infra-web"},
    )
    keeper = replace(AGENT, roles=("infra-agent",))
    # Nine in the morning of a Monday in UTC is ten in Berlin.
    decision = decide(request, bundle, agent=keeper)
    assert decision.requirement is not None
    roles = {role.role: role.min_required for role in decision.requirement.roles}
    assert roles["security"] == 1
    assert (people_needed(decision.requirement) or 0) >= 3
