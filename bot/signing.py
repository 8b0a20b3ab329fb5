"""ES256 signing behind the one ``Signer`` port.

Lives here: keys in files, one per purpose, readable by the service's user only.
Must not live here: what is signed. Law: a key that others could read is refused, never used; a
private key never leaves this module.
"""

import base64
import os
import re
import stat
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from governance.control import PublicKey
from governance.errors import Code, Unavailable
from governance.ports import Signature

_HALF_BYTES = 32
_UNSAFE = re.compile(r"[^a-z0-9_-]")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class FileSigner:
    """Private keys as PEM files of mode 0600 in one folder of mode 0700."""

    def __init__(self, folder: Path, purposes: Iterable[str]) -> None:
        """Open the keys of ``purposes``, making those that do not exist yet.

        Raises:
            Unavailable: a key file is readable by others, or is no P-256 key.
        """
        self._folder = folder
        self._keys: dict[str, ec.EllipticCurvePrivateKey] = {}
        self._ids: dict[str, str] = {}
        self.ensure(purposes)

    def ensure(self, purposes: Iterable[str]) -> None:
        """Open the keys of ``purposes`` beside those that are open.

        Raises:
            Unavailable: as at the start; then no key is added.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        added = {
            purpose: _open(self._folder / f"{_stem(purpose)}.pem")
            for purpose in purposes
            if purpose not in self._keys
        }
        self._keys |= added
        self._ids |= {purpose: _key_id(purpose, key) for purpose, key in added.items()}

    async def sign(self, purpose: str, message: bytes) -> Signature:
        """ES256 over ``message``; base64 of r and s, 32 bytes each."""
        key = self._keys.get(purpose)
        if key is None:
            raise Unavailable(Code.NOT_READY, f"no signing key for {purpose}")
        r, s = utils.decode_dss_signature(key.sign(message, ec.ECDSA(hashes.SHA256())))
        raw = r.to_bytes(_HALF_BYTES, "big") + s.to_bytes(_HALF_BYTES, "big")
        return Signature(key_id=self._ids[purpose], value=base64.b64encode(raw).decode())

    def public_keys(self) -> Sequence[PublicKey]:
        """The public halves, to be registered in the log."""
        return tuple(
            PublicKey(
                id=self._ids[purpose], purpose=purpose, pem=_public_pem(key), valid_from=_EPOCH
            )
            for purpose, key in self._keys.items()
        )


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


def _stem(purpose: str) -> str:
    return _UNSAFE.sub("-", purpose.lower())


def _open(path: Path) -> ec.EllipticCurvePrivateKey:
    if not path.exists():
        _create(path)
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise Unavailable(
            Code.NOT_READY, f"{path.name} can be read by others: chmod 600 it, and replace the key"
        )
    key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise Unavailable(Code.NOT_READY, f"{path.name} is not a P-256 key")
    return key


def _create(path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    # Written aside and linked: a second process that starts at once sees a whole key or none,
    # and both end up with the same one.
    aside = path.with_suffix(f".{os.getpid()}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(aside, path)
    except FileExistsError:
        pass
    finally:
        aside.unlink()


def _public_pem(key: ec.EllipticCurvePrivateKey) -> str:
    return (
        key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode()
    )


def _key_id(purpose: str, key: ec.EllipticCurvePrivateKey) -> str:
    return f"{_stem(purpose)}-{sha256(_public_pem(key).encode()).hexdigest()[:16]}"
