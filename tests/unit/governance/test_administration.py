"""What operators and the clock do: a fact of the log before it has any effect."""

import base64
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from governance import control as ctl
from governance.administration import CHECKPOINT, Administration, TreeHead
from governance.digests import content_digest
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.policy.bundle import load
from governance.ports import Keys, Result
from governance.principal import BREAK_GLASS, Agent
from storage.memory.ledger import MemoryLedger
from tests.support.build import TENANT, FixedClock, credential
from tests.support.core import FakeSigner
from tests.support.world import private_key
from tests.unit.governance.test_keys import key, rotation

BUNDLE = load({"version": "v1", "rules": []})
OTHER = load({"version": "v1", "name": "other", "rules": []})


class Office:
    """An administration over a ledger in memory."""

    def __init__(self) -> None:
        self.clock = FixedClock()
        self.ledger = MemoryLedger(self.clock)
        self.signer = FakeSigner()
        self.admin = Administration(
            ledger=self.ledger,
            reader=self.ledger,
            clock=self.clock,
            signer=self.signer,
            tenant=TENANT,
        )

    async def names(self) -> list[str]:
        return [logged.type for logged in await self.ledger.records(0, 100)]


@pytest.fixture
def office() -> Office:
    return Office()


async def test_an_activated_bundle_is_a_fact_and_its_bytes_are_kept(office: Office):
    assert await office.admin.activate(BUNDLE, actor="operator:x") is True
    assert (await office.ledger.control()).snapshot == BUNDLE.snapshot
    (logged,) = await office.ledger.records(0, 10)
    assert (logged.type, logged.header.actor) == ("BundleActivated", "operator:x")
    assert await office.ledger.content(content_digest(BUNDLE.to_bytes())) == BUNDLE.to_bytes()


async def test_activating_the_active_bundle_again_is_no_event(office: Office):
    await office.admin.activate(BUNDLE, actor="a")
    assert await office.admin.activate(BUNDLE, actor="a") is False
    assert await office.names() == ["BundleActivated"]


async def test_a_first_start_never_replaces_the_active_bundle(office: Office):
    assert await office.admin.activate(BUNDLE, actor="a", only_first=True) is True
    assert await office.admin.activate(OTHER, actor="a", only_first=True) is False
    assert (await office.ledger.control()).snapshot == BUNDLE.snapshot
    assert await office.admin.activate(OTHER, actor="a") is True


async def test_a_signers_keys_enter_the_log_once(office: Office):
    assert await office.admin.register_keys() == 3
    assert await office.admin.register_keys() == 0
    keys = (await office.ledger.control()).keys
    assert {*keys} == {"key:vote:operator", "key:vote:security-admin", "key:checkpoint"}


async def test_a_key_that_was_revoked_has_ended_and_another_may_be_registered(office: Office):
    await office.admin.register_keys()
    ended = await office.admin.revoke_key("key:checkpoint", actor="operator:x", reason="stolen")
    assert (ended.id, (await office.names())[-1]) == ("key:checkpoint", "KeyRevoked")
    assert (await office.ledger.control()).active_key(CHECKPOINT) is None
    assert await office.admin.register_keys() == 0
    with pytest.raises(Refused) as caught:
        await office.admin.revoke_key("key:checkpoint", actor="a", reason="again")
    assert caught.value.code is Code.WRONG_STATE


async def test_a_rotation_is_recorded_as_both_keys_signed_it(office: Office):
    old, new = key("k1"), key("k2")
    registered = ctl.KeyRegistered(tenant=TENANT, key=old)
    await office.ledger.commit(Keys(), lambda _: Result(reply=None, events=(registered,)))
    assert (await office.admin.rotate_key(rotation())).id == new.id
    assert (await office.ledger.control()).active_key(old.purpose) == new
    with pytest.raises(Refused):
        await office.admin.rotate_key(rotation())
    assert await office.names() == ["KeyRegistered", "KeyRotated"]


async def test_a_credential_works_from_its_record_to_its_revocation(office: Office):
    issued = await office.admin.issue(credential(), actor="a")
    assert await office.ledger.credential("cred-1") == issued
    office.clock.pass_(5)
    await office.admin.revoke("cred-1", actor="a")
    revoked = await office.ledger.credential("cred-1")
    assert revoked
    assert revoked.revoked_at == office.clock.at


async def test_a_credential_that_was_never_issued_cannot_be_revoked(office: Office):
    with pytest.raises(Refused) as caught:
        await office.admin.revoke("cred-9", actor="a")
    assert caught.value.code is Code.NOT_FOUND
    assert await office.names() == []


async def test_a_checkpoint_signs_the_tree_and_is_recorded_as_it_was_signed(office: Office):
    await office.admin.register_keys()
    tree = TreeHead(size=3, root=b"\1" * 32, head="ab")
    note = await office.admin.checkpoint(tree, origin="placet.example")
    body, _, line = note.partition("\n\n")
    body += "\n"
    assert body.splitlines()[:3] == ["placet.example", "3", base64.b64encode(b"\1" * 32).decode()]
    assert body.splitlines()[3:] == ["head ab", "at 2026-03-01T09:00:00.000000Z"]
    ((purpose, message),) = office.signer.signed
    assert (purpose, message) == (CHECKPOINT, body.encode())
    name, blob = line.removeprefix("\u2014 ").removesuffix("\n").split(" ")
    raw = base64.b64decode(blob)
    der = (
        private_key("checkpoint")
        .public_key()
        .public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    )
    assert name == "placet.example"
    assert raw[:4] == sha256(der).digest()[:4]
    r, s = decode_dss_signature(raw[4:])
    value = base64.b64decode(FakeSigner.value(CHECKPOINT, message))
    assert r.to_bytes(32, "big") + s.to_bytes(32, "big") == value
    logged = (await office.ledger.records(0, 10))[-1]
    assert logged.type == "CheckpointSigned"
    assert logged.payload == {
        "tenant": TENANT,
        "size": 3,
        "head": "ab",
        "note": note,
        "key_id": "key:checkpoint",
    }


async def test_a_checkpoint_by_a_key_that_the_log_does_not_know_is_not_recorded(office: Office):
    tree = TreeHead(size=3, root=b"\1" * 32, head="ab")
    with pytest.raises(Unavailable):
        await office.admin.checkpoint(tree, origin="placet.example")
    assert await office.names() == []


async def test_no_credential_bears_the_name_that_is_kept_for_people(office: Office):
    bearer = credential(agent=Agent(id=BREAK_GLASS, tenant=TENANT))
    with pytest.raises(InvalidInput) as caught:
        await office.admin.issue(bearer, actor="operator:root")
    assert (caught.value.code, caught.value.pointer) == (Code.INVALID_FIELD, "/agent")
