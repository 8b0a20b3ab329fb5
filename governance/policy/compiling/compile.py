"""From the validated form of a bundle to its values.

Lives here: the checks that look at two places at once, and the merge of the seeds' sections with
our own. Must not live here: single-key checks (``forms``) or the decision (``evaluate``).
Law: what cannot work (a tier that nobody can meet, a rule that names a tier that is not there)
is refused at load, with a pointer, and not at the first ticket.
"""

from collections.abc import Iterable, Mapping
from itertools import chain
from types import MappingProxyType

from governance.action import ActionKind
from governance.canonical import Json
from governance.execution import SandboxTier
from governance.policy.clearance import DEFAULT_CLEARANCE, DEFAULT_RESTRICTED, Clearance
from governance.policy.compiling.delegation import compile_delegation
from governance.policy.compiling.emergency import compile_emergencies
from governance.policy.compiling.levels import compile_levels
from governance.policy.compiling.reminders import compile_reminders
from governance.policy.compiling.rules import compile_constraints, compile_rules, effect_of
from governance.policy.compiling.tiers import BUILT_IN, compile_tiers, default_tier
from governance.policy.compiling.tools import compile_gates, compile_tools
from governance.policy.constraints import ConstraintRegistry
from governance.policy.emergency import Emergency
from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.sections import AuditForm, DirectoryForm, SignalsForm, TicketForm
from governance.policy.forms.seeds import credential_ttl_s
from governance.policy.history import Lookback, lookback
from governance.policy.index import RuleIndex
from governance.policy.matching import fold
from governance.policy.model import (
    AuditPolicy,
    Bundle,
    Members,
    Note,
    OutputPolicy,
    Sharing,
    SignalPolicy,
    Strategy,
    snapshot_of,
)
from governance.policy.tools import ToolRegistry
from governance.principal import PersonId

DEFAULT_APPROVAL = frozenset({ActionKind.WRITE.value, ActionKind.EXECUTE.value})
DEFAULT_TTL_HOURS = 48
DEFAULT_RETENTION_DAYS = 365
RETENTION_BY_CLASS = {"financial": 2555}
"""Seven years for what books are kept of; a bundle may say otherwise."""


def compile_bundle(form: BundleForm, source: Mapping[str, Json], notes: list[Note]) -> Bundle:
    """Check ``form`` as a whole and build the bundle.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer.
    """
    max_ttl_s = _max_ttl_s(form)
    own = compile_tiers(form, max_ttl_s, notes)
    graded = compile_levels(form, own)
    tiers = {**own, **graded.tiers}
    clearance = _clearance(form)
    gates = compile_gates(form)
    registry = ConstraintRegistry(compile_constraints(form, source))
    rules = RuleIndex(compile_rules(form, gates, notes))
    tools = ToolRegistry(tools=MappingProxyType(compile_tools(form, source, clearance)))
    emergencies, urgent = compile_emergencies(form, registry, tiers, notes)
    bundle = Bundle(
        name=form.name,
        strategy=Strategy(form.strategy),
        default_decision=effect_of(form.default_decision),
        default_tier=default_tier(form, own),
        minimum_sandbox=SandboxTier(form.minimum_sandbox),
        rules=rules,
        constraints=registry,
        exceptions=MappingProxyType(dict(form.exceptions)),
        tools=tools,
        tiers=MappingProxyType({**tiers, **urgent}),
        environments=MappingProxyType(gates),
        clearance=clearance,
        approval_required_for=_approval_required_for(form),
        required_fields=frozenset().union(*(ticket.required_fields for ticket in _tickets(form))),
        max_ttl_s=max_ttl_s,
        max_pending=form.limits.max_pending,
        max_pending_per_agent=form.limits.max_pending_per_agent,
        refusals_in_full=form.limits.refusals_in_full,
        refusal_window_s=form.limits.refusal_window_s,
        credential_ttl_s=credential_ttl_s(form),
        output=OutputPolicy(
            quarantine=form.output.policy == "quarantine", max_bytes=form.output.max_bytes
        ),
        signals=_signals(form.signals),
        audit=_audit(form),
        directory=MappingProxyType(_directory(form.directory)),
        shared_channels=Sharing(form.directory.shared_channels),
        not_enforced=tuple(notes),
        source=source,
        registry_digest=registry.digest,
        snapshot=snapshot_of(source, registry.digest),
        lookback=_lookback(rules, registry, tools, emergencies.values()),
        levels=MappingProxyType(graded.levels),
        escalations=MappingProxyType(graded.escalations),
        emergencies=MappingProxyType(emergencies),
        reminders=compile_reminders(form, {**tiers, **urgent}, graded.levels),
        delegation=compile_delegation(form, {**tiers, **urgent}, graded.levels, graded.escalations),
    )
    _check_tiers_exist(form, tiers)
    _check_exceptions(form, registry)
    return bundle


def _lookback(
    rules: RuleIndex,
    registry: ConstraintRegistry,
    tools: ToolRegistry,
    emergencies: Iterable[Emergency],
) -> Lookback:
    matches = [rule.match for rule in rules.rules]
    matches += [rule.match for rule in registry if rule.match is not None]
    matches += [each.match for tool in tools for each in tool.derived]
    matches += [template.match for template in emergencies]
    return lookback(chain.from_iterable(match.conditions for match in matches))


def _tickets(form: BundleForm) -> list[TicketForm]:
    block = form.exception_routing
    return [form.ticket] if block is None else [form.ticket, block.ticket]


def _max_ttl_s(form: BundleForm) -> int:
    hours = [ticket.max_ttl_hours for ticket in _tickets(form) if ticket.max_ttl_hours is not None]
    return min(hours, default=DEFAULT_TTL_HOURS) * 3_600


def _union(*written: Iterable[str] | None) -> frozenset[str] | None:
    """The union of what our section and the seed's list; None where neither is written."""
    lists = [words for words in written if words is not None]
    return fold(chain.from_iterable(lists)) if lists else None


def _approval_required_for(form: BundleForm) -> frozenset[str]:
    engine = form.policy_engine
    written = _union(
        form.approval_required_for, None if engine is None else engine.approval_required_for
    )
    return DEFAULT_APPROVAL if written is None else written


def _clearance(form: BundleForm) -> Clearance:
    engine = form.policy_engine
    restricted = _union(
        form.restricted_data_classes, None if engine is None else engine.restricted_data_classes
    )
    roles: Mapping[str, Iterable[str]] = (
        DEFAULT_CLEARANCE if form.clearance is None else form.clearance
    )
    return Clearance(
        restricted=DEFAULT_RESTRICTED if restricted is None else restricted,
        roles=MappingProxyType(
            {name.casefold(): frozenset(holders) for name, holders in roles.items()}
        ),
    )


def _signals(form: SignalsForm) -> SignalPolicy:
    return SignalPolicy(
        injection=None if form.injection == "off" else effect_of(form.injection),
        secrets=effect_of(form.secrets),
        tier=form.tier or "",
    )


def _audit(form: BundleForm) -> AuditPolicy:
    block = form.exception_routing
    audits = [form.audit] if block is None else [form.audit, block.audit]
    days = [audit.retention_days for audit in audits if audit.retention_days is not None]
    return AuditPolicy(
        channel=next((audit.channel for audit in audits if audit.channel), ""),
        retention_days=max(days, default=DEFAULT_RETENTION_DAYS),
        retention_by_class=_by_class(audits),
        fields=next((tuple(audit.fields) for audit in audits if audit.fields), ()),
    )


def _by_class(audits: Iterable[AuditForm]) -> dict[str, int]:
    written: dict[str, int] = {}
    for audit in audits:
        for name, days in audit.retention_by_class.items():
            written[name] = max(days, written.get(name, 0))
    return RETENTION_BY_CLASS | written


def _directory(form: DirectoryForm) -> dict[str, Members]:
    return {
        role: Members(
            people=tuple(PersonId(person) for person in members.people),
            slack_usergroups=tuple(members.slack_usergroups),
            emails=tuple(address.lower() for address in members.emails),
            directory_groups=tuple(members.directory_groups),
        )
        for role, members in form.roles.items()
    }


def _check_tiers_exist(form: BundleForm, tiers: Mapping[str, object]) -> None:
    named: list[tuple[str | None, tuple[str | int, ...]]] = [
        (form.default_tier, ("default_tier",)),
        (form.signals.tier, ("signals", "tier")),
        *((rule.tier, ("rules", n, "tier")) for n, rule in enumerate(form.rules)),
        *((tool.tier, ("tools", name, "tier")) for name, tool in form.tools.items()),
        *((gate.tier, ("environments", name, "tier")) for name, gate in form.environments.items()),
        *((tier, ("exceptions", name)) for name, tier in form.exceptions.items()),
    ]
    if form.policy_engine is not None:
        named += [
            (gate.tier, ("policy_engine", "environment_gates", name, "tier"))
            for name, gate in form.policy_engine.environment_gates.items()
        ]
    levels = {word.casefold() for item in form.tiers.values() for word in item.severity}
    for name, tool in form.tools.items():
        if tool.severity is not None and tool.severity.casefold() not in levels:
            at = pointer("tools", name, "severity")
            raise refuse(at, f"no tier has a level {tool.severity!r}")
    for tier, place in named:
        if tier is not None and (tier not in tiers or tier == BUILT_IN):
            known = ", ".join(sorted(name for name in tiers if name != BUILT_IN)) or "none"
            raise refuse(pointer(*place), f"there is no tier {tier!r}; there are: {known}")


def _check_exceptions(form: BundleForm, registry: ConstraintRegistry) -> None:
    for name in form.exceptions:
        constraint = registry.get(name)
        if constraint is None:
            raise refuse(pointer("exceptions", name), f"there is no constraint {name!r}")
        if constraint.violation_action.value != "BLOCK":
            raise refuse(pointer("exceptions", name), f"{name!r} only warns: it needs no exception")
