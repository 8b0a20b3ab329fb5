"""What changes in the rules, in words, and what that does to answers.

Lives here: rules that came, went, changed, moved or were renamed. Must not live here: the other
sections (``diff``).
Law: a rule that changed in several keys is judged key by key, each on top of those before it; under
``first_match`` no direction is certain, since every rule stands before others.
"""

from collections.abc import Iterator
from dataclasses import fields, replace

from governance.canonical import Json
from governance.policy.decision import Effect
from governance.policy.diff.changes import (
    Change,
    Direction,
    Group,
    Kind,
    both_ways,
    from_to,
    said,
    tier_said,
)
from governance.policy.diff.directions import asks_alike, hides_refusals, tier_direction, widened
from governance.policy.forms.documented import BundleForm
from governance.policy.forms.matches import MatchForm
from governance.policy.index import Rate, Rule
from governance.policy.lint.matches import SAME_FOR_ALL, used
from governance.policy.matching import Match
from governance.policy.model import Bundle, Strategy

Both = tuple[Bundle, Bundle]
_Rules = dict[str, tuple[Rule, MatchForm]]


def rule_changes(old: Bundle, new: Bundle) -> Iterator[Change]:
    """Every change of the rules: gone, new, changed, moved."""
    both = (old, new)
    before, after = _rules(old), _rules(new)
    renamed = dict(_renamed(before, after))
    for name, (rule, match) in before.items():
        if name in renamed:
            text = f"rule {name} is now called {renamed[name]}"
            pair = (name, renamed[name])
            yield _change(renamed[name], "id", pair, Direction.SAME, text)
        elif name not in after:
            yield Change(
                group=Group.RULE,
                kind=Kind.REMOVED,
                name=name,
                direction=_added(rule, both).reverse,
                sentence=f"rule {name} is gone: it said {_whole(rule, match, old)}",
            )
    known = {*before, *renamed.values()}
    for name, (rule, match) in after.items():
        if name not in known:
            yield Change(
                group=Group.RULE,
                kind=Kind.ADDED,
                name=name,
                direction=_added(rule, both),
                sentence=f"rule {name} is new: {_whole(rule, match, new)}",
            )
        elif name in before:
            yield from _changed(before[name], after[name], both)
    yield from _moved(before, after, both)


def _rules(bundle: Bundle) -> _Rules:
    form = BundleForm.model_validate(bundle.source)
    pairs = zip(bundle.rules.rules, form.rules, strict=True)
    return {rule.id: (rule, item.match) for rule, item in pairs}


def _renamed(before: _Rules, after: _Rules) -> Iterator[tuple[str, str]]:
    """Rules of which nothing but the id changed."""
    gone = {name: pair for name, pair in before.items() if name not in after}
    come: dict[str, list[str]] = {}
    for name, pair in after.items():
        if name not in before:
            come.setdefault(_content(*pair), []).append(name)
    for name, pair in gone.items():
        names = come.get(_content(*pair))
        if names:
            yield name, names.pop(0)


def _content(rule: Rule, match: MatchForm) -> str:
    rest = (rule.effect, rule.reason, rule.constraints, rule.tier, rule.rate)
    return repr((rest, match))


def _change(name: str, key: str, pair: tuple[Json, Json], way: Direction, sentence: str) -> Change:
    return Change(
        group=Group.RULE,
        kind=Kind.CHANGED,
        name=name,
        key=key,
        before=pair[0],
        after=pair[1],
        direction=way,
        sentence=sentence,
    )


def _added(rule: Rule, both: Both) -> Direction:
    """What one more rule does, or a wider one in place of a narrower."""
    if any(bundle.strategy is Strategy.FIRST_MATCH for bundle in both):
        return Direction.DIFFERENT
    if rule.rate is not None or rule.effect is Effect.DENY:
        return Direction.STRICTER
    if rule.effect is Effect.ALLOW:
        return Direction.LOOSER
    if hides_refusals(rule.effect.value, None, both):
        return Direction.DIFFERENT
    # Where it is the first to answer, it takes the place of what holds by default.
    default = max(bundle.default_decision.rank for bundle in both)
    if rule.effect is Effect.ALLOW_WITH_CONSTRAINTS or rule.effect.rank < default:
        return Direction.DIFFERENT
    is_plain = not rule.tier or all(rule.tier == bundle.default_tier for bundle in both)
    if rule.effect is Effect.REQUIRE_APPROVAL and not (is_plain or asks_alike(both)):
        return Direction.DIFFERENT
    return Direction.STRICTER


def _changed(
    was: tuple[Rule, MatchForm], now: tuple[Rule, MatchForm], both: Both
) -> Iterator[Change]:
    """Key by key, from the old rule to the new one."""
    rule, target = was[0], now[0]
    name = target.id
    is_first = any(bundle.strategy is Strategy.FIRST_MATCH for bundle in both)
    for key, before, after in _match_keys(was[1], now[1]):
        step = replace(rule, match=_with(rule.match, key, target.match))
        direction = Direction.DIFFERENT if is_first else _match_step(rule, step, both)
        text = f"rule {name}: {key} {from_to(before, after)}"
        yield _change(name, f"match.{key}", (before, after), direction, text)
        rule = step
    for key in ("effect", "tier", "constraints", "rate"):
        if getattr(rule, key) != getattr(target, key):
            step = replace(rule, **{key: getattr(target, key)})
            direction = Direction.DIFFERENT if is_first else _step(key, rule, step, both)
            pair = (_value(rule, key), _value(step, key))
            yield _change(name, key, pair, direction, _sentence(key, rule, step, both))
            rule = step
    if rule.reason != target.reason:
        text = f"rule {name} now says why as: {said(target.reason)}"
        yield _change(name, "reason", (rule.reason, target.reason), Direction.SAME, text)


def _match_keys(was: MatchForm, now: MatchForm) -> Iterator[tuple[str, Json, Json]]:
    before, after = was.model_dump(mode="json"), now.model_dump(mode="json")
    for key in MatchForm.model_fields:
        if before[key] != after[key]:
            yield key, before[key], after[key]


def _with(match: Match, key: str, target: Match) -> Match:
    """``match`` with one condition of ``target``; those that are judged one by one go together."""
    names = {spec.name for spec in fields(Match)}
    field = key if key in names else "conditions"
    return replace(match, **{field: getattr(target, field)})


def _match_step(rule: Rule, step: Rule, both: Both) -> Direction:
    direction = widened(rule.match, step.match)
    if direction is Direction.STRICTER:  # it takes in more
        return _added(step, both)
    if direction is Direction.LOOSER:
        return _added(rule, both).reverse
    return direction


def _step(key: str, rule: Rule, step: Rule, both: Both) -> Direction:
    if key == "effect":
        return _effect_step(rule, step, both)
    if key == "tier":
        was, now = (_tier(one, bundle) for one, bundle in zip((rule, step), both, strict=True))
        if rule.effect is not Effect.REQUIRE_APPROVAL:
            return Direction.SAME
        return tier_direction(both[0].tiers[was], both[1].tiers[now])
    if key == "constraints":
        merged = rule.constraints.merge(step.constraints)
        return both_ways(stricter=merged == step.constraints, looser=merged == rule.constraints)
    # A rule that came from a throttle may still carry its rate: it no longer means anything.
    is_throttle = rule.effect is Effect.THROTTLE
    return _rate_step(rule.rate, step.rate) if is_throttle else Direction.SAME


def _effect_step(rule: Rule, step: Rule, both: Both) -> Direction:
    was, now = rule.effect, step.effect
    direction = Direction.STRICTER if now.rank > was.rank else Direction.LOOSER
    if Effect.DENY in (was, now):
        return direction
    if rule.rate is not None or hides_refusals(was.value, now.value, both):
        return Direction.DIFFERENT
    if Effect.REQUIRE_APPROVAL in (was, now) and not asks_alike(both):
        return Direction.DIFFERENT
    if was.loosens is now.loosens:
        return direction
    # One of the two counts by claims as well, and then takes the place of the default.
    default = max(bundle.default_decision.rank for bundle in both)
    is_certain = used(rule.match) <= SAME_FOR_ALL or max(was.rank, now.rank) >= default
    return direction if is_certain else Direction.DIFFERENT


def _rate_step(was: Rate | None, now: Rate | None) -> Direction:
    if was is None or now is None or was.per != now.per:
        return Direction.DIFFERENT
    return both_ways(
        stricter=now.count <= was.count and now.refill_ms >= was.refill_ms,
        looser=now.count >= was.count and now.refill_ms <= was.refill_ms,
    )


def _tier(rule: Rule, bundle: Bundle) -> str:
    return rule.tier or bundle.default_tier


def _value(rule: Rule, key: str) -> Json:
    if key == "rate":
        return None if rule.rate is None else _rate_said(rule.rate)
    if key == "constraints":
        return rule.constraints.to_json()
    return rule.tier if key == "tier" else rule.effect.value


def _sentence(key: str, rule: Rule, step: Rule, both: Both) -> str:
    name = rule.id
    if key == "tier":
        was, now = (
            bundle.tiers[_tier(one, bundle)] for one, bundle in zip((rule, step), both, strict=True)
        )
        return f"rule {name} now needs tier {tier_said(now)} instead of {tier_said(was)}"
    if key == "effect":
        return f"rule {name} now says {step.effect.value} instead of {rule.effect.value}"
    return f"rule {name}: {key} {from_to(_value(rule, key), _value(step, key))}"


def _rate_said(rate: Rate) -> str:
    return f"{rate.count} in {rate.window_s} s per {rate.per}"


def _whole(rule: Rule, match: MatchForm, bundle: Bundle) -> str:
    dumped = match.model_dump(mode="json", exclude_defaults=True)
    when = "; ".join(f"{key} {said(value)}" for key, value in dumped.items()) or "everything"
    words = [f"{rule.effect.value} for {when}"]
    if rule.effect is Effect.REQUIRE_APPROVAL:
        words.append(f"by tier {tier_said(bundle.tiers[_tier(rule, bundle)])}")
    if not rule.constraints.is_empty:
        words.append(f"with {said(rule.constraints.to_json())}")
    if rule.rate is not None:
        words.append(f"beyond {_rate_said(rule.rate)}")
    return ", ".join(words)


def _moved(before: _Rules, after: _Rules, both: Both) -> Iterator[Change]:
    """Another order of the rules that both have, where the order decides."""
    if all(bundle.strategy is not Strategy.FIRST_MATCH for bundle in both):
        return
    was, now = (
        [name for name in before if name in after],
        [name for name in after if name in before],
    )
    if was != now:
        text = f"the rules now stand in this order: {said(now)}"
        yield _change("", "order", (was, now), Direction.DIFFERENT, text)
