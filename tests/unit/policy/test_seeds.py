from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bot.bundles import load_bundle, read
from governance.action import ActionRequest
from governance.errors import InvalidInput
from governance.policy.bundle import load
from governance.policy.decision import Effect
from tests.unit.policy.asking import BOUND, READ, WRITE, ask, decide

SEEDS = Path(__file__).parents[2] / "fixtures" / "bundles"
S0, S1, S2 = (read(SEEDS / f"s{number}.yaml").mapping for number in range(3))


def changed(seed: Mapping[str, Any], *path: str, value: object) -> dict[str, Any]:
    copy = dict(seed)
    copy[path[0]] = value if len(path) == 1 else changed(copy[path[0]], *path[1:], value=value)
    return copy


@pytest.mark.parametrize(
    ("request_", "effect", "rule_ids"),
    [
        (ask("job.mcp-bridge.read.x"), Effect.ALLOW, ("allow-low-risk-read",)),
        (
            ask("job.mcp-bridge.write.update_ticket", risk_tags=("prod",)),
            Effect.REQUIRE_APPROVAL,
            ("require-approval-prod-write",),
        ),
        (
            ask("job.agent.exec.x", risk_tags=("medium",)),
            Effect.ALLOW_WITH_CONSTRAINTS,
            ("constrain-medium-risk",),
        ),
        (
            ask("job.agent.exec.x", risk_tags=("medium", "destructive")),
            Effect.DENY,
            ("deny-destructive", "constrain-medium-risk"),
        ),
        (ask("job.other"), Effect.DENY, ()),
    ],
)
def test_the_rules_file_answers_as_it_reads(
    request_: ActionRequest, effect: Effect, rule_ids: tuple[str, ...]
):
    policy = load_bundle(SEEDS / "s2.yaml")
    assert policy.not_enforced == ()
    decision = decide(request_, policy)
    assert (decision.effect, decision.rule_ids) == (effect, rule_ids)


def test_the_rules_files_constraints_are_kept():
    decision = decide(ask("job.agent.exec.x", risk_tags=("medium",)), load(S2))
    assert decision.constraints.to_json() == {"max_runtime_s": 45, "max_retries": 1}


def test_the_exception_file_makes_a_tier_of_four_with_two_days():
    policy = load(S0)
    tier = policy.tiers["exception_routing"]
    assert policy.default_tier == tier.tier
    assert (tier.threshold, tier.ttl_s, policy.audit.retention_days) == (4, 172_800, 365)
    assert [note.pointer for note in policy.not_enforced] == [
        "/exception_routing/executor/idempotency_store"
    ]


def test_the_exception_file_routes_an_exception():
    sections = {
        "constraints": [{"id": "pause-flag", "description": "d", "violationAction": "BLOCK"}],
        "exceptions": {"pause-flag": "exception_routing"},
    }
    decision = decide(ask("job.toggle.pause-flag"), load({**S0, **sections}))
    assert decision.effect is Effect.REQUIRE_APPROVAL
    assert (decision.constraint_id, decision.risk_tier) == ("pause-flag", "exception_routing")


def test_the_harness_file_lets_no_tool_through_while_its_groups_are_not_declared():
    policy = load(S1)
    assert policy.credential_ttl_s == 900
    assert policy.audit.retention_days == 2555
    assert [note.pointer for note in policy.not_enforced] == [
        "/audit/fields",
        "/audit/sink",
        "/runtime/identity_binding",
    ]
    request = ask(tool="jira_reader", action=READ, arguments={"project-key": "SEC-1"})
    assert decide(request, policy).effect is Effect.DENY


GROUPS = {
    "read_only_scanners": ["jira_reader", "aws_metadata"],
    "sandbox_writers": ["slack_notifier"],
}


@pytest.mark.parametrize(
    ("fields", "effect"),
    [
        ({"arguments": {"project-key": "SEC-1"}, "environment": "dev"}, Effect.ALLOW),
        ({"arguments": {"project-key": "SEC-1"}}, Effect.REQUIRE_APPROVAL),
        ({"arguments": {"project-key": "OPS-1"}, "environment": "dev"}, Effect.DENY),
        ({"tool": "github_inspector", "environment": "dev"}, Effect.DENY),
        (
            {
                "tool": "aws_metadata",
                "labels": {"account": "dev-env", "region": "us-east-1"},
                "environment": "dev",
            },
            Effect.ALLOW,
        ),
        (
            {"tool": "slack_notifier", "action": WRITE, "environment": "dev"},
            Effect.REQUIRE_APPROVAL,
        ),
        ({"tool": "slack_notifier", "action": WRITE}, Effect.DENY),
    ],
)
def test_the_harness_file_gates_tools_by_group_scope_and_environment(
    fields: dict[str, Any], effect: Effect
):
    policy = load({**S1, "tool_groups": GROUPS})
    asked = ask(**{"tool": "jira_reader", "action": READ, **fields})
    assert decide(asked, policy, agent=BOUND).effect is effect


def test_the_seeds_load_together_and_the_longest_retention_holds():
    policy = load({**S0, **S1, **S2})
    assert policy.audit.retention_days == 2555
    assert policy.default_tier == "exception_routing"


ROUTING = "exception_routing"


@pytest.mark.parametrize(
    ("seed", "path", "value"),
    [
        (S0, (ROUTING, "registry", "mode"), "READ_WRITE"),
        (S0, (ROUTING, "registry", "refresh_interval"), 60),
        (S0, (ROUTING, "approval", "signature_algorithm"), "HS256"),
        (S0, (ROUTING, "executor", "sandbox"), False),
        (S0, (ROUTING, "executor", "resource_limits", "network"), "allow"),
        (S0, (ROUTING, "audit", "hash_algorithm"), "MD5"),
        (S0, (ROUTING, "audit", "format"), "TEXT"),
        (S1, ("audit", "format"), "csv"),
        (S1, ("runtime", "version"), "2.0"),
        (S1, ("runtime", "credential_rotation"), "static"),
        (S1, ("runtime", "credential_rotation"), "ephemeral-16m"),
    ],
)
def test_a_setting_that_would_weaken_the_house_is_refused(
    seed: Mapping[str, Any], path: tuple[str, ...], value: object
):
    load(seed)
    with pytest.raises(InvalidInput) as caught:
        load(changed(seed, *path, value=value))
    assert caught.value.pointer == "/" + "/".join(path)


def test_a_resource_limit_that_is_not_ours_is_reported():
    seed = changed(S0, ROUTING, "executor", "resource_limits", "cpu", value="0.25")
    pointers = [note.pointer for note in load(seed).not_enforced]
    assert f"/{ROUTING}/executor/resource_limits/cpu" in pointers


def test_shorter_lived_credentials_are_honoured():
    seed = changed(S1, "runtime", "credential_rotation", value="ephemeral-5m")
    assert load(seed).credential_ttl_s == 300


def test_settings_that_a_seed_leaves_out_take_the_houses_values():
    bare = load({"runtime": {}, "exception_routing": {"approval": S0[ROUTING]["approval"]}})
    assert (bare.credential_ttl_s, bare.not_enforced) == (900, ())


def test_what_both_forms_say_must_not_contradict():
    tiers = {"exception_routing": {"roles": {"a": {"weight": 1, "min_required": 1}}}}
    with pytest.raises(InvalidInput, match="defines this tier already"):
        load({**S0, "tiers": tiers})
    with pytest.raises(InvalidInput, match="two gates") as caught:
        load({**S1, "environments": {"Prod": {}}})
    assert caught.value.pointer == "/policy_engine/environment_gates/prod"


def test_a_gate_of_the_harness_file_may_name_a_tier_that_exists():
    gates = {"prod": {"requires_human_approval": True, "tier": "none"}}
    with pytest.raises(InvalidInput, match="no tier 'none'") as caught:
        load({"policy_engine": {"environment_gates": gates}})
    assert caught.value.pointer == "/policy_engine/environment_gates/prod/tier"


# Every key of the three files: with another value there is another answer, a refusal or a report.

OTHER: Mapping[str, object] = {
    "/exception_routing/registry/mode": "READ_WRITE",
    "/exception_routing/registry/refresh_interval": 60,
    "/exception_routing/ticket/required_fields": ["justification"],
    "/exception_routing/ticket/max_ttl_hours": 1,
    "/exception_routing/approval/roles/operator/weight": 1,
    "/exception_routing/approval/roles/operator/min_required": 2,
    "/exception_routing/approval/roles/reviewer/weight": 2,
    "/exception_routing/approval/roles/reviewer/min_required": 1,
    "/exception_routing/approval/signature_algorithm": "HS256",
    "/exception_routing/executor/sandbox": False,
    "/exception_routing/executor/resource_limits/cpu": "4",
    "/exception_routing/executor/resource_limits/memory": "8Gi",
    "/exception_routing/executor/resource_limits/network": "allow",
    "/exception_routing/executor/idempotency_store": None,
    "/exception_routing/audit/format": "TEXT",
    "/exception_routing/audit/retention_days": 9_000,
    "/exception_routing/audit/hash_algorithm": "MD5",
    "/runtime/version": "2.0",
    "/runtime/identity_binding": None,
    "/runtime/credential_rotation": "ephemeral-5m",
    "/policy_engine/approval_required_for": ["read", "write", "execute"],
    "/policy_engine/restricted_data_classes": ["public"],
    "/policy_engine/environment_gates/prod/requires_human_approval": False,
    "/policy_engine/environment_gates/prod/allowed_tools": ["read_only_scanners", "jira_reader"],
    "/policy_engine/environment_gates/dev/requires_human_approval": True,
    "/policy_engine/environment_gates/dev/allowed_tools": [],
    "/audit/format": "csv",
    "/audit/fields": [],
    "/audit/sink": None,
    "/audit/retention_days": 30,
    "/tools/jira_reader/actions": ["write"],
    "/tools/jira_reader/classification": "confidential",
    "/tools/jira_reader/scope": "project-key:OPS-*",
    "/tools/github_inspector/actions": ["write"],
    "/tools/github_inspector/classification": "confidential",
    "/tools/github_inspector/scope": "repo:org/web-*",
    "/tools/aws_metadata/actions": ["write"],
    "/tools/aws_metadata/classification": "confidential",
    "/tools/aws_metadata/scope": "account:prod-env",
    "/tools/slack_notifier/actions": ["read"],
    "/tools/slack_notifier/classification": "confidential",
    "/tools/slack_notifier/requires_approval": False,
    "/version": "v2",
    "/rules/0/id": "another",
    "/rules/0/match/topics": ["job.other.*"],
    "/rules/0/match/risk_tags": ["prod"],
    "/rules/0/decision": "deny",
    "/rules/1/id": "another",
    "/rules/1/match/topics": ["job.other.*"],
    "/rules/1/match/risk_tags": ["staging"],
    "/rules/1/decision": "deny",
    "/rules/1/reason": "another",
    "/rules/2/id": "another",
    "/rules/2/match/topics": ["job.other.*"],
    "/rules/2/match/risk_tags": ["low"],
    "/rules/2/decision": "deny",
    "/rules/2/constraints/max_runtime_sec": 46,
    "/rules/2/constraints/max_retries": 2,
    "/rules/3/id": "another",
    "/rules/3/match/risk_tags": ["harmless"],
    "/rules/3/decision": "allow",
}


def leaves(value: object, at: str = "") -> Iterator[str]:
    """The pointer of every key that holds no keys of its own."""
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from leaves(item, f"{at}/{key}")
    elif isinstance(value, Sequence) and value and isinstance(value[0], Mapping):
        for number, item in enumerate(value):
            yield from leaves(item, f"{at}/{number}")
    else:
        yield at


def with_other(value: Any, path: Sequence[str], other: object) -> Any:
    if not path:
        return other
    key: Any = int(path[0]) if isinstance(value, Sequence) else path[0]
    copied = list(value) if isinstance(value, Sequence) else dict(value)
    copied[key] = with_other(value[key], path[1:], other)
    if copied[key] is None:
        del copied[key]
    return copied


READS = {
    "jira_reader": {"project-key": "SEC-1"},
    "github_inspector": {"repo": "org/infra-x"},
    "aws_metadata": {"account": "dev-env", "region": "us-east-1"},
}
PROBES = [
    *(
        ask(tool=name, action=READ, arguments=arguments, environment=environment)
        for name, arguments in READS.items()
        for environment in ("dev", "prod")
    ),
    *(
        ask(tool="slack_notifier", action=kind, environment=environment)
        for kind in (READ, WRITE)
        for environment in ("dev", "prod")
    ),
    ask("job.mcp-bridge.read.x", environment="dev"),
    ask("job.mcp-bridge.write.x", risk_tags=("prod",), environment="dev"),
    ask("job.agent.exec.x", risk_tags=("medium",), environment="dev"),
    ask("job.z", risk_tags=("destructive",), environment="dev"),
]


def observed(mapping: Mapping[str, Any]) -> object:
    """What a bundle does and says of itself, less its names for its own bytes; or its refusal."""
    try:
        policy = load(mapping)
    except InvalidInput as refusal:
        return refusal.pointer
    decisions = [
        replace(decide(request, policy, agent=BOUND), snapshot="", trace=()) for request in PROBES
    ]
    exceptions = policy.tiers.get(ROUTING)
    kept = (policy.credential_ttl_s, policy.audit.retention_days)
    return decisions, exceptions, kept, [note.pointer for note in policy.not_enforced]


WITH_GROUPS = {
    **S1,
    # Every tool in a group of its own gate, and no approval that hides a tool's own.
    "tool_groups": {
        "read_only_scanners": ["github_inspector", "aws_metadata"],
        "audit_loggers": ["slack_notifier"],
        "sandbox_writers": ["jira_reader"],
    },
}
FILES = {
    "exceptions": (S0, {**S0, "default_decision": "require_approval"}),
    "harness": (S1, WITH_GROUPS),
    "rules": (S2, S2),
}
EVERY_KEY = [(name, at) for name, (seed, _) in FILES.items() for at in leaves(seed)]


def test_the_table_of_other_values_holds_every_key_of_the_three_files_and_no_other():
    assert sorted(at for _, at in EVERY_KEY) == sorted(OTHER)


@pytest.mark.parametrize(("name", "at"), EVERY_KEY)
def test_no_key_of_the_three_files_is_ignored(name: str, at: str):
    _, mapping = FILES[name]
    path = at.split("/")[1:]
    assert observed(mapping) != observed(with_other(mapping, path, OTHER[at])), at
