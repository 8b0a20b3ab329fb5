"""Private keys as PEM files of mode 0600 in one folder of mode 0700.

Lives here: making, opening and removing these files, and signing heads with one of them.
Must not live here: which key is active (the log says so). Law: a key that others could read is
refused, never used; a private key never leaves this module.
"""

import asyncio
import logging
import os
import stat
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from bot.signing.signer import encoded, not_ready, public_key_of, raw_of, stem
from governance.control import HEAD, PublicKey
from governance.errors import Unavailable

_log = logging.getLogger("placet.signing")


class _Held(NamedTuple):
    public: PublicKey
    private: ec.EllipticCurvePrivateKey
    path: Path


class FileStore:
    """``KeyStore`` over a folder: ``vote-operator.pem``, once rotated ``vote-operator.2.pem``."""

    makes_keys = True

    def __init__(self, folder: Path) -> None:
        self.place = f"the folder {folder}"
        self._folder = folder
        self._held: dict[str, _Held] = {}

    async def keys(self, purpose: str) -> Sequence[PublicKey]:
        """See ``bot.signing.signer.KeyStore``; so are the other methods."""
        return await asyncio.to_thread(self.read, purpose)

    def read(self, purpose: str) -> Sequence[PublicKey]:
        """Open the files of ``purpose``, oldest first.

        Raises:
            Unavailable: ``not_ready``: one can be read by others, or is no P-256 key.
        """
        name = stem(purpose)
        found = [_opened(path, purpose) for path in _numbered(self._folder, name)]
        self._held |= {held.public.id: held for held in found}
        return tuple(held.public for held in found)

    async def create(self, purpose: str) -> PublicKey:
        return await asyncio.to_thread(self._make, purpose)

    def _make(self, purpose: str) -> PublicKey:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        name = stem(purpose)
        known = _numbered(self._folder, name)
        number = _number(known[-1], name) + 1 if known else 1
        path = self._folder / (f"{name}.pem" if number == 1 else f"{name}.{number}.pem")
        _create(path)
        held = _opened(path, purpose)
        self._held[held.public.id] = held
        return held.public

    async def sign(self, key: PublicKey, message: bytes) -> bytes:
        return self.sign_now(key.id, key.purpose, message)

    def sign_now(self, key_id: str, purpose: str, message: bytes) -> bytes:
        """What ``sign`` answers, at once.

        Raises:
            Unavailable: ``not_ready``.
        """
        made = self._of(key_id, purpose).private.sign(message, ec.ECDSA(hashes.SHA256()))
        return raw_of(made)

    def _of(self, key_id: str, purpose: str) -> _Held:
        if key_id not in self._held:
            self.read(purpose)
        held = self._held.get(key_id)
        if held is None:
            raise not_ready(f"{key_id} is not in {self.place}")
        return held

    async def retire(self, key: PublicKey) -> str:
        held = self._of(key.id, key.purpose)
        held.path.unlink(missing_ok=True)
        self._held.pop(key.id, None)
        return f"{held.path} is removed"

    async def close(self) -> None:
        self._held.clear()


class FileHeads:
    """``HeadSigner`` over a folder: 38 microseconds a batch, on the writer's thread."""

    def __init__(self, folder: Path, origin: str) -> None:
        self.origin = origin
        self._store = FileStore(folder)
        self._told = ""

    def sign_head(self, key_id: str, message: bytes) -> str | None:
        """See ``governance.keys.HeadSigner``; a head that stays unsigned is told once a key."""
        try:
            return encoded(self._store.sign_now(key_id, HEAD, message))
        except Unavailable as error:
            if self._told != key_id:
                self._told = key_id
                _log.warning("heads are not signed", extra={"why": error.message})
            return None


def _numbered(folder: Path, name: str) -> list[Path]:
    found = [path for path in folder.glob(f"{name}*.pem") if _number(path, name)]
    return sorted(found, key=lambda path: _number(path, name))


def _number(path: Path, name: str) -> int:
    """1 for ``name.pem``, n for ``name.n.pem``, 0 for a file of another purpose."""
    middle = path.name.removeprefix(name).removesuffix(".pem")
    if not middle:
        return 1
    digits = middle.removeprefix(".")
    is_number = digits.isdecimal() and digits.isascii() and middle[0] == "."
    return int(digits) if is_number else 0


def _opened(path: Path, purpose: str) -> _Held:
    if stat.S_IMODE(path.stat().st_mode) & 0o077:
        raise not_ready(f"{path.name} can be read by others: chmod 600 it, and replace the key")
    try:
        private = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError, OSError) as error:
        raise not_ready(f"{path.name} cannot be read ({type(error).__name__})") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey):
        raise not_ready(f"{path.name} is not a P-256 key")
    public = public_key_of(purpose, private.public_key(), where=path.name)
    return _Held(public=public, private=private, path=path)


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
