"""The keys that sign notes: their kinds, names, ids and texts.

Lives here: a public key as notes name it, and reading it from PEM and from a verifier key's text.
Must not live here: signatures (``governance.notes``), private keys. Law: a key's id and its text
are the registered ones; a key that contradicts itself is refused.
Source: C2SP signed-note; docs/adr/0012-checkpoints.md.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from enum import IntEnum
from hashlib import sha256

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

ID_BYTES = 4
_ED25519_BYTES = 32
_NAME = re.compile(r"[^\s+\x00-\x1f]+")


class NoteError(ValueError):
    """A note or a key that cannot be read, or a signature that does not hold."""


class Kind(IntEnum):
    """What a key signs and how: the registered signature types, and our own before them."""

    BEFORE = 0
    """ES256 as r and s, under the name ``origin+key id``: how checkpoints were signed at first."""
    ED25519 = 1
    ECDSA = 2
    COSIGNATURE = 4
    """A witness's: Ed25519 over the time and the note."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoteKey:
    """A public key by the name under which it signs notes.

    ``public``: DER (SPKI) of an ECDSA key, the 32 bytes of an Ed25519 key.
    """

    name: str
    kind: Kind
    public: bytes
    id: bytes
    """The four bytes that stand before each of its signatures."""

    @property
    def vkey(self) -> str:
        """The verifier key's text: ``name+hex id+base64(type, key)``."""
        blob = base64.b64encode(bytes([self.kind]) + self.public).decode()
        return f"{self.name}+{self.id.hex()}+{blob}"


def unbase64(text: str) -> bytes:
    """The bytes; none at all where ``text`` is not their one encoding."""
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
    return raw if base64.b64encode(raw).decode() == text else b""


def ecdsa_key(name: str, pem: str) -> NoteKey:
    """The key of a log, from its PEM.

    Raises:
        NoteError: no P-256 key, or a name that cannot stand in a note.
    """
    der = _spki(pem)
    return NoteKey(
        name=_checked(name), kind=Kind.ECDSA, public=der, id=sha256(der).digest()[:ID_BYTES]
    )


def key_before(origin: str, key_id: str, pem: str) -> NoteKey:
    """The same as checkpoints named it before they had the registered form.

    Raises:
        NoteError: no P-256 key.
    """
    name, der = f"{origin}+{key_id}", _spki(pem)
    short = sha256(key_id.encode()).digest()[:ID_BYTES]
    return NoteKey(name=name, kind=Kind.BEFORE, public=der, id=short)


def ed25519_key(name: str, public: bytes, kind: Kind = Kind.COSIGNATURE) -> NoteKey:
    """The key of a witness, or (``kind`` ED25519) of a log that signs so.

    Raises:
        NoteError: no Ed25519 key, or a name that cannot stand in a note.
    """
    if len(public) != _ED25519_BYTES:
        raise NoteError("an Ed25519 key has 32 bytes")
    material = f"{_checked(name)}\n".encode() + bytes([kind]) + public
    return NoteKey(name=name, kind=kind, public=public, id=sha256(material).digest()[:ID_BYTES])


def parse_vkey(text: str) -> NoteKey:
    """Read a verifier key's text.

    Raises:
        NoteError: it is none, is of another type, or contradicts itself.
    """
    name, _, rest = text.strip().partition("+")
    short, _, blob = rest.partition("+")
    raw = unbase64(blob)
    if raw[:1] == bytes([Kind.ECDSA]):
        key = _of_der(name, raw[1:])
    elif raw[:1] in (bytes([Kind.ED25519]), bytes([Kind.COSIGNATURE])):
        key = ed25519_key(name, raw[1:], Kind(raw[0]))
    else:
        raise NoteError("a verifier key is name+id+base64 of an ECDSA or Ed25519 key")
    if key.id.hex() != short:
        raise NoteError(f"the verifier key of {name} does not have the id that it says")
    return key


def _of_der(name: str, der: bytes) -> NoteKey:
    p256(der)
    return NoteKey(
        name=_checked(name), kind=Kind.ECDSA, public=der, id=sha256(der).digest()[:ID_BYTES]
    )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NoteError("the name of a key is without spaces and plus signs")
    return name


def _spki(pem: str) -> bytes:
    try:
        public = load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoteError("no public key in PEM") from error
    der = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    p256(der)
    return der


def p256(der: bytes) -> EllipticCurvePublicKey:
    try:
        public = load_der_public_key(der)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise NoteError("no public key in DER") from error
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise NoteError("the key is no P-256 key")
    return public
