"""Rules and constraints, checked and compiled.

Lives here: matches, rules, the constraint registry's entries.
Must not live here: what a match leads to (``evaluate``).
Law: an effect word that is not known is refused; an allow with constraints is
ALLOW_WITH_CONSTRAINTS; a key without effect on its rule is reported.
"""

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType

from governance.canonical import Json
from governance.policy.compiling.conditions import compile_conditions
from governance.policy.compiling.history import compile_history
from governance.policy.constraints import ConstraintRule, ViolationAction
from governance.policy.decision import NO_CONSTRAINTS, Constraints, Effect
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.matches import MatchForm
from governance.policy.forms.sections import ConstraintsForm, RuleForm
from governance.policy.index import Rate, Rule
from governance.policy.matching import NOTHING, Glob, Match, fold, glob
from governance.policy.model import PROD, Gate, Note

_EFFECTS = {
    "allow": Effect.ALLOW,
    "permit": Effect.ALLOW,
    "allow_with_constraints": Effect.ALLOW_WITH_CONSTRAINTS,
    "require_approval": Effect.REQUIRE_APPROVAL,
    "require_human": Effect.REQUIRE_APPROVAL,
    "throttle": Effect.THROTTLE,
    "deny": Effect.DENY,
    "block": Effect.DENY,
}
_STOPS = (Effect.DENY, Effect.THROTTLE)


def effect_of(word: str) -> Effect:
    """The effect that ``word`` stands for; synonyms and dashes are accepted."""
    return _EFFECTS[word.replace("-", "_")]


def compile_rules(form: BundleForm, gates: Mapping[str, Gate], notes: list[Note]) -> Iterator[Rule]:
    """Every rule in file order.

    Raises:
        InvalidInput: ``invalid_bundle``: an id twice, a bad glob, keys that contradict each other.
    """
    known: set[str] = set()
    for number, item in enumerate(form.rules):
        place = ("rules", number)
        if item.id in known:
            raise refuse(
                pointer(*place, "id"), f"the rule id {item.id!r} stands twice: give each its own"
            )
        known.add(item.id)
        yield _rule(item, number)
        notes.extend(_without_effect(item, place, gates))


def _rule(item: RuleForm, number: int) -> Rule:
    effect = effect_of(item.decision)
    constraints = constraints_of(item.constraints)
    if effect is Effect.ALLOW and not constraints.is_empty:
        effect = Effect.ALLOW_WITH_CONSTRAINTS
    if effect is Effect.ALLOW_WITH_CONSTRAINTS and constraints.is_empty:
        raise refuse(
            pointer("rules", number, "decision"), "allow_with_constraints names no constraint"
        )
    if item.rate is not None and effect is not Effect.THROTTLE:
        raise refuse(pointer("rules", number, "rate"), "only a throttle has a rate")
    if effect.loosens and (item.match.after or item.match.velocity):
        raise refuse(
            pointer("rules", number, "match"),
            "after and velocity only restrict: what was done before lets nothing through",
        )
    rate = item.rate
    return Rule(
        id=item.id,
        position=number,
        effect=effect,
        match=compile_match(item.match, ("rules", number, "match")),
        reason=item.reason,
        constraints=constraints,
        tier=item.tier or "",
        rate=None if rate is None else Rate(per=rate.per, count=rate.count, window_s=rate.window_s),
    )


def constraints_of(form: ConstraintsForm | None) -> Constraints:
    """The limits as they are merged and compared: lists sorted, each entry once."""
    if form is None:
        return NO_CONSTRAINTS
    values: dict[str, object] = {
        name: tuple(sorted(set(value))) if isinstance(value, list) else value
        for name, value in form
    }
    return Constraints(**values)  # type: ignore[arg-type]  # the form has these very fields


def _without_effect(
    item: RuleForm, place: tuple[str | int, ...], gates: Mapping[str, Gate]
) -> Iterator[Note]:
    effect = effect_of(item.decision)
    if item.tier is not None and effect is not Effect.REQUIRE_APPROVAL:
        yield Note(pointer=pointer(*place, "tier"), text="only require_approval uses a tier")
    if item.constraints is not None and effect in _STOPS:
        yield Note(
            pointer=pointer(*place, "constraints"), text="nothing runs: nothing to constrain"
        )
    for number, name in enumerate(item.match.environments):
        if name.casefold() not in gates and name.casefold() != PROD:
            yield Note(
                pointer=pointer(*place, "match", "environments", number),
                text=f"{name!r} has no gate and counts as prod: no rule is loosened by it",
            )


def compile_match(form: MatchForm, place: tuple[str | int, ...]) -> Match:
    """The conditions of one rule or constraint.

    Raises:
        InvalidInput: a topic that is not a glob, or a condition that is not understood, with a
            pointer to it.
    """
    return Match(
        topics=tuple(
            _topic(text, (*place, "topics", number)) for number, text in enumerate(form.topics)
        ),
        tools=frozenset(form.tools) or NOTHING,
        actions=frozenset(form.actions) or NOTHING,
        capabilities=fold(form.capabilities),
        risk_tags=fold(form.risk_tags),
        requires=fold(form.requires),
        labels=MappingProxyType(dict(form.labels)),
        tenants=frozenset(form.tenants) or NOTHING,
        agents=frozenset(form.agents) or NOTHING,
        roles=frozenset(form.roles) or NOTHING,
        environments=fold(form.environments),
        data_classes=fold(form.data_classes),
        conditions=(*compile_conditions(form, place), *compile_history(form, place)),
    )


def _topic(text: str, place: tuple[str | int, ...]) -> Glob:
    try:
        return glob(text)
    except ValueError as error:
        raise refuse(pointer(*place), str(error)) from error


def compile_constraints(form: BundleForm, source: Mapping[str, Json]) -> Iterator[ConstraintRule]:
    """Every constraint in file order, with what was written.

    Raises:
        InvalidInput: ``invalid_bundle``: an id twice, a bad glob.
    """
    written = source.get("constraints", ())
    assert isinstance(written, Sequence)  # noqa: S101  # the form has seen a list
    known: set[str] = set()
    for number, (item, raw) in enumerate(zip(form.constraints, written, strict=True)):
        assert isinstance(raw, Mapping)  # noqa: S101  # the form has seen a mapping
        if item.id in known:
            raise refuse(
                pointer("constraints", number, "id"), f"the constraint id {item.id!r} stands twice"
            )
        known.add(item.id)
        metadata = raw.get("metadata", {})
        assert isinstance(metadata, Mapping)  # noqa: S101  # the form has seen a mapping
        yield ConstraintRule(
            id=item.id,
            description=item.description,
            violation_action=ViolationAction(item.violation_action),
            metadata=MappingProxyType(dict(metadata)),
            match=None
            if item.match is None
            else compile_match(item.match, ("constraints", number, "match")),
            source=MappingProxyType(dict(raw)),
        )
