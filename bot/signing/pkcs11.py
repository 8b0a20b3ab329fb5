"""Keys in a PKCS#11 token: an HSM, a smart card, SoftHSM.

Lives here: one session with one token. Must not live here: which key is active (the log says so).
Law: private keys are made sensitive and not extractable, and are used inside the token only; a
token that is gone is ``not_ready``, never a signature.
Source: PKCS #11 2.40; ECDSA over the SHA-256 digest answers r and s, 64 bytes.
"""

import asyncio
import threading
from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from secrets import token_bytes
from typing import Any, TypeVar

import pkcs11
from cryptography.hazmat.primitives.serialization import load_der_public_key
from pkcs11 import Attribute, KeyType, Mechanism, ObjectClass
from pkcs11.util.ec import encode_ec_public_key, encode_named_curve_parameters

from bot.signing.signer import not_ready, public_key_of, stem
from governance.control import PublicKey

T = TypeVar("T")
_CURVE = "1.2.840.10045.3.1.7"
"""P-256."""


class Pkcs11Store:
    """``KeyStore``: key pairs labelled ``PREFIX-PURPOSE``, told apart by their CKA_ID."""

    makes_keys = False

    def __init__(self, *, module: Path, token: str, prefix: str, pin: str) -> None:
        self.place = f"the PKCS#11 token {token}"
        self._module = module
        self._token = token
        self._prefix = prefix
        self._pin = pin
        self._lock = threading.Lock()
        """A session does one thing at a time."""
        self._session: Any = None
        self._ids: dict[str, bytes] = {}

    async def keys(self, purpose: str) -> Sequence[PublicKey]:
        """See ``bot.signing.signer.KeyStore``; so are the other methods."""
        return await self._in_token(lambda session: self._read(session, purpose))

    async def create(self, purpose: str) -> PublicKey:
        return await self._in_token(lambda session: self._make(session, purpose))

    async def sign(self, key: PublicKey, message: bytes) -> bytes:
        def work(session: Any) -> bytes:  # noqa: ANN401  # the module has no types
            if key.id not in self._ids:
                self._read(session, key.purpose)
            if key.id not in self._ids:
                raise not_ready(f"{key.id} is not in {self.place}")
            private = session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=self._ids[key.id])
            return bytes(private.sign(sha256(message).digest(), mechanism=Mechanism.ECDSA))

        return await self._in_token(work)

    async def retire(self, key: PublicKey) -> str:
        def work(session: Any) -> str:  # noqa: ANN401
            session.get_key(object_class=ObjectClass.PRIVATE_KEY, id=self._ids[key.id]).destroy()
            return f"the private key of {key.id} is destroyed in {self.place}"

        return await self._in_token(work)

    async def close(self) -> None:
        await asyncio.to_thread(self._drop)

    def _label(self, purpose: str) -> str:
        return f"{self._prefix}-{stem(purpose)}"

    def _read(self, session: Any, purpose: str) -> Sequence[PublicKey]:  # noqa: ANN401
        label = self._label(purpose)
        held = {
            bytes(item[Attribute.ID])
            for item in session.get_objects(
                {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.LABEL: label}
            )
        }
        wanted = {Attribute.CLASS: ObjectClass.PUBLIC_KEY, Attribute.LABEL: label}
        found: dict[bytes, PublicKey] = {}
        for item in session.get_objects(wanted):
            mark = bytes(item[Attribute.ID])
            if mark in held:  # a public key alone is left of one that was destroyed
                public = load_der_public_key(encode_ec_public_key(item))
                found[mark] = public_key_of(purpose, public, where=f"{label} in {self.place}")
        self._ids |= {key.id: mark for mark, key in found.items()}
        return tuple(found.values())

    def _make(self, session: Any, purpose: str) -> PublicKey:  # noqa: ANN401
        mark = token_bytes(16)
        parameters = session.create_domain_parameters(
            KeyType.EC, {Attribute.EC_PARAMS: encode_named_curve_parameters(_CURVE)}, local=True
        )
        public, _ = parameters.generate_keypair(
            id=mark,
            label=self._label(purpose),
            store=True,
            mechanism=Mechanism.EC_KEY_PAIR_GEN,
            public_template={Attribute.VERIFY: True},
            private_template={
                Attribute.SENSITIVE: True,
                Attribute.EXTRACTABLE: False,
                Attribute.SIGN: True,
            },
        )
        loaded = load_der_public_key(encode_ec_public_key(public))
        key = public_key_of(purpose, loaded, where=self._label(purpose))
        self._ids[key.id] = mark
        return key

    async def _in_token(self, work: Callable[[Any], T]) -> T:
        return await asyncio.to_thread(self._locked, work)

    def _locked(self, work: Callable[[Any], T]) -> T:
        with self._lock:
            try:
                if self._session is None:
                    self._session = self._open()
                return work(self._session)
            except pkcs11.PKCS11Error as error:
                self._drop_session()  # the next try logs in anew
                raise not_ready(f"{self.place} cannot be used ({type(error).__name__})") from error

    def _open(self) -> Any:  # noqa: ANN401
        try:
            token = pkcs11.lib(str(self._module)).get_token(token_label=self._token)
        except pkcs11.NoSuchToken as error:
            raise not_ready(
                f"{self._module} has no token {self._token}: softhsm2-util --init-token makes one"
            ) from error
        except (pkcs11.PKCS11Error, OSError, RuntimeError) as error:
            raise not_ready(
                f"the PKCS#11 module {self._module} does not load ({type(error).__name__}): "
                "is it installed?"
            ) from error
        try:
            return token.open(rw=True, user_pin=self._pin)
        except pkcs11.UserAlreadyLoggedIn:  # by another session of this process: it holds here too
            return token.open(rw=True)

    def _drop(self) -> None:
        with self._lock:
            self._drop_session()

    def _drop_session(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            try:
                session.close()
            except pkcs11.PKCS11Error:
                return  # it is gone anyway
