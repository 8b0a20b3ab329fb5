"""Checkpoints as a service makes them: in the log, in the file, and what proofs lead to."""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from pathlib import Path

import pytest

from bot.compose.checkpoints import checkpoint, witnesses_of
from bot.compose.core import Core, NoDirectory, bundle_of, open_core
from bot.settings import Settings, from_environment
from governance.errors import Code, InvalidInput, Unavailable
from governance.note_keys import ed25519_key
from governance.notes import parse_published, signers
from governance.trust import read_keys
from tests.support.logs import Log, RealSigner, records_of
from tests.support.world import pem_of


@pytest.fixture
async def core(tmp_path: Path) -> AsyncIterator[Core]:
    settings = Settings(
        database=f"sqlite:///{tmp_path}/placet.db",
        checkpoints=tmp_path / "outside" / "checkpoints.txt",
        origin="log.example/placet",
    )
    signer = RealSigner("checkpoint", "head")
    opened = open_core(settings, bundle=bundle_of(settings), directory=NoDirectory(), signer=signer)
    async with opened as made:
        await made.administration.register_keys()
        yield made


def published(core: Core) -> list[int]:
    """Sizes of the checkpoints in the file."""
    text = core.settings.checkpoints.read_text(encoding="utf-8")
    keys = [kept.key for kept in read_keys(pem_of("checkpoint"), origin=core.settings.origin)]
    found = parse_published(text)
    assert all(signers(item.note, keys) for item in found)
    return [item.size for item in found]


async def test_a_checkpoint_is_in_the_log_in_the_file_and_what_proofs_lead_to(core: Core):
    await checkpoint(core)
    size, _ = await core.ledger.head()
    (logged,) = await core.ledger.records(size - 1, 1)
    assert logged.type == "CheckpointSigned"
    newest = await core.proofs.newest()
    assert newest is not None
    assert published(core) == [newest.size] == [size - 1]
    assert logged.payload["note"] == newest.note  # type: ignore[index,call-overload]
    assert await core.proofs.inclusion(1, newest.size)


async def test_a_torn_checkpoint_does_not_spoil_the_next(core: Core):
    await checkpoint(core)
    with core.settings.checkpoints.open("a") as file:  # a test
        file.write("log.example/placet\n99\nAAAA")
    await checkpoint(core)
    assert published(core) == [2, 3]


async def test_a_log_whose_records_were_altered_is_not_signed(core: Core, tmp_path: Path):
    await checkpoint(core)
    with closing(sqlite3.connect(tmp_path / "placet.db")) as connection, connection:
        connection.execute("DROP TRIGGER events_no_update")
        connection.execute("UPDATE events SET body = ? WHERE seq = 1", (b"{}",))
    with pytest.raises(Unavailable, match="root") as caught:
        await checkpoint(core)
    assert caught.value.code is Code.LEDGER_UNAVAILABLE
    assert published(core) == [2]


@pytest.mark.parametrize("text", ["nonsense", Log(records=records_of(1)).key.vkey, None])
def test_witnesses_that_are_none_are_refused_at_start(tmp_path: Path, text: str | None):
    path = tmp_path / "witnesses"
    if text is not None:
        path.write_text(text)
    with pytest.raises(InvalidInput, match="PLACET_WITNESSES") as caught:
        witnesses_of(Settings(witnesses=path))
    assert caught.value.code is Code.INVALID_SETTINGS


def test_witnesses_are_read_from_their_verifier_keys(tmp_path: Path):
    key = ed25519_key("w.example/1", bytes(32))
    (tmp_path / "witnesses").write_text(f"# the auditor's\n{key.vkey}\n")
    assert witnesses_of(Settings(witnesses=tmp_path / "witnesses")) == (key,)
    assert witnesses_of(Settings()) == ()


@pytest.mark.parametrize("origin", ["", "a b", "a+b", "a\n", "x" * 129])
def test_an_origin_that_cannot_stand_in_a_note_is_refused(origin: str):
    with pytest.raises(InvalidInput, match="PLACET_ORIGIN"):
        from_environment({"PLACET_ORIGIN": origin})
