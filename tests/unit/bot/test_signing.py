"""Keys in files: made once, private, several of one purpose; and who may sign with which."""

import base64
import os
import stat
from collections.abc import Sequence
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from bot.signing.files import FileHeads, FileStore
from bot.signing.signer import NoSigner, StoreSigner, encoded, raw_of, signed_by
from governance import control as ctl
from governance.control import Control, PublicKey
from governance.errors import Code, Unavailable
from governance.keys import head_message
from tests.support.build import T0

MESSAGE = b"placet/v1/vote\0{}"
VOTE = "vote:operator"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def verify(pem: str, value: str, message: bytes) -> None:
    raw = base64.b64decode(value)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert len(raw) == 64
    key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


def signer(store: FileStore, *keys: PublicKey, ended: tuple[str, ...] = ()) -> StoreSigner:
    """A signer over ``store`` for a log that registered ``keys``."""
    ends = {name: ctl.KeyEnd(at=T0, reason="rotated") for name in ended}
    control = Control(keys={key.id: key for key in keys}, ended=ends)

    async def read() -> Control:
        return control

    return StoreSigner(store, read)


# Files


async def test_a_signature_verifies_with_the_registered_public_key_only(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "keys")
    vote, checkpoint = await store.create(VOTE), await store.create("checkpoint")
    made = await signed_by(store, vote, MESSAGE)
    assert made.key_id == vote.id
    verify(vote.pem, made.value, MESSAGE)
    with pytest.raises(InvalidSignature):
        verify(checkpoint.pem, made.value, MESSAGE)


async def test_keys_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first = signer(FileStore(folder))
    await first.ensure(("checkpoint",))
    again = signer(FileStore(folder))
    await again.ensure(("checkpoint",))
    assert again.public_keys() == first.public_keys()
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


async def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    await FileStore(tmp_path).create("checkpoint")
    os.chmod(tmp_path / "checkpoint.pem", 0o640)
    with pytest.raises(Unavailable, match="can be read by others") as refused:
        await FileStore(tmp_path).keys("checkpoint")
    assert refused.value.code is Code.NOT_READY


@pytest.mark.parametrize(
    ("key", "says"),
    [
        (ec.generate_private_key(ec.SECP384R1()), "is not a P-256 key"),
        (None, "cannot be read"),
    ],
)
async def test_a_key_of_another_kind_is_refused(
    tmp_path: Path, key: ec.EllipticCurvePrivateKey | None, says: str
) -> None:
    pem = b"no key" if key is None else pem_of(key)
    (tmp_path / "checkpoint.pem").write_bytes(pem)
    os.chmod(tmp_path / "checkpoint.pem", 0o600)
    with pytest.raises(Unavailable, match=says):
        await FileStore(tmp_path).keys("checkpoint")


def pem_of(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )


async def test_an_rsa_key_is_refused(tmp_path: Path) -> None:
    from cryptography.hazmat.primitives.asymmetric import rsa

    pem = rsa.generate_private_key(65537, 2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "checkpoint.pem").write_bytes(pem)
    os.chmod(tmp_path / "checkpoint.pem", 0o600)
    with pytest.raises(Unavailable, match="is not a P-256 key"):
        await FileStore(tmp_path).keys("checkpoint")


async def test_files_of_one_purpose_are_numbered_and_others_are_not_theirs(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    keys = [await store.create("vote:a") for _ in range(11)]
    for other in ("vote:a-b", "vote:a2"):
        await store.create(other)
    (tmp_path / "vote-a.old.pem").write_text("not ours")
    (tmp_path / "vote-a..pem").write_text("not ours")
    assert list(await FileStore(tmp_path).keys("vote:a")) == keys
    await store.retire(keys[0])
    assert [key.id for key in await store.keys("vote:a")] == [key.id for key in keys[1:]]
    assert not (tmp_path / "vote-a.pem").exists()
    assert (await store.create("vote:a")).id not in {key.id for key in keys}
    assert (tmp_path / "vote-a.12.pem").exists()


# Which key signs


async def test_a_purpose_without_a_key_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no key is active for vote:operator"):
        await signer(FileStore(tmp_path)).sign(VOTE, MESSAGE)


async def test_the_process_of_no_keys_signs_nothing() -> None:
    with pytest.raises(Unavailable):
        await NoSigner().sign("checkpoint", MESSAGE)
    assert NoSigner().public_keys() == ()


async def test_keys_of_new_roles_join_those_that_are_open(tmp_path: Path) -> None:
    one = signer(FileStore(tmp_path))
    await one.ensure(("checkpoint",))
    (before,) = one.public_keys()
    await one.ensure(("checkpoint", "vote:guardian"))
    assert one.public_keys()[0] == before
    assert [key.purpose for key in one.public_keys()] == ["checkpoint", "vote:guardian"]


async def test_a_key_that_cannot_be_opened_adds_none(tmp_path: Path) -> None:
    one = signer(FileStore(tmp_path))
    await one.ensure(("checkpoint",))
    (tmp_path / "vote-b.pem").touch(mode=0o644)
    with pytest.raises(Unavailable):
        await one.ensure(("vote:a", "vote:b"))
    assert [key.purpose for key in one.public_keys()] == ["checkpoint"]


async def test_a_store_that_lost_the_active_key_is_told_at_the_start(tmp_path: Path) -> None:
    lost = await FileStore(tmp_path / "elsewhere").create(VOTE)
    store = FileStore(tmp_path / "keys")
    with pytest.raises(Unavailable, match=f"{lost.id} signs vote:operator, and it is not in"):
        await signer(store, lost).ensure((VOTE,))
    assert await store.keys(VOTE) == (), "no other key is made in its place"
    with pytest.raises(Unavailable, match=f"{lost.id} signs vote:operator and is not in"):
        await signer(store, lost).sign(VOTE, MESSAGE)


async def test_a_revoked_key_is_not_replaced_by_a_restart(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    revoked = await store.create(VOTE)
    with pytest.raises(Unavailable, match="placet keys init"):
        await signer(store, revoked, ended=(revoked.id,)).ensure((VOTE,))
    made = await store.create(VOTE)
    one = signer(store, revoked, ended=(revoked.id,))
    await one.ensure((VOTE,))
    assert made in one.public_keys()


async def test_a_store_that_makes_no_keys_by_itself_asks_for_the_command(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    store.makes_keys = False  # type: ignore[misc]
    with pytest.raises(Unavailable, match=r"no key for vote:operator in .*: placet keys init"):
        await signer(store).ensure((VOTE,))


async def test_two_purposes_never_share_a_key(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"vote:a\.b and vote:a-b share a key"):
        await signer(FileStore(tmp_path)).ensure(("vote:a.b", "vote:a-b"))


# Signatures


async def test_a_store_that_signs_with_another_key_is_refused(tmp_path: Path) -> None:
    store, other = FileStore(tmp_path / "a"), FileStore(tmp_path / "b")
    key, theirs = await store.create(VOTE), await other.create(VOTE)

    class Swapped(FileStore):
        async def sign(self, key: PublicKey, message: bytes) -> bytes:
            return await other.sign(theirs, message)

    with pytest.raises(Unavailable, match=f"a signature that {key.id} did not make"):
        await signed_by(Swapped(tmp_path / "a"), key, MESSAGE)


@pytest.mark.parametrize("s", [1, ORDER // 2, ORDER // 2 + 1, ORDER - 1])
def test_of_the_two_values_of_s_the_lower_is_kept(s: int) -> None:
    raw = base64.b64decode(encoded(b"\1" * 32 + s.to_bytes(32, "big")))
    assert (raw[:32], int.from_bytes(raw[32:])) == (b"\1" * 32, min(s, ORDER - s))


def test_a_signature_in_der_becomes_r_and_s() -> None:
    assert raw_of(utils.encode_dss_signature(1, 2)) == bytes(31) + b"\1" + bytes(31) + b"\2"
    with pytest.raises(ValueError, match="asn1"):
        raw_of(b"no signature")


# Heads


async def test_a_head_is_signed_by_the_key_that_the_log_names_and_by_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store = FileStore(tmp_path)
    first, second = await store.create("head"), await store.create("head")
    heads = FileHeads(tmp_path, "placet.example/log")
    message = head_message(origin=heads.origin, seq=1, hash_="ab", at=T0)
    for key in (first, second):
        value = heads.sign_head(key.id, message)
        assert value is not None
        verify(key.pem, value, message)
    assert heads.sign_head("head-unknown", message) is None
    assert heads.sign_head("head-unknown", message) is None
    told = [record.message for record in caplog.records]
    assert told == ["heads are not signed"], "once for each key, not for each batch"


async def test_a_rotated_head_key_is_found_without_a_restart(tmp_path: Path) -> None:
    heads = FileHeads(tmp_path, "o")
    keys: Sequence[PublicKey] = [await FileStore(tmp_path).create("head")]
    assert heads.sign_head(keys[0].id, MESSAGE)
    later = await FileStore(tmp_path).create("head")
    assert heads.sign_head(later.id, MESSAGE)
