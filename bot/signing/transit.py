"""Keys in the transit engine of OpenBao or Vault, over its HTTP API.

Lives here: one client of that API. Must not live here: which key is active (the log says so).
Law: a key never leaves the server; the token is in one header and in no message or log; a server
that is gone, sealed or silent is ``not_ready``, never a signature.
Source: openbao.org/api-docs/secret/transit. Marshalling ``jws`` is r and s, 64 bytes, base64url.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

import aiohttp
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from bot.signing.signer import not_ready, public_key_of, stem
from governance.control import PublicKey

TIMEOUT_S = 5.0
"""A person waits for the vote that is signed."""

_MAX_BYTES = 1_048_576
_DONE = (200, 204)
_NOT_FOUND = 404
_RAW_BYTES = 64


class TransitStore:
    """``KeyStore``: one key of the engine for each purpose, one version for each rotation."""

    makes_keys = False

    def __init__(
        self, *, server: str, mount: str, prefix: str, token: str, timeout_s: float = TIMEOUT_S
    ) -> None:
        self.place = f"the transit engine {mount} at {server}"
        self._base = f"{server}/v1/{mount}"
        self._mount = mount
        self._prefix = prefix
        self._token = token
        self._timeout = aiohttp.ClientTimeout(total=timeout_s)
        self._session: aiohttp.ClientSession | None = None
        self._versions: dict[str, int] = {}

    async def keys(self, purpose: str) -> Sequence[PublicKey]:
        """See ``bot.signing.signer.KeyStore``; so are the other methods."""
        name = self._name(purpose)
        data = await self._call("GET", f"keys/{name}", may_be_absent=True)
        if data is None:
            return ()
        if data.get("type") != "ecdsa-p256":
            raise not_ready(f"{name} in {self.place} is not of type ecdsa-p256")
        found: dict[int, PublicKey] = {}
        for version, entry in dict(data.get("keys") or {}).items():
            pem = entry.get("public_key") if isinstance(entry, dict) else None
            found[int(version)] = _public(purpose, pem, f"{name} {version}")
        self._versions |= {key.id: version for version, key in found.items()}
        return tuple(found[version] for version in sorted(found))

    async def create(self, purpose: str) -> PublicKey:
        name = self._name(purpose)
        if await self.keys(purpose):
            await self._call("POST", f"keys/{name}/rotate", {})
        else:
            await self._call("POST", f"keys/{name}", {"type": "ecdsa-p256"})
        return (await self.keys(purpose))[-1]

    async def sign(self, key: PublicKey, message: bytes) -> bytes:
        if key.id not in self._versions:
            await self.keys(key.purpose)
        version = self._versions.get(key.id)
        if version is None:
            raise not_ready(f"{key.id} is not in {self.place}")
        asked = {
            "input": base64.b64encode(message).decode(),
            "marshaling_algorithm": "jws",
            "key_version": version,
        }
        data = await self._call("POST", f"sign/{self._name(key.purpose)}/sha2-256", asked)
        text = str((data or {}).get("signature")).rpartition(":")[2]
        try:
            raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != _RAW_BYTES:
            raise not_ready(f"{self.place} answered with no ES256 signature")
        return raw

    async def retire(self, key: PublicKey) -> str:
        version = self._versions.get(key.id, 0) + 1
        return (
            f"version {version - 1} of {self._name(key.purpose)} stays in {self.place}; once there "
            f"is a newer one: bao write {self._mount}/keys/{self._name(key.purpose)}/config "
            f"min_encryption_version={version}"
        )

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _name(self, purpose: str) -> str:
        return f"{self._prefix}-{stem(purpose)}"

    async def _call(
        self,
        method: str,
        path: str,
        body: Mapping[str, object] | None = None,
        *,
        may_be_absent: bool = False,
    ) -> Mapping[str, Any] | None:
        """The ``data`` of an answer; None where there is no such thing."""
        if self._session is None:
            # No proxy and no redirect: the token goes to the named server only.
            self._session = aiohttp.ClientSession(timeout=self._timeout, trust_env=False)
        try:
            async with self._session.request(
                method,
                f"{self._base}/{path}",
                json=body,
                headers={"X-Vault-Token": self._token, "X-Vault-Request": "true"},
                allow_redirects=False,
            ) as answer:
                if may_be_absent and answer.status == _NOT_FOUND:
                    return None
                if answer.status not in _DONE:
                    hint = _HINTS.get(answer.status, "see its log")
                    raise not_ready(f"{self.place} answered {answer.status} to {path}: {hint}")
                return _data(await answer.content.read(_MAX_BYTES))
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise not_ready(
                f"{self.place} does not answer ({type(error).__name__}); is it started and "
                "unsealed?"
            ) from error


_HINTS = {
    400: "it refuses the request",
    403: "the token may not do that; see PLACET_SIGNER_SECRET_FILE",
    404: "there is no such engine or key; enable transit there, then placet keys init",
    503: "it is sealed or starting; unseal it",
}


def _data(raw: bytes) -> Mapping[str, Any]:
    """The answer's data; an answer without one says nothing."""
    try:
        found = json.loads(raw) if raw else {}
        data = found.get("data") if isinstance(found, dict) else None
    except (ValueError, RecursionError):
        data = None
    return data if isinstance(data, dict) else {}


def _public(purpose: str, pem: object, where: str) -> PublicKey:
    try:
        loaded = load_pem_public_key(str(pem).encode())
    except (ValueError, UnsupportedAlgorithm) as error:
        raise not_ready(f"{where} is no public key") from error
    return public_key_of(purpose, loaded, where=where)
