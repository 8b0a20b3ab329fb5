"""Who holds keys: the service does, the executor and the commands do not."""

import socket
from pathlib import Path

import pytest

from bot.compose.executor import run_executor
from bot.compose.keys import open_keys, open_signer
from bot.compose.serve import run_serve
from bot.compose.tools import open_tools
from bot.settings import Settings
from bot.signing.signer import NoSigner
from governance.administration import CHECKPOINT
from governance.control import HEAD
from governance.errors import Code, Unavailable
from governance.outbox import Owed, OwedKind
from storage.verify.verifier import verify_database
from tests.support import servers
from tests.support.build import evaluated
from tests.support.commits import append

BUNDLE = """
name: base
rules:
  - {id: jobs, match: {topics: ['job.*']}, decision: require_approval}
tiers:
  high: {roles: {operator: {weight: 1, min_required: 1}}}
default_tier: high
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "bundle.yaml").write_text(BUNDLE)
    return Settings(
        database=f"sqlite:///{tmp_path / 'placet.db'}",
        policies=tmp_path / "policies",
        keys=tmp_path / "keys",
        checkpoints=tmp_path / "checkpoints.txt",
        port=0,
    )


def in_openbao(settings: Settings, url: str, prefix: str) -> Settings:
    """The same, with keys in a transit engine."""
    place = f"transit+{url}/transit/{prefix}"
    return Settings.model_validate(
        {**settings.model_dump(), "signer": place, "signer_secret": servers.TOKEN}
    )


async def test_the_service_signs_the_head_of_every_batch_of_its_own(settings: Settings):
    async with run_serve(settings) as serving:
        await append(serving.core.ledger, evaluated())
        async with run_executor(settings) as running:
            await append(running.core.ledger, evaluated())
            size, _ = await running.core.ledger.head()
            report = verify_database(Path(settings.database.removeprefix("sqlite:///")))
            assert report.counts.unsigned == 1, "what a process without a key wrote is the tail"
        await append(serving.core.ledger, evaluated())
    report = verify_database(Path(settings.database.removeprefix("sqlite:///")))
    assert (report.counts.unsigned, report.counts.events > size) == (0, True)
    assert {problem.what for problem in report.problems} <= {"contents"}


async def test_the_executor_holds_no_key_of_any_kind(settings: Settings, tmp_path: Path):
    """Not even where the settings name a place and its secret: it opens neither."""
    broken = Settings.model_validate(
        {**settings.model_dump(), "signer": "pkcs11:token=t?module-path=/none.so"}
    )
    async with run_executor(broken) as running:
        core = running.core
        for holder in (core.service, core.administration):
            assert isinstance(holder._signer, NoSigner)
        assert core.ledger._writer.heads is None
        assert await core.administration.register_keys() == 0
        with pytest.raises(Unavailable) as caught:
            await core.service._signer.sign("vote:operator", b"m")
        assert caught.value.code is Code.NOT_READY
        await core.ledger.owe(Owed(kind=OwedKind.CLEAR, key="t"), at=core.clock.now())
    assert not settings.keys.exists()


async def test_a_command_that_needs_no_key_opens_no_place_of_keys(settings: Settings):
    broken = Settings.model_validate({**settings.model_dump(), "signer": "awskms:///p"})
    async with open_tools(broken, create=True) as tools:
        assert isinstance(tools.administration._signer, NoSigner)


async def test_a_service_whose_keys_are_elsewhere_signs_no_heads_and_asks_for_them_by_name(
    settings: Settings, openbao: str
):
    remote = in_openbao(settings, openbao, "serving")
    with pytest.raises(Unavailable, match="placet keys init") as caught:
        async with run_serve(remote):
            pass
    assert caught.value.code is Code.NOT_READY
    async with open_keys(remote, create=True) as keys:
        made = await keys.init()
    assert {key.purpose for key in made} == {CHECKPOINT, "vote:operator"}
    async with run_serve(remote) as serving:
        await append(serving.core.ledger, evaluated())
        assert serving.core.ledger._writer.heads is None
        assert (await serving.core.ledger.control()).active_key(HEAD) is None
    report = verify_database(Path(settings.database.removeprefix("sqlite:///")))
    assert report.counts.unsigned == report.counts.events
    assert not list(settings.keys.glob("*.pem"))


async def test_a_service_whose_key_server_is_gone_does_not_start_and_says_what_to_start(
    settings: Settings,
):
    gone = in_openbao(settings, f"http://127.0.0.1:{servers.free_port()}", "gone")
    with pytest.raises(Unavailable, match="is it started and unsealed") as caught:
        async with run_serve(gone):
            pass
    assert caught.value.code is Code.NOT_READY
    assert servers.TOKEN not in caught.value.message


async def test_a_running_service_takes_a_rotated_key_over(settings: Settings):
    async with run_serve(settings) as serving:
        core = serving.core
        async with open_keys(settings) as keys:
            done = [
                await keys.rotate(purpose, actor="operator:x")
                for purpose in (HEAD, CHECKPOINT, "vote:operator")
            ]
        assert (await core.service._signer.sign("vote:operator", b"m")).key_id == done[2].new.id
        await append(core.ledger, evaluated())
    report = verify_database(Path(settings.database.removeprefix("sqlite:///")))
    assert report.counts.unsigned == 0
    assert {problem.what for problem in report.problems} <= {"contents"}


async def test_a_signer_that_cannot_be_opened_lets_go_of_its_place(settings: Settings):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with open_tools(settings, create=True) as tools:
            from bot.bundles import load_bundle

            bundle = load_bundle(settings.policies)
            silent.close()
            with pytest.raises(Unavailable):
                async with open_signer(in_openbao(settings, url, "x"), tools.reader, bundle):
                    pass
