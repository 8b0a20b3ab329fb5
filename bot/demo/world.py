"""Everything of the demo, started in order and stopped in reverse.

Lives here: workspace, service, executor, folders and credentials of one demo. Must not live here:
the story or the sample agent. Law: loopback only, secrets made anew for each run, and the product
itself has no branch that knows of the demo.
"""

import asyncio
import contextlib
import os
import socket
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pydantic import SecretStr

from bot.api.auth import make_token
from bot.bundles import shipped
from bot.compose.core import Core
from bot.compose.serve import SLACK_PATH, Serving, run_serve
from bot.demo import seed
from bot.demo.client import Client
from bot.demo.hands import Hands
from bot.emulator.emulator import Emulator
from bot.executor.selftest import Availability, establish
from bot.executor.tools import DEFAULT_ID
from bot.manifest import manifest
from bot.settings import PREFIX, Settings, SlackMode
from governance.principal import Agent, AgentId, PersonId, Scope, TenantId

AGENTS = ("deploy-bot", "notes-bot")
_STOP_WITHIN_S = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """One running demo. ``tokens`` are by agent name and by approver's Slack id."""

    emulator: Emulator
    serving: Serving
    settings: Settings
    site: Path
    sandbox: Availability
    hands: Hands
    client: Client
    tokens: Mapping[str, str] = field(repr=False)

    @property
    def core(self) -> Core:
        """The core behind the service."""
        return self.serving.core


@asynccontextmanager
async def run_world(
    *, port: int, policies: Path | None, with_executor: bool = True, database: str = ""
) -> AsyncIterator[World]:
    """A demo that is ready: page up, service ready, executor at work.

    ``port`` is the page's (0: any free one); ``policies`` replaces the shipped demo bundle, and
    ``database`` the file in the demo's own folder.
    """
    async with AsyncExitStack() as stack:
        home = Path(stack.enter_context(TemporaryDirectory(prefix="placet-demo-")))
        site = _site(home / "site")
        emulator = Emulator(seed.WORKSPACE, manifest())
        await emulator.start(port)
        stack.push_async_callback(emulator.stop)
        settings = _settings(home, site, emulator, policies, database)
        listener = socket.create_server(("127.0.0.1", 0))
        serving = await stack.enter_async_context(run_serve(settings, listener=listener))
        emulator.busy = lambda: not serving.is_idle()
        await emulator.connect(request_url=serving.base_url + SLACK_PATH)
        tokens = await _tokens(serving.core)
        sandbox = (await establish()).availability
        if with_executor:
            await stack.enter_async_context(_executor(settings))
        client = await stack.enter_async_context(Client(serving.base_url))
        yield World(
            emulator=emulator,
            serving=serving,
            settings=settings,
            site=site,
            sandbox=sandbox,
            hands=Hands(emulator),
            client=client,
            tokens=tokens,
        )


def _site(folder: Path) -> Path:
    for name, text in seed.SITE_FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    if os.geteuid() == 0:  # run by root, actions run as an unprivileged user: give it the folder
        for path in (folder, *folder.rglob("*")):
            os.chown(path, DEFAULT_ID, DEFAULT_ID)
    return folder


def _settings(
    home: Path, site: Path, emulator: Emulator, policies: Path | None, database: str
) -> Settings:
    return Settings(
        database=database or f"sqlite:///{home / 'placet.db'}",
        policies=policies or shipped("demo"),
        keys=home / "keys",
        checkpoints=home / "checkpoints.txt",
        checkpoint_every_s=20,
        slack_mode=SlackMode.HTTP,
        slack_bot_token=SecretStr(emulator.bot_token),
        slack_signing_secret=SecretStr(emulator.signing_secret),
        slack_team=seed.TEAM,
        slack_app_id=seed.APP,
        slack_approvals_channel=seed.APPROVALS,
        slack_audit_channel=seed.AUDIT,
        slack_api_url=emulator.base_url,
        folders={"site": site},
        executor_name="demo-executor",
    )


async def _tokens(core: Core) -> dict[str, str]:
    tenant, now = TenantId(core.settings.tenant), core.clock.now()
    tokens: dict[str, str] = {}
    for name in AGENTS:
        agent = Agent(
            id=AgentId(name),
            tenant=tenant,
            owners=(PersonId(f"slack:{seed.TEAM}/{seed.OWNER}"),),
            roles=("data-reader",) if name == "deploy-bot" else (),
        )
        scopes = (Scope.SUBMIT, Scope.READ)
        credential, tokens[name] = make_token(tenant=tenant, scopes=scopes, at=now, agent=agent)
        await core.administration.issue(credential, actor="system:demo")
    for role in ("operator", "reviewer", "security-admin"):
        for user in seed.ROLES[role]:
            credential, tokens[user] = make_token(
                tenant=tenant,
                scopes=(Scope.APPROVE, Scope.READ),
                at=now,
                person=PersonId(f"slack:{seed.TEAM}/{user}"),
            )
            await core.administration.issue(credential, actor="system:demo")
    return tokens


def executor_environment(settings: Settings) -> dict[str, str]:
    """The environment of an executor beside this service: no Slack token, no key."""
    folders = ",".join(f"{name}={path}" for name, path in settings.folders.items())
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(PREFIX)},
        "PLACET_DATABASE": settings.database,
        "PLACET_POLICIES": str(settings.policies),
        "PLACET_FOLDERS": folders,
        "PLACET_EXECUTOR_NAME": settings.executor_name,
        "PLACET_TENANT": settings.tenant,
    }


@asynccontextmanager
async def _executor(settings: Settings) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        "executor",
        env=executor_environment(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_WITHIN_S)
        except TimeoutError:
            process.kill()
            await process.wait()
