"""What each source of a decision has to say, except the rules.

Lives here: the request as the registry and the credential see it, and the words of credential,
tool registry, clearance, environment gate, constraint registry and signals.
Must not live here: rules and the final answer (``evaluate``).
Law: claims loosen nothing. ``facts`` hold what credential and registry vouch for; ``claims`` add
what the agent says and can only make the answer stricter. A request that names no tool has no
registry behind it and is judged by its own words.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from governance.action import ActionRequest, Dispatch
from governance.policy.clearance import UNSTATED, highest
from governance.policy.constraints import ViolationAction
from governance.policy.decision import SIGNAL_PREFIX, Effect, TraceLine, Warned
from governance.policy.emergency import called
from governance.policy.facts import Facts
from governance.policy.matching import NOTHING, Subject, fold
from governance.policy.model import PROD, Bundle
from governance.policy.signal_rules import SIGNALS_VERSION
from governance.policy.signals import SignalKind, signals_in
from governance.policy.tools import WIDTH, Tool
from governance.principal import Agent

WARN = ViolationAction.WARN.value
SIGNAL = "signal"
LOOKED_FOR_SIGNALS = TraceLine(
    source="signals", id="", verdict="considered", note=f"version {SIGNALS_VERSION} of the rules"
)
"""In every trace, so that a decision is derived again by the same rules."""
_WORDS = {action.value: action for action in WIDTH}


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One source's word; without an effect it is a warning."""

    source: str
    id: str
    effect: Effect | None
    reason: str
    tier: str = ""
    line: TraceLine | None = None
    """The line in the trace where it is there already."""

    def trace(self) -> TraceLine:
        """The line in the decision's trace."""
        if self.line is not None:
            return self.line
        verdict = WARN if self.effect is None else self.effect.value
        return TraceLine(source=self.source, id=self.id, verdict=verdict, note=self.reason)

    @property
    def is_shown(self) -> bool:
        """Whether people are warned of it, whatever the effect: WARN constraints and signals."""
        return self.effect is None or self.source == SIGNAL

    def warned(self) -> Warned:
        """The warning on the card."""
        name = f"{SIGNAL_PREFIX}{self.id}" if self.source == SIGNAL else self.id
        return Warned(constraint_id=name, description=self.reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A request as it is judged."""

    request: ActionRequest
    agent: Agent
    bundle: Bundle
    tool_name: str
    tool: Tool | None
    environment: str
    facts: Subject
    claims: Subject

    @property
    def data_classes(self) -> tuple[str, ...]:
        """Every class and mark in play, sorted; what nobody states counts as internal."""
        return tuple(sorted(self.claims.data_classes))

    @property
    def data_class(self) -> str:
        """The highest ordered class in play."""
        return highest(self.claims.data_classes)


def judged(request: ActionRequest, agent: Agent, bundle: Bundle, facts: Facts) -> Judged:
    """Harden ``request`` by what credential and registry know."""
    tool_name = request.tool or request.labels.get("mcp.tool", "")
    tool = bundle.tools.get(tool_name)
    action = request.action if tool is None else tool.action(request.action)
    if "mcp.action" in request.labels:
        also = _WORDS.get(request.labels["mcp.action"], action)
        action = max(action, also, key=WIDTH.index)
    environment = environment_of(request, bundle)
    named = fold([request.environment]) if request.environment else NOTHING
    known = UNSTATED if tool is None else tool.classification
    claimed = Subject(
        tenant=request.tenant,
        agent=request.agent,
        roles=frozenset(agent.roles),
        topic=request.topic,
        tool=tool_name,
        action=action,
        target=request.target,
        environments=named | {environment},
        capabilities=fold([request.capability]) if request.capability else NOTHING,
        risk_tags=fold(request.risk_tags) if request.risk_tags else NOTHING,
        requires=fold(request.requires) if request.requires else NOTHING,
        labels=request.labels,
        data_classes=frozenset([known, *fold(request.data_classes)]),
        arguments=request.content.arguments,
        on_behalf_of=request.on_behalf_of,
        facts=facts,
        trace_id=request.trace_id,
    )
    vouched = _vouched(claimed, vouched_environment(environment, agent, tool), tool)
    said = _with_registry(claimed, tool)
    return Judged(
        request=request,
        agent=agent,
        bundle=bundle,
        tool_name=tool_name,
        tool=tool,
        environment=environment,
        facts=vouched,
        claims=_beside(said, vouched),
    )


def _beside(said: Subject, vouched: Subject) -> Subject:
    """What is vouched for holds beside whatever is said."""
    if said is vouched:
        return said
    return _but(
        said,
        environments=said.environments | vouched.environments,
        risk_tags=said.risk_tags | vouched.risk_tags,
    )


def environment_of(request: ActionRequest, bundle: Bundle) -> str:
    """The environment whose gate holds; a missing one, or one without a gate, is prod."""
    name = request.environment.strip().casefold()
    return name if name in bundle.environments else PROD


def vouched_environment(environment: str, agent: Agent, tool: Tool | None) -> str:
    """Where it acts as far as anybody but the agent says so; prod where nobody does.

    An environment is a claim unless the credential, or the tool's registration, is bound to some:
    then naming another is a denial, and this one is vouched for.
    """
    is_bound = bool(agent.environments) or (tool is not None and bool(tool.environments))
    return environment if is_bound else PROD


def may_name_environment(request: ActionRequest, agent: Agent) -> bool:
    """Whether the credential lets the agent work where it says (or does not say) it does."""
    named = request.environment.strip().casefold() or PROD
    bound = agent.environments
    return not bound or named in bound or named in fold(bound)


def _with_registry(claimed: Subject, tool: Tool | None) -> Subject:
    if tool is None:
        return claimed
    return _but(
        claimed,
        capabilities=claimed.capabilities | _capability(tool),
        risk_tags=claimed.risk_tags | tool.tags(claimed, surely=False),
    )


def _vouched(claimed: Subject, environment: str, tool: Tool | None) -> Subject:
    """What remains without the agent's word, where a registry knows better."""
    if tool is None:
        return _but(claimed, environments=frozenset({environment}))
    vouched = _but(
        claimed,
        environments=frozenset({environment}),
        capabilities=_capability(tool),
        risk_tags=tool.risk_tags,
        requires=NOTHING,
        data_classes=frozenset({tool.classification}),
    )
    tags = tool.tags(vouched, surely=True)
    return vouched if tags is tool.risk_tags else _but(vouched, risk_tags=tags)


def _but(subject: Subject, **words: frozenset[str]) -> Subject:
    """``subject`` with other words: itself where they are its own, since a copy costs most."""
    for kind, found in words.items():
        if getattr(subject, kind) != found:
            return replace(subject, **words)  # type: ignore[arg-type]  # only these fields
    return subject


def _capability(tool: Tool) -> frozenset[str]:
    return frozenset({tool.capability}) if tool.capability else NOTHING


def sources(judged: Judged) -> list[Said]:
    """Every source's word in the order in which they are told."""
    return [
        *_credential(judged),
        *_registry(judged),
        *_clearance(judged),
        *_gate(judged),
        *_constraints(judged),
        *_signals(judged),
    ]


def _credential(judged: Judged) -> Iterator[Said]:
    request, agent = judged.request, judged.agent
    if (request.agent, request.tenant) != (agent.id, agent.tenant):
        yield _deny("credential", agent.id, "the credential belongs to another agent or tenant")
    if not may_name_environment(request, agent):
        named = request.environment or PROD
        yield _deny("credential", agent.id, f"agent {agent.id} may not act in {named}")


def _registry(judged: Judged) -> Iterator[Said]:
    name, tool, request = judged.tool_name, judged.tool, judged.request
    if not name:
        if request.dispatch is Dispatch.EXECUTE:
            yield _deny("registry", "", "an action that is executed for an agent names its tool")
        return
    if tool is None:
        yield _deny("registry", name, f"tool {name} is not registered")
        return
    action = judged.claims.action
    actions = frozenset({action, request.action})
    refusals = tool.refusals(request, judged.agent, actions, judged.environment)
    for reason in refusals:
        yield _deny("registry", name, reason)
    if not refusals:
        yield Said(
            source="registry",
            id=name,
            effect=Effect.ALLOW,
            reason=f"tool {name} may {action.value} within its grant",
        )
    if tool.requires_approval:
        yield _approve("registry", name, f"tool {name} requires approval", tool.tier)
    if action.value in judged.bundle.approval_required_for:
        reason = f"{action.value} with a tool requires approval"
        yield _approve("registry", name, reason, tool.tier)


def _clearance(judged: Judged) -> Iterator[Said]:
    missing = judged.bundle.clearance.missing(judged.claims.data_classes, judged.facts.roles)
    for name in missing:
        yield _deny("clearance", name, f"no role of the requester is cleared for {name} data")


def _gate(judged: Judged) -> Iterator[Said]:
    vouched = vouched_environment(judged.environment, judged.agent, judged.tool)
    yield from _gate_of(judged, judged.environment)
    if vouched != judged.environment:
        yield from _gate_of(judged, vouched)


def _gate_of(judged: Judged, name: str) -> Iterator[Said]:
    gate = judged.bundle.gate(name)
    allowed = gate.allowed_tools
    if judged.tool is not None and allowed is not None and judged.tool_name not in allowed:
        yield _deny(
            "environment", name, f"tool {judged.tool_name} is not among the tools of {name}"
        )
    if gate.requires_human_approval:
        yield _approve("environment", name, f"every action in {name} requires approval", gate.tier)


def _constraints(judged: Judged) -> Iterator[Said]:
    exceptions = judged.bundle.exceptions
    violated = judged.bundle.constraints.violations(judged.claims, judged.facts)
    template, misfit = called(judged.bundle.emergencies, judged.request, judged.facts, violated)
    if misfit:
        yield _deny("emergency", "", misfit)
    for rule in violated:
        if rule.violation_action is ViolationAction.WARN:
            yield Said(source="constraint", id=rule.id, effect=None, reason=rule.description)
        elif template is not None and rule.id in template.constraints:
            reason = f"EMERGENCY {template.name}: exception to constraint {rule.id}: "
            yield _approve("constraint", rule.id, reason + rule.description, template.tier)
        elif rule.id in exceptions:
            reason = f"exception to constraint {rule.id}: {rule.description}"
            yield _approve("constraint", rule.id, reason, exceptions[rule.id])
        else:
            yield _deny("constraint", rule.id, f"constraint {rule.id}: {rule.description}")


def _signals(judged: Judged) -> Iterator[Said]:
    policy = judged.bundle.signals
    for signal in signals_in(judged.request):
        is_secret = signal.kind is SignalKind.SECRET
        effect = policy.secrets if is_secret else policy.injection
        if effect is not None:
            tier = policy.tier if effect is Effect.REQUIRE_APPROVAL else ""
            yield Said(
                source=SIGNAL, id=signal.rule, effect=effect, reason=signal.sentence, tier=tier
            )


def _deny(source: str, name: str, reason: str) -> Said:
    return Said(source=source, id=name, effect=Effect.DENY, reason=reason)


def _approve(source: str, name: str, reason: str, tier: str) -> Said:
    return Said(source=source, id=name, effect=Effect.REQUIRE_APPROVAL, reason=reason, tier=tier)
