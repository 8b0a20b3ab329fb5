"""Other control planes' policy files, in our documented form.

Lives here: which kind a file is, its top-level keys, and what every import adds. Must not live
here: YAML (``bot.policy_import``), one rule (``rules``), the seeds (``seeds``).
Law: every key is converted, noted or refused; what restricts and cannot be carried over becomes
a deny in front, which a person takes out knowingly; nothing becomes looser.
"""

import re
from collections.abc import Iterator, Mapping
from enum import StrEnum

from governance.canonical import Json
from governance.policy.decision import Effect
from governance.policy.forms.documented import pointer, refuse
from governance.policy.forms.hints import hint
from governance.policy.imported.match import Fit, Piece
from governance.policy.imported.rules import WORDS, Foreign, converted, effect_at, foreign
from governance.policy.imported.seeds import exception_routing, harness
from governance.policy.imported.values import (
    Imported,
    ImportNote,
    NoteKind,
    Place,
    is_unset,
    items,
    mapping,
    note,
    text,
)

__all__ = ["Imported", "Kind", "imported", "kind_of"]


class Kind(StrEnum):
    """The kinds of files that are read."""

    EXCEPTION_ROUTING = "exception-routing"
    HARNESS = "harness"
    RULES = "rules"


_SIGNS: Mapping[Kind, frozenset[str]] = {
    Kind.EXCEPTION_ROUTING: frozenset({"exception_routing"}),
    Kind.HARNESS: frozenset({"runtime", "policy_engine", "tools"}),
    Kind.RULES: frozenset({"rules", "default_decision", "input_rules", "tenants"}),
}
_OURS = frozenset({"strategy", "tiers", "directory", "signals", "default_tier"})
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}")
_TIER, _ROLE = "imported", "approver"
_IN_FRONT = {
    "tenants": "what this tenant may do is restricted there by more than rules",
    "input_policy": "how prompts are judged cannot be carried over",
    "require_human": "what it asks people about cannot be carried over",
}
_LISTED = {
    "default_tenant": "the tenant is a setting of the service, PLACET_TENANT",
    "name": "write name as this service spells it",
    "description": "write it as a comment",
    "metadata": "write it as a comment",
}
_OUTPUT = ("output_rules", "output_policy")
_READ = frozenset({"version", "rules", "default_decision", "input_rules", "tier", "selector"})


def kind_of(source: Mapping[str, Json]) -> Kind:
    """Which kind of file ``source`` is.

    Raises:
        InvalidInput: ``invalid_bundle``: none, several, or the documented form itself.
    """
    ours = sorted(_OURS & {*source})
    if ours:
        raise refuse(pointer(ours[0]), f"{ours[0]!r} is of the documented form: nothing to import")
    found = [kind for kind, signs in _SIGNS.items() if signs & {*source}]
    if len(found) != 1:
        what = "holds several kinds: make a file of each" if found else "is of no kind known here"
        raise refuse("", f"the file {what} ({', '.join(kind.value for kind in Kind)})")
    return found[0]


def imported(source: Mapping[str, Json], kind: Kind) -> Imported:
    """Convert ``source``.

    Raises:
        InvalidInput: ``invalid_bundle`` with a pointer into ``source``.
    """
    read = {
        Kind.EXCEPTION_ROUTING: exception_routing,
        Kind.HARNESS: harness,
        Kind.RULES: _rules,
    }
    return read[kind](source)


def _rules(source: Mapping[str, Json]) -> Imported:
    for key in source:
        if key not in _READ | {*_IN_FRONT, *_LISTED, *_OUTPUT}:
            raise refuse(pointer(key), f"{key!r} is not a key that is known here{hint(key)}")
    version = source.get("version", "v1")
    if version not in ("v1", "1", 1):
        raise refuse("/version", "only version v1 is read")
    written = source.get("default_decision")
    default = Effect.DENY if is_unset(written) else effect_at(written, ("default_decision",))
    if default is Effect.ALLOW_WITH_CONSTRAINTS:
        raise refuse("/default_decision", "a default has no limits")
    own = tuple(_of_the_file(source))
    all_of_them = [*_in_front(source), *_input_rules(source), *_file_rules(source, own)]
    _check_ids(all_of_them)
    notes = [*_listed(source, written)]
    if own:
        default = Effect.DENY  # whom the file does not hold for, nobody here lets through
        notes += [note(NoteKind.NOT_CARRIED, piece.place, piece.text) for piece in own]
    made = []
    for number, rule in enumerate(all_of_them):
        ours, said = converted(rule, all_of_them[number + 1 :], default)
        made += [ours] if ours is not None else []
        notes += said
    bundle: dict[str, Json] = {
        "version": "v1",
        "name": "imported",
        "strategy": "first_match",
        "default_decision": WORDS[default],
        **_people(),
    }
    if any(not is_unset(source.get(key)) for key in _OUTPUT):
        bundle["output"] = {"policy": "quarantine"}
    return Imported(bundle={**bundle, "rules": made}, notes=tuple(notes))


def _people() -> dict[str, Json]:
    return {
        "default_tier": _TIER,
        "tiers": {_TIER: {"four_eyes": True, "roles": {_ROLE: {"weight": 1, "min_required": 2}}}},
        "directory": {"roles": {_ROLE: {"people": []}}},
    }


def _listed(source: Mapping[str, Json], written: Json) -> Iterator[ImportNote]:
    yield note(
        NoteKind.TO_DO,
        (),
        f"name people under directory, at least two for the role {_ROLE}: until then no approval "
        "can be given",
    )
    yield note(
        NoteKind.TO_DO,
        (),
        "list the tools that agents name under tools: a request with another tool is denied",
    )
    if is_unset(written):
        yield note(
            NoteKind.STRICTER, (), "no default_decision is written: what no rule is, is deny"
        )
    for key, sentence in _LISTED.items():
        if not is_unset(source.get(key)):
            yield note(NoteKind.NOT_CARRIED, (key,), sentence)
    for key in _OUTPUT:
        if not is_unset(source.get(key)):
            why = "every output is scanned here; output.policy is the strictest, quarantine"
            yield note(NoteKind.NOT_CARRIED, (key,), why)


def _of_the_file(source: Mapping[str, Json]) -> Iterator[Piece]:
    """What says that the whole file only holds for some requests."""
    for key in ("tier", "selector"):
        value = source.get(key)
        if not is_unset(value) and value != "global":
            why = f"{key!r} says where the file holds, and every bundle here holds everywhere"
            yield Piece(key=key, fit=Fit.LOST, place=(key,), text=why)


def _in_front(source: Mapping[str, Json]) -> Iterator[Foreign]:
    tenants = mapping(source.get("tenants"), ("tenants",))
    for number, (name, value) in enumerate(tenants.items()):
        if not is_unset(value):
            match = {"tenants": [text(name, ("tenants", name))]}
            yield _denied("tenants", ("tenants", name), f"imported.tenants.{number + 1}", match)
    for key in ("input_policy", "require_human"):
        if not is_unset(source.get(key)):
            yield _denied(key, (key,), f"imported.{key}", {})


def _denied(key: str, place: Place, rule_id: str, match: Mapping[str, Json]) -> Foreign:
    why = f"{_IN_FRONT[key]}: rule {rule_id} denies until somebody takes it out"
    lost = Piece(key=key, fit=Fit.LOST, place=place, text=why)
    reason = f"{key} of the imported file is not carried over: decide, then take this rule out"
    return Foreign(
        id=rule_id, effect=Effect.DENY, place=place, match=match, reason=reason, lost=(lost,)
    )


def _input_rules(source: Mapping[str, Json]) -> Iterator[Foreign]:
    for number, value in enumerate(items(source.get("input_rules"), ("input_rules",))):
        place: Place = ("input_rules", number)
        why = "no rule here judges a prompt's words"
        lost = Piece(key="input_rules", fit=Fit.LOST, place=place, text=why)
        yield foreign(mapping(value, place), place, own=(lost,))


def _file_rules(source: Mapping[str, Json], own: tuple[Piece, ...]) -> Iterator[Foreign]:
    tiers: set[str] = set()
    for number, value in enumerate(items(source.get("rules"), ("rules",))):
        place: Place = ("rules", number)
        raw = mapping(value, place)
        if raw.get("priority") is not None:
            message = "rules with a priority are not judged in the order of the file: sort them"
            raise refuse(pointer(*place, "priority"), message)
        tier = raw.get("tier")
        tiers.add("global" if is_unset(tier) else text(tier, (*place, "tier")))
        if len(tiers) > 1:
            message = "rules of several tiers are not judged in the order of the file: import each"
            raise refuse(pointer(*place, "tier") if tier else pointer(*place), f"{message} alone")
        known = {key: item for key, item in raw.items() if key != "tier" or item != "global"}
        yield foreign(known, place, own=own)


def _check_ids(rules: list[Foreign]) -> None:
    known: set[str] = set()
    for rule in rules:
        at = pointer(*rule.place, "id")
        if _NAME.fullmatch(rule.id) is None:
            raise refuse(at, f"{rule.id!r} is no name of a rule here")
        if rule.id in known:
            raise refuse(at, f"the rule id {rule.id!r} stands twice")
        known.add(rule.id)
