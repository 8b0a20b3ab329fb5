"""Tokens and scopes, without HTTP."""

import pytest

from bot.api.auth import authenticate, check_scope, check_tenant, digest_of, make_token
from governance.errors import Code, Refused
from governance.principal import Credential, Scope, TenantId
from storage.memory import MemoryLedger
from tests.support.build import ANNA, T0, TENANT, FixedClock
from tests.support.core import agent


class OneCredential(MemoryLedger):
    """A reader that knows one credential."""

    def __init__(self, credential: Credential) -> None:
        super().__init__(FixedClock())
        self._credentials[credential.id] = credential


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
