"""The limits of an imported rule, in our own keys.

Lives here: budgets, sandbox, toolchain, diff and redaction. Must not live here: what becomes of a
rule whose limits cannot all be carried over (``rules``).
Law: a limit is never widened: time is rounded down, lists that mean the same are intersected, an
empty list lets nothing through, and what is not known here is told apart.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from governance.canonical import Json
from governance.policy.forms.documented import pointer, refuse
from governance.policy.imported.values import (
    ImportNote,
    NoteKind,
    Place,
    mapping,
    note,
    text,
    whole,
    words,
)

_GROUPS = ("budgets", "sandbox", "toolchain", "diff")
_NUMBERS = {
    "max_retries": "max_retries",
    "max_artifact_bytes": "max_artifact_bytes",
    "max_output_bytes": "max_output_bytes",
    "max_files": "max_files",
    "max_lines": "max_lines",
}
_ALLOWED = {
    "network_allowlist": "network_allow",
    "allowed_destinations": "network_allow",
    "allowed_tools": "tools_allow",
    "allowed_commands": "commands_allow",
}
_DENIED = {"deny_path_globs": "paths_deny", "redact_patterns": "redact_deny"}
_FOLDERS = ("fs_read_only", "fs_read_write")
_MS = 1_000


@dataclass(slots=True, kw_only=True)
class Limits:
    """What was read so far."""

    found: dict[str, Json] = field(default_factory=dict)
    notes: list[ImportNote] = field(default_factory=list)
    folders: dict[str, list[str]] = field(default_factory=dict)
    is_whole: bool = True
    """Whether every limit was carried over."""


def limits_of(value: Json, place: Place) -> Limits:
    """The limits under ``value`` in our own keys.

    Raises:
        InvalidInput: ``invalid_bundle``: a value of the wrong kind, with its place.
    """
    made = Limits()
    for key, item in mapping(value, place).items():
        if key in _GROUPS:
            for name, inner in mapping(item, (*place, key)).items():
                _read(made, name, inner, (*place, key, name))
        else:
            _read(made, key, item, (*place, key))
    if made.folders:
        only, write = (made.folders.get(name, []) for name in _FOLDERS)
        _allow(made, "read_allow", [*only, *write])
        _allow(made, "write_allow", write)
    return made


def _read(made: Limits, key: str, value: Json, place: Place) -> None:
    if value is None:
        return
    if key in ("max_runtime_ms", "max_runtime_sec", "max_runtime_s"):
        number = whole(value, place)
        _positive(made, "max_runtime_s", number // _MS if key.endswith("_ms") else number, place)
    elif key == "max_concurrent_jobs":
        _positive(made, key, whole(value, place), place)
    elif key in _NUMBERS:
        _least(made, _NUMBERS[key], whole(value, place))
    elif key in _ALLOWED:
        _listed(made, value, place)
        _allow(made, _ALLOWED[key], words(value, place))
    elif key in _DENIED:
        _deny(made, _DENIED[key], words(value, place))
    elif key in _FOLDERS:
        _listed(made, value, place)
        made.folders.setdefault(key, []).extend(words(value, place))
    elif key == "isolated":
        if not isinstance(value, bool):
            raise refuse(pointer(*place), "it should be true or false")
        made.found["isolated"] = value or made.found.get("isolated", False)
    elif key == "redaction_level":
        _deny(made, "redact_deny", [f"level:{text(value, place, most=200)}"])
        sentence = "carried over as an entry of redact_deny, which whoever runs the action obeys"
        made.notes.append(note(NoteKind.STRICTER, place, sentence))
    else:
        made.is_whole = False
        sentence = f"{key!r} is no limit that is known here"
        made.notes.append(note(NoteKind.NOT_CARRIED, place, sentence))


def _positive(made: Limits, key: str, number: int, place: Place) -> None:
    if number:
        _least(made, key, number)
        return
    made.is_whole = False
    sentence = f"no {key} below 1 can be written, and 1 would be more than it says"
    made.notes.append(note(NoteKind.NOT_CARRIED, place, sentence))


def _least(made: Limits, key: str, number: int) -> None:
    before = made.found.get(key, number)
    assert isinstance(before, int)  # noqa: S101  # only this function writes these keys
    made.found[key] = min(before, number)


def _allow(made: Limits, key: str, entries: list[str]) -> None:
    before = made.found.get(key, entries)
    assert isinstance(before, list)  # noqa: S101  # only this function writes these keys
    made.found[key] = [entry for entry in dict.fromkeys(entries) if entry in before]


def _deny(made: Limits, key: str, entries: list[str]) -> None:
    before = made.found.get(key, [])
    assert isinstance(before, list)  # noqa: S101  # only this function writes these keys
    made.found[key] = list(dict.fromkeys([*before, *entries]))


def _listed(made: Limits, value: Json, place: Place) -> None:
    if not words(value, place):
        sentence = "an empty list of what is allowed lets nothing through here"
        made.notes.append(note(NoteKind.STRICTER, place, sentence))


def set_limits(found: Mapping[str, Json]) -> dict[str, Json]:
    """Only the limits that limit something: no empty deny list, no ``isolated: false``."""
    return {
        key: value
        for key, value in found.items()
        if value is not False and not (value == [] and key.endswith("_deny"))
    }
