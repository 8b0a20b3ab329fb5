from governance.policy.facts import Facts
from governance.policy.sources import judged
from tests.unit.policy.asking import AGENT, AT, ask, bundle, rule


def found(policy_rules: list[dict[str, object]], **fields: object) -> list[str]:
    policy = bundle(*policy_rules)
    claims = judged(ask(**fields), AGENT, policy, Facts(at=AT)).claims
    return [item.id for item in policy.rules.candidates(claims)]


RULES = [
    rule("read", "deny", topics=["job.read.*"]),
    rule("tool", "deny", tools=["t"]),
    rule("all", "deny"),
    rule("both", "deny", topics=["job.read.x", "job.write.*"]),
    rule("star", "deny", topics=["*.x"]),
]


def test_candidates_keep_the_order_of_the_file():
    assert found(RULES, topic="job.read.x") == ["read", "all", "both", "star"]


def test_a_rule_elsewhere_is_not_looked_at():
    assert found(RULES, topic="job.write.y") == ["all", "both", "star"]
    assert found(RULES, topic="other") == ["all", "star"]


def test_a_rule_for_a_tool_is_found_by_the_tool():
    assert found(RULES, topic="other", tool="t") == ["tool", "all", "star"]
