"""Sealing as an operator types it, and as the service's clock does it."""

import asyncio
import os
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import timedelta
from functools import partial
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

import pytest

from bot.compose import aside, clock, segments
from bot.compose.checkpoints import checkpoint
from bot.compose.core import Core, NoDirectory, bundle_of, open_core
from bot.compose.keys import open_signer
from bot.compose.segments import seal_old
from bot.compose.tools import open_tools
from bot.replies import Exit
from bot.scheduler import JumpGuard, WallClock
from bot.settings import Settings, from_environment
from governance.errors import Code, InvalidInput, PlacetError, Unavailable
from governance.tickets.ticket import TicketId
from storage.retention.segments import alone
from tests.support.sealing import LATE, RETENTION
from tests.unit.cli.conftest import Placet


@pytest.fixture
def folder(environment: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PLACET_SEGMENTS", str(tmp_path / "segments"))
    environment["PLACET_SEGMENTS"] = str(tmp_path / "segments")
    return tmp_path / "segments"


async def _with_core(settings: Settings, stack: AsyncExitStack) -> Core:
    bundle = bundle_of(settings)
    tools = await stack.enter_async_context(open_tools(settings))
    signer = await stack.enter_async_context(open_signer(settings, tools.reader, bundle))
    return await stack.enter_async_context(
        open_core(settings, bundle=bundle, directory=NoDirectory(), signer=signer)
    )


async def _checkpointed(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        await checkpoint(await _with_core(settings, stack))


@pytest.fixture
def published(environment: dict[str, str], folder: Path, story: TicketId) -> None:
    """A checkpoint of the story."""
    assert story
    asyncio.run(_checkpointed(from_environment(environment)))


@pytest.mark.usefixtures("published")
def test_what_is_sealed_verifies_whole_and_since_the_seal(placet: Placet, folder: Path):
    made = placet("audit", "seal", "--json")
    assert (made.code, made.json["sealed"], made.json["first"]) == (0, True, 1)
    last = made.json["last"]
    (log,) = folder.glob("log-*")
    assert log.name == f"log-{1:012d}-{last:012d}.jsonl"
    whole = placet("audit", "verify", "--segments", folder, "--complete", "--json")
    assert (whole.code, whole.json["seals"], whole.json["since"]) == (0, 1, 0)
    since = placet("audit", "verify", "--segments", folder, "--since-seal", "--json")
    assert (since.code, since.json["since"], since.json["events"]) == (0, last, last + 2)
    assert since.json["root"] == whole.json["root"]
    assert placet("audit", "verify", "--since-seal", "--json").json == since.json
    assert placet("audit", "verify", "--complete", "--json").json == whole.json
    told = placet("audit", "verify", "--segments", folder, "--since-seal")
    assert f"the first {last} by their seal alone" in told.err + told.out
    again = placet("audit", "seal")
    assert (again.code, "nothing to seal" in again.out + again.err) == (0, True)


@pytest.mark.usefixtures("published")
def test_a_sealed_file_that_was_changed_is_named(placet: Placet, folder: Path):
    placet("audit", "seal")
    (log,) = folder.glob("log-*")
    log.write_bytes(log.read_bytes() + b"\n")
    found = placet("audit", "verify", "--segments", folder, "--json")
    assert (found.code, found.json["problems"][0]["code"]) == (Exit.PROBLEM, "seal")
    assert found.json["problems"][0]["table"] == log.name
    log.unlink()
    assert placet("audit", "verify", "--segments", folder).code == 0
    for named in (("--segments", folder), ()):
        assert placet("audit", "verify", *named, "--complete").code == Exit.PROBLEM


@pytest.mark.usefixtures("published")
def test_only_what_is_older_is_sealed(placet: Placet):
    found = placet("audit", "seal", "--up-to", "2001-01-01", "--json")
    assert (found.code, found.json) == (0, {"sealed": False})
    assert placet("audit", "seal", "--up-to", "2999-01-01T00:00:00Z").code == 0


@pytest.mark.parametrize("text", ["soon", "2026-13-01", "2026-03-01T10:00:00"])
@pytest.mark.usefixtures("published")
def test_a_date_that_is_none_is_refused(placet: Placet, text: str):
    found = placet("audit", "seal", "--up-to", text, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.USAGE, "invalid_field")


@pytest.mark.usefixtures("published")
def test_while_another_process_seals_nothing_is_sealed(placet: Placet, folder: Path):
    with alone(folder):
        found = placet("audit", "seal", "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.REFUSED, "wrong_state")


@pytest.mark.usefixtures("published")
def test_where_the_folder_cannot_be_made_nothing_is_sealed(placet: Placet, folder: Path):
    folder.write_text("a file")
    found = placet("audit", "seal", "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.USAGE, "invalid_field")


@pytest.mark.usefixtures("published")
@pytest.mark.parametrize("options", [("--since-seal",), ("--complete",)])
def test_the_seals_need_their_folder(placet: Placet, folder: Path, options: tuple[str, ...]):
    found = placet("audit", "verify", *options, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.USAGE, "invalid_field")
    assert str(folder) in found.json["error"]["message"]


@pytest.mark.usefixtures("published")
def test_without_a_seal_verification_does_not_begin_at_one(placet: Placet, folder: Path):
    folder.mkdir()
    found = placet("audit", "verify", "--segments", folder, "--since-seal", "--json")
    assert (found.code, "nothing was sealed" in found.json["error"]["message"]) == (
        *(Exit.USAGE,),
        True,
    )
    placet("audit", "seal")
    (state,) = folder.glob("state-*")
    state.unlink()
    found = placet("audit", "verify", "--segments", folder, "--since-seal", "--json")
    assert (found.code, "is not there" in found.json["error"]["message"]) == (Exit.USAGE, True)


@pytest.mark.usefixtures("published")
def test_an_export_has_no_seals_to_compare_with(placet: Placet, folder: Path):
    placet("audit", "seal")
    found = placet("audit", "verify", "--export", folder, "--segments", folder, "--json")
    assert (found.code, found.json["error"]["code"]) == (Exit.USAGE, "invalid_field")
    assert placet("audit", "verify", "--export", folder).code == 0


@pytest.mark.usefixtures("published")
def test_the_clock_seals_what_is_old_enough_and_nothing_else(
    environment: dict[str, str], folder: Path
):
    settings = from_environment(environment | {"PLACET_SEAL_DAYS": "30"})

    class Later(WallClock):
        def now(self):  # type: ignore[no-untyped-def]
            return super().now() + timedelta(days=31)

    async def turns() -> None:
        async with AsyncExitStack() as stack:
            core = await _with_core(settings, stack)
            await seal_old(core)
            assert (await core.ledger.control()).sealed is None
            await seal_old(replace(core, clock=Later()))
            assert (await core.ledger.control()).sealed is not None

    asyncio.run(turns())
    assert len(list(folder.glob("log-*"))) == 1


@pytest.mark.parametrize(("seal", "detach"), [("0", "0"), ("30", "0"), ("0", "400"), ("7", "30")])
@pytest.mark.usefixtures("published")
def test_the_clock_seals_and_detaches_only_where_the_settings_say_so(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch, seal: str, detach: str
):
    turns: dict[str, Any] = {}
    done: list[str] = []

    async def does(what: str, _core: Core) -> None:
        done.append(what)

    for name in ("seal_old", "detach_old"):
        monkeypatch.setattr(clock, name, partial(does, name))

    class Ticker:
        def every(self, _s: float, name: str, work: object, **__: object) -> None:
            turns[name] = work

        def start(self) -> None: ...

        def stop(self) -> None: ...

    monkeypatch.setattr(clock, "Ticker", Ticker)
    days = {"PLACET_SEAL_DAYS": seal, "PLACET_DETACH_DAYS": detach}
    settings = from_environment(environment | days)

    async def start() -> None:
        async with AsyncExitStack() as stack:
            core = await _with_core(settings, stack)
            await clock.start_clock(stack, core, JumpGuard(core.clock))
            if "segments" in turns:
                await turns["segments"]()

    asyncio.run(start())
    wanted = [("seal_old", seal), ("detach_old", detach)]
    assert done == [name for name, days in wanted if days != "0"]
    assert ("segments" in turns) is bool(done)


@pytest.mark.usefixtures("published")
def test_a_ledger_that_is_not_there_is_not_sealed(placet: Placet, environment: dict[str, str]):
    Path(environment["PLACET_DATABASE"].removeprefix("sqlite:///")).unlink()
    found = placet("audit", "seal", "--json")
    assert found.json["error"]["code"] == Unavailable(Code.LEDGER_UNAVAILABLE, "").code


@pytest.mark.parametrize("name", ["PLACET_SEAL_DAYS", "PLACET_DETACH_DAYS"])
def test_days_are_a_number(environment: dict[str, str], name: str):
    with pytest.raises(InvalidInput, match=name):
        from_environment(environment | {name: "-1"})


def _answer(monkeypatch: pytest.MonkeyPatch, url: str, folder: Path) -> object:
    """What the process that seals would answer."""
    monkeypatch.setattr(os, "nice", lambda _: 0)
    ours, theirs = Pipe(duplex=False)
    aside.run(theirs, segments._ready, (url, folder, None, RETENTION, LATE), {})
    return aside.received(ours)


@pytest.mark.usefixtures("published")
def test_whatever_fails_in_the_process_that_seals_is_an_answer(
    environment: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch
):
    url = environment["PLACET_DATABASE"]
    for wrong, where, code in (
        (url, folder / "missing", "invalid_field"),
        (f"sqlite:///{folder}", folder, "ledger_unavailable"),
        ("mysql://nowhere", folder, "invalid_settings"),
    ):
        folder.mkdir(exist_ok=True)
        found = _answer(monkeypatch, wrong, where)
        assert isinstance(found, PlacetError)
        assert found.code == code


def test_a_process_that_seals_and_ends_early_has_sealed_nothing():
    ours, theirs = Pipe(duplex=False)
    theirs.close()
    found = aside.received(ours)
    assert isinstance(found, Unavailable)


@pytest.mark.usefixtures("published")
def test_a_ledger_that_cannot_be_read_has_no_newest_seal(
    placet: Placet, environment: dict[str, str], folder: Path
):
    folder.mkdir()
    path = Path(environment["PLACET_DATABASE"].removeprefix("sqlite:///"))
    path.write_bytes(b"no database at all" * 100)
    found = placet("audit", "verify", "--segments", folder, "--since-seal", "--json")
    assert found.json["error"]["code"] == "ledger_unavailable"
