"""What the sandbox's tests share: proven launchers, folders of its user, a host to attack.

A missing tool skips by its name; with PLACET_REQUIRE_ALL=1 it fails instead.
"""

import asyncio
import contextlib
import os
import socket
import sqlite3
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

from bot.executor.cgroup_discovery import discover
from bot.executor.errors import SandboxUnavailable
from bot.executor.launcher import Launcher, RunResult
from bot.executor.sandbox import InputFile, Limits, SandboxSpec
from bot.executor.selftest import Config, Established, establish
from bot.executor.tools import find
from governance.execution import SandboxTier as Tier


def give_up(reason: str) -> NoReturn:
    """Skip, or fail where everything is required."""
    if os.environ.get("PLACET_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """A launcher and the tier it was proven for."""

    launcher: Launcher
    tier: Tier

    async def run(self, spec: SandboxSpec) -> RunResult:
        """Run in this tier."""
        return await self.launcher.run(spec, self.tier)

    async def python(
        self, source: str, *arguments: str, limits: Limits | None = None, **more: object
    ) -> RunResult:
        """Run a piece of Python inside."""
        script = InputFile(name="script.py", content=source.encode())
        argv = self.launcher.tools.python.argv("/in/script.py", *arguments)
        return await self.run(
            SandboxSpec(argv=argv, inputs=(script,), limits=limits or Limits(wall_s=10), **more)  # type: ignore[arg-type]
        )


@pytest.fixture(scope="session")
def established() -> dict[Tier, Established]:
    """The self-test's finding for each tier alone."""
    tiers = (Tier.A, Tier.A_MINUS)
    return {tier: asyncio.run(establish(Config(tiers=(tier,)))) for tier in tiers}


def _bubblewrap_works() -> bool:
    """Whether bubblewrap by itself can make name spaces here, whatever our recipe does."""
    try:
        tools = find()
    except SandboxUnavailable:
        return False
    command = [str(tools.bwrap), "--unshare-user", "--unshare-pid", "--ro-bind", "/", "/"]
    return subprocess.run([*command, "/bin/true"], check=False, timeout=10).returncode == 0


@pytest.fixture(scope="session")
def require_sandbox(established: dict[Tier, Established]) -> None:
    """Skip without a working bubblewrap; with one, a tier that is not proven is our failure."""
    found = established[Tier.A_MINUS]
    if found.launcher is None:
        if _bubblewrap_works():
            pytest.fail(f"bubblewrap works, our sandbox does not: {found.availability.reason}")
        give_up(f"needs bubblewrap: {found.availability.reason}")


def _require_groups(found: Established) -> Launcher:
    if found.launcher is None:
        if discover().backend is not None:
            pytest.fail(f"control groups can be made, tier A cannot: {found.availability.reason}")
        give_up(f"needs control groups: {found.availability.reason}")
    return found.launcher


@pytest.fixture(params=[Tier.A, Tier.A_MINUS], ids=["A", "A-"])
def proven(
    request: pytest.FixtureRequest, established: dict[Tier, Established], require_sandbox: None
) -> Proven:
    """Each tier in turn."""
    tier: Tier = request.param
    return Proven(launcher=_require_groups(established[tier]), tier=tier)


@pytest.fixture
def full(established: dict[Tier, Established], require_sandbox: None) -> Proven:
    """Tier A, for what only a control group gives."""
    return Proven(launcher=_require_groups(established[Tier.A]), tier=Tier.A)


@pytest.fixture
def minus(established: dict[Tier, Established], require_sandbox: None) -> Proven:
    """Tier A-, which every machine with bubblewrap has."""
    launcher = established[Tier.A_MINUS].launcher
    assert launcher is not None
    return Proven(launcher=launcher, tier=Tier.A_MINUS)


@pytest.fixture
def site(tmp_path: Path, established: dict[Tier, Established]) -> Path:
    """A folder that the sandbox's user owns."""
    folder = tmp_path / "site"
    folder.mkdir()
    hand_over(folder, established)
    return folder


def hand_over(path: Path, established: dict[Tier, Established]) -> None:
    """Give a file or folder to the sandbox's user, where that is another one."""
    launcher = established[Tier.A_MINUS].launcher
    run_as = None if launcher is None else launcher.tools.run_as
    if run_as is not None:
        os.chown(path, run_as.uid, run_as.gid)


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A stand-in service on this machine, with everything that must not be reached."""

    targets: dict[str, object]
    datagrams: socket.socket


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Host]:
    """Listening sockets, a database, a key, a process with a secret; loopback only."""
    database, key, path_socket = tmp_path / "ledger.db", tmp_path / "key.pem", tmp_path / "s"
    connection = sqlite3.connect(database)
    connection.execute("create table secret (word text)")
    connection.commit()
    connection.close()
    key.write_text("PLACET-TEST-KEY")
    shared = Path("/dev/shm", f"placet-test-{os.getpid()}")  # noqa: S108 - the sandbox must not see it
    shared.write_text("secret")
    with contextlib.ExitStack() as stack:
        stack.callback(shared.unlink)

        def listen(family: socket.AddressFamily, address: object) -> socket.socket:
            server = stack.enter_context(socket.socket(family, socket.SOCK_STREAM))
            server.bind(address)
            server.listen(8)
            return server

        tcp4 = listen(socket.AF_INET, ("127.0.0.1", 0))
        tcp6_port = 0
        with contextlib.suppress(OSError):
            tcp6_port = listen(socket.AF_INET6, ("::1", 0)).getsockname()[1]
        abstract = f"placet-test-{os.getpid()}"
        listen(socket.AF_UNIX, "\0" + abstract)
        listen(socket.AF_UNIX, str(path_socket))
        udp = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        udp.bind(("127.0.0.1", 0))
        udp.setblocking(False)
        leaked = os.open(database, os.O_RDONLY)
        stack.callback(os.close, leaked)
        os.set_inheritable(leaked, True)
        service = stack.enter_context(
            subprocess.Popen(
                ["/bin/cat"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                env={"PLACET_TEST_TOKEN": "xoxb-not-a-real-token"},
            )
        )
        stack.callback(service.kill)
        yield Host(
            targets={
                "db": str(database),
                "key": str(key),
                "path_socket": str(path_socket),
                "abstract": abstract,
                "tcp4": tcp4.getsockname()[1],
                "tcp6": tcp6_port,
                "udp": udp.getsockname()[1],
                "shm": str(shared),
                "pid": service.pid,
                "leaked": leaked,
            },
            datagrams=udp,
        )


def groups_of(pid: int) -> list[str]:
    """The control groups made by one process; other tests may be removing theirs meanwhile."""
    prefix = f"placet-{pid}-"
    # os.walk passes over a directory that vanishes under it, where Path.rglob raises.
    return [
        os.path.join(top, name)
        for top, names, _ in os.walk("/sys/fs/cgroup")
        for name in names
        if name.startswith(prefix)
    ]


def processes_with(marker: str) -> list[int]:
    """The processes of this machine that carry a word in their command line."""
    found = []
    for place in Path("/proc").iterdir():
        if place.name.isdigit():
            try:
                line = (place / "cmdline").read_bytes()
            except OSError:
                continue
            if marker.encode() in line:
                found.append(int(place.name))
    return found
