"""Why policy answers as it does, and what would have to be otherwise.

Lives here: the explanation of one decision: its sources, every rule that matches or nearly does,
once each, and what would change the effect. Must not live here: the decision itself (``evaluate``
makes it), how a change is made (``counterfactual``), where an explanation is shown.
Law: the effect is ``evaluate``'s, always. It records nothing and charges nothing. It tells whoever
asks for themselves no more than they could find by asking otherwise.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from heapq import nsmallest

from governance.action import ActionRequest
from governance.canonical import Json
from governance.errors import PlacetError
from governance.policy.cel.expression import Expression
from governance.policy.compare import IDENTITY, Compared, compare, near_misses
from governance.policy.counterfactual import Counterfactual, counterfactuals
from governance.policy.decision import Decision, Effect, TraceLine
from governance.policy.evaluate import evaluate
from governance.policy.facts import Facts, Past
from governance.policy.index import Rule
from governance.policy.matching import Outcome, Subject
from governance.policy.model import Bundle
from governance.policy.vouching import Judged, judged
from governance.principal import Agent

MOST_NEAR = 20
MOST_RULES = 200
"""Matching rules that are told one by one; the decision's own ids are whole."""
_NOT_COUNTED = "not counted"
_FAULTS = (PlacetError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


class Standing(StrEnum):
    """What part a rule plays in the answer."""

    DECIDES = "decides"
    """It is one of ``rule_ids``, and of what a case expects as ``rules``."""
    OUTWEIGHED = "outweighed"
    """Of several in order, an earlier one decides."""
    MAY_THROTTLE = "may throttle"
    NOT_COUNTED = "not counted"
    NEAR = "near"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExplainedRule:
    """One rule and how each of its conditions compared."""

    rule_id: str
    effect: str
    standing: Standing
    note: str
    reason: str
    conditions: tuple[Compared, ...]

    def to_json(self) -> dict[str, Json]:
        """Plain JSON."""
        return {
            "rule_id": self.rule_id,
            "effect": self.effect,
            "standing": self.standing.value,
            "note": self.note,
            "reason": self.reason,
            "conditions": [item.to_json() for item in self.conditions],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One decision, explained; ``rules_in_all`` counts the bundle's."""

    decision: Decision
    sources: tuple[TraceLine, ...]
    """Every source but the rules, in the order in which they are told."""
    rules: tuple[ExplainedRule, ...]
    """Every rule that matches, once, in the order of the file."""
    near: tuple[ExplainedRule, ...]
    changes: tuple[Counterfactual, ...]
    rules_in_all: int

    def lines(self) -> tuple[TraceLine, ...]:
        """The trace with one line for each rule."""
        return (*self.sources, *(_line(rule) for rule in self.rules))

    def to_json(self) -> dict[str, Json]:
        """Plain JSON, without the decision."""
        return {
            "sources": [
                {"source": line.source, "id": line.id, "verdict": line.verdict, "note": line.note}
                for line in self.sources
            ],
            "rules": [rule.to_json() for rule in self.rules],
            "near": [rule.to_json() for rule in self.near],
            "changes": [change.to_json() for change in self.changes],
            "rules_in_all": self.rules_in_all,
        }


def explain(
    request: ActionRequest,
    agent: Agent,
    bundle: Bundle,
    *,
    at: datetime,
    past: Past | None = None,
    for_asker: bool = False,
) -> Explanation:
    """Explain what ``evaluate`` answers now.

    ``for_asker``: it is told to the agent itself, or to whoever may read no more than that, so it
    leaves out what the agent could not find by asking otherwise: rules that are meant for others,
    changes of registry and credential, and names that would not help it.
    """
    decision = evaluate(request, agent, bundle, at=at, past=past)
    told = Explanation(
        decision=decision,
        sources=tuple(line for line in decision.trace if line.source not in ("rule", "rules")),
        rules=(),
        near=(),
        changes=(),
        rules_in_all=len(bundle.rules.rules),
    )
    try:
        asked = judged(request, agent, bundle, Facts(at=at, past=past or Past()))
        rules = tuple(_rules(asked, decision, for_asker=for_asker))
        heard = frozenset(line.id for line in decision.trace if line.source == "rule")
        misses = (rule for rule in _near(asked, for_asker=for_asker) if rule.id not in heard)
        near = nsmallest(MOST_NEAR, misses, key=_relevance)
    except _FAULTS:
        return told  # what evaluate could not judge has no rules to tell of
    changes = counterfactuals(asked, decision, near, for_asker=for_asker)
    nearly = tuple(_told(rule, asked, Standing.NEAR, for_asker=for_asker) for rule in near)
    return replace(told, rules=rules, near=nearly, changes=changes)


def once(trace: Iterable[TraceLine]) -> tuple[TraceLine, ...]:
    """A recorded trace with one line for each rule: that of its match, which says more."""
    kept: list[TraceLine] = []
    told: set[str] = set()
    for line in reversed(tuple(trace)):
        is_again = line.source == "rule" and line.id in told
        kept += [] if is_again else [line]
        told |= {line.id} if line.source == "rule" else set()
    return tuple(reversed(kept))


def _line(rule: ExplainedRule) -> TraceLine:
    verdict = _NOT_COUNTED if rule.standing is Standing.NOT_COUNTED else rule.effect
    note = "; ".join(part for part in (rule.reason, rule.note) if part)
    return TraceLine(source="rule", id=rule.rule_id, verdict=verdict, note=note)


def _rules(asked: Judged, decision: Decision, *, for_asker: bool) -> Iterator[ExplainedRule]:
    """Every matching rule; what ``evaluate`` did with it stands in its trace."""
    ignored = {
        line.id for line in decision.trace if line.source == "rule" and line.verdict == _NOT_COUNTED
    }
    heard = {line.id for line in decision.trace if line.source == "rule"}
    deciding = frozenset(decision.rule_ids)
    found = 0
    for rule in asked.bundle.rules.candidates(asked.claims):
        is_heard = rule.id in heard  # by what is vouched for, where no claim may talk it away
        if not is_heard and rule.match.judge(asked.claims) is Outcome.NOT_MATCHED:
            continue
        found += 1
        if found > MOST_RULES:
            return
        standing = Standing.OUTWEIGHED
        if rule.id in ignored:
            standing = Standing.NOT_COUNTED
        elif rule.rate is not None:
            standing = Standing.MAY_THROTTLE
        elif rule.id in deciding:
            standing = Standing.DECIDES
        yield _told(rule, asked, standing, for_asker=for_asker, answer=decision.effect)


def _told(
    rule: Rule,
    asked: Judged,
    standing: Standing,
    *,
    for_asker: bool,
    answer: Effect | None = None,
) -> ExplainedRule:
    conditions = _compared(rule, asked.claims, for_asker=for_asker)
    vouched: tuple[Compared, ...] = ()
    if standing is Standing.NOT_COUNTED:
        vouched = _compared(rule, asked.facts, for_asker=for_asker)
    notes = (*_notes(standing, conditions, vouched), *_weight(rule, standing, answer))
    return ExplainedRule(
        rule_id=rule.id,
        effect=rule.effect.value,
        standing=standing,
        note="; ".join(notes),
        reason=rule.reason,
        conditions=conditions,
    )


def _compared(rule: Rule, subject: Subject, *, for_asker: bool) -> tuple[Compared, ...]:
    found = compare(rule.match, subject)
    return tuple(map(_own, found) if for_asker else found)


def _notes(
    standing: Standing, conditions: Iterable[Compared], vouched: Iterable[Compared]
) -> Iterator[str]:
    if standing is Standing.NEAR:
        yield from (item.sentence for item in conditions if item.outcome is Outcome.NOT_MATCHED)
    for item in conditions:
        if item.outcome is Outcome.ERROR:
            yield f"{item.condition} cannot be judged"
    if standing is Standing.NOT_COUNTED:
        yield "it loosens, and claims alone loosen nothing"
        yield from (
            f"vouched for is: {item.sentence}"
            for item in vouched
            if item.outcome is not Outcome.MATCHED
        )
    if standing is Standing.MAY_THROTTLE:
        yield "it throttles while its bucket is empty; nothing was taken from it"


def _weight(rule: Rule, standing: Standing, answer: Effect | None) -> Iterator[str]:
    if standing is Standing.DECIDES and rule.effect is not answer:
        yield "something stricter is the answer"
    if standing is Standing.OUTWEIGHED:
        yield "an earlier rule decides"


def _own(item: Compared) -> Compared:
    """A condition on who asks, without the names of others; an expression may hold any."""
    if not item.wanted:
        return replace(item, condition="another condition")
    if item.condition not in IDENTITY:
        return item
    return replace(item, wanted=tuple(word for word in item.wanted if word in item.got))


def _near(asked: Judged, *, for_asker: bool) -> Iterator[Rule]:
    """Rules that fail on exactly one condition: a linear scan, which only explaining may do."""
    rules = asked.bundle.rules.rules
    for place in near_misses((rule.match for rule in rules), asked.claims):
        if not (for_asker and _is_for_others(rules[place], asked)):
            yield rules[place]


def _is_for_others(rule: Rule, asked: Judged) -> bool:
    named = any(
        item.condition in IDENTITY and item.outcome is not Outcome.MATCHED
        for item in compare(rule.match, asked.claims)
    )
    return named or any(
        isinstance(item, Expression)
        and item.asks_who
        and item.judge(asked.claims) is not Outcome.MATCHED
        for item in rule.match.conditions
    )


def _relevance(rule: Rule) -> tuple[int, int, int]:
    """The rule that asks for most comes first, since it fits best; then the stricter one."""
    match = rule.match
    sets = (
        *(match.tools, match.actions, match.tenants, match.agents, match.roles),
        *(match.environments, match.capabilities, match.risk_tags, match.data_classes),
        *(match.requires, match.topics, match.labels, match.conditions),
    )
    return (-sum(bool(item) for item in sets), -rule.effect.rank, rule.position)
