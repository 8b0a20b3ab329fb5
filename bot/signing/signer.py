"""ES256 signing behind the one ``Signer`` port, over whatever keeps the keys.

Lives here: which key signs for a purpose, the check of what a store answered, and the one form
of keys and signatures. Must not live here: what is signed, and where keys are kept (the
``signing_*`` modules beside this one).
Law: the log says which key is active, and no other signs; a signature that does not verify is
never handed on; low s only, and no signature is ever a name.
"""

import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from typing import Protocol

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from governance.control import Control, PublicKey
from governance.errors import Code, Unavailable
from governance.keys import is_signed
from governance.ports import Signature

_HALF_BYTES = 32
_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""The order of P-256's group."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyz0123456789_-")


class KeyStore(Protocol):
    """Keeps private keys: several of one purpose after rotations. Never lets one out."""

    place: str
    """What the store is, for messages: no secret is in it."""
    makes_keys: bool
    """Whether a first start may make missing keys; else ``placet keys init`` must be typed."""

    async def keys(self, purpose: str) -> Sequence[PublicKey]:
        """Every key of ``purpose``, oldest first.

        Raises:
            Unavailable: ``not_ready``: the store does not answer, or a key must not be used.
        """

    async def create(self, purpose: str) -> PublicKey:
        """Make one more key.

        Raises:
            Unavailable: ``not_ready``.
        """

    async def sign(self, key: PublicKey, message: bytes) -> bytes:
        """r and s over the SHA-256 of ``message``, 32 bytes each.

        Raises:
            Unavailable: ``not_ready``.
        """

    async def retire(self, key: PublicKey) -> str:
        """Take away what signed with a key that has ended; what was done, as a sentence."""

    async def close(self) -> None:
        """Let go of what is open."""


ReadControl = Callable[[], Awaitable[Control]]


class StoreSigner:
    """``Signer`` over a store: signs with the key that the log says is active now."""

    def __init__(self, store: KeyStore, control: ReadControl) -> None:
        self._store = store
        self._control = control
        self._keys: dict[str, PublicKey] = {}
        self._purposes: dict[str, None] = {}

    async def ensure(self, purposes: Iterable[str]) -> None:
        """Know the keys of ``purposes`` besides those that are known, making missing ones.

        Raises:
            Unavailable: ``not_ready``: the store does not answer, or has no key for a purpose
                and makes none by itself; then none is added.
        """
        wanted = [name for name in dict.fromkeys(purposes) if name not in self._purposes]
        found: list[PublicKey] = []
        control = await self._control()
        for purpose in wanted:
            found += await self._held(purpose, control)
        _check_apart([*self._keys.values(), *found])
        self._purposes |= dict.fromkeys(wanted)
        self._keys |= {key.id: key for key in found}

    async def _held(self, purpose: str, control: Control) -> Sequence[PublicKey]:
        held, active = await self._store.keys(purpose), control.active_key(purpose)
        if active is not None:
            check_held(active, held, self._store)
            return held
        if any(key.id not in control.keys for key in held):
            return held
        # A purpose whose key was revoked stays without one until somebody says otherwise.
        was_ended = any(key.purpose == purpose for key in control.keys.values())
        if was_ended or not self._store.makes_keys:
            raise not_ready(f"no key for {purpose} in {self._store.place}: placet keys init")
        return (*held, await self._store.create(purpose))

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """ES256 over ``message`` by the active key of ``purpose``.

        Raises:
            Unavailable: ``not_ready``: no key is active, it is not held here, or the store does
                not answer as it should.
        """
        active = (await self._control()).active_key(purpose)
        if active is None:
            raise not_ready(f"no key is active for {purpose}")
        if active.id not in self._keys:
            self._keys |= {key.id: key for key in await self._store.keys(purpose)}
        key = self._keys.get(active.id)
        if key is None or key.purpose != purpose:
            raise not_ready(f"{active.id} signs {purpose} and is not in {self._store.place}")
        return await signed_by(self._store, key, message)

    def public_keys(self) -> Sequence[PublicKey]:
        """The public halves, to be registered in the log."""
        return tuple(self._keys.values())

    async def close(self) -> None:
        """Let go of what the store holds open."""
        await self._store.close()


def check_held(active: PublicKey, held: Sequence[PublicKey], store: KeyStore) -> None:
    """Whether the key that the log says is active is among those that ``store`` holds.

    Raises:
        Unavailable: ``not_ready``: it is not.
    """
    if active.id not in {key.id for key in held}:
        raise not_ready(
            f"the log says that {active.id} signs {active.purpose}, and it is not in "
            f"{store.place}: bring it back, or revoke it (placet keys revoke)"
        )


def _check_apart(keys: Sequence[PublicKey]) -> None:
    """Names that differ in letter case or signs alone would share a key."""
    purposes: dict[str, str] = {}
    for key in keys:
        if purposes.setdefault(key.id, key.purpose) != key.purpose:
            raise not_ready(f"{purposes[key.id]} and {key.purpose} share a key: rename one")


class NoSigner:
    """For processes that must hold no key at all, such as the executor."""

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """Refuse.

        Raises:
            Unavailable: always.
        """
        raise Unavailable(Code.NOT_READY, f"this process holds no key, {purpose} least of all")

    def public_keys(self) -> Sequence[PublicKey]:
        """None."""
        return ()


async def signed_by(store: KeyStore, key: PublicKey, message: bytes) -> Signature:
    """What ``store`` signs with ``key``, verified.

    Raises:
        Unavailable: ``not_ready``: it does not answer, or not with a signature by that key.
    """
    made = Signature(key_id=key.id, value=encoded(await store.sign(key, message)))
    if not is_signed(key, made.value, message):
        raise not_ready(f"{store.place} answered with a signature that {key.id} did not make")
    return made


def encoded(raw: bytes) -> str:
    """base64 of r and s, with the lower of the two values that s may have."""
    s = int.from_bytes(raw[_HALF_BYTES:], "big")
    if s > _ORDER // 2:
        raw = raw[:_HALF_BYTES] + (_ORDER - s).to_bytes(_HALF_BYTES, "big")
    return base64.b64encode(raw).decode()


def raw_of(der: bytes) -> bytes:
    """r and s, 32 bytes each, of a DER signature.

    Raises:
        ValueError: it is none.
    """
    r, s = utils.decode_dss_signature(der)
    return r.to_bytes(_HALF_BYTES, "big") + s.to_bytes(_HALF_BYTES, "big")


def public_key_of(purpose: str, key: object, *, where: str) -> PublicKey:
    """A public key as the log knows it, under the name that its own bytes give it.

    Raises:
        Unavailable: ``not_ready``: it is no P-256 key; ``where`` says which.
    """
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise not_ready(f"{where} is not a P-256 key")
    pem = key.public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()
    key_id = f"{stem(purpose)}-{sha256(pem.encode()).hexdigest()[:16]}"
    return PublicKey(id=key_id, purpose=purpose, pem=pem, valid_from=_EPOCH)


def stem(purpose: str) -> str:
    """A purpose as a name in any store: letters, digits, - and _."""
    return "".join(letter if letter in _PLAIN else "-" for letter in purpose.lower())


def not_ready(message: str) -> Unavailable:
    """The key cannot be used now."""
    return Unavailable(Code.NOT_READY, message)
