"""Control groups made by the user's own systemd, on a desktop or a login without delegation.

Here: `systemd-run --user --scope` as a way to start a limited run. Not here: the unified tree's
files (`cgroup_v2`). Law kept: the limits are read back from the kernel while the run still waits
at its gate, and a systemd that merely exists is not one that works.
"""

import contextlib
import os
import select
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.executor.cgroup import TRIAL, Group, GroupLimits, GroupStats, run_id
from bot.executor.cgroup_mounts import mounts, own_paths
from bot.executor.cgroup_v2 import V2Group
from bot.executor.errors import SandboxSetupFailed

_SYSTEMD_WAIT_S: Final = 5.0


@dataclass(slots=True, kw_only=True)
class ScopeGroup:
    """A transient scope of the user's systemd; known only once its process has started."""

    unit: str
    prefix: tuple[str, ...]
    asked: GroupLimits
    mount: Path
    proc: Path = Path("/proc")
    inner: V2Group | None = field(default=None)

    @property
    def procs_files(self) -> tuple[Path, ...]:
        """None: systemd puts the process inside."""
        return ()

    def started(self, pid: int) -> None:
        """Find the scope that `pid` landed in, and read its limits back.

        Raises:
            SandboxSetupFailed: it landed elsewhere or its limits differ.
        """
        path = own_paths(self.proc / str(pid)).get("", "")
        if not path.endswith(f"/{self.unit}.scope"):
            raise SandboxSetupFailed("systemd-run did not put the run into its scope")
        self.inner = V2Group(directory=self.mount / path.lstrip("/"))
        got = self.inner.limits()
        if not self.asked.covers(got):
            raise SandboxSetupFailed(f"scope limits: asked for {self.asked}, the kernel says {got}")

    def limits(self) -> GroupLimits:
        """The limits as the kernel now reports them."""
        if self.inner is None:
            raise SandboxSetupFailed("the scope has not started")
        return self.inner.limits()

    def kill(self) -> None:
        """Kill everything inside until it is empty."""
        if self.inner is not None:
            self.inner.kill()

    def stats(self) -> GroupStats:
        """What was used so far; a scope that systemd has collected says nothing."""
        if self.inner is None:
            return GroupStats(peak_memory_bytes=None, oom_kills=0, throttled_periods=0)
        return self.inner.stats()

    def remove(self) -> None:
        """Nothing: systemd collects an empty scope."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ScopeBackend:
    """`systemd-run --user --scope`: the user's own systemd makes and limits the group."""

    systemd_run: Path
    mount: Path
    environment: tuple[str, ...]
    name: str = "systemd-scope"

    def create(self, run_id: str, limits: GroupLimits) -> Group:
        """A scope to be started; its limits are read back in `started`."""
        properties = (
            f"CPUQuota={round(limits.cpu * 100)}%",
            f"MemoryMax={limits.memory_bytes}",
            "MemorySwapMax=0",
            f"TasksMax={limits.pids}",
        )
        # systemd-run needs the session's addresses in its environment, the sandbox must not see
        # them: set before it, cleared after it.
        prefix = (
            "/usr/bin/env",
            *self.environment,
            str(self.systemd_run),
            *("--user", "--scope", "--quiet", "--collect", f"--unit={run_id}"),
            *(item for text in properties for item in ("-p", text)),
            *("--", "/usr/bin/env", "-i", "PATH=/usr/bin:/bin"),
        )
        return ScopeGroup(unit=run_id, prefix=prefix, asked=limits, mount=self.mount)


def try_scope(proc: Path) -> ScopeBackend:
    """The back end, after a trial scope.

    Raises:
        SandboxSetupFailed: there is no user systemd, or it does not limit.
    """
    program = shutil.which("systemd-run")
    mount = next((m for m in mounts(proc) if m.kind == "cgroup2"), None)
    if program is None or mount is None:
        raise SandboxSetupFailed("no systemd-run with a unified control group tree")
    names = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    environment = tuple(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    backend = ScopeBackend(systemd_run=Path(program), mount=mount.point, environment=environment)
    group = backend.create(run_id(), TRIAL)
    try:
        process = subprocess.Popen(  # noqa: S603 - a fixed argument list
            [*group.prefix, "/bin/cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin"},
        )
    except OSError as error:
        raise SandboxSetupFailed("systemd-run cannot be started") from error
    with process:
        try:
            _await_scope(process, group)
        finally:
            process.kill()
    return backend


def _await_scope(process: subprocess.Popen[bytes], group: Group) -> None:
    """Wait until `cat` answers, that is until the scope is entered; then check the scope."""
    pipe = process.stdout
    if process.stdin is None or pipe is None:  # pragma: no cover - both were asked for
        raise SandboxSetupFailed("systemd-run has no pipes")
    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"\n")
        process.stdin.flush()
    ready, _, _ = select.select([pipe], [], [], _SYSTEMD_WAIT_S)
    if not ready or pipe.read(1) != b"\n":
        raise SandboxSetupFailed("systemd-run --user --scope does not work here")
    group.started(process.pid)
