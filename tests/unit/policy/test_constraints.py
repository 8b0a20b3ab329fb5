from collections.abc import Callable, Iterator, Mapping
from dataclasses import FrozenInstanceError
from typing import Any

import pytest

from governance.canonical import canonical_bytes, parse
from governance.policy.bundle import Bundle, load
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
    for name in ("anything", "_rules", "_digest"):
        with pytest.raises(AttributeError, match="read-only"):
            setattr(registry, name, {})
        with pytest.raises(AttributeError, match="read-only"):
            delattr(registry, name)
    with pytest.raises(TypeError):
        registry._rules["c"] = found  # type: ignore[index]
    public = {name for name in dir(ConstraintRegistry) if not name.startswith("_")}
    assert public == {"get", "violations", "digest"}


NESTED = {"owners": ["security", {"since": [2024]}], "links": {"runbook": ["a"]}}


def changes(value: Any) -> Iterator[Callable[[], object]]:
    """Every way to change what lies in ``value``, at any depth."""
    if isinstance(value, str | int | None):
        return
    yield lambda: value.clear()  # noqa: PLW0108  # a tuple has no such thing to look up
    yield lambda: value.update({"x": 1})
    yield lambda: value.append(1)
    for key, item in value.items() if isinstance(value, Mapping) else enumerate(value):
        yield lambda key=key: value.__setitem__(key, "changed")
        yield lambda key=key: value.__delitem__(key)
        yield from changes(item)


def test_what_a_constraint_was_written_with_cannot_be_changed_at_any_depth():
    written = {**constraint("a", topics=["job.*"]), "metadata": NESTED}
    policy = bundle(constraints=[written])
    rule_ = policy.constraints.get("a")
    assert rule_ is not None
    digest, source = policy.constraints.digest, canonical_bytes(rule_.source)
    tried = 0
    for held in (rule_.metadata, rule_.source):
        for change in changes(held):
            with pytest.raises((TypeError, AttributeError)):
                change()
            tried += 1
    assert tried > 40
    for name in ("id", "violation_action", "metadata", "match", "source"):
        with pytest.raises(FrozenInstanceError):
            setattr(rule_, name, None)
    assert canonical_bytes(rule_.source) == source
    assert canonical_bytes(rule_.metadata) == canonical_bytes(NESTED)
    assert load(written_back(policy)).constraints.digest == digest


def written_back(policy: Bundle) -> Mapping[str, Any]:
    value = parse(policy.to_bytes())
    assert isinstance(value, Mapping)
    return value


def test_a_registry_keeps_nothing_of_the_mapping_it_was_loaded_from():
    metadata: dict[str, Any] = {"owners": ["security"]}
    policy = bundle(constraints=[{**constraint("a"), "metadata": metadata}])
    metadata["owners"].append("agent")
    rule_ = policy.constraints.get("a")
    assert rule_ is not None
    assert rule_.metadata == {"owners": ("security",)}


def test_the_order_of_the_file_plays_no_part_in_the_digest():
    both = [constraint("a"), constraint("b", action="WARN")]
    one, other = bundle(constraints=both), bundle(constraints=both[::-1])
    assert one.registry_digest == other.registry_digest
    assert [rule_.id for rule_ in other.constraints] == ["b", "a"]
    swapped = bundle(constraints=[constraint("a", action="WARN"), constraint("b")])
    assert one.registry_digest != swapped.registry_digest


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
