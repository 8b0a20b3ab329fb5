"""One contract for every place where keys may be: files, PKCS#11, transit and KMS."""

import base64

import pytest

from bot.signing.places import Place, store_at
from bot.signing.signer import KeyStore, StoreSigner, signed_by
from governance import control as ctl
from governance.control import Control, PublicKey
from governance.errors import Code, Unavailable
from storage.verify.values import is_signed, key_of, unbase64
from tests.support.build import T0

VOTE = "vote:security-admin"
MESSAGE = b'placet/v1/vote\0{"binding":"' + b"a" * 64 + b'"}'
HALF = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551 // 2


def holds(key: PublicKey, value: str, message: bytes) -> bool:
    """Whether the offline verifier, which shares no code with the signer, accepts it."""
    return is_signed(key_of(key.purpose, key.pem), unbase64(value), message)


def logged(*keys: PublicKey, ended: tuple[str, ...] = ()) -> Control:
    """A log that registered these."""
    ends = {name: ctl.KeyEnd(at=T0, reason="rotated") for name in ended}
    return Control(keys={key.id: key for key in keys}, ended=ends)


async def test_every_signature_verifies_offline_with_the_registered_key_only(store: KeyStore):
    key, other = await store.create(VOTE), await store.create("checkpoint")
    for count in range(8):
        message = MESSAGE + bytes([count])
        made = await signed_by(store, key, message)
        assert made.key_id == key.id
        assert holds(key, made.value, message)
        assert not holds(other, made.value, message)
        assert not holds(key, made.value, MESSAGE)
        assert int.from_bytes(base64.b64decode(made.value)[32:]) <= HALF, "low s only"


async def test_a_key_is_named_after_its_purpose_and_public_half(store: KeyStore):
    key = await store.create(VOTE)
    assert key.id.startswith("vote-security-admin-")
    assert (key.purpose, key.pem.startswith("-----BEGIN PUBLIC KEY-----")) == (VOTE, True)
    assert tuple(await store.keys(VOTE)) == (key,)
    assert await store.keys("vote:security") == await store.keys("checkpoint") == ()


async def test_after_a_rotation_both_keys_are_held_and_each_signs_as_itself(store: KeyStore):
    first, second = await store.create(VOTE), await store.create(VOTE)
    assert first.id != second.id
    assert {key.id for key in await store.keys(VOTE)} == {first.id, second.id}
    for key, other in ((first, second), (second, first)):
        made = await signed_by(store, key, MESSAGE)
        assert holds(key, made.value, MESSAGE)
        assert not holds(other, made.value, MESSAGE)


async def test_another_process_finds_the_same_keys(store: KeyStore, place: tuple[Place, str]):
    key = await store.create(VOTE)
    another = store_at(*place)
    try:
        assert tuple(await another.keys(VOTE)) == (key,)
        made = await signed_by(another, key, MESSAGE)
        assert holds(key, made.value, MESSAGE)
    finally:
        await another.close()


async def test_a_key_that_is_not_there_signs_nothing(store: KeyStore):
    await store.create(VOTE)
    stranger = PublicKey(id="vote-security-admin-0", purpose=VOTE, pem="PEM", valid_from=T0)
    with pytest.raises(Unavailable) as caught:
        await store.sign(stranger, MESSAGE)
    assert caught.value.code is Code.NOT_READY
    assert stranger.id in caught.value.message


async def test_a_retired_key_is_named_and_the_others_go_on(store: KeyStore):
    first, second = await store.create(VOTE), await store.create(VOTE)
    assert await store.retire(first)
    assert second in await store.keys(VOTE)
    assert holds(second, (await signed_by(store, second, MESSAGE)).value, MESSAGE)


async def test_the_log_says_which_key_signs_and_a_running_signer_follows_it(store: KeyStore):
    first = await store.create(VOTE)
    control = [logged(first)]

    async def read() -> Control:
        return control[0]

    signer = StoreSigner(store, read)
    await signer.ensure((VOTE,))
    assert (await signer.sign(VOTE, MESSAGE)).key_id == first.id
    second = await store.create(VOTE)
    assert (await signer.sign(VOTE, MESSAGE)).key_id == first.id, "not before the log says so"
    control[0] = logged(first, second, ended=(first.id,))
    made = await signer.sign(VOTE, MESSAGE)
    assert made.key_id == second.id
    assert holds(second, made.value, MESSAGE)
    assert {key.id for key in signer.public_keys()} == {first.id, second.id}
    control[0] = logged(first, second, ended=(first.id, second.id))
    with pytest.raises(Unavailable, match="no key is active for vote:security-admin"):
        await signer.sign(VOTE, MESSAGE)
