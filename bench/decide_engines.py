"""The engines that are given the workload, ours among them.

Lives here: how each is loaded and asked. Must not live here: what is measured (``decide``).
Law: each is used as its documentation recommends (whatever it can parse in advance is parsed in
advance), ours is the whole decision with its trace, and none may use the network.
"""

import importlib
import logging
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version

from bench.decide_workload import Case, PlainRule, Workload, answer, expression
from governance.policy.bundle import load
from governance.policy.evaluate import evaluate

_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_CASBIN = """
[request_definition]
r = topic, tags, labels, environment, tool, classes, roles
[policy_definition]
p = effect, topics, tags, labels, environments, tools, classes, roles
[policy_effect]
e = some(where (p.eft == allow))
[matchers]
m = fits(r.topic, p.topics) && meets(r.tags, p.tags) && agrees(r.labels, p.labels) && \
meets(r.environment, p.environments) && meets(r.tool, p.tools) && \
meets(r.classes, p.classes) && meets(r.roles, p.roles)
"""
Decide = Callable[[Case], str]
"""One decision, as the name of its effect."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """One engine: the distribution it comes from, and what it can say."""

    name: str
    distribution: str
    note: str
    is_full: bool = True
    """False: it cannot express the rules; its answers are not compared."""
    build: Callable[[Workload], Decide]

    @property
    def version(self) -> str:
        """The installed version, empty where there is none."""
        try:
            return version(self.distribution)
        except PackageNotFoundError:
            return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """An engine with a workload loaded."""

    kind: Kind
    decide: Decide
    load_s: float


def built(kind: Kind, work: Workload) -> Engine:
    """Load ``work`` into an installed engine."""
    begun = time.perf_counter()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # others' deprecations are theirs
        decide = kind.build(work)
    return Engine(kind=kind, decide=decide, load_s=time.perf_counter() - begun)


def _placet(work: Workload) -> Decide:
    bundle = load(work.bundle())

    def decide(case: Case) -> str:
        return evaluate(case.request, case.agent, bundle, at=_AT).effect.value

    return decide


def _cedar(work: Workload) -> Decide:
    """One policy a rule; a denial is a ``forbid``, the effect of a ``permit`` is that of its rule.

    Policies and entities are parsed once. Cedar names every policy that decided; the first is the
    strictest, since the rules stand in that order.
    """
    cedar = importlib.import_module("cedarpy")
    policies = cedar.PolicySet.from_str("\n".join(map(_cedar_policy, work.rules)))
    entities = cedar.Entities.from_json_str("[]")
    effects = [rule.effect for rule in work.rules]

    def decide(case: Case) -> str:
        request = {
            "principal": {"type": "Agent", "id": case.agent.id},
            "action": {"type": "Action", "id": "read"},
            "resource": {"type": "Topic", "id": "topic"},
            "context": {
                "topic": case.topic,
                "tool": case.tool,
                "tags": sorted(case.tags),
                "labels": dict(case.labels),
                "environment": case.environment,
                "classes": sorted(case.classes),
                "roles": sorted(case.roles),
            },
        }
        reasons = cedar.is_authorized(request, policies, entities).diagnostics.reasons
        first = min((int(name.removeprefix("policy")) for name in reasons), default=None)
        return answer(None if first is None else effects[first], case)

    return decide


def _cedar_policy(rule: PlainRule) -> str:
    like = " || ".join(f'context.topic like "{topic}"' for topic in rule.topics)
    conditions = [f"({like})"]
    if rule.environments:
        conditions.append(f"{_words(rule.environments)}.contains(context.environment)")
    if rule.tools:
        conditions.append(f"{_words(rule.tools)}.contains(context.tool)")
    conditions += [f'context.labels.{key} == "{value}"' for key, value in rule.labels.items()]
    for name, words in (
        ("tags", rule.risk_tags),
        ("classes", rule.data_classes),
        ("roles", rule.roles),
    ):
        if words:
            conditions.append(f"context.{name}.containsAny({_words(words)})")
    word = "forbid" if rule.effect == "DENY" else "permit"
    return f"{word}(principal, action, resource) when {{ {' && '.join(conditions)} }};"


def _words(words: tuple[str, ...]) -> str:
    return "[" + ", ".join(f'"{word}"' for word in words) + "]"


def _casbin(work: Workload) -> Decide:
    """Policies in the rules' order, so that the first match is the strictest."""
    casbin = importlib.import_module("casbin")
    logging.getLogger("casbin").setLevel(logging.ERROR)  # it writes a line for every request
    model = casbin.Model()
    model.load_model_from_text(_CASBIN)
    enforcer = casbin.Enforcer(model)
    enforcer.add_function("fits", _fits)
    enforcer.add_function("meets", _meets)
    enforcer.add_function("agrees", _agrees)
    # Casbin refuses one policy twice; the first of equals is the one that would decide.
    rows = dict.fromkeys(map(_casbin_row, work.rules))
    enforcer.add_policies([list(row) for row in rows])

    def decide(case: Case) -> str:
        _, row = enforcer.enforce_ex(
            case.topic,
            case.tags,
            case.labels,
            frozenset({case.environment}),
            frozenset({case.tool}),
            case.classes,
            case.roles,
        )
        return answer(row[0] if row else None, case)

    return decide


def _casbin_row(rule: PlainRule) -> tuple[str, ...]:
    lists = (rule.environments, rule.tools, rule.data_classes, rule.roles)
    labels = "|".join(f"{key}={value}" for key, value in sorted(rule.labels.items()))
    return (
        rule.effect,
        "|".join(rule.topics),
        "|".join(rule.risk_tags),
        labels,
        *map("|".join, lists),
    )


@lru_cache(maxsize=65_536)
def _split(words: str) -> frozenset[str]:
    return frozenset(words.split("|")) if words else frozenset()


def _fits(topic: str, globs: str) -> bool:
    return any(expression(glob).fullmatch(topic) for glob in _split(globs))


def _meets(have: frozenset[str], wanted: str) -> bool:
    return not wanted or not _split(wanted).isdisjoint(have)


def _agrees(labels: Mapping[str, str], wanted: str) -> bool:
    return all(labels[pair.partition("=")[0]] == pair.partition("=")[2] for pair in _split(wanted))


def _agent_os(work: Workload) -> Decide:
    """One condition a rule, which is all that its rules hold: the topic as a regular expression.

    It reads no file and opens no connection; its own default where nothing matches is to allow,
    so the documented ``defaults`` say deny.
    """
    policies = importlib.import_module("agent_os.policies")
    schema = importlib.import_module("agent_os.policies.schema")
    rules = [
        {
            "name": rule.id,
            "condition": {
                "field": "topic",
                "operator": "matches",
                "value": "|".join(
                    f"^{re.escape(text).replace(chr(92) + '*', '.*')}$" for text in rule.topics
                ),
            },
            "action": "allow" if rule.effect.startswith("ALLOW") else "deny",
            "priority": len(work.rules) - number,
        }
        for number, rule in enumerate(work.rules)
    ]
    document = schema.PolicyDocument.model_validate(
        {"name": "bench", "rules": rules, "defaults": {"action": "deny"}}
    )
    evaluator = policies.PolicyEvaluator(policies=[document])

    def decide(case: Case) -> str:
        return str(evaluator.evaluate({"topic": case.topic}).action).upper()

    return decide


KINDS = (
    Kind(
        name="placet",
        distribution="placet",
        note="full: every matching rule, merged constraints, approvals and trace",
        build=_placet,
    ),
    Kind(
        name="cedarpy",
        distribution="cedarpy",
        note="full; PolicySet and Entities parsed in advance",
        build=_cedar,
    ),
    Kind(
        name="casbin",
        distribution="casbin",
        note="full by a matcher with functions of ours; stops at the first match",
        build=_casbin,
    ),
    Kind(
        name="agent-os-kernel",
        distribution="agent-os-kernel",
        note="PARTIAL: topic only, allow or deny; its rules hold one condition",
        is_full=False,
        build=_agent_os,
    ),
)
"""Ours first."""
