"""Exception-routing and harness files, in our own sections.

Lives here: where each of their keys goes. Must not live here: rules (``rules``), or what
would weaken the house, which the loader refuses (``forms.seeds``).
Law: the file is loaded as it is first, so that whatever is refused there is refused here, with
its place; what is converted then decides the same.
"""

from collections.abc import Mapping

from governance.canonical import Json
from governance.policy.bundle import load
from governance.policy.forms.documented import pointer, refuse
from governance.policy.forms.hints import hint
from governance.policy.imported.values import Imported, ImportNote, NoteKind, mapping, note

_TIER = "exception_routing"
_ROUTING = frozenset({"version", _TIER})
_HARNESS = frozenset({"version", "runtime", "policy_engine", "audit", "tools", "tool_groups"})
_ALWAYS = {
    "registry": "the registry of constraints is read-only and changes only by activation",
    "signature_algorithm": "every vote is signed by ES256",
    "executor": "actions run in the sandbox, whose limits no bundle widens",
    "runtime_version": "there is one version of these settings",
}
_SPELT = {
    "allowedActions": "actions",
    "dataClassification": "classification",
    "requiresApproval": "requires_approval",
}


def exception_routing(source: Mapping[str, Json]) -> Imported:
    """A file with an ``exception_routing`` block.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer into ``source``.
    """
    notes = _loaded(source, _ROUTING)
    block = mapping(source.get(_TIER), (_TIER,))
    approval = mapping(block.get("approval"), (_TIER, "approval"))
    made = _head()
    roles = mapping(approval.get("roles"), (_TIER, "approval", "roles"))
    made["default_tier"] = _TIER
    made["tiers"] = {_TIER: {"roles": roles}}
    if "ticket" in block:
        made["ticket"] = block["ticket"]
    made |= _audit(block.get("audit"))
    made["directory"] = {"roles": {role: {"people": []} for role in roles}}
    for key in ("registry", "executor"):
        if key in block:
            notes.append(note(NoteKind.NOT_CARRIED, (_TIER, key), _ALWAYS[key]))
    if "signature_algorithm" in approval:
        place = (_TIER, "approval", "signature_algorithm")
        notes.append(note(NoteKind.NOT_CARRIED, place, _ALWAYS["signature_algorithm"]))
    notes += _format(block.get("audit"), (_TIER, "audit"))
    text = "write constraints, and under exceptions which of them this tier may except"
    notes.append(note(NoteKind.TO_DO, (_TIER,), text))
    text = "name people under directory for every role: until then no approval can be given"
    notes.append(note(NoteKind.TO_DO, (_TIER, "approval", "roles"), text))
    return Imported(bundle=made, notes=tuple(notes))


def harness(source: Mapping[str, Json]) -> Imported:
    """A harness file: ``runtime``, ``policy_engine``, ``audit``, ``tools``.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer into ``source``.
    """
    notes = _loaded(source, _HARNESS)
    made = _head()
    runtime = mapping(source.get("runtime"), ("runtime",))
    engine = mapping(source.get("policy_engine"), ("policy_engine",))
    if "credential_rotation" in runtime:
        made["runtime"] = {"credential_rotation": runtime["credential_rotation"]}
    if "version" in runtime:
        notes.append(note(NoteKind.NOT_CARRIED, ("runtime", "version"), _ALWAYS["runtime_version"]))
    for key in ("approval_required_for", "restricted_data_classes"):
        if engine.get(key) is not None:
            made[key] = engine[key]
    if "environment_gates" in engine:
        made["environments"] = engine["environment_gates"]
    made |= _audit(source.get("audit"))
    notes += _format(source.get("audit"), ("audit",))
    if "tool_groups" in source:
        made["tool_groups"] = source["tool_groups"]
    tools = mapping(source.get("tools"), ("tools",))
    if tools:
        made["tools"] = {
            name: {
                _SPELT.get(key, key): value for key, value in mapping(tool, ("tools", name)).items()
            }
            for name, tool in tools.items()
        }
    made |= _people()
    text = "name people under directory, an operator and two reviewers: until then no approval"
    notes.append(note(NoteKind.TO_DO, (), f"{text} can be given"))
    return Imported(bundle=made, notes=tuple(notes))


def _people() -> dict[str, Json]:
    """The built-in tier's roles, written out so that somebody fills the people in."""
    roles: dict[str, Json] = {
        "operator": {"weight": 2, "min_required": 1},
        "reviewer": {"weight": 1, "min_required": 2},
    }
    return {
        "default_tier": "imported",
        "tiers": {"imported": {"four_eyes": True, "roles": roles}},
        "directory": {"roles": {role: {"people": []} for role in roles}},
    }


def _head() -> dict[str, Json]:
    return {"version": "v1", "name": "imported"}


def _loaded(source: Mapping[str, Json], known: frozenset[str]) -> list[ImportNote]:
    """What the loader says of the file as it is."""
    for key in source:
        if key not in known:
            raise refuse(pointer(key), f"{key!r} is not a key of such a file{hint(key)}")
    not_enforced = load(source).not_enforced
    return [
        ImportNote(kind=NoteKind.NOT_CARRIED, pointer=item.pointer, text=item.text)
        for item in not_enforced
    ]


def _audit(value: Json) -> dict[str, Json]:
    days = mapping(value, ()).get("retention_days")
    return {} if days is None else {"audit": {"retention_days": days}}


def _format(value: Json, place: tuple[str, ...]) -> list[ImportNote]:
    """What is always so: the audit trail is JSON, chained by SHA-256."""
    text = "the audit trail is JSON, chained by SHA-256"
    found = mapping(value, place)
    return [
        note(NoteKind.NOT_CARRIED, (*place, key), text)
        for key in ("format", "hash_algorithm")
        if key in found
    ]
