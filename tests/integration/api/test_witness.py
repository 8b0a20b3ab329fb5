"""The commands of an auditor against a served log: witness, receipt get, receipt verify."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from bot.cli.main import app
from bot.witness.source import Rest
from governance.errors import InvalidInput, Unavailable
from governance.json_text import to_text
from governance.note_keys import parse_vkey
from governance.notes import cosigned_at, parse_note
from tests.integration.api.test_transparency import PURPOSES
from tests.integration.api.world import World, running
from tests.support.logs import ORIGIN, Log, RealSigner, records_of

NAME = "witness.example/w1"


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running(signer=RealSigner(*PURPOSES)) as made:
        yield made


class Auditor:
    """Somebody with a token, the log's keys as they were handed out, and the command."""

    def __init__(self, world: World, folder: Path) -> None:
        self.world, self.folder = world, folder
        self.token, self.keys = folder / "token", folder / "keys.json"
        self.url = str(world.client.make_url("/"))

    async def ready(self) -> "Auditor":
        self.token.write_text(self.world.tokens["reader"] + "\n")
        told = await self.world.get("audit/keys", "reader")
        self.keys.write_text(to_text(told.body))
        return self

    async def run(self, *words: object) -> Result:
        """The command in a thread, while the service answers on the loop."""
        done = await asyncio.to_thread(CliRunner().invoke, app, [str(word) for word in words])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    async def watch(self, *more: object) -> Result:
        return await self.run(
            *("witness", "--url", self.url, "--token-file", self.token, "--origin", ORIGIN),
            *("--log-key", self.keys, "--name", NAME, "--folder", self.folder / "w", "--once"),
            *more,
        )


@pytest.fixture
async def auditor(world: World, tmp_path: Path) -> Auditor:
    await world.job()
    await world.checkpoint()
    return await Auditor(world, tmp_path).ready()


async def test_a_witness_cosigns_what_grows(auditor: Auditor, world: World):
    first = await auditor.watch()
    assert first.exit_code == 0, first.stderr
    assert "(seen before: 0)" in first.stdout
    await world.approved()
    await world.checkpoint()
    second = await auditor.watch("--json")
    assert second.exit_code == 0, second.stderr
    key, done = (json.loads(line) for line in second.stdout.splitlines())
    assert done["before"] < done["size"] == (await world.get("audit/checkpoint", "reader"))["size"]
    note = parse_note((auditor.folder / "w" / "cosigned.note").read_text())
    assert cosigned_at(note, parse_vkey(key["witness"])) > 0


async def test_a_witness_gives_its_cosignature_back(tmp_path: Path):
    async with running(signer=RealSigner(*PURPOSES)) as unknown:
        await unknown.checkpoint()
        first = await Auditor(unknown, tmp_path).ready()
        refused = await first.watch("--post")
        assert (refused.exit_code, "forbidden" in refused.stderr) == (3, True)
    vkey = next(word for word in refused.stderr.split() if word.startswith(f"{NAME}+"))
    async with running(signer=RealSigner(*PURPOSES), witnesses=[parse_vkey(vkey)]) as world:
        await world.checkpoint()
        (tmp_path / "w" / "seen.note").unlink()
        auditor = await Auditor(world, tmp_path).ready()
        assert (await auditor.watch("--post")).exit_code == 0
        note = parse_note((await world.get("audit/checkpoint", "reader"))["note"])
        assert cosigned_at(note, parse_vkey(vkey)) > 0
        job = await world.job()
        await world.checkpoint()
        assert (await auditor.watch("--post")).exit_code == 0
        out, witness = tmp_path / "receipt.json", tmp_path / "witness.vkey"
        witness.write_text(vkey + "\n")
        common = ("--url", auditor.url, "--token-file", auditor.token)
        assert (await auditor.run("receipt", "get", job, *common, "--out", out)).exit_code == 0
        done = await auditor.run("receipt", "verify", out, "--witness", witness, "--json")
        assert json.loads(done.stdout)["vouched_for_by"] == [f"the witness {NAME}"]


async def test_a_witness_ends_loudly_at_a_rollback(auditor: Auditor):
    seen = auditor.folder / "w"
    seen.mkdir(mode=0o700)
    (seen / "seen.note").write_text(Log(records=records_of(5_000)).note())
    ended = await auditor.watch()
    assert ended.exit_code == 5
    assert "rolled back" in ended.stderr
    (evidence,) = seen.glob("evidence-*.json")
    assert json.loads(evidence.read_text())["why"].startswith("rolled back")
    told = json.loads((await auditor.watch("--json")).stdout.split("\n", 1)[1])
    assert told["error"]["code"] == "log_contradicted"


async def test_a_witness_of_another_log_ends_loudly(auditor: Auditor):
    other = auditor.folder / "other.json"
    purpose = {"purpose": "checkpoint", "pem": Log(records=[]).key.vkey}
    other.write_text(json.dumps({"k": purpose}))
    auditor.keys = other
    assert (await auditor.watch()).exit_code == 2, "a key that is none"
    other.write_text(Log(records=[], purpose="stranger").key.vkey)
    ended = await auditor.watch()
    assert ended.exit_code == 5
    assert "no kept key" in ended.stderr


async def test_a_receipt_is_fetched_and_verified_offline(auditor: Auditor, world: World):
    job = await world.approved()
    await world.checkpoint()
    common = ("--url", auditor.url, "--token-file", auditor.token)
    out = auditor.folder / "receipt.json"
    got = await auditor.run("receipt", "get", job, *common, "--out", out)
    assert got.exit_code == 0, got.stderr
    assert out.stat().st_mode & 0o077 == 0
    again = await auditor.run("receipt", "get", job, *common, "--out", out)
    assert again.exit_code == 2, "it never overwrites"
    one = await auditor.run("receipt", "get", 1, *common)
    assert json.loads(one.stdout)["entries"][0]["seq"] == 1
    await world.client.server.close()
    verified = await auditor.run("receipt", "verify", out, "--key", auditor.keys)
    assert (verified.exit_code, "verified" in verified.stdout) == (0, True)
    bare = await auditor.run("receipt", "verify", out)
    assert (bare.exit_code, "NOT verified" in bare.stdout) == (1, True)
    out.write_text(out.read_text().replace("VoteCast", "VoteLost"))
    forged = await auditor.run("receipt", "verify", out, "--key", auditor.keys, "--json")
    assert forged.exit_code == 1
    assert json.loads(forged.stdout)["problems"]


async def test_a_refused_or_silent_service_is_said_so(auditor: Auditor, world: World):
    common = ("--url", auditor.url, "--token-file", auditor.token)
    unknown = await auditor.run("receipt", "get", "no-such-job", *common)
    assert (unknown.exit_code, "not_found" in unknown.stderr) == (3, True)
    auditor.token.write_text("plt_0000000000000000_" + "A" * 43)
    assert (await auditor.watch()).exit_code == 3
    await world.client.server.close()
    assert (await auditor.watch()).exit_code == 4


@pytest.mark.parametrize("url", ["http://example.com", "ftp://127.0.0.1", "placet", "file:///x"])
def test_a_token_goes_over_tls_or_stays_here(url: str):
    with pytest.raises(InvalidInput):
        Rest(url=url, token="t")


def test_a_token_cannot_add_headers():
    with pytest.raises(InvalidInput):
        Rest(url="https://example.com", token="a\r\nX: y")


async def test_a_redirect_is_not_followed(world: World, aiohttp_redirect: str):
    with pytest.raises(Unavailable):
        await asyncio.to_thread(Rest(url=aiohttp_redirect, token="t").checkpoint)


@pytest.fixture
async def aiohttp_redirect() -> AsyncIterator[str]:
    """A service that sends everybody elsewhere."""
    from aiohttp import web
    from aiohttp.test_utils import TestServer

    async def away(request: web.Request) -> web.StreamResponse:
        assert "elsewhere" not in request.path, "the token was sent on"
        raise web.HTTPFound("/elsewhere")

    made = web.Application()
    made.router.add_route("GET", "/{tail:.*}", away)
    async with TestServer(made) as server:
        yield str(server.make_url("/"))


@pytest.mark.parametrize("body", ["[]", "nonsense", '{"note": 1}', '{"note": null}'])
async def test_an_answer_of_another_form_is_no_answer(body: str):
    from aiohttp import web
    from aiohttp.test_utils import TestServer

    async def lie(_: web.Request) -> web.Response:
        return web.Response(text=body, content_type="application/json")

    made = web.Application()
    made.router.add_route("GET", "/{tail:.*}", lie)
    async with TestServer(made) as server:
        source = Rest(url=str(server.make_url("/")), token="t")
        with pytest.raises(Unavailable):
            await asyncio.to_thread(source.checkpoint)
        with pytest.raises(Unavailable):
            await asyncio.to_thread(source.consistency, 1, 2)
