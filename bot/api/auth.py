"""Bearer credentials: who sends a request.

Lives here: making tokens and checking them. Must not live here: what a caller may see or do with
a ticket (``calls``, the core). Law: only the digest of a secret is kept; every way of failing to
prove an identity gets the same answer; nothing that a client says about itself is believed.
"""

import asyncio
import hmac
import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import cache
from hashlib import sha256
from typing import Protocol

from governance.errors import Code, Refused
from governance.principal import Agent, Credential, PersonId, Scope, TenantId

_TOKEN = re.compile(r"plt_([a-z0-9]{16})_([A-Za-z0-9_-]{43})")
_TENANTS = ("X-Tenant-ID", "X-Cordum-Tenant")
_ID_BYTES = 8
_SECRET_BYTES = 32
_NOBODY = sha256(b"placet: no such credential").hexdigest()
_IMPLIED = {Scope.ADMIN: frozenset({Scope.ADMIN, Scope.READ})}


def make_token(
    *,
    tenant: TenantId,
    scopes: Iterable[Scope],
    at: datetime,
    agent: Agent | None = None,
    person: PersonId | None = None,
) -> tuple[Credential, str]:
    """A new credential and the token that proves it; the token is shown once and never kept.

    Raises:
        ValueError: a scope without the principal that it is for.
    """
    granted = frozenset(scopes)
    if Scope.SUBMIT in granted and agent is None:
        raise ValueError("scope submit is for an agent")
    if Scope.APPROVE in granted and person is None:
        raise ValueError("scope approve is for a person")
    if agent is not None and agent.tenant != tenant:
        raise ValueError(f"agent {agent.id} belongs to another tenant")
    name = secrets.token_hex(_ID_BYTES)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    credential = Credential(
        id=name,
        tenant=tenant,
        secret_digest=digest_of(secret),
        scopes=granted,
        agent=agent,
        person=person,
        issued_at=at,
    )
    return credential, f"plt_{name}_{secret}"


def digest_of(secret: str) -> str:
    """SHA-256 in hex of a token's secret part; its 256 random bits need no salt."""
    return sha256(secret.encode("ascii")).hexdigest()


class KnownCredentials(Protocol):
    """Whoever knows the credentials there are."""

    async def credential(self, credential_id: str) -> Credential | None:
        """A credential, revoked ones included."""


class Credentials:
    """Credentials as they stand, each read once in one pass of the event loop.

    Whoever is woken in the same pass had arrived before the read, and whoever arrives after it is
    woken in a later one: a revocation takes effect with the next request. Where a read takes longer
    than its pass, nobody shares it.
    """

    def __init__(self, reader: KnownCredentials) -> None:
        self._reader = reader
        self._read: dict[str, Credential | None] = {}
        self._pass: object | None = None

    async def credential(self, credential_id: str) -> Credential | None:
        """A credential, revoked ones included."""
        if credential_id in self._read:
            return self._read[credential_id]
        if self._pass is None:
            self._pass = object()
            asyncio.get_running_loop().call_soon(self._end)
        mine = self._pass
        found = await self._reader.credential(credential_id)
        if self._pass is mine:
            self._read[credential_id] = found
        return found

    def _end(self) -> None:
        self._pass = None
        self._read.clear()


async def authenticate(
    headers: Mapping[str, str], known: KnownCredentials, tenant: TenantId
) -> Credential:
    """The live credential whose token the request carries.

    Raises:
        Refused: ``unauthenticated`` for every failure alike; ``forbidden`` for another tenant.
    """
    found = _TOKEN.fullmatch(_token(headers))
    credential = await known.credential(found[1]) if found else None
    expected = credential.secret_digest if credential is not None else _NOBODY
    given = digest_of(found[2]) if found else ""
    is_proven = hmac.compare_digest(given.encode("ascii"), expected.encode("ascii"))
    if credential is None or not is_proven or credential.revoked_at is not None:
        raise _unauthenticated()
    if credential.tenant != tenant:
        raise _unauthenticated()
    for name in _TENANTS:
        check_tenant(headers.get(name), credential, pointer="")
    return credential


def _token(headers: Mapping[str, str]) -> str:
    """The one token that is sent, in either header or in both; nothing where there are two."""
    scheme, _, value = headers.get("Authorization", "").partition(" ")
    key = headers.get("X-API-Key", "").strip()
    if scheme.lower() != "bearer":
        return key
    bearer = value.strip()
    return bearer if key in ("", bearer) else ""


def _unauthenticated() -> Refused:
    return Refused(Code.UNAUTHENTICATED, "send a valid token as Authorization: Bearer or X-API-Key")


def check_tenant(claimed: str | None, credential: Credential, *, pointer: str) -> None:
    """A tenant that a request names must be its credential's.

    Raises:
        Refused: ``forbidden``.
    """
    if claimed and claimed != credential.tenant:
        raise Refused(Code.FORBIDDEN, "the tenant named is not this credential's", pointer=pointer)


@cache
def _granted(scopes: frozenset[Scope]) -> frozenset[Scope]:
    """``scopes`` and what they imply."""
    return scopes.union(*(_IMPLIED.get(scope, ()) for scope in scopes))


def check_scope(credential: Credential, wanted: frozenset[Scope]) -> None:
    """One of ``wanted`` must be granted.

    Raises:
        Refused: ``forbidden``.
    """
    if _granted(credential.scopes).isdisjoint(wanted):
        names = " or ".join(sorted(scope.value for scope in wanted))
        raise Refused(Code.FORBIDDEN, f"this needs a credential with scope {names}")
