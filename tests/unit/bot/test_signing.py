"""Keys in files: made once, private, one per purpose."""

import base64
import os
import stat
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils

from bot.signing import FileSigner, NoSigner
from governance.errors import Code, Unavailable

MESSAGE = b"placet/v1/vote\0{}"


def verify(pem: str, value: str, message: bytes) -> None:
    raw = base64.b64decode(value)
    r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    assert len(raw) == 64
    key.verify(utils.encode_dss_signature(r, s), message, ec.ECDSA(hashes.SHA256()))


async def test_a_signature_verifies_with_the_registered_public_key_only(tmp_path: Path) -> None:
    signer = FileSigner(tmp_path / "keys", ("vote:operator", "checkpoint"))
    made = await signer.sign("vote:operator", MESSAGE)
    by_id = {key.id: key for key in signer.public_keys()}
    assert by_id[made.key_id].purpose == "vote:operator"
    verify(by_id[made.key_id].pem, made.value, MESSAGE)
    (other,) = [key for key in by_id.values() if key.purpose == "checkpoint"]
    with pytest.raises(InvalidSignature):
        verify(other.pem, made.value, MESSAGE)


def test_keys_are_made_once_and_readable_by_their_owner_only(tmp_path: Path) -> None:
    folder = tmp_path / "keys"
    first = FileSigner(folder, ("checkpoint",)).public_keys()
    assert FileSigner(folder, ("checkpoint",)).public_keys() == first
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    FileSigner(tmp_path, ("checkpoint",))
    os.chmod(tmp_path / "checkpoint.pem", 0o640)
    with pytest.raises(Unavailable, match="can be read by others") as refused:
        FileSigner(tmp_path, ("checkpoint",))
    assert refused.value.code is Code.NOT_READY


def test_a_key_of_another_kind_is_refused(tmp_path: Path) -> None:
    pem = ec.generate_private_key(ec.SECP384R1()).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    (tmp_path / "checkpoint.pem").write_bytes(pem)
    os.chmod(tmp_path / "checkpoint.pem", 0o600)
    with pytest.raises(Unavailable, match="is not a P-256 key"):
        FileSigner(tmp_path, ("checkpoint",))


async def test_a_purpose_without_a_key_signs_nothing(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        await FileSigner(tmp_path, ()).sign("vote:operator", MESSAGE)
    with pytest.raises(Unavailable):
        await NoSigner().sign("checkpoint", MESSAGE)
    assert NoSigner().public_keys() == ()


async def test_keys_of_new_roles_join_those_that_are_open(tmp_path: Path) -> None:
    signer = FileSigner(tmp_path / "keys", ("checkpoint",))
    (before,) = signer.public_keys()
    with pytest.raises(Unavailable):
        await signer.sign("vote:guardian", MESSAGE)
    signer.ensure(("checkpoint", "vote:guardian"))
    assert signer.public_keys()[0] == before
    made = await signer.sign("vote:guardian", MESSAGE)
    verify(signer.public_keys()[1].pem, made.value, MESSAGE)


def test_a_key_that_cannot_be_opened_adds_none(tmp_path: Path) -> None:
    signer = FileSigner(tmp_path / "keys", ("checkpoint",))
    bad = tmp_path / "keys" / "vote-b.pem"
    bad.touch(mode=0o644)
    with pytest.raises(Unavailable):
        signer.ensure(("vote:a", "vote:b"))
    assert [key.purpose for key in signer.public_keys()] == ["checkpoint"]
