"""The settings that two published harness files carry and this service fixes or fulfils.

Lives here: what is refused and what is reported of ``exception_routing:`` and ``runtime:`` files.
Must not live here: their rules, roles, tools and gates, which ``compile`` treats as our own.
Law: a setting that would weaken a law of the house is refused, one that asks for what is not
there is reported, none is ignored in silence.
Source: seeds 000 and 001, configuration templates.
"""

import re

from governance.policy.forms.documented import BundleForm, pointer, refuse
from governance.policy.forms.sections import AuditForm
from governance.policy.model import Note

MAX_CREDENTIAL_MINUTES = 15
_EPHEMERAL = re.compile(r"ephemeral-([1-9][0-9]?)m")
_CPU, _MEMORY = "0.5", "256Mi"
WANTS_REDIS = "/exception_routing/executor/idempotency_store"
"""Of the note on a bundle that names Redis."""


def check_seeds(form: BundleForm) -> list[Note]:
    """Refuse what must not be, and list what is not enforced.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer to the setting.
    """
    notes = _audit(form.audit, "/audit")
    if form.exception_routing is not None:
        notes += _exception_routing(form)
        notes += _audit(form.exception_routing.audit, "/exception_routing/audit")
    if form.runtime is not None:
        _only(form.runtime.version, "1.0", "/runtime/version")
        credential_ttl_s(form)
        if form.runtime.identity_binding is not None:
            notes.append(
                Note(
                    pointer="/runtime/identity_binding",
                    text=f"{form.runtime.identity_binding!r} is no identity source that is known "
                    "here: people are resolved through the directory section",
                )
            )
    return notes


def credential_ttl_s(form: BundleForm) -> int:
    """How long a credential minted for a run may live, in seconds.

    Raises:
        InvalidInput: a rotation that is not ``ephemeral-<minutes>m`` of at most 15 minutes.
    """
    rotation = form.runtime.credential_rotation if form.runtime is not None else None
    found = _EPHEMERAL.fullmatch(rotation or f"ephemeral-{MAX_CREDENTIAL_MINUTES}m")
    if found is None or int(found[1]) > MAX_CREDENTIAL_MINUTES:
        raise refuse(
            "/runtime/credential_rotation",
            f"credentials are ephemeral: write ephemeral-1m to ephemeral-{MAX_CREDENTIAL_MINUTES}m",
        )
    return int(found[1]) * 60


def _exception_routing(form: BundleForm) -> list[Note]:
    block = form.exception_routing
    assert block is not None  # noqa: S101  # the caller asked
    at = "/exception_routing"
    _only(block.registry.mode, "READ_ONLY", f"{at}/registry/mode")
    _only(block.registry.refresh_interval, 0, f"{at}/registry/refresh_interval")
    _only(block.approval.signature_algorithm, "ES256", f"{at}/approval/signature_algorithm")
    _only(block.executor.sandbox, True, f"{at}/executor/sandbox")
    limits = block.executor.resource_limits
    _only(limits.network, "deny_outbound", f"{at}/executor/resource_limits/network")
    notes = []
    for key, value, fixed in (("cpu", limits.cpu, _CPU), ("memory", limits.memory, _MEMORY)):
        if value != fixed:
            notes.append(
                Note(
                    pointer=pointer("exception_routing", "executor", "resource_limits", key),
                    text=f"the sandbox's own limit of {fixed} holds for {key}",
                )
            )
    match block.executor.idempotency_store:
        case None | "ledger":
            pass
        case "redis":
            text = (
                "the ledger decides; the Redis server that is asked before it is named by the "
                "setting PLACET_IDEMPOTENCY_STORE, without which placet serve does not start"
            )
            notes.append(Note(pointer=WANTS_REDIS, text=text))
        case _:
            raise refuse(WANTS_REDIS, "the stores of idempotency keys are ledger and redis")
    return notes


def _audit(audit: AuditForm, at: str) -> list[Note]:
    if audit.format not in (None, "JSON", "structured-json"):
        raise refuse(f"{at}/format", "the audit trail is JSON")
    if audit.hash_algorithm is not None:
        _only(audit.hash_algorithm, "SHA-256", f"{at}/hash_algorithm")
    notes = []
    if audit.channel is not None:
        text = "the setting PLACET_SLACK_AUDIT_CHANNEL names the audit channel"
        notes.append(Note(pointer=f"{at}/channel", text=text))
    if audit.fields:
        text = "whoever reads the log gets whole records, and no columns are picked"
        notes.append(Note(pointer=f"{at}/fields", text=text))
    if audit.sink is not None:
        text = f"no back end is configured for the sink {audit.sink!r}"
        notes.append(Note(pointer=f"{at}/sink", text=text))
    return notes


def _only(value: str | int | bool, wanted: str | int | bool, at: str) -> None:
    if value != wanted or type(value) is not type(wanted):
        shown = str(wanted).lower() if isinstance(wanted, bool) else wanted
        raise refuse(at, f"{at.rpartition('/')[2]!r} can only be {shown}")
