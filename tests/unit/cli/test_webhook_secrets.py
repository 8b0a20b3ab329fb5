"""Webhook secrets on disk."""

import base64
import os
import stat
from pathlib import Path

import pytest

from bot.webhook_secrets import FileWebhookSecrets
from governance.errors import InvalidInput, Unavailable


@pytest.fixture
def secrets(tmp_path: Path) -> FileWebhookSecrets:
    return FileWebhookSecrets(tmp_path / "webhooks")


def test_what_is_made_is_what_is_found(secrets: FileWebhookSecrets, tmp_path: Path) -> None:
    text = secrets.create("abc1")
    assert secrets.lookup("abc1") == base64.b64decode(text.removeprefix("whsec_"))
    assert stat.S_IMODE((tmp_path / "webhooks").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "webhooks" / "abc1").stat().st_mode) == 0o600


def test_a_secret_is_made_once_and_gone_once_removed(secrets: FileWebhookSecrets) -> None:
    secrets.create("abc1")
    with pytest.raises(Unavailable):
        secrets.create("abc1")
    assert secrets.remove("abc1")
    assert not secrets.remove("abc1")
    assert secrets.lookup("abc1") is None


def test_a_secret_that_others_can_read_is_not_used(
    secrets: FileWebhookSecrets, tmp_path: Path
) -> None:
    secrets.create("abc1")
    (tmp_path / "webhooks" / "abc1").chmod(0o644)
    assert secrets.lookup("abc1") is None


def test_a_link_is_not_followed(secrets: FileWebhookSecrets, tmp_path: Path) -> None:
    secrets.create("abc1")
    (tmp_path / "webhooks" / "abc2").symlink_to(tmp_path / "webhooks" / "abc1")
    assert secrets.lookup("abc2") is None


@pytest.mark.parametrize("name", ["", "..", "../abc1", "a/b", "A", "a.b", "a" * 65])
def test_a_name_is_never_a_path(secrets: FileWebhookSecrets, name: str) -> None:
    assert secrets.lookup(name) is None
    assert not secrets.remove(name)
    with pytest.raises(InvalidInput):
        secrets.create(name)


@pytest.mark.parametrize(
    "raw", [b"", b"whsec_", b"whsec_c2hvcnQ=", b"whsec_!", b"\xff", base64.b64encode(bytes(32))]
)
def test_what_is_not_a_secret_is_not_used(
    secrets: FileWebhookSecrets, tmp_path: Path, raw: bytes
) -> None:
    (tmp_path / "webhooks").mkdir()
    descriptor = os.open(tmp_path / "webhooks" / "abc1", os.O_WRONLY | os.O_CREAT, 0o600)
    os.write(descriptor, raw)
    os.close(descriptor)
    assert secrets.lookup("abc1") is None


def test_a_secret_that_cannot_be_removed_is_said(
    secrets: FileWebhookSecrets, tmp_path: Path
) -> None:
    (tmp_path / "webhooks" / "abc1").mkdir(parents=True)
    with pytest.raises(Unavailable):
        secrets.remove("abc1")
