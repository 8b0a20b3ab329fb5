"""A bundle as a table of what it means, for comparison.

Lives here: every section but the rules, as names with keys and plain values, defaults filled in.
Must not live here: the comparison. Law: two bundles that decide differently have different views,
or different rules; what two spellings mean alike looks alike.
"""

from collections.abc import Mapping
from decimal import Decimal

from governance.canonical import Json
from governance.policy.constraints import ConstraintRule
from governance.policy.decision import Requirement
from governance.policy.diff.changes import Group
from governance.policy.emergency import PREFIX
from governance.policy.forms.base import Form
from governance.policy.forms.documented import BundleForm
from governance.policy.model import Bundle

Item = Mapping[str, Json]
_TOLD = frozenset(
    {
        "version", "rules", "constraints", "exceptions", "emergency", "tools", "tool_groups",
        "tiers", "environments", "clearance", "approval_required_for", "restricted_data_classes",
        "ticket", "limits", "output", "signals", "audit", "directory", "exception_routing",
        "runtime", "policy_engine", "name", "strategy", "default_decision", "default_tier",
        "minimum_sandbox",
    }
)  # fmt: skip
"""The sections that the views below tell."""


def views(bundle: Bundle) -> dict[Group, dict[str, Item]]:
    """Every section by name and key."""
    form = BundleForm.model_validate(bundle.source)
    clearance = bundle.clearance
    return {
        Group.CONSTRAINT: {rule.id: _constraint(rule) for rule in bundle.constraints},
        Group.EXCEPTION: {name: {"tier": tier} for name, tier in bundle.exceptions.items()},
        Group.EMERGENCY: {name: _dumped(item) for name, item in form.emergency.items()},
        Group.TIER: {
            name: _tier(bundle, tier)
            for name, tier in bundle.tiers.items()
            if not name.startswith(PREFIX)
        },
        Group.TOOL: {name: _dumped(item) for name, item in form.tools.items()},
        Group.TOOL_GROUP: {
            name: {"tools": sorted(set(tools))} for name, tools in form.tool_groups.items()
        },
        Group.ENVIRONMENT: {
            name: {
                "requires_human_approval": gate.requires_human_approval,
                "tools": None if gate.allowed_tools is None else sorted(gate.allowed_tools),
                "fail_mode": "unsafe_open" if gate.unsafe_open else "closed",
                "tier": gate.tier,
            }
            for name, gate in bundle.environments.items()
        },
        Group.DATA_CLASS: {
            name: {
                "needs clearance": clearance.needs(name),
                "cleared roles": sorted(clearance.clearing(name)),
            }
            for name in sorted(clearance.known)
        },
        Group.ROLE: {
            role: {
                "people": list(item.people),
                "user groups": list(item.slack_usergroups),
                "addresses": list(item.emails),
                "directory groups": list(item.directory_groups),
            }
            for role, item in bundle.directory.items()
        },
        Group.SIGNALS: {"": _dumped(form.signals)},
        Group.LIMITS: {"": _limits(bundle)},
        Group.BUNDLE: {"": _settings(bundle, form)},
    }


def _constraint(rule: ConstraintRule) -> Item:
    return {
        "description": rule.description,
        "violation_action": rule.violation_action.value,
        "match": rule.source.get("match"),
        "metadata": dict(rule.metadata),
    }


def _tier(bundle: Bundle, tier: Requirement) -> Item:
    return {
        "roles": {
            role.role: {"weight": role.weight, "min_required": role.min_required}
            for role in sorted(tier.roles, key=lambda role: role.role)
        },
        "threshold": tier.threshold,
        "ttl_s": tier.ttl_s,
        "respond_within_s": tier.respond_within_s,
        "comment_required": tier.comment_required,
        "step_up": tier.step_up,
        "reviewer": tier.reviewer,
        "distinct_roles": tier.distinct_roles,
        "reject_policy": tier.reject_policy.value,
        "sandbox": tier.sandbox.value,
        "release_allowed": tier.release_allowed,
        "escalation": bundle.escalations.get(tier.tier),
    }


def _limits(bundle: Bundle) -> Item:
    return {
        "max_pending": bundle.max_pending,
        "max_pending_per_agent": bundle.max_pending_per_agent,
        "refusals_in_full": bundle.refusals_in_full,
        "refusal_window_s": bundle.refusal_window_s,
        "max_ttl_s": bundle.max_ttl_s,
        "credential_ttl_s": bundle.credential_ttl_s,
        "output_max_bytes": bundle.output.max_bytes,
    }


def _settings(bundle: Bundle, form: BundleForm) -> Item:
    told = {
        "name": bundle.name,
        "strategy": bundle.strategy.value,
        "default_decision": bundle.default_decision.value,
        "default_tier": bundle.default_tier,
        "minimum_sandbox": bundle.minimum_sandbox.value,
        "approval_required_for": sorted(bundle.approval_required_for),
        "required_fields": sorted(bundle.required_fields),
        "output": "quarantine" if bundle.output.quarantine else "redact",
        "shared channels": bundle.shared_channels.value,
        "audit channel": bundle.audit.channel,
        "retention_days": bundle.audit.retention_days,
        "retention_by_class": dict(bundle.audit.retention_by_class),
        "audit fields": list(bundle.audit.fields),
        "not enforced": [note.pointer for note in bundle.not_enforced],
    }
    return told | {name: value for name, value in _dumped(form).items() if name not in _TOLD}


def _dumped(form: Form) -> Item:
    """Every key of a form with its value, defaults filled in; other spellings are one."""
    return {name: _plain(value) for name, value in form.model_dump(mode="python").items()}


def _plain(value: object) -> Json:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    assert value is None or isinstance(value, str | bool | int | Decimal)  # noqa: S101  # plain data
    return value
