"""The approvals that a decision demands.

Lives here: which tiers are joined, the level of severity that holds, and who decides instead where
a quorum cannot be reached. Must not live here: whether it can (``tickets.escalation``).
Law: the bundle alone says who approves; a severity that an agent names only asks for more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from governance.policy.decision import Effect, Requirement, TraceLine
from governance.policy.matching import NOTHING, fold
from governance.policy.model import Bundle
from governance.policy.said import SIGNAL, Said
from governance.policy.tiers import burdened, join
from governance.policy.vouching import Judged

SEVERITY = "severity"
"""The label by which a request says how grave it is; a claim, so it only ever asks for more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Required:
    """The requirement, those that take its place in turn, and what is to be told of it."""

    requirement: Requirement
    instead: tuple[Requirement, ...] = ()
    trace: tuple[TraceLine, ...] = ()


def required(asked: Judged, said: Iterable[Said]) -> Required:
    """The join of every tier that a source of this approval names, else the default tier.

    What a signal names is added to what holds without it, and never stands in its place.
    """
    bundle = asked.bundle
    others: set[str] = set()
    signalled: set[str] = set()
    for word in said:
        if word.effect is Effect.REQUIRE_APPROVAL:
            (signalled if word.source == SIGNAL else others).add(word.tier)
    base = others - {""} or ({bundle.default_tier} if others else set())
    named = base | signalled - {""}
    severities = _severities(asked)
    chosen: set[str] = set()
    trace: list[TraceLine] = []
    for name in sorted(named or {bundle.default_tier}):
        level = bundle.levels[name].tier(severities) if name in bundle.levels else None
        chosen.add(level or name)
        if level is not None:
            note = f"tier {name} at the level of the severity that is named"
            trace.append(TraceLine(source="tier", id=level, verdict=SEVERITY, note=note))
    # Every tier holds the bundle's minimum sandbox since it was loaded.
    requirement = join([bundle.tiers[name] for name in chosen])
    return Required(
        requirement=requirement,
        instead=tuple(_instead(bundle, requirement)),
        trace=tuple(trace),
    )


def _severities(asked: Judged) -> frozenset[str]:
    words = [asked.tool.severity] if asked.tool is not None and asked.tool.severity else []
    if SEVERITY in asked.request.labels:
        words.append(asked.request.labels[SEVERITY])
    return fold(words) if words else NOTHING


def _instead(bundle: Bundle, requirement: Requirement) -> Iterator[Requirement]:
    """Who decides instead, in turn; every demand but that on people stays."""
    name = bundle.escalations.get(requirement.tier)
    while name is not None:
        yield burdened(bundle.tiers[name], requirement)
        name = bundle.escalations.get(name)
