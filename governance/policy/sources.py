"""What each source of a decision has to say, except the rules.

Lives here: the words of credential, tool registry, clearance, environment gate, constraint
registry and signals. Must not live here: what of a request is vouched for (``vouching``), the
rules (``hearing``) and the final answer (``evaluate``).
Law: every source speaks to every request; none of them knows what another has said.
"""

from collections.abc import Sequence

from governance.action import Dispatch
from governance.policy.constraints import ViolationAction
from governance.policy.decision import Effect, TraceLine
from governance.policy.emergency import called
from governance.policy.model import PROD
from governance.policy.said import SIGNAL, Said, approve, deny
from governance.policy.signals.rules import SIGNALS_VERSION
from governance.policy.signals.scan import SignalKind, signals_in
from governance.policy.vouching import Judged, may_name_environment, vouched_environment

LOOKED_FOR_SIGNALS = TraceLine(
    source="signals", id="", verdict="considered", note=f"version {SIGNALS_VERSION} of the rules"
)
"""In every trace, so that a decision is derived again by the same rules."""
_ENV = "environment"


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


def _credential(judged: Judged) -> Sequence[Said]:
    request, agent = judged.request, judged.agent
    said: list[Said] = []
    if request.agent != agent.id or request.tenant != agent.tenant:
        reason = "the credential belongs to another agent or tenant"
        said.append(deny("credential", agent.id, reason))
    if not may_name_environment(request, agent):
        named = request.environment or PROD
        said.append(deny("credential", agent.id, f"agent {agent.id} may not act in {named}"))
    return said


def _registry(judged: Judged) -> Sequence[Said]:
    name, tool, request = judged.tool_name, judged.tool, judged.request
    if not name:
        if request.dispatch is Dispatch.EXECUTE:
            reason = "an action that is executed for an agent names its tool"
            return (deny("registry", "", reason),)
        return ()
    if tool is None:
        return (deny("registry", name, f"tool {name} is not registered"),)
    action = judged.claims.action
    actions = frozenset({action, request.action})
    refusals = tool.refusals(request, judged.agent, actions, judged.environment)
    said = [deny("registry", name, reason) for reason in refusals] or [tool.granted[action]]
    if tool.requires_approval:
        said.append(approve("registry", name, f"tool {name} requires approval", tool.tier))
    if action.value in judged.bundle.approval_required_for:
        reason = f"{action.value} with a tool requires approval"
        said.append(approve("registry", name, reason, tool.tier))
    return said


def _clearance(judged: Judged) -> Sequence[Said]:
    missing = judged.bundle.clearance.missing(judged.claims.data_classes, judged.facts.roles)
    return [
        deny("clearance", name, f"no role of the requester is cleared for {name} data")
        for name in missing
    ]


def _gate(judged: Judged) -> Sequence[Said]:
    vouched = vouched_environment(judged.environment, judged.agent, judged.tool)
    said = _gate_of(judged, judged.environment)
    if vouched != judged.environment:
        said += _gate_of(judged, vouched)
    return said


def _gate_of(judged: Judged, name: str) -> list[Said]:
    gate = judged.bundle.gate(name)
    said: list[Said] = []
    allowed = gate.allowed_tools
    if judged.tool is not None and allowed is not None and judged.tool_name not in allowed:
        reason = f"tool {judged.tool_name} is not among the tools of {name}"
        said.append(deny(_ENV, name, reason))
    if gate.requires_human_approval:
        said.append(approve(_ENV, name, f"every action in {name} requires approval", gate.tier))
    return said


def _constraints(judged: Judged) -> Sequence[Said]:
    bundle = judged.bundle
    violated = bundle.constraints.violations(judged.claims, judged.unsaid, judged.facts)
    template, misfit = called(bundle.emergencies, judged.request, judged.facts, violated)
    said = [deny("emergency", "", misfit)] if misfit else []
    for rule in violated:
        if rule.violation_action is ViolationAction.WARN:
            word = Said(source="constraint", id=rule.id, effect=None, reason=rule.description)
        elif template is not None and rule.id in template.constraints:
            reason = f"EMERGENCY {template.name}: exception to constraint {rule.id}: "
            word = approve("constraint", rule.id, reason + rule.description, template.tier)
        elif rule.id in bundle.exceptions:
            reason = f"exception to constraint {rule.id}: {rule.description}"
            word = approve("constraint", rule.id, reason, bundle.exceptions[rule.id])
        else:
            word = deny("constraint", rule.id, f"constraint {rule.id}: {rule.description}")
        said.append(word)
    return said


def _signals(judged: Judged) -> Sequence[Said]:
    policy = judged.bundle.signals
    said: list[Said] = []
    for signal in signals_in(judged.request):
        is_secret = signal.kind is SignalKind.SECRET
        effect = policy.secrets if is_secret else policy.injection
        if effect is not None:
            tier = policy.tier if effect is Effect.REQUIRE_APPROVAL else ""
            reason = signal.sentence
            word = Said(source=SIGNAL, id=signal.rule, effect=effect, reason=reason, tier=tier)
            said.append(word)
    return said
