"""A second opinion on a decision: a scan over all rules as they are written.

Lives here: matching and the strictest or first answer, read from the plain mapping of a bundle.
Must not live here: anything of ``governance.policy``; it has to be able to contradict it.
Law: simple before fast. It knows what the random bundles hold, and nothing more.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from governance.action import ActionRequest
from governance.principal import Agent

RANKS = {
    "ALLOW": 0,
    "ALLOW_WITH_CONSTRAINTS": 1,
    "REQUIRE_APPROVAL": 2,
    "THROTTLE": 3,
    "DENY": 4,
}
_KINDS = ("read", "write", "execute")
_FOLDED = ("capabilities", "risk_tags", "requires", "environments", "data_classes")
Words = Mapping[str, frozenset[str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What a decision has to say."""

    effect: str
    rule_ids: tuple[str, ...]
    lines: tuple[tuple[str, str], ...]
    """Each matching rule in file order, with the verdict in the trace."""
    demands: tuple[str, ...]
    max_retries: int | None


def opinion(bundle: Mapping[str, Any], request: ActionRequest, agent: Agent) -> Opinion:
    """Judge ``request`` by reading every rule of ``bundle``."""
    name = request.tool or request.labels.get("mcp.tool", "")
    tool = bundle["tools"].get(name)
    kinds = {request.action.value, request.labels.get("mcp.action", "read")} & {*_KINDS}
    action = max(kinds, key=_KINDS.index)
    vouched_place = _place(bundle, request) if agent.environments else "prod"
    claims = _claims(bundle, request, agent, tool, vouched_place) | {
        "tools": frozenset({name}),
        "actions": frozenset({action}),
    }
    facts = _facts(claims, vouched_place, tool)
    there = {**facts, "environments": claims["environments"]}
    lines: list[tuple[str, str]] = []
    claimed: list[Mapping[str, Any]] = []
    vouched: list[Mapping[str, Any]] = []
    unsaid: list[Mapping[str, Any]] = []
    demands: list[str] = []
    for rule in bundle["rules"]:
        said = _judge(rule["match"], claims, request)
        if said == "no":
            continue
        effect = rule["decision"].upper()
        loosens = RANKS[effect] < 2
        sure = _judge(rule["match"], facts, request)
        if loosens:
            counts = is_vouched = sure == "yes" and not (tool and rule["match"].get("labels"))
        else:
            counts, is_vouched = True, sure != "no"
        lines.append((rule["id"], effect if counts else "not counted"))
        if counts and "rate" in rule:
            demands.append(rule["id"])
        elif counts:
            claimed.append(rule)
            vouched += [rule] if is_vouched else []
            unsaid += [rule] if _judge(rule["match"], there, request) != "no" else []
    deciding = claimed
    if bundle["strategy"] == "first_match":
        deciding = [rule for rule in claimed if rule in (*claimed[:1], *vouched[:1], *unsaid[:1])]
    effects = [rule["decision"].upper() for rule in deciding]
    effects += _others(bundle, effects, name, action, kinds)
    asked_for = request.environment.strip().casefold() or "prod"
    if agent.environments and asked_for not in agent.environments:
        effects.append("DENY")
    effect = max(effects, key=RANKS.__getitem__)
    ordered = sorted(deciding, key=lambda rule: (-RANKS[rule["decision"].upper()], rule["id"]))
    retries = [rule["constraints"]["max_retries"] for rule in deciding if "constraints" in rule]
    return Opinion(
        effect=effect,
        rule_ids=tuple(rule["id"] for rule in ordered),
        lines=tuple(lines),
        demands=() if effect in ("DENY", "THROTTLE") else tuple(demands),
        max_retries=min(retries, default=None),
    )


def _others(
    bundle: Mapping[str, Any], said: list[str], name: str, action: str, kinds: set[str]
) -> list[str]:
    """What registry and default add to what is ``said``."""
    more: list[str] = []
    tool = bundle["tools"].get(name)
    if name:
        granted = tool is not None and kinds <= {*tool["actions"]}
        more.append("ALLOW" if granted else "DENY")
        if tool is not None and action in bundle["approval_required_for"]:
            more.append("REQUIRE_APPROVAL")
    if not said and not more:
        default = bundle["default_decision"].upper()
        is_held = default == "ALLOW" and action in bundle["approval_required_for"]
        more.append("REQUIRE_APPROVAL" if is_held else default)
    return more


def _claims(
    bundle: Mapping[str, Any],
    request: ActionRequest,
    agent: Agent,
    tool: Mapping[str, Any] | None,
    vouched_place: str,
) -> dict[str, frozenset[str]]:
    named = _folded([request.environment]) - {""}
    known = tool or {"risk_tags": (), "classification": "internal"}
    return {
        "tenants": frozenset({request.tenant}),
        "agents": frozenset({request.agent}),
        "roles": frozenset(agent.roles),
        "environments": named | {_place(bundle, request), vouched_place},
        "capabilities": (_folded([request.capability]) | _capability(tool)) - {""},
        "risk_tags": _folded(request.risk_tags) | _folded(known["risk_tags"]),
        "requires": _folded(request.requires),
        "data_classes": _folded(request.data_classes) | {known["classification"]},
    }


def _place(bundle: Mapping[str, Any], request: ActionRequest) -> str:
    named = request.environment.strip().casefold()
    return named if named in bundle["environments"] else "prod"


def _facts(claims: Words, environment: str, tool: Mapping[str, Any] | None) -> Words:
    if tool is None:
        return {**claims, "environments": frozenset({environment})}
    return {
        **claims,
        "environments": frozenset({environment}),
        "capabilities": _capability(tool),
        "risk_tags": _folded(tool["risk_tags"]),
        "requires": frozenset(),
        "data_classes": frozenset({tool["classification"]}),
    }


def _capability(tool: Mapping[str, Any] | None) -> frozenset[str]:
    return frozenset({tool["capability"]} if tool and "capability" in tool else ())


def _judge(match: Mapping[str, Any], words: Words, request: ActionRequest) -> str:
    for key, have in words.items():
        wanted = match.get(key, [])
        wanted = _folded(wanted) if key in _FOLDED else {*wanted}
        if key == "requires" and not wanted <= have:
            return "no"
        if wanted and not wanted & have:
            return "no"
    topics = match.get("topics", [])
    if topics and not any(_expression(text).fullmatch(request.topic) for text in topics):
        return "no"
    labels = match.get("labels", {})
    if any(request.labels.get(key, value) != value for key, value in labels.items()):
        return "no"
    return "yes" if {*labels} <= {*request.labels} else "unclear"


def _folded(words: Any) -> frozenset[str]:
    return frozenset(word.strip().casefold() for word in words)


@lru_cache(maxsize=4_096)
def _expression(pattern: str) -> re.Pattern[str]:
    """Go's ``path.Match`` as a regular expression."""
    pieces = re.findall(r"\\.|\[(?:\\.|[^\]])+\]|.", pattern, re.DOTALL)
    return re.compile("".join(map(_piece, pieces)), re.DOTALL)


def _piece(piece: str) -> str:
    if piece == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if piece.startswith("[") and len(piece) > 1:
        return f"(?!/){piece}"
    return re.escape(piece[-1])
