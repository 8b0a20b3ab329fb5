"""The policy decision point: one request, one bundle, one answer with its whole trace.

Lives here: the words of the rules, and the one answer that follows from all sources.
Must not live here: the other sources (``sources``), counters (the ledger settles the demands).
Law: the most restrictive word wins; where nothing answers, ``default_decision`` does; a rule that
cannot be judged does not loosen; whatever else goes wrong is DENY ``policy_unavailable``.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from functools import reduce

from governance.action import ActionRequest, Dispatch
from governance.errors import PlacetError
from governance.policy.decision import (
    BucketDemand,
    Constraints,
    Decision,
    Effect,
    Requirement,
    TraceLine,
    Warned,
)
from governance.policy.facts import Deed, Facts
from governance.policy.index import Rule
from governance.policy.matching import Outcome
from governance.policy.model import Bundle, Strategy
from governance.policy.sources import (
    Judged,
    Said,
    environment_of,
    judged,
    may_name_environment,
    sources,
)
from governance.policy.tiers import join, stricter
from governance.principal import Agent

UNAVAILABLE = "policy_unavailable"
STATIC_RETRY_S = 30
"""What a throttle without a rate answers as Retry-After."""
_FAULTS = (PlacetError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
_TOLD = ("credential", "clearance", "constraint", "rule", "registry", "environment", "default")
"""Of several equally strict words, whose reason is told."""
_ANSWERS = frozenset({"registry", "rule", "constraint"})


def evaluate(
    request: ActionRequest,
    agent: Agent,
    bundle: Bundle,
    *,
    at: datetime,
    deeds: tuple[Deed, ...] = (),
) -> Decision:
    """Decide on ``request`` as ``agent``'s credential made it, under ``bundle``.

    Fails closed: an error outside a rule is DENY ``policy_unavailable``, unless the environment
    is written ``unsafe_open``. ``demands`` are for the ledger to settle; ``at`` is a fact of the
    decision beside them and must be aware.
    """
    try:
        if at.tzinfo is None:
            raise ValueError("a time without zone")
        return _decide(judged(request, agent, bundle, Facts(at=at, deeds=deeds)))
    except _FAULTS as fault:
        return unavailable(request, agent, bundle, f"evaluation failed ({type(fault).__name__})")


def unavailable(request: ActionRequest, agent: Agent, bundle: Bundle | None, why: str) -> Decision:
    """The answer while policy cannot be evaluated: DENY, or what ``unsafe_open`` lets through.

    Only a release may pass unjudged, and only where the credential lets the agent be: for an
    executed action no plan was checked.
    """
    environment = "prod" if bundle is None else environment_of(request, bundle)
    is_open = (
        bundle is not None
        and bundle.gate(environment).unsafe_open
        and request.dispatch is Dispatch.RELEASE
        and may_name_environment(request, agent)
        and (request.agent, request.tenant) == (agent.id, agent.tenant)
    )
    effect = Effect.ALLOW if is_open else Effect.DENY
    reason = f"{UNAVAILABLE}: {why}"
    return Decision(
        effect=effect,
        reason=reason,
        snapshot="" if bundle is None else bundle.snapshot,
        environment=environment,
        safety_bypassed=is_open,
        trace=(TraceLine(source="fail_mode", id=environment, verdict=effect.value, note=reason),),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Heard:
    """What the rules said: those that decide, and the buckets that may still throttle."""

    deciding: tuple[Rule, ...]
    demands: tuple[BucketDemand, ...]
    trace: tuple[TraceLine, ...]


def _decide(asked: Judged) -> Decision:
    said = list(sources(asked))
    heard = _hear(asked)
    said += [_word(rule) for rule in heard.deciding]
    said += _default(asked, said)
    effect = _strictest(said)
    requirement = _requirement(asked.bundle, said) if effect is Effect.REQUIRE_APPROVAL else None
    refusal = _refuse_ticket(asked, requirement)
    if refusal is not None:
        said.append(refusal)
        effect, requirement = Effect.DENY, None
    stops = effect in (Effect.DENY, Effect.THROTTLE)
    tool = asked.tool
    executes = asked.request.dispatch is Dispatch.EXECUTE and tool is not None
    return Decision(
        effect=effect,
        reason=_reason(said, effect),
        snapshot=asked.bundle.snapshot,
        rule_ids=_rule_ids(heard.deciding),
        constraint_ids=_blocked(said),
        constraint_id=next(iter(_blocked(said)), "") if requirement is not None else "",
        constraints=reduce(
            Constraints.merge, (rule.constraints for rule in heard.deciding), Constraints()
        ),
        warnings=tuple(
            Warned(constraint_id=word.id, description=word.reason)
            for word in said
            if word.effect is None
        ),
        risk_tier=requirement.tier if requirement is not None else "",
        requirement=requirement,
        data_class=asked.data_class,
        risk_tags=tuple(sorted(asked.claims.risk_tags)),
        environment=asked.environment,
        plan_digest=tool.plan_digest if executes and tool is not None else "",
        sandbox=asked.bundle.minimum_sandbox if requirement is None else requirement.sandbox,
        demands=() if stops else heard.demands,
        retry_after_s=STATIC_RETRY_S if effect is Effect.THROTTLE else 0,
        trace=(*(word.trace() for word in said), *heard.trace),
        data_classes=asked.data_classes,
    )


def _hear(asked: Judged) -> _Heard:
    """Judge the candidates twice: by what is vouched for, and by what is claimed as well.

    A rule that loosens counts only by the facts; one that restricts counts by either. Under
    ``first_match`` the first by the facts and the first by the claims both decide, so that no
    claim can pull a mild rule in front of a strict one.
    """
    facts: list[Rule] = []
    claims: list[Rule] = []
    demands: list[BucketDemand] = []
    trace: list[TraceLine] = []
    candidates = asked.bundle.rules.candidates(asked.claims)
    for rule in candidates:
        by_claims = rule.match.judge(asked.claims)
        if by_claims is Outcome.NOT_MATCHED:
            continue
        vouched = _by_facts(rule, asked)
        counts = vouched or not rule.effect.loosens
        trace.append(_line(rule, by_claims, counts=counts))
        if counts and rule.rate is not None:
            demands.append(_demand(rule, asked))
        elif counts:
            claims.append(rule)
            facts += [rule] if vouched else []
    deciding = claims
    if asked.bundle.strategy is Strategy.FIRST_MATCH:
        firsts = {rule.position: rule for rule in (*facts[:1], *claims[:1])}
        deciding = [firsts[position] for position in sorted(firsts)]
    note = f"{len(asked.bundle.rules.rules)} rules, {len(candidates)} judged, {len(trace)} match"
    trace.append(TraceLine(source="rules", id="", verdict="considered", note=note))
    return _Heard(deciding=tuple(deciding), demands=tuple(demands), trace=tuple(trace))


def _by_facts(rule: Rule, asked: Judged) -> bool:
    """Whether ``rule`` counts without the agent's claims.

    Where a registry vouches for a tool, a label is a claim and loosens nothing.
    """
    outcome = rule.match.judge(asked.facts)
    if not rule.effect.loosens:
        return outcome is not Outcome.NOT_MATCHED
    return outcome is Outcome.MATCHED and not (asked.tool is not None and rule.match.labels)


def _line(rule: Rule, outcome: Outcome, *, counts: bool) -> TraceLine:
    notes = [rule.reason] if rule.reason else []
    if outcome is Outcome.ERROR:
        notes.append("a label that it asks for is missing")
    if not counts:
        notes.append("matches by claims alone, which loosen nothing")
    if rule.rate is not None:
        notes.append("throttles while its bucket is empty")
    return TraceLine(
        source="rule",
        id=rule.id,
        verdict=rule.effect.value if counts else "not counted",
        note="; ".join(notes),
    )


def _demand(rule: Rule, asked: Judged) -> BucketDemand:
    rate = rule.rate
    assert rate is not None  # noqa: S101  # the caller asked
    request = asked.request
    who = {"agent": request.agent, "tenant": "", "tool": asked.tool_name}[rate.per]
    return BucketDemand(
        key="|".join((rule.id, rate.per, request.tenant, who)),
        rule_id=rule.id,
        capacity=rate.count,
        refill_ms=rate.refill_ms,
    )


def _word(rule: Rule) -> Said:
    return Said(
        source="rule",
        id=rule.id,
        effect=rule.effect,
        reason=rule.reason or f"rule {rule.id}",
        tier=rule.tier,
    )


def _default(asked: Judged, said: Iterable[Said]) -> list[Said]:
    """What holds where neither a rule, nor a tool's grant, nor an exception answers.

    Write and execute are not let through by a default that allows.
    """
    if any(word.effect is not None and word.source in _ANSWERS for word in said):
        return []
    effect = asked.bundle.default_decision
    answer = Said(
        source="default",
        id="default_decision",
        effect=effect,
        reason="no rule matches",
    )
    action = asked.claims.action.value
    if effect.loosens and action in asked.bundle.approval_required_for:
        reason = f"no rule matches, and {action} requires approval"
        return [replace(answer, effect=Effect.REQUIRE_APPROVAL, reason=reason)]
    return [answer]


def _strictest(said: Iterable[Said]) -> Effect:
    return max((word.effect for word in said if word.effect is not None), key=lambda e: e.rank)


def _requirement(bundle: Bundle, said: Iterable[Said]) -> Requirement:
    """The join of every tier that a source of this approval names, else the default tier."""
    named = {word.tier for word in said if word.effect is Effect.REQUIRE_APPROVAL} - {""}
    requirement = join(bundle.tiers[name] for name in named or {bundle.default_tier})
    return replace(requirement, sandbox=stricter(requirement.sandbox, bundle.minimum_sandbox))


def _refuse_ticket(asked: Judged, requirement: Requirement | None) -> Said | None:
    """Why no ticket may be opened although people could approve."""
    if requirement is None:
        return None
    request = asked.request
    if request.dispatch is Dispatch.RELEASE and not requirement.release_allowed:
        reason = f"tier {requirement.tier} is executed by the service, never released"
        return Said(source="tier", id=requirement.tier, effect=Effect.DENY, reason=reason)
    given = {
        "justification": bool(request.content.justification.strip()),
        "target": bool(request.target.strip()),
        "on_behalf_of": request.on_behalf_of is not None,
    }
    missing = [name for name in sorted(asked.bundle.required_fields) if not given.get(name, True)]
    if not missing:
        return None
    reason = f"a ticket needs {' and '.join(missing)}"
    return Said(source="ticket", id=missing[0], effect=Effect.DENY, reason=reason)


def _reason(said: Iterable[Said], effect: Effect) -> str:
    words = [word for word in said if word.effect is effect]
    return min(words, key=lambda word: (_told(word.source), word.id, word.reason)).reason


def _told(source: str) -> int:
    return _TOLD.index(source) if source in _TOLD else len(_TOLD)


def _blocked(said: Iterable[Said]) -> tuple[str, ...]:
    """The violated constraints that do more than warn."""
    return tuple(
        word.id for word in said if word.source == "constraint" and word.effect is not None
    )


def _rule_ids(rules: Iterable[Rule]) -> tuple[str, ...]:
    """The deciding rules, the strictest first; the order of the file plays no part."""
    return tuple(rule.id for rule in sorted(rules, key=lambda rule: (-rule.effect.rank, rule.id)))
