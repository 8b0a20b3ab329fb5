"""The four places where keys may be, each real."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from secrets import token_hex

import pytest

from bot.signing.places import FilePlace, KmsPlace, Pkcs11Place, Place, TransitPlace, store_at
from bot.signing.signer import KeyStore
from tests.support import servers

PLACES = ("file", "pkcs11", "transit", "kms")


@pytest.fixture(scope="session")
def softhsm(tmp_path_factory: pytest.TempPathFactory) -> servers.Token:
    """A token of SoftHSM2."""
    return servers.softhsm(tmp_path_factory.mktemp("softhsm"))


@pytest.fixture(scope="session")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of an OpenBao server."""
    with servers.openbao(tmp_path_factory.mktemp("bao")) as url:
        yield url


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a stand-in for AWS."""
    with servers.moto(tmp_path_factory.mktemp("moto")) as url:
        yield url


@pytest.fixture(params=PLACES)
def place(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Place, str]:
    """A place without keys, and the secret that opens it."""
    prefix = f"test-{token_hex(4)}"
    match request.param:
        case "file":
            return FilePlace(folder=tmp_path / "keys"), ""
        case "pkcs11":
            token: servers.Token = request.getfixturevalue("softhsm")
            found = Pkcs11Place(module=token.module, token=token.label, prefix=prefix)
            return found, token.pin
        case "transit":
            url = request.getfixturevalue("openbao")
            return TransitPlace(server=url, mount="transit", prefix=prefix), servers.TOKEN
        case _:
            url = request.getfixturevalue("moto")
            fake_credentials(monkeypatch)
            return KmsPlace(prefix=prefix, region="eu-central-1", endpoint=url), ""


@pytest.fixture
async def store(place: tuple[Place, str]) -> AsyncIterator[KeyStore]:
    """A store without keys."""
    made = store_at(*place)
    yield made
    await made.close()


def fake_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """What AWS's own chain finds, and nothing of this machine's."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
