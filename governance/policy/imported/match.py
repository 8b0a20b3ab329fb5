"""The conditions of an imported rule, in our own keys, and how well each fits.

Lives here: one condition after the other. Must not live here: what becomes of a rule with a
condition that does not fit (``rules``).
Law: a condition never lets an allowing rule match more than it did, or a restricting one less,
without being told apart as ``LOST``, ``WIDER`` or ``OPEN``.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from governance.canonical import Json
from governance.policy.decision import Effect
from governance.policy.forms.documented import pointer, refuse
from governance.policy.imported.values import Place, is_unset, mapping, spelt, whole, words
from governance.policy.matching import glob

_NAME = re.compile(r"[A-Za-z0-9_:-](?:[A-Za-z0-9_.:-]*[A-Za-z0-9_:-])?")
_LABEL = re.compile(r"[A-Za-z0-9_.:/-]{1,128}")
_PER = {"tenant": "tenant", "actor_id": "agent"}
_MOST_REQUESTS, _DAY_S, _MOST_NAMES = 10_000, 86_400, 400
_MCP = {"allow_servers": "mcp.server", "allow_tools": "mcp.tool", "allow_actions": "mcp.action"}
_UNKNOWN = {
    "actor_types": "a credential has no type here: give it a role and match roles",
    "agent_risk_tiers": "give the agent's credential a role, and match roles",
    "agent_data_classifications": "which data an agent may touch is said by clearance and its "
    "roles, and match has data_classes for what is asked",
    "pack_ids": "match tools or capabilities",
    "secrets_present": "signals.secrets says what becomes of a secret in what is asked",
    "predicate": "write when, an expression",
    "delegation": "write when with on_behalf_of",
}


class Fit(StrEnum):
    """How the requests that meet a converted condition compare with those of the original."""

    EXACT = "exact"
    """The same, or for a rule that allows: no others."""
    OPEN = "open"
    """Also those without the label; ``guard`` makes it exact."""
    WIDER = "wider"
    """More of them, and none is missing."""
    LOST = "lost"
    """It is left out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """One condition: keys of our match, or an expression, and how well it fits."""

    key: str
    fit: Fit
    place: Place
    match: Mapping[str, Json] = field(default_factory=dict)
    when: str = ""
    guard: str = ""
    text: str = ""


def pieces_of(value: Json, place: Place, effect: Effect) -> list[Piece]:
    """The conditions under ``value`` as a rule of ``effect`` may use them.

    Raises:
        InvalidInput: ``invalid_bundle``: a value of the wrong kind, with its place.
    """
    return [
        _READERS.get(key, _unknown)(key, item, (*place, key), effect)
        for key, item in mapping(value, place).items()
        if not is_unset(item) or (key == "secrets_present" and item is False)
    ]


def _lost(key: str, place: Place, why: str) -> Piece:
    return Piece(key=key, fit=Fit.LOST, place=place, text=why)


def _unknown(key: str, _: Json, place: Place, __: Effect) -> Piece:
    why = _UNKNOWN.get(key, "nothing compares it")
    return _lost(key, place, f"{key!r} is no condition here: {why}")


def _words(key: str, value: Json, place: Place, _: Effect) -> Piece:
    found = words(value, place)
    if not all(map(str.isascii, found)):
        return _lost(key, place, f"{key!r} has letters whose capitals are compared otherwise here")
    return Piece(key=key, fit=Fit.EXACT, place=place, match={key: found})


def _topics(key: str, value: Json, place: Place, _: Effect) -> Piece:
    found = words(value, place)
    for number, pattern in enumerate(found):
        try:
            glob(pattern)
        except ValueError as error:
            raise refuse(pointer(*place, number), str(error)) from error
    return Piece(key=key, fit=Fit.EXACT, place=place, match={key: found})


def _names(ours: str, variable: str) -> Callable[[str, Json, Place, Effect], Piece]:
    """Tenants and agents: compared without case there, to the letter here."""

    def read(key: str, value: Json, place: Place, effect: Effect) -> Piece:
        found = [name.strip() for name in words(value, place)]
        if effect is Effect.ALLOW:
            return Piece(key=key, fit=Fit.EXACT, place=place, match={ours: found})
        if not all(map(_NAME.fullmatch, found)) or sum(map(len, found)) > _MOST_NAMES:
            return _lost(key, place, f"{key!r} has names that cannot be compared without case here")
        one_of = "|".join(found).replace(".", "[.]")
        when = f'{variable}.matches("(?i)^ *({one_of}) *$")'
        return Piece(key=key, fit=Fit.EXACT, place=place, when=when)

    return read


def _guard(label: str) -> str:
    return f'"{label}" in labels' if _LABEL.fullmatch(label) else ""


def _absent(labels: Mapping[str, Json], effect: Effect) -> tuple[Fit, str]:
    """How a condition over ``labels`` fits, whose absence cannot be judged here."""
    if effect.loosens:
        return Fit.EXACT, ""
    guards = [_guard(label) for label in labels]
    return (Fit.OPEN, " && ".join(guards)) if all(guards) else (Fit.WIDER, "")


def _labels(key: str, value: Json, place: Place, effect: Effect) -> Piece:
    found: dict[str, Json] = {
        label: spelt(item, (*place, label)) for label, item in mapping(value, place).items()
    }
    fit, guard = _absent(found, effect)
    text = "a request without the label cannot be judged and matches"
    return Piece(key=key, fit=fit, place=place, match={key: found}, guard=guard, text=text)


def _allowlist(key: str, value: Json, place: Place, effect: Effect) -> Piece:
    found: dict[str, Json] = {
        label: list(words(item, (*place, label))) for label, item in mapping(value, place).items()
    }
    if not all(found.values()):
        return _lost(key, place, "an empty list says nothing of what is listed")
    if len(found) > 1 and effect is not Effect.ALLOW:
        return _lost(key, place, "it does not say whether one label is enough; write one rule each")
    fit, guard = _absent(found, effect)
    text = "a request without the label, which it skipped, cannot be judged and matches"
    return Piece(
        key=key, fit=fit, place=place, match={"label_not_in": found}, guard=guard, text=text
    )


def _threshold(key: str, value: Json, place: Place, effect: Effect) -> Piece:
    found: dict[str, Json] = {}
    for label, bound in mapping(value, place).items():
        if isinstance(bound, bool) or not isinstance(bound, int | Decimal):
            raise refuse(pointer(*place, label), "it should be a number")
        found[label] = {"more_than": bound}
    if effect.loosens:
        return _lost(key, place, "a number in a label is read otherwise here, which may loosen")
    if len(found) > 1:
        return _lost(key, place, "it does not say whether one label is enough; write one rule each")
    text = "a request whose label is missing or no number, which it skipped, cannot be judged "
    return Piece(key=key, fit=Fit.WIDER, place=place, match={key: found}, text=f"{text}and matches")


def _mcp(key: str, value: Json, place: Place, effect: Effect) -> Piece:
    found = mapping(value, place)
    listed: dict[str, Json] = {
        _MCP.get(name, name): list(words(item, (*place, name)))
        for name, item in found.items()
        if not is_unset(item)
    }
    if effect is not Effect.ALLOW or not set(listed) <= {*_MCP.values()}:
        why = "write tools, and list them under tools: one that is not there is refused"
        return _lost(key, place, f"{key!r} cannot be carried over: {why}")
    return Piece(key=key, fit=Fit.EXACT, place=place, match={"label_in": listed} if listed else {})


def _velocity(key: str, value: Json, place: Place, effect: Effect) -> Piece:
    found = mapping(value, place)
    numbers = {
        name: whole(found.get(name), (*place, name)) for name in ("max_requests", "window_seconds")
    }
    most, window_s = numbers.values()
    per = _per(found.get("key"))
    if (
        effect.loosens
        or per is None
        or {*found} - {"key", *numbers}
        or not 1 <= most <= _MOST_REQUESTS
        or not 1 <= window_s <= _DAY_S
    ):
        return _lost(key, place, "this velocity cannot be counted here, so it always holds")
    return Piece(
        key=key,
        fit=Fit.WIDER,
        place=place,
        match={"velocity": {"per": per, "more_than": most, "within": f"{window_s}s"}},
        text="it counts every request, not those of this rule; what was refused at once, which "
        "the original may have counted, does not count",
    )


def _per(key: Json) -> str | None:
    """By what requests are counted here, None where that cannot be."""
    if not isinstance(key, str):
        return None
    prefix, _, label = key.partition(".")
    if prefix == "labels" and _LABEL.fullmatch(label):
        return f"label:{label}"
    return _PER.get(key)


_READERS: Mapping[str, Callable[[str, Json, Place, Effect], Piece]] = {
    "topics": _topics,
    "capabilities": _words,
    "risk_tags": _words,
    "requires": _words,
    "tenants": _names("tenants", "tenant"),
    "actor_ids": _names("agents", "agent"),
    "labels": _labels,
    "label_allowlist": _allowlist,
    "label_threshold": _threshold,
    "mcp": _mcp,
    "velocity": _velocity,
}
