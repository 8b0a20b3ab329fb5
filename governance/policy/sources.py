"""What each source of a decision has to say, except the rules.

Lives here: the words of credential, tool registry, clearance, environment gate, constraint
registry and signals. Must not live here: what of a request is vouched for (``vouching``), the
rules (``hearing``) and the final answer (``evaluate``).
Law: every source speaks to every request; none of them knows what another has said.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from governance.action import Dispatch
from governance.policy.constraints import ViolationAction
from governance.policy.decision import SIGNAL_PREFIX, Effect, TraceLine, Warned
from governance.policy.emergency import called
from governance.policy.model import PROD
from governance.policy.signal_rules import SIGNALS_VERSION
from governance.policy.signals import SignalKind, signals_in
from governance.policy.vouching import Judged, may_name_environment, vouched_environment

WARN = ViolationAction.WARN.value
SIGNAL = "signal"
LOOKED_FOR_SIGNALS = TraceLine(
    source="signals", id="", verdict="considered", note=f"version {SIGNALS_VERSION} of the rules"
)
"""In every trace, so that a decision is derived again by the same rules."""


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
    violated = judged.bundle.constraints.violations(judged.claims, judged.unsaid, judged.facts)
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
