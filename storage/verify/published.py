"""The verifier's check of what was published: rows of checkpoints and cosignatures.

Lives here: those rows beside the notes that the log records. Must not live here: whether a
recorded note holds (``verifier``). Law: shares no code with what publishes; a row may be
missing, since it is written after the record, and one that says anything else than the log is
named.

A cosignature is a line of a witness's name and base64 of the first four bytes of its key's hash,
eight of the time and 64 of Ed25519 over a header, the time and the text of the checkpoint. Whose
public key was given has every line verified; of other witnesses only the form is known.
Source: C2SP signed-note and tlog-cosignature.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from storage.verify.chain import Json, Problem
from storage.verify.values import Note, notes, unbase64

TABLE = """CREATE TABLE p (size INT, note TEXT, PRIMARY KEY (size, note)) WITHOUT ROWID;"""
"""Size and digest of every note that the log records."""
_LINE = re.compile(r"\u2014 (\S+) (\S+)")
_VKEY = re.compile(r"([^\s+]+)\+([0-9a-f]{8})\+(\S+)")
_KEY_HASH, _TIME_BYTES, _SIGNATURE = 4, 8, 64
_KIND = 4
"""The first byte of a witness's key."""
_ED25519 = 32
_HAS = "SELECT 1 FROM db.sqlite_master WHERE name = 'cosignatures'"
_ROWS = "SELECT size, root, note FROM db.checkpoints ORDER BY size"
_LINES = """SELECT c.size, c.name, c.line, r.note FROM db.cosignatures c
    LEFT JOIN db.checkpoints r ON r.size = c.size ORDER BY c.size, c.name"""

Witnesses = Mapping[tuple[str, bytes], Ed25519PublicKey]
"""Public keys of witnesses, by their name and the first bytes of their hash."""


def witnesses_in(text: str) -> Witnesses:
    """Keys of witnesses, one to a line; an empty line or one after ``#`` says nothing.

    Raises:
        ValueError: a line is no witness's key.
    """
    lines = (line.strip() for line in text.splitlines())
    return dict(_witness(line) for line in lines if line and not line.startswith("#"))


def _witness(line: str) -> tuple[tuple[str, bytes], Ed25519PublicKey]:
    found = _VKEY.fullmatch(line)
    raw = unbase64(found[3]) if found else b""
    if found is None or len(raw) != 1 + _ED25519 or raw[0] != _KIND:
        raise ValueError("it is no key of a witness")
    id_ = sha256(found[1].encode() + b"\n" + raw).digest()[:_KEY_HASH]
    if id_.hex() != found[2]:
        raise ValueError("a witness's key is not the one that it is named after")
    return (found[1], id_), Ed25519PublicKey.from_public_bytes(raw[1:])


class Published:
    """The notes that were recorded, to compare the rows with; ``TABLE`` is in the scratch."""

    def __init__(self, scratch: sqlite3.Connection, known: Witnesses) -> None:
        self._scratch = scratch
        self._known = known
        self.cosignatures = 0
        """Cosignatures that hold."""

    def take(self, payload: Mapping[str, Json]) -> None:
        """What the log records of a checkpoint, whether it holds or not."""
        note, size = payload.get("note"), payload.get("size")
        if isinstance(note, str) and type(size) is int:
            row = (size, _digest(note))
            self._scratch.execute("INSERT OR IGNORE INTO p VALUES (?, ?)", row)

    def compare(self) -> Iterator[Problem]:
        """Rows of the database ``db`` attached to the scratch that are not as the log says."""
        if self._scratch.execute(_HAS).fetchone() is None:
            return  # an earlier version left it
        for size, root, note in self._scratch.execute(_ROWS):
            wrong = self._of_checkpoint(size, root, note)
            if wrong:
                yield _row("published", "checkpoints", f"{size}", f"checkpoint {size} {wrong}")
        for size, name, line, note in self._scratch.execute(_LINES):
            wrong = self._of_line(name, line, note)
            if wrong:
                detail = f"the cosignature of {name} under checkpoint {size} {wrong}"
                yield _row("cosignature", "cosignatures", f"{size}/{name}", detail)

    def _of_checkpoint(self, size: object, root: object, note: object) -> str:
        """What is wrong with the row of a checkpoint; empty: nothing."""
        if not isinstance(note, str) or not self._is_recorded(size, note):
            return "is none that the log records"
        read = _read(note)
        return "" if read is not None and read.root == root else "has another root than its note"

    def _is_recorded(self, size: object, note: str) -> bool:
        sql = "SELECT 1 FROM p WHERE size = ? AND note = ?"
        is_size = type(size) is int
        return is_size and self._scratch.execute(sql, (size, _digest(note))).fetchone() is not None

    def _of_line(self, name: object, line: object, note: object) -> str:
        """What is wrong with the row of a cosignature; empty: nothing."""
        read = _read(note) if isinstance(note, str) else None
        if read is None:
            return "stands under no checkpoint"
        found = _LINE.fullmatch(line) if isinstance(line, str) else None
        blob = unbase64(found[2]) if found else b""
        if found is None or found[1] != name or len(blob) != _KEY_HASH + _TIME_BYTES + _SIGNATURE:
            return "is malformed"
        key = self._known.get((found[1], blob[:_KEY_HASH]))
        if key is None:
            return ""  # somebody whose key was not given
        if not _is_cosigned(key, blob[_KEY_HASH:], read.body):
            return "does not hold"
        self.cosignatures += 1
        return ""


def _is_cosigned(key: Ed25519PublicKey, stamped: bytes, body: str) -> bool:
    at = int.from_bytes(stamped[:_TIME_BYTES], "big")
    try:
        key.verify(stamped[_TIME_BYTES:], f"cosignature/v1\ntime {at}\n{body}".encode())
    except InvalidSignature:
        return False
    return True


def _read(text: str) -> Note | None:
    found = list(notes(text))
    return found[0] if len(found) == 1 else None


def _digest(note: str) -> str:
    return sha256(note.encode("utf-8", "surrogatepass")).hexdigest()


def _row(what: str, table: str, row: str, detail: str) -> Problem:
    return Problem(seq=0, what=what, detail=detail, table=table, row=row)
