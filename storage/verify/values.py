"""The verifier's own arithmetic: bindings, votes, signatures, quorums and signed notes.

Lives here: what may be recomputed from a payload alone. Must not live here: order and state.
Law: shares no code with the product; what is malformed is wrong, never an exception.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from storage.verify.chain import Json, canonical, digest

_RAW_SIGNATURE = 64
_NOTE = re.compile(r"((?:[^\n]+\n)+)\n((?:\u2014 [^\n]+\n?)+)")
_NOTE_LINES = 5
_KEY_HASH = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Key:
    """A public key that signatures may name; None where its PEM is no P-256 key."""

    purpose: str
    pem: str
    valid_from: str
    public: EllipticCurvePublicKey | None


def key_of(purpose: str, pem: str, valid_from: str = "") -> Key:
    """Read a key from its PEM."""
    try:
        loaded = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        loaded = None
    is_right = isinstance(loaded, EllipticCurvePublicKey) and isinstance(loaded.curve, SECP256R1)
    public = loaded if is_right and isinstance(loaded, EllipticCurvePublicKey) else None
    return Key(purpose=purpose, pem=pem, valid_from=valid_from, public=public)


def is_signed(key: Key, signature: bytes, message: bytes) -> bool:
    """Whether ``signature`` (r and s, 64 bytes) over ``message`` is by ``key``: ES256."""
    if key.public is None or len(signature) != _RAW_SIGNATURE:
        return False
    half = _RAW_SIGNATURE // 2
    r, s = (int.from_bytes(part, "big") for part in (signature[:half], signature[half:]))
    try:
        key.public.verify(encode_dss_signature(r, s), message, ECDSA(SHA256()))
    except (InvalidSignature, ValueError):
        return False
    return True


def unbase64(text: str) -> bytes:
    """The bytes, or none at all where it is not base64 in its one form."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""


def vote_message(binding: str, vote: Mapping[str, Json]) -> bytes:
    """What a vote's signature must cover."""
    lent = {name: vote[name] for name in ("delegator", "delegation") if vote.get("delegator")}
    return b"placet/v1/vote\x00" + canonical(
        {
            "binding": binding,
            "choice": vote["choice"],
            "person": vote["person"],
            "role": vote["role"],
            "weight": vote["weight"],
            "comment": vote["comment_digest"],
            "at": vote["at"],
            "nonce": vote["nonce"],
            **lent,
        }
    )


def binding_of(
    ticket_id: str, revision: int, action_digest: str, ruling: Mapping[str, Json], expires_at: str
) -> str:
    """What a revision's binding must be."""
    constraints = {
        name: value
        for name, value in ruling["constraints"].items()
        if value is not None and value is not False
        # An empty allow list lets nothing through; an empty deny list says nothing.
        if value != [] or name.endswith("_allow")
    }
    return digest(
        "binding",
        canonical(
            {
                "ticket": ticket_id,
                "revision": revision,
                "action": action_digest,
                "constraints": constraints,
                "snapshot": ruling["snapshot"],
                "requirement": ruling["requirement"],
                "constraint_id": ruling["constraint_id"],
                "plan": ruling["plan_digest"],
                "expires_at": expires_at,
            }
        ),
    )


def is_met(requirement: Mapping[str, Json], votes: Iterable[tuple[str, str, int, str]]) -> bool:
    """Whether approving votes (person, role, weight, choice) meet a requirement."""
    counts = {item["role"]: 0 for item in requirement["roles"]}
    for _, role, _, choice in votes:
        if choice != "approve" or role not in counts:
            continue
        if not (requirement["distinct_roles"] and counts[role]):
            counts[role] += 1
    weight = sum(item["weight"] * counts[item["role"]] for item in requirement["roles"])
    lacking = any(counts[item["role"]] < item["min_required"] for item in requirement["roles"])
    return bool(weight >= requirement["threshold"]) and not lacking


def asks_for_two(requirement: Mapping[str, Json] | None) -> bool:
    """Whether one vote can never meet ``requirement``, whichever its role."""
    if requirement is None:
        return False
    alone = {**requirement, "distinct_roles": False}
    return not any(is_met(alone, [("", one["role"], 0, "approve")]) for one in alone["roles"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """A signed checkpoint: ``body`` is the text that its signatures cover.

    ``lines`` are names with four bytes that say which key, and the signature after them.
    """

    body: str
    origin: str
    size: int
    root: bytes
    head: str
    lines: tuple[tuple[str, bytes], ...]


def notes(text: str) -> Iterator[Note | None]:
    """The signed notes of a file, one after the other; None for one that cannot be read."""
    for found in _NOTE.finditer(text):
        yield _note(found.group(1), found.group(2))
    if _NOTE.sub("", text).strip():  # a note that was cut, or no note at all
        yield None


def _note(body: str, signed: str) -> Note | None:
    lines = body.rstrip("\n").split("\n")
    if len(lines) < _NOTE_LINES or not re.fullmatch(r"0|[1-9]\d{0,17}", lines[1]):
        return None
    if not lines[3].startswith("head "):
        return None
    return Note(
        body=body,
        origin=lines[0],
        size=int(lines[1]),
        root=unbase64(lines[2]),
        head=lines[3].removeprefix("head "),
        lines=tuple(_line(line) for line in signed.splitlines()),
    )


def _line(text: str) -> tuple[str, bytes]:
    name, _, blob = text.removeprefix("\u2014 ").partition(" ")
    return name, unbase64(blob)


def is_noted(key_id: str, key: Key, note: Note) -> bool:
    """Whether ``key`` signed ``note``: in the registered form, or in the one before it."""
    if key.public is None:
        return False
    der = key.public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    now = (note.origin, sha256(der).digest()[:_KEY_HASH])
    before = (f"{note.origin}+{key_id}", sha256(key_id.encode()).digest()[:_KEY_HASH])
    body = note.body.encode()
    for name, blob in note.lines:
        signed, signature = (name, blob[:_KEY_HASH]), blob[_KEY_HASH:]
        if signed == now and _is_der_signed(key.public, signature, body):
            return True
        if signed == before and is_signed(key, signature, body):
            return True
    return False


def _is_der_signed(public: EllipticCurvePublicKey, signature: bytes, message: bytes) -> bool:
    try:
        public.verify(signature, message, ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True
