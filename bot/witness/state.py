"""What a witness has seen, and its key: the files that it keeps for itself.

Lives here: reading and replacing them. Must not live here: judging a checkpoint (``judge``), the
network (``source``). Law: what was cosigned is on disk before anybody is told; a file is whole or
the one before it; two witnesses never share a folder; a key that others could read is refused.
"""

import fcntl
import json
import os
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from governance.errors import Code, InvalidInput, Unavailable

KEY = "witness.pem"
SEEN = "seen.note"
COSIGNED = "cosigned.note"
_LOCK = "lock"


class Folder:
    """One witness's folder, mode 0700."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder alone, making it where it is not there.

        Raises:
            Unavailable: ``not_ready``: another witness has it, or it cannot be made.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(self.path / _LOCK, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise _not_ready(f"{self.path} cannot be used: {error.strerror}") from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise _not_ready(f"another witness works in {self.path}") from error
        try:
            yield
        finally:
            os.close(descriptor)

    def seen(self) -> str:
        """The newest checkpoint that this witness cosigned; empty: it saw none yet.

        Raises:
            InvalidInput: ``invalid_field``: the file is there and cannot be read.
        """
        try:
            found = (self.path / SEEN).read_text(encoding="utf-8")
        except FileNotFoundError:
            return ""
        except (OSError, UnicodeDecodeError):
            found = ""
        if not found:  # an empty file must not look like a first time
            raise InvalidInput(
                Code.INVALID_FIELD, f"{self.path / SEEN} cannot be read; nothing is cosigned"
            )
        return found

    def key(self) -> Ed25519PrivateKey:
        """The witness's own key, made at first.

        Raises:
            Unavailable: ``not_ready``: others can read it, or it is no Ed25519 key.
        """
        path = self.path / KEY
        if not path.exists():
            made = Ed25519PrivateKey.generate()
            replace_file(
                path, made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            )
        if stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise _not_ready(f"{path} can be read by others: chmod 600 it, and replace the key")
        try:
            key = load_pem_private_key(path.read_bytes(), password=None)
        except (OSError, ValueError, TypeError) as error:
            raise _not_ready(f"{path} is no private key") from error
        if not isinstance(key, Ed25519PrivateKey):
            raise _not_ready(f"{path} is not an Ed25519 key")
        return key

    def keep_seen(self, note: str) -> None:
        """Remember ``note`` for good."""
        replace_file(self.path / SEEN, note.encode("utf-8"))

    def keep_evidence(self, evidence: Mapping[str, object]) -> Path:
        """Keep what shows that a log contradicts itself, beside what was kept before."""
        raw = json.dumps(evidence, indent=2).encode("utf-8")
        number = 1
        while (path := self.path / f"evidence-{number}.json").exists():
            number += 1
        replace_file(path, raw)
        return path


def replace_file(path: Path, content: bytes) -> None:
    """Put ``content`` where ``path`` is, whole and durable, or leave what is there.

    Raises:
        OSError: it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.new")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _not_ready(message: str) -> Unavailable:
    return Unavailable(Code.NOT_READY, message)
