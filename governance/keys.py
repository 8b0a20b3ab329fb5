"""The life of a signing key: registered, rotated, revoked.

Lives here: the pure rules of that, the messages that rotations and heads sign, and the shape of who
signs heads. Must not live here: private keys (``bot.signing``), the state itself (``control``).
Law: one active key for each purpose; a key that has ended never signs again; a successor is
vouched for by the key before it and proves that somebody holds it; what counts is where in the
log a signature stands, never a time that anybody claims.
"""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from governance.canonical import canonical_bytes
from governance.control import Control, KeyRegistered, KeyRevoked, KeyRotated, PublicKey
from governance.errors import Code, InvalidInput, PlacetError, Refused, Unavailable
from governance.principal import TenantId
from governance.sentences import Sentence
from governance.tickets.binding import stamp

REASON_CHARS = 200
"""The longest reason of a revocation."""

_SIGNATURE_BYTES = 64


class HeadSigner(Protocol):
    """Signs the log's head inside the writing transaction, on the writer's thread: never remote."""

    origin: str
    """The log's name, which the signature covers."""

    def sign_head(self, key_id: str, message: bytes) -> str | None:
        """base64 of r and s (64 bytes, ES256) by that key; None: it is not held here."""


def head_message(*, origin: str, seq: int, hash_: str, at: datetime) -> bytes:
    """The bytes that a signature of the log's head covers, domain-separated.

    ``placet/v1/head``, a zero byte, then the canonical JSON object with ``origin`` (the log's
    name), ``seq`` and ``hash`` (of the newest record, in hex) and ``at`` (its event time).
    """
    return b"placet/v1/head\0" + canonical_bytes(
        {"origin": origin, "seq": seq, "hash": hash_, "at": stamp(at)}
    )


def rotation_message(*, tenant: TenantId, old_key_id: str, key: PublicKey) -> bytes:
    """The bytes that both keys sign when ``key`` takes the place of ``old_key_id``."""
    return b"placet/v1/key-rotation\0" + canonical_bytes(
        {
            "tenant": tenant,
            "purpose": key.purpose,
            "old": old_key_id,
            "new": key.id,
            "pem": key.pem,
        }
    )


def register(
    control: Control, *, tenant: TenantId, held: Sequence[PublicKey], at: datetime
) -> tuple[KeyRegistered, ...]:
    """Register what a signer holds for purposes that have no active key.

    Raises:
        Unavailable: ``not_ready``: it lacks the active key of a purpose, or holds several that
            could become it.
    """
    found: list[KeyRegistered] = []
    for purpose in dict.fromkeys(key.purpose for key in held):
        mine = [key for key in held if key.purpose == purpose]
        active = control.active_key(purpose)
        if active is not None:
            _check_holds(active, mine)
            continue
        new = [key for key in mine if key.id not in control.keys]
        if len(new) > 1:
            names = ", ".join(key.id for key in new)
            raise _not_ready(f"{purpose} could be signed by {names}: remove all but one")
        found += [KeyRegistered(tenant=tenant, key=replace(key, valid_from=at)) for key in new]
    return tuple(found)


def _check_holds(active: PublicKey, mine: Sequence[PublicKey]) -> None:
    same = [key for key in mine if key.id == active.id]
    if not same:
        raise _not_ready(
            f"the log says that {active.id} signs {active.purpose}, and this signer does not hold "
            "it: bring it back, or revoke it and register another (placet keys)"
        )
    if same[0].pem.strip() != active.pem.strip():
        raise _not_ready(f"{active.id} is another public key here than in the log")


def rotate(control: Control, event: KeyRotated, *, at: datetime) -> KeyRotated:
    """The rotation as it enters the log, valid from ``at``.

    Raises:
        Refused: ``wrong_state``: the old key is not the active one of that purpose, the new one is
            known already, or one of the two did not sign.
    """
    old, new = control.active_key(event.key.purpose), event.key
    if old is None or old.id != event.old_key_id:
        stands = f"{old.id} is" if old else "no key is"
        raise _refused(f"{stands} active for {new.purpose}, not {event.old_key_id}")
    if new.id in control.keys:
        raise _refused(f"{new.id} is in the log already; a rotation needs a new key")
    message = rotation_message(tenant=event.tenant, old_key_id=old.id, key=new)
    for key, signature in ((old, event.signed_by_old), (new, event.signed_by_new)):
        if not is_signed(key, signature, message):
            raise _refused(f"{key.id} did not sign the rotation")
    return replace(event, key=replace(new, valid_from=at))


def revoke(
    control: Control, *, tenant: TenantId, actor: str, key_id: str, reason: str
) -> KeyRevoked:
    """End a key without a successor.

    Raises:
        InvalidInput: ``invalid_field``: no reason, or one that is too long.
        Refused: ``not_found``, or ``wrong_state``: it has ended already.
    """
    if not 0 < len(reason.strip()) <= REASON_CHARS:
        raise InvalidInput(
            Code.INVALID_FIELD,
            f"say why it is revoked, in at most {REASON_CHARS} characters",
            pointer="/reason",
        )
    if key_id not in control.keys:
        raise Refused(Code.NOT_FOUND, f"no key {key_id}")
    end = control.ended.get(key_id)
    if end is not None:
        raise _refused(f"{key_id} has ended already ({end.reason})")
    return KeyRevoked(tenant=tenant, actor=actor, key_id=key_id, reason=reason.strip())


def check_active(control: Control, key_id: str, purpose: str) -> PlacetError | None:
    """Why a signature by ``key_id`` does not count now, if it does not."""
    active = control.active_key(purpose)
    if active is not None and active.id == key_id:
        return None
    return _not_ready(
        Sentence(
            "key {key} does not sign {purpose} any more, or not yet; try again",
            key=key_id,
            purpose=purpose,
        )
    )


def is_signed(key: PublicKey, signature: str, message: bytes) -> bool:
    """Whether ``signature`` (base64 of r and s) over ``message`` is by ``key``: ES256."""
    try:
        raw = base64.b64decode(signature, validate=True)
        public = load_pem_public_key(key.pem.encode())
    except (binascii.Error, ValueError, UnsupportedAlgorithm):
        return False
    if not isinstance(public, ec.EllipticCurvePublicKey) or len(raw) != _SIGNATURE_BYTES:
        return False
    r, s = (int.from_bytes(half, "big") for half in (raw[:32], raw[32:]))
    try:
        public.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return isinstance(public.curve, ec.SECP256R1)


def _refused(message: str) -> Refused:
    return Refused(Code.WRONG_STATE, message)


def _not_ready(message: str) -> Unavailable:
    return Unavailable(Code.NOT_READY, message)
