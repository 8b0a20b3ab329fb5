from governance.policy.facts import Facts
from governance.policy.vouching import judged
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


def test_a_rule_stands_where_it_has_fewest_neighbours():
    crowd = [rule(f"r{n}", "deny", topics=["job.*"], tools=[f"t{n}"]) for n in range(5)]
    assert found([*crowd, *RULES], topic="job.x", tool="t3") == ["r3", "all", "star"]
    assert found([rule("r", "deny", topics=["job.a.*"], tools=["t"])], topic="job.b.x") == []


def test_a_topic_of_many_parts_is_cut_no_deeper_than_the_rules_are():
    topic = "job" + ".read" * 50
    deep = [rule("deep", "deny", topics=[topic]), rule("one", "deny", topics=["job.*"])]
    assert found(deep, topic=topic) == ["deep", "one"]
    assert found(deep[1:], topic=topic) == ["one"]


def test_what_two_subjects_could_match_is_found_once_and_in_order():
    policy = bundle(*RULES)
    asked = [
        judged(ask(topic), AGENT, policy, Facts(at=AT)).claims
        for topic in ("job.write.y", "job.read.x")
    ]
    ids = [item.id for item in policy.rules.candidates(*asked)]
    assert ids == ["read", "all", "both", "star"]


def test_an_index_of_nothing_finds_nothing():
    assert found([], topic="job.read.x") == []
