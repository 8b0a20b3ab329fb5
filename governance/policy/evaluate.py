"""The policy decision point: one request, one bundle, one answer with its whole trace.

Lives here: the one answer that follows from all sources.
Must not live here: the sources (``sources``; the rules: ``hearing``), counters (the ledger settles
the demands).
Law: the most restrictive word wins; where nothing answers, ``default_decision`` does; a rule that
cannot be judged does not loosen; whatever else goes wrong is DENY ``policy_unavailable``.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import reduce
from operator import attrgetter

from governance.action import ActionRequest, Dispatch
from governance.errors import PlacetError
from governance.policy.decision import (
    NO_CONSTRAINTS,
    Constraints,
    Decision,
    Effect,
    Requirement,
    TraceLine,
)
from governance.policy.facts import Deed, Facts, Past
from governance.policy.hearing import hear
from governance.policy.index import Rule
from governance.policy.model import Bundle
from governance.policy.required import required
from governance.policy.said import Said, approve, deny
from governance.policy.sources import LOOKED_FOR_SIGNALS, sources
from governance.policy.vouching import (
    Judged,
    environment_of,
    judged,
    may_name_environment,
    vouched_environment,
)
from governance.principal import Agent

UNAVAILABLE = "policy_unavailable"
STATIC_RETRY_S = 30
"""What a throttle without a rate answers as Retry-After."""
_FAULTS = (PlacetError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)
_TOLD = {
    source: place
    for place, source in enumerate(
        (
            "credential",
            "clearance",
            "emergency",
            "constraint",
            "rule",
            "registry",
            "environment",
            "default",
        )
    )
}
"""Of several equally strict words, whose reason is told."""
_NO_PAST = Past()
_RANK = attrgetter("rank")
_ANSWERS = frozenset({"registry", "rule", "constraint"})
_DEFAULT = {
    effect: Said(source="default", id="default_decision", effect=effect, reason="no rule matches")
    for effect in Effect
}


def evaluate(
    request: ActionRequest,
    agent: Agent,
    bundle: Bundle,
    *,
    at: datetime,
    deeds: tuple[Deed, ...] = (),
    past: Past | None = None,
) -> Decision:
    """Decide on ``request`` as ``agent``'s credential made it, under ``bundle``.

    Fails closed: an error outside a rule is DENY ``policy_unavailable``, unless the environment
    is written ``unsafe_open``. ``demands`` are for the ledger to settle; ``at`` is a fact of the
    decision beside them and must be aware. ``past`` is what the ledger looked up; without it the
    ``deeds`` are all there is.
    """
    try:
        if at.tzinfo is None:
            raise ValueError("a time without zone")
        known = past or (Past(deeds=deeds) if deeds else _NO_PAST)
        return _decide(judged(request, agent, bundle, Facts(at=at, past=known)))
    except _FAULTS as fault:
        return unavailable(request, agent, bundle, f"evaluation failed ({type(fault).__name__})")


def unavailable(request: ActionRequest, agent: Agent, bundle: Bundle | None, why: str) -> Decision:
    """The answer while policy cannot be evaluated: DENY, or what ``unsafe_open`` lets through.

    Only a release may pass unjudged, and only where credential or tool vouch for the agent to be:
    for an executed action no plan was checked, and an environment that is only named opens nothing.
    """
    environment = "prod" if bundle is None else environment_of(request, bundle)
    is_open = (
        bundle is not None
        and bundle.gate(environment).unsafe_open
        and bundle.gate(_vouched(request, agent, bundle, environment)).unsafe_open
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


def _vouched(request: ActionRequest, agent: Agent, bundle: Bundle, environment: str) -> str:
    return vouched_environment(environment, agent, bundle.tools.get(request.tool))


def _decide(asked: Judged) -> Decision:
    said = sources(asked)
    heard = hear(asked)
    said += [rule.said for rule in heard.deciding]
    said += _default(asked, said)
    effect = _strictest(said)
    people = required(asked, said) if effect is Effect.REQUIRE_APPROVAL else None
    requirement = None if people is None else people.requirement
    refusal = _refuse_ticket(asked, requirement)
    if refusal is not None:
        said.append(refusal)
        effect, requirement, people = Effect.DENY, None, None
    stops = effect in (Effect.DENY, Effect.THROTTLE)
    blocked = _blocked(said)
    tool = asked.tool
    executes = asked.request.dispatch is Dispatch.EXECUTE and tool is not None
    return Decision(
        effect=effect,
        reason=_reason(said, effect),
        snapshot=asked.bundle.snapshot,
        rule_ids=_rule_ids(heard.deciding),
        constraint_ids=blocked,
        constraint_id=blocked[0] if blocked and requirement is not None else "",
        constraints=_tightest(heard.deciding),
        warnings=tuple([word.warned() for word in said if word.is_shown]),
        risk_tier=requirement.tier if requirement is not None else "",
        requirement=requirement,
        instead=() if people is None else people.instead,
        data_class=asked.data_class,
        risk_tags=tuple(sorted(asked.claims.risk_tags)),
        environment=asked.environment,
        plan_digest=tool.plan_digest if executes and tool is not None else "",
        sandbox=asked.bundle.minimum_sandbox if requirement is None else requirement.sandbox,
        demands=() if stops else heard.demands,
        retry_after_s=STATIC_RETRY_S if effect is Effect.THROTTLE else 0,
        trace=(
            *[word.line for word in said],
            *(() if people is None else people.trace),
            LOOKED_FOR_SIGNALS,
            *heard.trace,
        ),
        data_classes=asked.data_classes,
        action=asked.claims.action.value,
    )


def _default(asked: Judged, said: Iterable[Said]) -> tuple[Said, ...]:
    """What holds where neither a rule, nor a tool's grant, nor an exception answers.

    Write and execute are not let through by a default that allows.
    """
    for word in said:
        if word.effect is not None and word.source in _ANSWERS:
            return ()
    effect = asked.bundle.default_decision
    action = asked.claims.action.value
    if effect.loosens and action in asked.bundle.approval_required_for:
        reason = f"no rule matches, and {action} requires approval"
        return (approve("default", "default_decision", reason, ""),)
    return (_DEFAULT[effect],)


def _tightest(rules: Sequence[Rule]) -> Constraints:
    given = {rule.constraints: None for rule in rules if rule.constraints is not NO_CONSTRAINTS}
    if not given:
        return NO_CONSTRAINTS
    return reduce(Constraints.merge, given)


def _strictest(said: Iterable[Said]) -> Effect:
    return max([word.effect for word in said if word.effect is not None], key=_RANK)


def _refuse_ticket(asked: Judged, requirement: Requirement | None) -> Said | None:
    """Why no ticket may be opened although people could approve."""
    if requirement is None:
        return None
    request = asked.request
    if request.dispatch is Dispatch.RELEASE and not requirement.release_allowed:
        reason = f"tier {requirement.tier} is executed by the service, never released"
        return deny("tier", requirement.tier, reason)
    if not asked.bundle.required_fields:
        return None
    given = {
        "justification": bool(request.content.justification.strip()),
        "target": bool(request.target.strip()),
        "on_behalf_of": request.on_behalf_of is not None,
    }
    missing = [name for name in sorted(asked.bundle.required_fields) if not given.get(name, True)]
    if not missing:
        return None
    reason = f"a ticket needs {' and '.join(missing)}"
    return deny("ticket", missing[0], reason)


def _reason(said: Iterable[Said], effect: Effect) -> str:
    words = [word for word in said if word.effect is effect]
    if len(words) == 1:
        return words[0].reason
    return min(words, key=_told).reason


def _told(word: Said) -> tuple[int, str, str]:
    return _TOLD.get(word.source, len(_TOLD)), word.id, word.reason


def _blocked(said: Iterable[Said]) -> tuple[str, ...]:
    """The violated constraints that do more than warn."""
    return tuple(
        [word.id for word in said if word.source == "constraint" and word.effect is not None]
    )


def _rule_ids(rules: Sequence[Rule]) -> tuple[str, ...]:
    """The deciding rules, the strictest first; the order of the file plays no part."""
    ranked = rules if len(rules) == 1 else sorted(rules, key=_place)
    return tuple([rule.id for rule in ranked])


def _place(rule: Rule) -> tuple[int, str]:
    return -rule.effect.rank, rule.id
