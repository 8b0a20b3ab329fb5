"""A real ``placet serve`` whose disk and clock can be made to fail while it runs."""

import asyncio
import json
import shutil
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from bench.fault_stage import BUNDLE
from bench.processes import Started, run_json, start
from bench.shim import Control, build, is_buildable
from bot.compose.verification import verify_ledger

ADA, BOB = "slack:T0FAULT/U0ADA", "slack:T0FAULT/U0BOB"
FAKETIME = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1")
PATIENCE_S = 30
NO_ANSWER = 0


@dataclass(slots=True)
class Shop:
    """A service, its people, and everything that it acknowledged."""

    home: Path
    settings: dict[str, str]
    tokens: dict[str, str]
    session: aiohttp.ClientSession
    process: Started
    asked: list[str] = field(default_factory=list)
    sent: int = 0

    @property
    def database(self) -> Path:
        return self.home / "shop.db"

    async def call(self, who: str, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {self.tokens[who]}"}
        url = self.process.ready["base_url"] + path
        async with self.session.request(method, url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()

    async def ask(self, tool: str = "mark.asked", **more: Any) -> tuple[int, Any]:
        """One new request; what is answered with 200 must never be lost."""
        self.sent += 1
        name = f"job-{self.sent}"
        body = {
            "tool": tool,
            "action": "write",
            "environment": "prod",
            "target": name,
            "dispatch": "release",
            "arguments": {"name": name},
            "idempotency_key": name,
            **more,
        }
        status, answer = await self.call("agent", "POST", "/api/v1/jobs", body)
        if status == 200:
            self.asked.append(answer["job_id"])
        return status, answer

    async def until(self, is_so: Callable[[], Any], what: str) -> None:
        """Wait for something that comes by itself."""
        loop = asyncio.get_running_loop()
        end = loop.time() + PATIENCE_S
        while not await is_so():
            assert loop.time() < end, f"never: {what}"
            await asyncio.sleep(0.05)

    async def comes_back(self) -> None:
        """It takes work again, without a restart."""

        async def is_back() -> bool:
            return (await self.ask())[0] == 200

        await self.until(is_back, "the service comes back")
        assert self.process.process.returncode is None

    def nothing_is_lost(self) -> None:
        """Everything acknowledged is in the log, and the log verifies."""
        verdict = verify_ledger(f"sqlite:///{self.database}")
        assert verdict.is_verified, verdict.problems
        with closing(sqlite3.connect(self.database)) as connection:
            known = {row[0] for row in connection.execute("SELECT ticket_id FROM events")}
        assert set(self.asked) <= known


Opener = Callable[..., AbstractAsyncContextManager[Shop]]


def settings_of(home: Path) -> dict[str, str]:
    return {
        "PLACET_DATABASE": f"sqlite:///{home / 'shop.db'}",
        "PLACET_KEYS": str(home / "keys"),
        "PLACET_CHECKPOINTS": str(home / "checkpoints.txt"),
        "PLACET_CHECKPOINT_EVERY_S": "1",
        "PLACET_POLICIES": str(BUNDLE),
        "PLACET_PORT": "0",
    }


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A database with three credentials, and their secrets."""
    home = tmp_path_factory.mktemp("prepared")

    async def make() -> dict[str, str]:
        made = {}
        for name, options in (
            ("agent", ("--agent", "load")),
            ("ada", ("--person", ADA, "--scope", "approve")),
            ("bob", ("--person", BOB, "--scope", "approve")),
        ):
            answer = await run_json(settings_of(home), "token", "create", *options)
            made[name] = answer["token"]
        return made

    return home, asyncio.run(make())


@pytest.fixture
def shop(tmp_path: Path, prepared: tuple[Path, dict[str, str]]) -> Opener:
    """Opens a shop; ``environment`` is given to the service's process only."""

    @asynccontextmanager
    async def opened(**environment: str) -> AsyncIterator[Shop]:
        template, tokens = prepared
        shutil.copytree(template, tmp_path, dirs_exist_ok=True)
        settings = settings_of(tmp_path)
        process = await start("serve", {**settings, **environment})
        timeout = aiohttp.ClientTimeout(total=PATIENCE_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout) as session:
                yield Shop(
                    home=tmp_path,
                    settings=settings,
                    tokens=tokens,
                    session=session,
                    process=process,
                )
        finally:
            await process.stop()

    return opened


@pytest.fixture(scope="session")
def fault_shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built shim."""
    if not is_buildable():
        pytest.skip("needs gcc")
    return build("fault_shim", tmp_path_factory.mktemp("shim"))


@pytest.fixture
def control(tmp_path: Path) -> Iterator[Control]:
    """Its control block."""
    with Control(tmp_path / "control") as made:
        yield made


@pytest.fixture(scope="session")
def faketime() -> Path:
    """libfaketime, which Debian's package faketime brings."""
    if not FAKETIME.exists() or shutil.which("faketime") is None:
        pytest.skip("needs faketime")
    return FAKETIME


def printed(answer: Any) -> str:
    """An answer, for a failed assertion."""
    return json.dumps(answer)[:300]
