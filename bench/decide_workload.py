"""The rules and requests that every engine is given, and a linear reading of them.

Lives here: plain rules with topic globs, tags, labels, environments, tools, classes and roles, and
requests near them. Must not live here: any engine. Law: the same seed makes the same workload; the
expectation is a scan over all rules that shares no code with any engine.

So that every engine can say the same, the workload keeps to what all of them can express: a
request carries every label key, its tags and class are those that the tool's registration vouches
for, and a rule that loosens asks for no label (where a tool is registered, a label loosens
nothing). No text is one at which the signal rules look twice. Where no rule matches, a request
that names a registered tool is allowed and any other denied.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from random import Random

from governance.action import ActionKind, ActionRequest
from governance.principal import Agent, AgentId, TenantId

EFFECTS = ("DENY", "THROTTLE", "REQUIRE_APPROVAL", "ALLOW_WITH_CONSTRAINTS", "ALLOW")
"""From the strictest to the mildest."""
_SHARES = (15, 10, 30, 15, 30)
SHAPES = ("sparse", "dense")
_RULES_A_TEAM = 16
_DENSE_TEAMS = 20
_SERVICES = ("billing", "orders", "search", "mail")
_RESOURCES = ("database", "queue", "bucket", "config", "volume", "cache")
_VERBS = ("read", "list", "update", "restart", "deploy", "delete")
_TAGS = ("prod", "pii", "financial", "network", "storage", "write", "external", "bulk")
_LABELS = {
    "region": ("europe", "america", "pacific"),
    "stage": ("blue", "green"),
    "cost": ("low", "high"),
}
_ENVIRONMENTS = ("dev", "staging", "prod")
_CLASSES = ("public", "internal", "restricted", "confidential")
_ROLES = ("developer", "operator", "analyst", "auditor", "release", "support")
_TOOLS = tuple(
    f"{system}-{verb}"
    for system in ("database", "cluster", "mailbox", "ledger", "storage")
    for verb in ("query", "resize", "backup", "report")
)
_RULE_SEED, _REQUEST_SEED = 7, 11
_TENANT = TenantId("acme")


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainRule:
    """One rule; an empty condition is no restriction, entries are joined by OR, labels by AND."""

    id: str
    effect: str
    topics: tuple[str, ...]
    risk_tags: tuple[str, ...] = ()
    labels: Mapping[str, str]
    environments: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    data_classes: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request; the same facts plain, and as ours."""

    topic: str
    tool: str
    tags: frozenset[str]
    labels: Mapping[str, str]
    environment: str
    classes: frozenset[str]
    roles: frozenset[str]
    request: ActionRequest
    agent: Agent


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A registered tool: its class and its tags outweigh what an agent says."""

    name: str
    data_class: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """Rules, the strictest first, and the requests that are timed."""

    shape: str
    rules: tuple[PlainRule, ...]
    tools: tuple[Tool, ...]
    cases: tuple[Case, ...]

    def bundle(self) -> dict[str, object]:
        """The same rules as a policy bundle of ours."""
        return {
            "version": "v1",
            "name": f"bench-{self.shape}-{len(self.rules)}",
            "approval_required_for": [],
            "restricted_data_classes": [],
            "clearance": {},
            "tools": {
                tool.name: {
                    "actions": ["read"],
                    "classification": tool.data_class,
                    "risk_tags": list(tool.tags),
                }
                for tool in self.tools
            },
            "environments": {name: {} for name in _ENVIRONMENTS},
            "rules": [_written(rule) for rule in self.rules],
        }


def workload(count: int, shape: str, requests: int) -> Workload:
    """``count`` rules; sparse: the teams grow with the rules, dense: twenty teams share them."""
    chance = Random(f"{_RULE_SEED}/{shape}/{count}")  # noqa: S311  # a workload, not a secret
    teams = max(1, count // _RULES_A_TEAM) if shape == "sparse" else _DENSE_TEAMS
    names = tuple(f"team{number:04d}" for number in range(teams))
    tools = tuple(
        Tool(
            name=name,
            data_class=chance.choice(_CLASSES),
            tags=tuple(sorted(chance.sample(_TAGS, chance.randrange(3)))),
        )
        for name in _TOOLS
    )
    found = [_rule(chance, number, names, tools) for number in range(count)]
    # The strictest first, so that an engine that stops at the first match decides the same.
    found.sort(key=lambda rule: EFFECTS.index(rule.effect))
    rules = tuple(replace(rule, id=f"rule-{number:05d}") for number, rule in enumerate(found))
    chance = Random(f"{_REQUEST_SEED}/{shape}/{count}")  # noqa: S311
    cases = tuple(_case(chance, rules, names, tools) for _ in range(requests))
    return Workload(shape=shape, rules=rules, tools=tools, cases=cases)


def _rule(
    chance: Random, number: int, teams: tuple[str, ...], tools: tuple[Tool, ...]
) -> PlainRule:
    effect = chance.choices(EFFECTS, weights=_SHARES)[0]
    loosens = effect.startswith("ALLOW")

    def some(pool: tuple[str, ...], share: float, most: int) -> tuple[str, ...]:
        if chance.random() >= share:
            return ()
        return tuple(sorted(chance.sample(pool, chance.randint(1, most))))

    keys = () if loosens else some(tuple(_LABELS), 0.7, 2)
    return PlainRule(
        id=str(number),
        effect=effect,
        topics=tuple({_topic(chance, teams) for _ in range(1 + (chance.random() < 0.1))}),
        risk_tags=some(_TAGS, 0.7, 2),
        labels={key: chance.choice(_LABELS[key]) for key in keys},
        environments=some(_ENVIRONMENTS, 0.7, 2),
        tools=some(tuple(tool.name for tool in tools), 0.7, 4),
        data_classes=some(_CLASSES, 0.6, 2),
        roles=some(_ROLES, 0.6, 2),
    )


def _topic(chance: Random, teams: tuple[str, ...]) -> str:
    team, service = chance.choice(teams), chance.choice(_SERVICES)
    verb = chance.choice(_VERBS)
    kind = chance.random()
    if kind < 0.004:
        return chance.choice(("*", f"*.{verb}"))
    if kind < 0.56:
        return f"{team}.*"
    if kind < 0.78:
        return f"{team}.{service}.*"
    if kind < 0.9:
        return f"{team}.*.{verb}"
    return f"{team}.{service}.{chance.choice(_RESOURCES)}.{verb}"


def _case(
    chance: Random, rules: tuple[PlainRule, ...], teams: tuple[str, ...], tools: tuple[Tool, ...]
) -> Case:
    """Half of the requests are made so that they fit some rule, the others as they fall."""
    near = chance.choice(rules)
    is_near = chance.random() < 0.5
    glob = near.topics[0] if is_near else f"{chance.choice(teams)}.*"
    team = chance.choice(teams) if glob.startswith("*") else glob.split(".")[0]
    parts = [team, *map(chance.choice, (_SERVICES, _RESOURCES, _VERBS))]
    for place, part in enumerate(glob.split(".")[1:], start=1):
        if part != "*":
            parts[3 if place == glob.count(".") else place] = part
    known = {tool.name: tool for tool in tools}
    wanted = near.tools if is_near else ("", *known)[: 1 + chance.randrange(2) * len(known)]
    tool = known.get(chance.choice(wanted)) if wanted else None
    labels = {key: chance.choice(values) for key, values in _LABELS.items()}
    labels |= near.labels if is_near else {}
    environment = chance.choice(
        near.environments if is_near and near.environments else _ENVIRONMENTS
    )
    roles = {chance.choice(_ROLES), *(near.roles[:1] if is_near else ())}
    tags = set(chance.sample(_TAGS, chance.randrange(3))) | set(near.risk_tags[:1])
    classes = set(near.data_classes[:1])
    if tool is not None:
        tags, classes = set(tool.tags), {tool.data_class}
    agent = Agent(
        id=AgentId("agent-" + "-".join(sorted(roles))),
        tenant=_TENANT,
        environments=_ENVIRONMENTS,
        roles=tuple(sorted(roles)),
    )
    topic = ".".join(parts)
    request = ActionRequest(
        tenant=_TENANT,
        agent=agent.id,
        topic=topic,
        tool="" if tool is None else tool.name,
        action=ActionKind.READ,
        environment=environment,
        risk_tags=tuple(sorted(tags)),
        labels=labels,
        data_classes=tuple(sorted(classes)),
        trace_id="bench",
        idempotency_key="bench",
    )
    return Case(
        topic=topic,
        tool=request.tool,
        tags=frozenset(tags),
        labels=labels,
        environment=environment,
        classes=frozenset(classes if tool is not None else {*classes, "internal"}),
        roles=frozenset(roles),
        request=request,
        agent=agent,
    )


def _written(rule: PlainRule) -> dict[str, object]:
    match: dict[str, object] = {
        key: list(words)
        for key, words in (
            ("topics", rule.topics),
            ("risk_tags", rule.risk_tags),
            ("environments", rule.environments),
            ("tools", rule.tools),
            ("data_classes", rule.data_classes),
            ("roles", rule.roles),
        )
        if words
    }
    if rule.labels:
        match["labels"] = dict(rule.labels)
    written: dict[str, object] = {
        "id": rule.id,
        "match": match,
        "decision": rule.effect.lower(),
        "reason": f"what {rule.id} says",
    }
    if rule.effect == "ALLOW_WITH_CONSTRAINTS":
        written["constraints"] = {"max_runtime_sec": 60, "max_retries": 1}
    return written


def answer(effect: str | None, case: Case) -> str:
    """The effect of the strictest matching rule, or what holds where none matches."""
    return effect or ("ALLOW" if case.tool else "DENY")


def expected(rules: tuple[PlainRule, ...], case: Case) -> str:
    """What a scan over all rules answers."""
    return answer(next((rule.effect for rule in rules if fits(rule, case)), None), case)


def fits(rule: PlainRule, case: Case) -> bool:
    """Whether every condition of ``rule`` holds."""
    return (
        has_topic(rule, case)
        and (not rule.risk_tags or bool(case.tags & set(rule.risk_tags)))
        and all(case.labels[key] == value for key, value in rule.labels.items())
        and (not rule.environments or case.environment in rule.environments)
        and (not rule.tools or case.tool in rule.tools)
        and (not rule.data_classes or bool(case.classes & set(rule.data_classes)))
        and (not rule.roles or bool(case.roles & set(rule.roles)))
    )


def has_topic(rule: PlainRule, case: Case) -> bool:
    """Whether one of the globs fits; a star spans any characters."""
    return any(expression(text).fullmatch(case.topic) for text in rule.topics)


@lru_cache(maxsize=65_536)
def expression(glob: str) -> re.Pattern[str]:
    """A glob of this workload as a regular expression."""
    return re.compile(".*".join(re.escape(part) for part in glob.split("*")))
