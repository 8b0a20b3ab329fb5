"""Who else than a rule asks the people of a tier, and the bundle in which they would not be asked.

Lives here: finding those places in a bundle, and its source with them changed. Must not live here:
when that is worth a word (``advice``). Law: a place is named by its path in the bundle; what
excepts from a constraint or looks like an attack is never let through without people, and
emergencies are left as they are.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from governance.canonical import Json
from governance.policy.decision import Effect
from governance.policy.model import Bundle
from governance.policy.tools import Tool

_ASKS = {
    "tools": ("requires_approval", "requiresApproval"),
    "environments": ("requires_human_approval",),
}
_MATCHED = ("tools", "environments")


class Place(NamedTuple):
    """A section of a bundle and a name in it."""

    section: str
    name: str

    def __str__(self) -> str:
        return f"{self.section}.{self.name}"


def askers(bundle: Bundle, tier: str) -> tuple[Place, ...]:
    """Every place beside the rules that sends people of ``tier``, as the bundle writes them."""
    return tuple(place for place in _asking(bundle, tier) if _is_written(bundle.source, place))


def dispensable(bundle: Bundle, places: Sequence[Place]) -> tuple[Place, ...]:
    """Those of ``places`` that may be tried without people, and then ask nobody."""

    def asks_anyway(place: Place) -> bool:
        tool = bundle.tools.get(place.name) if place.section == "tools" else None
        return tool is not None and _is_asked_by_kind(bundle, tool)

    return tuple(one for one in places if one.section in _ASKS and not asks_anyway(one))


def without_people(source: Mapping[str, Json], places: Sequence[Place]) -> Mapping[str, Json]:
    """``source`` in which none of ``places`` asks anybody."""
    changed = dict(source)
    for section, name in places:
        kept = {k: v for k, v in _of(changed, section, name).items() if k not in _ASKS[section]}
        changed[section] = {**_section(changed, section), name: kept}
    return changed


def denied(source: Mapping[str, Json], places: Sequence[Place], tier: str) -> Mapping[str, Json]:
    """``source`` in which what ``places`` ask about is refused."""
    changed = dict(source)
    for section in _MATCHED:
        names = [name for at, name in places if at == section]
        if names:
            rule: dict[str, Json] = {"id": f"{tier}-{section}", "decision": "deny"}
            rule["match"] = {section: names}
            rules = changed.get("rules", ())
            changed["rules"] = [*(rules if isinstance(rules, Sequence) else ()), rule]
    for section, name in places:
        if section == "exceptions":
            left = {k: v for k, v in _section(changed, section).items() if k != name}
            changed[section] = left
        elif section == "signals":
            changed[section] = {**_section(changed, section), name: Effect.DENY.value.lower()}
    return changed


def _asking(bundle: Bundle, tier: str) -> Iterator[Place]:
    def is_its(named: str) -> bool:
        return (named or bundle.default_tier) == tier

    for tool in bundle.tools:
        if is_its(tool.tier) and (tool.requires_approval or _is_asked_by_kind(bundle, tool)):
            yield Place("tools", tool.name)
    for name, gate in bundle.environments.items():
        if gate.requires_human_approval and is_its(gate.tier):
            yield Place("environments", name)
    for name, its in bundle.exceptions.items():
        if is_its(its):
            yield Place("exceptions", name)
    signals = {"injection": bundle.signals.injection, "secrets": bundle.signals.secrets}
    for name, effect in signals.items():
        if effect is Effect.REQUIRE_APPROVAL and is_its(bundle.signals.tier):
            yield Place("signals", name)


def _is_asked_by_kind(bundle: Bundle, tool: Tool) -> bool:
    """Whether people are asked about what it may do, whatever it says of itself."""
    return any(action.value in bundle.approval_required_for for action in tool.actions)


def _is_written(source: Mapping[str, Json], place: Place) -> bool:
    return place.section == "signals" or place.name in _section(source, place.section)


def _section(source: Mapping[str, Json], name: str) -> Mapping[str, Json]:
    found = source.get(name)
    return found if isinstance(found, Mapping) else {}


def _of(source: Mapping[str, Json], section: str, name: str) -> Mapping[str, Json]:
    found = _section(source, section).get(name)
    return found if isinstance(found, Mapping) else {}
