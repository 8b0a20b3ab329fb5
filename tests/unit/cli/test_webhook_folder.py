"""The folder of webhook secrets is as private as the keys beside it."""

import stat
from pathlib import Path

from bot.webhook_secrets import FileWebhookSecrets


def test_the_keys_folder_that_a_webhook_secret_makes_is_private(tmp_path: Path) -> None:
    FileWebhookSecrets(tmp_path / "keys" / "webhooks").create("abc123")
    for folder in (tmp_path / "keys", tmp_path / "keys" / "webhooks"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
