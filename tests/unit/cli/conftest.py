"""The command in this process, an environment of its own, and a ledger with one story in it."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from bot.bundles import shipped
from bot.cli.main import app
from bot.compose.core import Core, bundle_of, open_core
from bot.compose.keys import open_signer
from bot.compose.tools import open_tools
from bot.people.static_directory import StaticDirectory
from bot.scheduler import WallClock
from bot.settings import Settings, from_environment
from governance.action import ActionKind, Dispatch
from governance.principal import Agent, PersonId, TenantId
from governance.tickets.commands import Ballot
from governance.tickets.ticket import Choice, TicketId
from tests.support import core as sample

OLIVIA = PersonId("slack:T0PLACET/U0OLIVIA")
RIN = PersonId("slack:T0PLACET/U0RIN")
ESCAPE = "\x1b[2Jweb\u202e-1"
"""What an agent might send to steer a terminal."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """What a command answered."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:  # any document
        """Standard output as one JSON document."""
        return json.loads(self.out)


Placet = Callable[..., Ran]


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Settings that point into a folder of this test."""
    values = {
        "PLACET_TENANT": "acme",
        "PLACET_DATABASE": f"sqlite:///{tmp_path}/ledger/placet.db",
        "PLACET_KEYS": str(tmp_path / "keys"),
        "PLACET_CHECKPOINTS": str(tmp_path / "elsewhere" / "checkpoints.txt"),
        "PLACET_POLICIES": str(shipped("demo")),
        "PLACET_FOLDERS": f"site={tmp_path}",
    }
    for name, value in values.items():
        monkeypatch.setenv(name, value)
    return values


@pytest.fixture
def placet(environment: dict[str, str]) -> Placet:
    """Runs the command as it would be typed; an unexpected exception fails the test."""
    assert environment

    def run(*arguments: object, typed: str = "") -> Ran:
        found = CliRunner().invoke(app, [str(item) for item in arguments], input=typed)
        if found.exception is not None and not isinstance(found.exception, SystemExit):
            raise found.exception
        return Ran(code=found.exit_code, out=found.stdout, err=found.stderr)

    return run


@pytest.fixture
def story(environment: dict[str, str]) -> TicketId:
    """A ledger with a pending ticket, of which one vote is cast and one was refused."""
    return asyncio.run(_fill(from_environment(environment)))


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Core]:
    """The service's core on the ledger of this test, with the tenant's people."""
    bundle, tenant = bundle_of(settings), TenantId(settings.tenant)
    directory = StaticDirectory(lambda: bundle.directory, tenant=tenant, clock=WallClock())
    async with AsyncExitStack() as stack:
        tools = await stack.enter_async_context(open_tools(settings, create=True))
        signer = await stack.enter_async_context(open_signer(settings, tools.reader, bundle))
        core = await stack.enter_async_context(
            open_core(settings, bundle=bundle, directory=directory, signer=signer)
        )
        await core.administration.register_keys()
        yield core


async def _fill(settings: Settings) -> TicketId:
    bundle, tenant = bundle_of(settings), TenantId(settings.tenant)
    async with opened(settings) as core:
        await core.administration.activate(bundle, actor="system:start")
        submitted = await core.service.submit(
            sample.request(
                topic="job.mcp-bridge.write.host",
                tool="",
                action=ActionKind.WRITE,
                dispatch=Dispatch.RELEASE,
                data_classes=(),
                target=ESCAPE,
                content=sample.content(prompt=f"restart {ESCAPE}"),
            ),
            Agent(id=sample.request().agent, tenant=tenant, owners=(RIN,)),
        )
        assert submitted.ticket_id is not None
        for person in (OLIVIA, RIN):
            ballot = Ballot(
                tenant=tenant,
                ticket_id=submitted.ticket_id,
                person_id=person,
                choice=Choice.APPROVE,
            )
            try:
                await core.service.vote(ballot)
            except sample.Refused:
                assert person == RIN
        return submitted.ticket_id
