"""Tokens and scopes, without HTTP."""

import asyncio
from dataclasses import replace

import pytest

from bot.api.auth import (
    Credentials,
    authenticate,
    check_scope,
    check_tenant,
    digest_of,
    make_token,
)
from governance.errors import Code, Refused
from governance.principal import Credential, Scope, TenantId
from storage.memory.ledger import MemoryLedger
from tests.support.build import ANNA, T0, TENANT, FixedClock
from tests.support.core import agent


class OneCredential(MemoryLedger):
    """A reader that knows one credential."""

    def __init__(self, credential: Credential) -> None:
        super().__init__(FixedClock())
        self._tables.credentials[credential.id] = credential


def test_a_credential_keeps_the_digest_of_its_token_and_nothing_of_the_secret():
    credential, token = make_token(tenant=TENANT, scopes=[Scope.SUBMIT], at=T0, agent=agent())
    prefix, name, secret = token.split("_", 2)
    assert (prefix, name) == ("plt", credential.id)
    assert credential.secret_digest == digest_of(secret)
    assert secret not in repr(credential)


@pytest.mark.parametrize("form", ["Authorization", "X-API-Key"])
async def test_a_token_proves_its_credential_in_either_header(form: str):
    credential, token = make_token(tenant=TENANT, scopes=[Scope.READ], at=T0, person=ANNA)
    value = f"bEaReR {token}" if form == "Authorization" else token
    assert await authenticate({form: value}, OneCredential(credential), TENANT) == credential


async def test_a_secret_with_underscores_is_read_whole():
    for _ in range(200):
        credential, token = make_token(tenant=TENANT, scopes=[Scope.READ], at=T0)
        if "_" in token.split("_", 2)[2]:
            break
    assert await authenticate({"X-API-Key": token}, OneCredential(credential), TENANT)


async def test_a_credential_serves_its_own_tenant_only():
    credential, token = make_token(tenant=TENANT, scopes=[Scope.READ], at=T0)
    with pytest.raises(Refused) as refusal:
        await authenticate({"X-API-Key": token}, OneCredential(credential), TenantId("b"))
    assert refusal.value.code is Code.UNAUTHENTICATED


def test_a_named_tenant_must_be_the_credentials():
    credential, _ = make_token(tenant=TENANT, scopes=[], at=T0)
    check_tenant(None, credential, pointer="")
    check_tenant(TENANT, credential, pointer="")
    with pytest.raises(Refused) as refusal:
        check_tenant("b", credential, pointer="/tenant")
    assert (refusal.value.code, refusal.value.pointer) == (Code.FORBIDDEN, "/tenant")


def test_admin_may_read_and_nothing_else_is_implied():
    credential, _ = make_token(tenant=TENANT, scopes=[Scope.ADMIN], at=T0)
    check_scope(credential, frozenset({Scope.READ}))
    for scope in (Scope.SUBMIT, Scope.APPROVE):
        with pytest.raises(Refused):
            check_scope(credential, frozenset({scope}))


class Register:
    """One credential as it stands, and how often it was looked up."""

    def __init__(self, *, is_slow: bool = False) -> None:
        self.now, _ = make_token(tenant=TENANT, scopes=[], at=T0)
        self.reads = 0
        self._is_slow = is_slow

    def revoke(self) -> None:
        self.now = replace(self.now, revoked_at=T0)

    async def credential(self, _: str) -> Credential:
        self.reads += 1
        found = self.now
        if self._is_slow:
            await asyncio.sleep(0)
        return found


async def test_requests_that_wait_together_share_one_look_at_their_credential():
    register = Register()
    known = Credentials(register)
    found = await asyncio.gather(*(known.credential("a") for _ in range(5)), known.credential("b"))
    assert (set(map(id, found)), register.reads) == ({id(register.now)}, 2)


@pytest.mark.parametrize("is_slow", [False, True])
async def test_a_revocation_counts_for_every_request_that_comes_after_it(is_slow: bool):
    register = Register(is_slow=is_slow)
    known = Credentials(register)
    earlier = asyncio.create_task(known.credential("a"))
    await asyncio.sleep(0)
    register.revoke()
    later = asyncio.create_task(known.credential("a"))  # as the loop wakes whom data reached
    assert (await later).revoked_at == T0
    assert (await earlier).revoked_at is None


async def test_a_slow_look_is_not_kept_for_whoever_comes_while_it_is_awaited():
    register = Register(is_slow=True)
    known = Credentials(register)
    await asyncio.gather(known.credential("a"), known.credential("a"))
    assert register.reads == 2
