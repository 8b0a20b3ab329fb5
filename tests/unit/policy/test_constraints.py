import pytest

from governance.policy.constraints import ConstraintRegistry
from governance.policy.decision import Effect, Warned
from tests.unit.policy.asking import HEAVY, LIGHT, ask, bundle, decide, refused, rule


def constraint(constraint_id: str = "no-exports", action: str = "BLOCK", **match: object):
    found = {"id": constraint_id, "description": "Nothing leaves", "violationAction": action}
    return {**found, "match": match} if match else found


ALLOW = rule("all", "allow")
EXPORT = ask("job.export.all")
TOPICS = {"topics": ["job.export.*"]}


def test_a_violated_block_is_a_denial():
    decision = decide(EXPORT, bundle(ALLOW, constraints=[constraint(**TOPICS)]))
    assert decision.effect is Effect.DENY
    assert decision.reason == "constraint no-exports: Nothing leaves"
    assert (decision.constraint_ids, decision.constraint_id) == (("no-exports",), "")


def test_a_block_with_an_exception_type_becomes_a_ticket_that_names_it():
    sections = {"tiers": {"high": HEAVY, "light": LIGHT}, "exceptions": {"no-exports": "light"}}
    for rules in ((), (ALLOW,)):
        policy = bundle(*rules, constraints=[constraint(**TOPICS)], **sections)
        decision = decide(EXPORT, policy)
        assert decision.effect is Effect.REQUIRE_APPROVAL
        assert (decision.constraint_id, decision.risk_tier) == ("no-exports", "light")


def test_one_exception_does_not_excuse_another_block():
    constraints = [constraint(**TOPICS), constraint("no-friday", **TOPICS)]
    policy = bundle(
        constraints=constraints, tiers={"high": HEAVY}, exceptions={"no-exports": "high"}
    )
    decision = decide(EXPORT, policy)
    assert decision.effect is Effect.DENY
    assert decision.constraint_ids == ("no-exports", "no-friday")


def test_a_violated_warn_changes_no_effect_and_is_told():
    decision = decide(EXPORT, bundle(ALLOW, constraints=[constraint(action="WARN", **TOPICS)]))
    assert decision.effect is Effect.ALLOW
    assert decision.warnings == (Warned(constraint_id="no-exports", description="Nothing leaves"),)
    assert decision.constraint_ids == ()
    assert [line.verdict for line in decision.trace if line.id == "no-exports"] == ["WARN"]


def test_a_warn_does_not_answer_in_place_of_the_default():
    policy = bundle(constraints=[constraint(action="WARN", **TOPICS)])
    assert decide(EXPORT, policy).effect is Effect.DENY


def test_a_constraint_that_does_not_match_says_nothing():
    policy = bundle(ALLOW, constraints=[constraint(**TOPICS)])
    assert decide(ask("job.import"), policy).effect is Effect.ALLOW


def test_a_constraint_that_cannot_be_judged_is_violated():
    policy = bundle(ALLOW, constraints=[constraint(labels={"region": "eu"})])
    assert decide(ask(), policy).effect is Effect.DENY
    assert decide(ask(labels={"region": "us"}), policy).effect is Effect.ALLOW


@pytest.mark.parametrize(
    "request_", [ask("job.No-Exports.x"), ask(target="no-exports"), ask(capability="no-exports")]
)
def test_a_constraint_without_a_match_is_violated_where_its_id_stands(request_: object):
    policy = bundle(ALLOW, constraints=[constraint()])
    assert decide(request_, policy).effect is Effect.DENY
    assert decide(ask("job.other"), policy).effect is Effect.ALLOW


def test_the_registry_can_be_read_and_not_written():
    registry = bundle(constraints=[constraint(), constraint("b")]).constraints
    assert [found.id for found in registry] == ["no-exports", "b"]
    assert len(registry) == 2
    assert "b" in registry
    assert registry.get("c") is None
    found = registry.get("b")
    assert found is not None
    assert found.description == "Nothing leaves"
    with pytest.raises(AttributeError):
        registry.anything = 1  # type: ignore[attr-defined]
    with pytest.raises(TypeError):
        registry._rules["c"] = found  # type: ignore[index]
    public = {name for name in dir(ConstraintRegistry) if not name.startswith("_")}
    assert public == {"get", "violations", "digest"}


def test_the_digest_of_the_registry_covers_every_word_and_is_in_the_snapshot():
    one = bundle(constraints=[constraint()])
    other = bundle(constraints=[{**constraint(), "metadata": {"owner": "x"}}])
    assert one.registry_digest == one.constraints.digest != other.registry_digest
    assert one.snapshot != other.snapshot


@pytest.mark.parametrize(
    ("mapping", "pointer", "words"),
    [
        ({"constraints": [constraint(), constraint()]}, "/constraints/1/id", "stands twice"),
        ({"constraints": [constraint(topics=["["])]}, "/constraints/0/match/topics/0", "pattern"),
        ({"constraints": [constraint(action="LOG")]}, "/constraints/0/violationAction", "BLOCK"),
        (
            {"constraints": [{"id": "a", "description": "b"}]},
            "/constraints/0/violationAction",
            "missing",
        ),
        ({"exceptions": {"a": "t"}, "tiers": {"t": LIGHT}}, "/exceptions/a", "no constraint 'a'"),
        (
            {"exceptions": {"no-exports": "t"}, "constraints": [constraint()]},
            "/exceptions/no-exports",
            "no tier 't'",
        ),
        (
            {
                "exceptions": {"no-exports": "t"},
                "tiers": {"t": LIGHT},
                "constraints": [constraint(action="WARN")],
            },
            "/exceptions/no-exports",
            "only warns",
        ),
    ],
)
def test_a_registry_that_cannot_be_kept_is_refused(
    mapping: dict[str, object], pointer: str, words: str
):
    refused(mapping, pointer, words)
