"""Secrets of inbound webhooks: one file per agent credential.

Lives here: making, reading and removing them. Must not live here: checking a signature
(``bot.api``). Law: a secret is in a file of mode 0600 in a folder of mode 0700, never in the
ledger; one that others could read is not used, so that the webhook fails closed.
Source: Standard Webhooks, "Signature scheme" (``whsec_`` and base64 of 24 to 64 bytes).
"""

import base64
import binascii
import logging
import os
import re
import secrets
import stat
from pathlib import Path

from governance.errors import Code, InvalidInput, Unavailable

_log = logging.getLogger(__name__)

FOLDER = "webhooks"
"""The name of the folder, inside that of the signing keys."""
PREFIX = "whsec_"
_BYTES = 32
_SHORTEST, _LONGEST = 24, 64
_NAME = re.compile(r"[a-z0-9]{1,64}")
_OTHERS = 0o077


class FileWebhookSecrets:
    """The secrets in one folder, named by credential id."""

    def __init__(self, folder: Path) -> None:
        """``folder`` is ``FOLDER`` in that of the keys; nothing is read or made yet."""
        self._folder = folder

    def lookup(self, credential_id: str) -> bytes | None:
        """The raw secret of a credential; None where there is none that may be used."""
        path = self._path(credential_id)
        if path is None:
            return None
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        except OSError as error:
            _log.error("webhook secret of %s cannot be read: %s", credential_id, error.strerror)
            return None
        with os.fdopen(descriptor, "rb") as file:
            if stat.S_IMODE(os.fstat(descriptor).st_mode) & _OTHERS:
                _log.error("webhook secret of %s can be read by others: not used", credential_id)
                return None
            secret = _decode(file.read(_LONGEST * 4))
        if secret is None:
            _log.error("webhook secret of %s is not one: not used", credential_id)
        return secret

    def create(self, credential_id: str) -> str:
        """Make a secret, keep it, and answer it as ``whsec_...``.

        Raises:
            InvalidInput: ``invalid_field``: no such name for a credential.
            Unavailable: ``not_ready``: it exists already, or cannot be kept.
        """
        path = self._path(credential_id)
        if path is None:
            raise InvalidInput(Code.INVALID_FIELD, "a credential id is small letters and digits")
        text = PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode("ascii")
        try:
            for folder in (self._folder.parent, self._folder):  # parents=True ignores the mode
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(text + "\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(
                Code.NOT_READY,
                f"the webhook secret cannot be kept in {self._folder}: {error.strerror}",
            ) from error
        return text

    def remove(self, credential_id: str) -> bool:
        """Forget a secret; False: there was none.

        Raises:
            Unavailable: ``not_ready``: it is there and cannot be removed.
        """
        path = self._path(credential_id)
        if path is None:
            return False
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise Unavailable(
                Code.NOT_READY, f"{path} cannot be removed: {error.strerror}"
            ) from error
        return True

    def _path(self, credential_id: str) -> Path | None:
        return self._folder / credential_id if _NAME.fullmatch(credential_id) else None


def _decode(raw: bytes) -> bytes | None:
    try:
        text = raw.decode("ascii").strip()
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except (UnicodeDecodeError, binascii.Error):
        return None
    is_one = text.startswith(PREFIX) and _SHORTEST <= len(secret) <= _LONGEST
    return secret if is_one else None
