"""What the figures suggest: changes of the bundle, each worth a simulation and none made here.

Lives here: when a figure is worth a word, and the changed bundle. Must not live here: figures
(``statistics``), judging a change (``simulation``). Law: every suggestion has a candidate that
loads and differs from the bundle; little evidence suggests nothing; a rule that denies is never
suggested away because it did not fire: that it is known may be why.
"""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from enum import StrEnum

from governance.advice_askers import Place, askers, denied, dispensable, without_people
from governance.canonical import Json
from governance.errors import InvalidInput
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.policy.model import Bundle
from governance.sentences import Sentence
from governance.statistics import Asked, End, Figures, percent

MANY_DECISIONS = 100
"""Decisions after which a rule that never fired is worth a word."""
ALWAYS = 20
"""Answers, all alike, after which people may not be needed to give them."""
NEVER = 5
"""Answers, none of them an approval, after which asking may be pointless."""
OFTEN_EXPIRED = 20
"""Percent of expiries from which a tier leaves people too little time."""
_LONGEST_H = 48
_UNITS_S = {"s": 1, "m": 60, "h": 3_600, "d": 86_400}


class Kind(StrEnum):
    """What is suggested."""

    DROP_RULE = "drop_rule"
    ALLOW = "allow"
    DENY = "deny"
    MORE_TIME = "more_time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """One suggestion: what was seen, what to try, and the whole bundle with that change."""

    kind: Kind
    subject: str
    """The rule or tier."""
    evidence: str
    change: str
    candidate: Mapping[str, Json]


def advise(figures: Figures, bundle: Bundle) -> tuple[Advice, ...]:
    """Every suggestion whose candidate loads, those about what never happens first."""
    return tuple(
        advice for advice in _all(figures, bundle) if _loads(advice.candidate, bundle.snapshot)
    )


def never_fired(figures: Figures, bundle: Bundle) -> tuple[str, ...]:
    """Rules of the bundle that matched nothing in the window, in its order."""
    return tuple(rule.id for rule in bundle.rules.rules if not figures.fired.get(rule.id))


def always_met(figures: Figures) -> tuple[str, ...]:
    """Tiers of which every question was answered by an approval, often enough to tell."""
    return tuple(tier for tier, asked in figures.tiers.items() if _is_always(asked))


def never_met(figures: Figures) -> tuple[str, ...]:
    """Tiers of which no question was answered by an approval, often enough to tell."""
    return tuple(tier for tier, asked in figures.tiers.items() if _is_never(asked))


def _is_always(asked: Asked) -> bool:
    return asked.decided >= ALWAYS and asked.of(End.APPROVED) == asked.decided


def _is_never(asked: Asked) -> bool:
    return asked.decided >= NEVER and not asked.of(End.APPROVED)


def _is_unwanted(asked: Asked) -> bool:
    """Never approved, and not for want of time."""
    return _is_never(asked) and asked.of(End.REJECTED) > asked.of(End.EXPIRED)


def _all(figures: Figures, bundle: Bundle) -> Iterator[Advice]:
    if figures.decisions >= MANY_DECISIONS:
        yield from _unused(figures, bundle)
    for rule, asked in figures.rules.items():
        if _is_always(asked):
            yield from _decided(bundle, Kind.ALLOW, rule, asked)
        elif _is_unwanted(asked):
            yield from _decided(bundle, Kind.DENY, rule, asked)
    for tier, asked in figures.tiers.items():
        yield from _of_tier(bundle, tier, asked, figures.rules)
        expired = percent(asked.of(End.EXPIRED), asked.decided)
        if asked.decided >= NEVER and expired >= OFTEN_EXPIRED:
            yield from _longer(bundle, tier, asked, expired)


def _unused(figures: Figures, bundle: Bundle) -> Iterator[Advice]:
    idle = set(never_fired(figures, bundle))
    for rule in bundle.rules.rules:
        if rule.id in idle and rule.effect is not Effect.DENY:
            rules = [one for one in _rules(bundle.source) if one.get("id") != rule.id]
            if len(rules) < len(_rules(bundle.source)):
                yield Advice(
                    kind=Kind.DROP_RULE,
                    subject=rule.id,
                    evidence=Sentence("matched none of {count} decisions", count=figures.decisions),
                    change=Sentence("leave rule {rule} out", rule=rule.id),
                    candidate={**bundle.source, "rules": rules},
                )


def _decided(bundle: Bundle, kind: Kind, rule: str, asked: Asked) -> Iterator[Advice]:
    change = Sentence("decision: {decision} for rule {rule}", decision=kind.value, rule=rule)
    yield _instead(bundle, kind, rule, asked, ids={rule}, change=change)


def _instead(
    bundle: Bundle, kind: Kind, subject: str, asked: Asked, *, ids: Set[str], change: Sentence
) -> Advice:
    """Rules that decide in place of people."""
    rules = [
        _without_people(one, kind.value) if one.get("id") in ids else one
        for one in _rules(bundle.source)
    ]
    return _advice(kind, subject, asked, change, {**bundle.source, "rules": rules})


def _advice(
    kind: Kind, subject: str, asked: Asked, change: Sentence, candidate: Mapping[str, Json]
) -> Advice:
    approved, decided = asked.of(End.APPROVED), asked.decided
    return Advice(
        kind=kind,
        subject=subject,
        evidence=Sentence("people approved {count} of {whole}", count=approved, whole=decided),
        change=change,
        candidate=candidate,
    )


def _without_people(rule: Mapping[str, Json], word: str) -> Mapping[str, Json]:
    """A rule that decides by itself; who would be asked then has no meaning."""
    kept = {name: value for name, value in rule.items() if name not in ("tier", "effect")}
    return {**kept, "decision": word}


def _of_tier(
    bundle: Bundle, tier: str, asked: Asked, by_rule: Mapping[str, Asked]
) -> Iterator[Advice]:
    """What a tier always or never approves, where that is more than some of its rules say alone."""
    if _is_always(asked):
        kind = Kind.ALLOW
        alone = {rule for rule, one in by_rule.items() if _is_always(one)}
    elif _is_unwanted(asked):
        kind = Kind.DENY
        alone = {rule for rule, one in by_rule.items() if _is_unwanted(one)}
    else:
        return
    ids = {
        rule.id
        for rule in bundle.rules.rules
        if rule.effect is Effect.REQUIRE_APPROVAL and (rule.tier or bundle.default_tier) == tier
    }
    if not ids:
        yield from _of_others(bundle, kind, tier, asked)
    if ids <= alone:
        return  # each was suggested by itself
    change = Sentence(
        "decision: {decision} for every rule of tier {tier}", decision=kind.value, tier=tier
    )
    yield _instead(bundle, kind, tier, asked, ids=ids, change=change)


def _of_others(bundle: Bundle, kind: Kind, tier: str, asked: Asked) -> Iterator[Advice]:
    """The same of a tier whose people no rule asks."""
    places = askers(bundle, tier)
    if kind is Kind.ALLOW:
        places = dispensable(bundle, places)
        change = Sentence("ask nobody about {places}", places=_listed(places))
        candidate = without_people(bundle.source, places)
    else:
        change = Sentence("deny what {places} ask people about", places=_listed(places))
        candidate = denied(bundle.source, places, tier)
    yield _advice(kind, tier, asked, change, candidate)


def _listed(places: Sequence[Place]) -> str:
    return ", ".join(map(str, places))


def _longer(bundle: Bundle, tier: str, asked: Asked, expired: int) -> Iterator[Advice]:
    tiers = bundle.source.get("tiers")
    form = tiers.get(tier) if isinstance(tiers, Mapping) else None
    if not isinstance(tiers, Mapping) or not isinstance(form, Mapping):
        return  # built in, or one level of a tier: there is no one place to change
    now_s = bundle.tiers[tier].ttl_s
    longer_s = min(2 * now_s, _LONGEST_H * _UNITS_S["h"])
    if longer_s <= now_s:
        return
    ttl = _duration(longer_s)
    yield Advice(
        kind=Kind.MORE_TIME,
        subject=tier,
        evidence=Sentence("{percent} % of {count} expired", percent=expired, count=asked.decided),
        change=Sentence("ttl: {ttl} for tier {tier}", ttl=ttl, tier=tier),
        candidate={**bundle.source, "tiers": {**tiers, tier: {**form, "ttl": ttl}}},
    )


def _duration(seconds: int) -> str:
    fitting = [unit for unit, size in _UNITS_S.items() if not seconds % size]
    unit = "h" if "h" in fitting else fitting[-1]
    return f"{seconds // _UNITS_S[unit]}{unit}"


def _rules(source: Mapping[str, Json]) -> Sequence[Mapping[str, Json]]:
    found = source.get("rules")
    listed = found if isinstance(found, Sequence) and not isinstance(found, str) else ()
    return [one for one in listed if isinstance(one, Mapping)]


def _loads(candidate: Mapping[str, Json], snapshot: str) -> bool:
    try:
        return load(candidate).snapshot != snapshot
    except InvalidInput:
        return False
