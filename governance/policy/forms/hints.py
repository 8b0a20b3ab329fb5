"""What to write instead of keys that other control planes' policy files carry.

Lives here: one sentence for each such key. Must not live here: any translation of them.
Law: a key that is refused here and means something elsewhere is refused with what means it here.
"""

from collections.abc import Mapping

HINTS: Mapping[str, str] = {
    "default_tenant": "the tenant is a setting of the service, PLACET_TENANT",
    "tenants": "each tenant has a service and a bundle of its own; a match may name tenants",
    "selector": "a rule says in its match when it applies",
    "input_rules": "write them under rules; what is asked is judged by them",
    "output_rules": "every output is scanned; output.policy says what becomes of findings",
    "input_policy": "signals says what becomes of injections and secrets in what is asked",
    "output_policy": "write output: {policy: redact}, or quarantine",
    "require_human": "write decision: require_approval, or requires_human_approval in environments",
    "velocity": "velocity stands in match; to slow down, write decision: throttle with a rate",
    "remediations": "none are offered: say in reason what to ask for instead",
    "priority": "the strictest rule that matches wins; no rule has a priority",
    "enabled": "a rule that is there holds; take it out, or write it as a comment",
    "description": "write reason: it is shown to people and agents",
    "pack_ids": "match tools or capabilities",
    "actor_ids": "match agents by the id of their credential, or roles",
    "actor_types": "match agents by the id of their credential, or roles",
    "agent_risk_tiers": "give the agent's credential a role, and match roles",
    "agent_data_classifications": "match data_classes; who may touch them says clearance",
    "label_allowlist": "write label_not_in for a rule that matches what is not listed",
    "secrets_present": "signals.secrets says what becomes of a secret in what is asked",
    "predicate": "write when, an expression",
    "delegation": "write when with on_behalf_of",
    "mcp": "list the tools under tools: one that is not there is refused; labels mcp.tool and "
    "mcp.action name them",
    "budgets": "write max_runtime_s, max_retries, max_artifact_bytes, max_concurrent_jobs here",
    "sandbox": "write isolated, network_allow, read_allow, write_allow here",
    "toolchain": "write tools_allow, commands_allow here",
    "diff": "write max_files, max_lines, paths_deny here",
    "max_runtime_ms": "write max_runtime_s, in seconds",
    "deny_path_globs": "write paths_deny",
    "allowed_tools": "write tools_allow",
    "allowed_commands": "write commands_allow",
    "network_allowlist": "write network_allow",
    "allowed_destinations": "write network_allow",
    "fs_read_only": "write read_allow",
    "fs_read_write": "write write_allow",
    "redaction_level": "write redact_deny",
    "redact_patterns": "write redact_deny",
    "max_requests": "write count in a rate, more_than in a velocity",
    "window_seconds": "write window_s in a rate, within in a velocity",
}
"""By the key alone, wherever it stands: where it is known it is not refused."""


OF_CASES: Mapping[str, str] = {
    "description": "write it in name, or as a comment",
    "id": "write name",
    "input": "write request",
    "expected": "write expect",
    "decision": "write effect in expect",
    "time": "write at",
    "now": "write at",
    "past": "write deeds",
    "history": "write deeds",
    "rule": "write rules, a list",
    "obligations": "write limits",
    "constraints": "write limits in expect",
    **dict.fromkeys(
        ("topic", "tool", "action", "environment", "target", "arguments", "labels", "risk_tags"),
        "it stands in request",
    ),
    "args": "write arguments in request",
    "tags": "write risk_tags in request",
    "role": "write roles in agent",
}
"""The same for keys of cases."""


def hint(key: str, hints: Mapping[str, str] = HINTS) -> str:
    """What to write instead of ``key``, empty where nothing is known about it."""
    text = hints.get(key, "")
    return f": {text}" if text else ""
