"""Signed notes and checkpoints: their form, the keys that sign them, and whether they did.

Lives here: reading notes, checkpoints and cosignatures. Must not live here: which key is trusted
(``governance.trust``), and making checkpoints (``governance.administration``).
Law: shares no code with what signs; a signature by a known key that does not hold spoils the whole
note; what is malformed is refused, never guessed at.
Source: C2SP signed-note, tlog-checkpoint and tlog-cosignature; docs/adr/0012-checkpoints.md.
"""

import base64
import contextlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import assert_never

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from governance.note_keys import ID_BYTES, Kind, NoteError, NoteKey, p256, unbase64

MOST_CHARS = 65_536
_MOST_LINES = 64
_ROOT_BYTES = 32
_RAW_BYTES = 64
_TIME_BYTES = 8
_LATEST_S = 2**63 - 1
_FIRST_LINES = 3
_LINE = re.compile(r"\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})")
_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One signature line."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A text and its signatures; ``text`` ends with a newline and is what they cover."""

    text: str
    lines: tuple[Line, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkpoint:
    """What a checkpoint says; ``at`` and ``head`` are our extension lines, empty where absent."""

    note: Note
    origin: str
    size: int
    root: bytes
    head: str
    at: str


def parse_note(text: str) -> Note:
    """Read a signed note.

    Raises:
        NoteError: it is none.
    """
    if len(text) > MOST_CHARS or _CONTROL.search(text):
        raise NoteError("a note is short text without control characters")
    body, gap, signed = text.rpartition("\n\n")
    if not gap or not body or not signed.endswith("\n"):
        raise NoteError("a note is a text, an empty line and signature lines")
    lines = signed[:-1].split("\n")
    if len(lines) > _MOST_LINES:
        raise NoteError(f"a note with more than {_MOST_LINES} signatures")
    return Note(text=body + "\n", lines=tuple(_line(line) for line in lines))


def _line(text: str) -> Line:
    found = _LINE.fullmatch(text)
    raw = unbase64(found[2]) if found else b""
    if found is None or len(raw) <= ID_BYTES:
        raise NoteError("a signature line is malformed")
    return Line(name=found[1], key_id=raw[:ID_BYTES], signature=raw[ID_BYTES:])


def render(note: Note) -> str:
    """A note as text; what ``parse_note`` reads."""
    blobs = [base64.b64encode(line.key_id + line.signature).decode() for line in note.lines]
    named = zip(note.lines, blobs, strict=True)
    return f"{note.text}\n" + "".join(f"\u2014 {line.name} {blob}\n" for line, blob in named)


def only_by(note: Note, keys: Iterable[NoteKey]) -> Note:
    """The note without the lines of anybody else than ``keys``."""
    known = {(key.name, key.id) for key in keys}
    lines = (line for line in note.lines if (line.name, line.key_id) in known)
    return Note(text=note.text, lines=tuple(lines))


def parse_checkpoint(text: str) -> Checkpoint:
    """Read a checkpoint; nothing is said yet of who signed it.

    Raises:
        NoteError: it is none.
    """
    note = parse_note(text)
    lines = note.text[:-1].split("\n")
    if len(lines) < _FIRST_LINES or not all(lines) or not _SIZE.fullmatch(lines[1]):
        raise NoteError("a checkpoint is origin, size, root and extension lines, none empty")
    root = unbase64(lines[2])
    if len(root) != _ROOT_BYTES:
        raise NoteError("a checkpoint's root is the base64 of 32 bytes")
    more = dict(line.split(" ", 1) for line in lines[_FIRST_LINES:] if " " in line)
    return Checkpoint(
        note=note,
        origin=lines[0],
        size=int(lines[1]),
        root=root,
        head=more.get("head", ""),
        at=more.get("at", ""),
    )


def parse_published(text: str) -> tuple[Checkpoint, ...]:
    """The checkpoints of a file to which they were appended, with an empty line after each.

    One that was torn when it was written is passed over: it vouches for nothing.
    """
    chunks = [chunk for chunk in text.strip().split("\n\n") if chunk]
    found = []
    for body, signed in pairwise(chunks):
        with contextlib.suppress(NoteError):
            found.append(parse_checkpoint(f"{body}\n\n{signed.rstrip()}\n"))
    return tuple(found)


def signers(note: Note, keys: Iterable[NoteKey]) -> tuple[NoteKey, ...]:
    """Those of ``keys`` that signed ``note``; lines of other keys are passed over.

    Raises:
        NoteError: one of ``keys`` is named and its signature does not hold.
    """
    found = []
    for key in keys:
        mine = [li for li in note.lines if (li.name, li.key_id) == (key.name, key.id)]
        if not all(_holds(key, line.signature, note.text) for line in mine):
            raise NoteError(f"a signature in the name of {key.name} does not hold")
        if mine:
            found.append(key)
    return tuple(found)


def cosigned_at(note: Note, key: NoteKey) -> int:
    """When a witness says that it cosigned, as a POSIX time; 0: it did not.

    Raises:
        NoteError: as ``signers``.
    """
    if key.kind is not Kind.COSIGNATURE or not signers(note, (key,)):
        return 0
    mine = [li for li in note.lines if (li.name, li.key_id) == (key.name, key.id)]
    return max(int.from_bytes(line.signature[:_TIME_BYTES], "big") for line in mine)


def cosigned_message(text: str, time_s: int) -> bytes:
    """What a witness signs: a header, the time, the whole text of the note."""
    return f"cosignature/v1\ntime {time_s}\n{text}".encode()


def _holds(key: NoteKey, signature: bytes, text: str) -> bool:
    try:
        match key.kind:
            case Kind.ECDSA:
                p256(key.public).verify(signature, text.encode(), ECDSA(SHA256()))
            case Kind.BEFORE:
                p256(key.public).verify(_der_of(signature), text.encode(), ECDSA(SHA256()))
            case Kind.ED25519:
                Ed25519PublicKey.from_public_bytes(key.public).verify(signature, text.encode())
            case Kind.COSIGNATURE:
                time_s = int.from_bytes(signature[:_TIME_BYTES], "big")
                if time_s > _LATEST_S:
                    return False
                Ed25519PublicKey.from_public_bytes(key.public).verify(
                    signature[_TIME_BYTES:], cosigned_message(text, time_s)
                )
            case _:
                assert_never(key.kind)
    except InvalidSignature:
        return False
    return True


def _der_of(raw: bytes) -> bytes:
    if len(raw) != _RAW_BYTES:
        raise InvalidSignature
    half = _RAW_BYTES // 2
    return encode_dss_signature(
        int.from_bytes(raw[:half], "big"), int.from_bytes(raw[half:], "big")
    )
