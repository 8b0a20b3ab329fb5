"""Keys that somebody kept, and what a checkpoint signed by them is worth.

Lives here: reading kept keys, and the rule of keys that have ended. Must not live here: where they
were kept. Law: a key that was revoked vouches for nothing, whatever time a note claims; one that
was rotated vouches for what says that it is older than its end.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from governance.note_keys import Kind, NoteError, NoteKey, ecdsa_key, key_before, parse_vkey
from governance.notes import Checkpoint, signers

_PURPOSE = "checkpoint"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptKey:
    """A key of a log; ``ended_at`` is empty while it signs."""

    key: NoteKey
    ended_at: str = ""
    is_revoked: bool = False


def read_keys(text: str, *, origin: str) -> tuple[KeptKey, ...]:
    """Keys of the log ``origin``: verifier keys by lines, one PEM, or the JSON of the audit keys.

    The JSON is what ``placet audit keys --json`` or ``GET /api/v1/audit/keys`` answered.

    Raises:
        NoteError: none of these, or no key of a checkpoint in it.
    """
    stripped = text.strip()
    if stripped.startswith("{"):
        found = _of_json(stripped, origin)
    elif stripped.startswith("-----BEGIN"):
        found = [KeptKey(key=ecdsa_key(origin, stripped))]
    else:
        found = [KeptKey(key=key) for key in read_vkeys(stripped) if key.kind < Kind.COSIGNATURE]
    if not found:
        raise NoteError("there is no key of a checkpoint among those keys")
    return tuple(found)


def read_vkeys(text: str) -> tuple[NoteKey, ...]:
    """Verifier keys, one a line; what begins with # is a remark.

    Raises:
        NoteError: a line is none.
    """
    lines = (line.strip() for line in text.splitlines())
    return tuple(parse_vkey(line) for line in lines if line and not line.startswith("#"))


def _of_json(text: str, origin: str) -> list[KeptKey]:
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise NoteError("the keys are not JSON") from error
    listed = told.get("keys") if isinstance(told, Mapping) else None
    entries = listed if isinstance(listed, list) else _with_ids(told)
    try:
        return [
            kept
            for entry in entries
            if entry["purpose"] == _PURPOSE
            for kept in _both(entry, origin)
        ]
    except (KeyError, TypeError, AttributeError) as error:
        raise NoteError("a key has an id, a purpose and a PEM") from error


def _with_ids(told: Mapping[str, Mapping[str, str]]) -> list[dict[str, str]]:
    if not all(isinstance(entry, Mapping) for entry in told.values()):
        raise NoteError("keys stand in JSON by their ids")
    return [{"id": name, **entry} for name, entry in told.items()]


def _both(entry: Mapping[str, str], origin: str) -> tuple[KeptKey, KeptKey]:
    """A key under its registered name, and under the one that it had at first."""
    ended = str(entry.get("ended_at") or "")
    is_revoked = bool(ended) and not entry.get("successor")
    now = ecdsa_key(origin, entry["pem"])
    before = key_before(origin, entry["id"], entry["pem"])
    return (
        KeptKey(key=now, ended_at=ended, is_revoked=is_revoked),
        KeptKey(key=before, ended_at=ended, is_revoked=is_revoked),
    )


def vouching(checkpoint: Checkpoint, kept: Iterable[KeptKey]) -> tuple[NoteKey, ...]:
    """The kept keys that signed ``checkpoint`` and could when it was signed.

    Raises:
        NoteError: a signature in the name of one of them does not hold.
    """
    by_key = {item.key: item for item in kept}
    return tuple(
        key for key in signers(checkpoint.note, by_key) if _counts(by_key[key], checkpoint.at)
    )


def _counts(kept: KeptKey, at: str) -> bool:
    if kept.is_revoked:
        return False
    return not kept.ended_at or ("" < at <= kept.ended_at)
