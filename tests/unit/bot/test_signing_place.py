"""Where the signing keys are: every form that may be written, and what is refused and how."""

from pathlib import Path

import pytest

from bot.settings import Settings
from bot.signing.files import FileStore
from bot.signing.kms import KmsStore
from bot.signing.pkcs11 import Pkcs11Store
from bot.signing.places import (
    FilePlace,
    KmsPlace,
    Pkcs11Place,
    Place,
    TransitPlace,
    place_of,
    secret_of,
    store_of,
)
from bot.signing.transit import TransitStore
from governance.errors import Code, InvalidInput, Unavailable

KEYS = Path("var/keys")
HSM = "pkcs11:token=my%20hsm;object=prod?module-path=/usr/lib/hsm.so"
TRANSIT = "transit+https://vault.example:8200/transit/placet"
KMS = "awskms:///placet?region=eu-central-1"


@pytest.mark.parametrize(
    ("signer", "place"),
    [
        ("", FilePlace(folder=KEYS)),
        ("file:/etc/placet/keys", FilePlace(folder=Path("/etc/placet/keys"))),
        ("file:///etc/placet/my%20keys", FilePlace(folder=Path("/etc/placet/my keys"))),
        (HSM, Pkcs11Place(module=Path("/usr/lib/hsm.so"), token="my hsm", prefix="prod")),
        (
            "pkcs11:token=t?module-path=/m.so",
            Pkcs11Place(module=Path("/m.so"), token="t", prefix="placet"),
        ),
        (
            TRANSIT,
            TransitPlace(server="https://vault.example:8200", mount="transit", prefix="placet"),
        ),
        (
            "transit+http://127.0.0.1:8200/team/transit/placet",
            TransitPlace(server="http://127.0.0.1:8200", mount="team/transit", prefix="placet"),
        ),
        (KMS, KmsPlace(prefix="placet", region="eu-central-1", endpoint="")),
        (
            "awskms:///p?endpoint=http://localhost:5000",
            KmsPlace(prefix="p", region="", endpoint="http://localhost:5000"),
        ),
    ],
)
def test_every_form_is_read(signer: str, place: Place):
    assert place_of(signer, KEYS) == place


@pytest.mark.parametrize(
    ("signer", "says"),
    [
        ("/etc/keys", "none of these forms"),
        ("vault:x", "none of these forms"),
        ("file://host/keys", "none of these forms"),
        ("file:keys", "none of these forms"),
        ("pkcs11:object=o", "names token="),
        ("pkcs11:token=t", "module-path="),
        ("pkcs11:token=t;token=u?module-path=/m", "twice"),
        ("pkcs11:token=t;serial=1?module-path=/m", "serial, which is not used"),
        ("pkcs11:token=t?module-path=/m&pin-value=1234", "no PIN belongs in it"),
        ("pkcs11:token=t?module-path=/m&pin-source=file:/x", "no PIN belongs in it"),
        ("transit+https://vault.example/placet", "none of these forms"),
        ("transit+https:///transit/placet", "none of these forms"),
        ("transit+https://v/transit/p?token=x", "none of these forms"),
        ("transit+https://v:port/transit/p", "not a URL"),
        ("transit+https://root:hvs.x@v/transit/p", "no secret belongs in it"),
        ("transit+http://vault.example/transit/p", "over a network it must be https"),
        ("awskms:///", "none of these forms"),
        ("awskms://host/p", "none of these forms"),
        ("awskms:///p?profile=x", "none of these forms"),
        ("awskms:///p?endpoint=http://kms.example", "over a network it must be https"),
    ],
)
def test_whatever_has_another_form_or_a_secret_in_it_is_refused(signer: str, says: str):
    with pytest.raises(InvalidInput, match=says) as caught:
        place_of(signer, KEYS)
    assert caught.value.code is Code.INVALID_SETTINGS
    assert caught.value.message.startswith("PLACET_SIGNER: ")
    for secret in ("1234", "hvs.x"):
        assert secret not in caught.value.message


@pytest.mark.parametrize(
    ("signer", "kind"),
    [("", FileStore), (HSM, Pkcs11Store), (TRANSIT, TransitStore), (KMS, KmsStore)],
)
def test_a_place_is_opened_by_its_own_store(signer: str, kind: type, tmp_path: Path):
    secret = tmp_path / "secret"
    secret.write_text("1234\n")
    store = store_of(Settings(signer=signer, signer_secret_file=secret))
    assert isinstance(store, kind)
    assert "1234" not in store.place


def test_another_place_may_stand_in_for_the_setting(tmp_path: Path):
    store = store_of(Settings(signer=HSM), f"file://{tmp_path}")
    assert store.place == f"the folder {tmp_path}"


def test_the_secret_is_in_a_file_or_in_the_environment(tmp_path: Path):
    file = tmp_path / "token"
    file.write_text("from-file\n")
    both = Settings.model_validate({"signer_secret": "from-env", "signer_secret_file": file})
    assert secret_of(both) == "from-file"
    assert secret_of(Settings.model_validate({"signer_secret": "from-env"})) == "from-env"
    assert "from-env" not in repr(both)


@pytest.mark.parametrize("content", [None, b"", b" \n", b"two\nlines", b"\xff\xfe"])
def test_a_secret_that_is_missing_or_none_is_told_by_its_setting(
    content: bytes | None, tmp_path: Path
):
    file = tmp_path / "token"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(InvalidInput, match="PLACET_SIGNER_SECRET_FILE") as caught:
        store_of(Settings(signer=TRANSIT, signer_secret_file=file))
    assert caught.value.code is Code.INVALID_SETTINGS
    with pytest.raises(InvalidInput, match="PLACET_SIGNER_SECRET_FILE"):
        store_of(Settings(signer=HSM))


@pytest.mark.parametrize(
    ("signer", "module", "package"),
    [(HSM, "pkcs11", r"placet\[pkcs11\]"), (KMS, "aiobotocore", r"placet\[kms\]")],
)
def test_a_missing_extra_is_named(
    signer: str, module: str, package: str, monkeypatch: pytest.MonkeyPatch
):
    import sys

    for name in ("bot.signing.pkcs11", "bot.signing.kms"):
        monkeypatch.delitem(sys.modules, name)
    for name in [name for name in sys.modules if name.partition(".")[0] == module]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, module, None)
    settings = Settings.model_validate({"signer": signer, "signer_secret": "x"})
    with pytest.raises(Unavailable, match=f"pip install '{package}'") as caught:
        store_of(settings)
    assert caught.value.code is Code.NOT_READY
