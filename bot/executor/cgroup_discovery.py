"""Finding the control groups that this process may make.

Here: reading where the controllers are mounted, trying each place for real, dividing a delegated
v2 group, and the `systemd-run` scope of a desktop login. Not here: the groups themselves
(`cgroup`). Law kept: a back end is returned only after a trial group with limits was made, read
back and removed there; otherwise the answer is the reasons.
"""

import contextlib
import os
import secrets
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from bot.executor.cgroup import (
    Backend,
    Group,
    GroupLimits,
    GroupStats,
    V1Backend,
    V2Backend,
    V2Group,
    read,
    write,
)
from bot.executor.errors import SandboxSetupFailed

_CONTROLLERS: Final = ("cpu", "memory", "pids")
_TRIAL: Final = GroupLimits(cpu=0.5, memory_bytes=64 * 1024 * 1024, pids=16)
_SYSTEMD_WAIT_S: Final = 5.0
_SERVICE_LEAF: Final = "placet-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The back end that works, or None and the reason for each that does not."""

    backend: Backend | None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Mount:
    root: str
    point: Path
    kind: str
    options: frozenset[str]


def _unescape(text: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _mounts(proc: Path) -> list[_Mount]:
    found = []
    for line in (proc / "mountinfo").read_text(encoding="utf-8", errors="replace").splitlines():
        left, _, right = line.partition(" - ")
        kind, _, rest = right.partition(" ")
        if kind in {"cgroup", "cgroup2"}:
            parts = left.split(" ")
            options = frozenset(rest.split(" ")[-1].split(","))
            point = Path(_unescape(parts[4]))
            found.append(
                _Mount(root=_unescape(parts[3]), point=point, kind=kind, options=options)
            )
    return found


def _own_paths(proc: Path) -> dict[str, str]:
    """Controller name -> this process's path in its hierarchy; the unified tree's key is empty."""
    paths = {}
    for line in (proc / "cgroup").read_text(encoding="utf-8").splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            paths[controller] = path
    return paths


def _directory(mount: _Mount, path: str) -> Path | None:
    """Where a path of the hierarchy is visible here, if it is."""
    if mount.root != "/":
        if path != mount.root and not path.startswith(mount.root + "/"):
            return mount.point  # a container's own group, seen as the top of its tree
        path = path[len(mount.root) :]
    if path.startswith("/.."):
        return None
    return mount.point / path.lstrip("/")


def _trial(backend: Backend) -> None:
    group = backend.create(f"placet-trial-{secrets.token_hex(6)}", _TRIAL)
    try:
        for path in group.procs_files:
            if not os.access(path, os.W_OK):
                raise SandboxSetupFailed("the group's cgroup.procs is not writable")
    finally:
        group.remove()


def _v1(proc: Path) -> V1Backend:
    own = _own_paths(proc)
    found: dict[str, Path] = {}
    for mount in _mounts(proc):
        for controller in _CONTROLLERS:
            if mount.kind == "cgroup" and controller in mount.options and controller in own:
                directory = _directory(mount, own[controller])
                if directory is not None:
                    found[controller] = directory
    missing = [name for name in _CONTROLLERS if name not in found]
    if missing:
        raise SandboxSetupFailed(f"no v1 hierarchy for {', '.join(missing)}")
    backend = V1Backend(cpu=found["cpu"], memory=found["memory"], pids=found["pids"])
    _trial(backend)
    return backend


def _enable_controllers(directory: Path) -> None:
    wanted = " ".join(f"+{name}" for name in _CONTROLLERS)
    write(directory / "cgroup.subtree_control", wanted)


def _divide(directory: Path, pid: int) -> None:
    """Let a delegated group have children with controllers.

    The kernel allows that only while the group itself holds no process, so this process moves to
    a leaf of its own; if the kernel then still refuses, it moves back.
    """
    members = [int(line) for line in read(directory / "cgroup.procs").split()]
    if any(member != pid for member in members):
        raise SandboxSetupFailed(
            "the executor shares its control group with other processes: start it under systemd "
            "with Delegate=yes"
        )
    leaf = directory / _SERVICE_LEAF
    try:
        leaf.mkdir(exist_ok=True)
    except OSError as error:
        raise SandboxSetupFailed(
            f"its control group is not delegated to it: {error.strerror}"
        ) from error
    write(leaf / "cgroup.procs", str(pid))
    try:
        _enable_controllers(directory)
    except SandboxSetupFailed:
        with contextlib.suppress(SandboxSetupFailed, OSError):
            write(directory / "cgroup.procs", str(pid))
            leaf.rmdir()
        raise


def _v2(proc: Path, pid: int) -> V2Backend:
    own = _own_paths(proc).get("")
    mount = next((m for m in _mounts(proc) if m.kind == "cgroup2"), None)
    directory = None if mount is None or own is None else _directory(mount, own)
    if directory is None or not directory.is_dir():
        raise SandboxSetupFailed("no unified control group tree is mounted")
    if directory.name == _SERVICE_LEAF:  # an earlier start in this process has divided it
        directory = directory.parent
    offered = read(directory / "cgroup.controllers").split()
    missing = [name for name in _CONTROLLERS if name not in offered]
    if missing:
        raise SandboxSetupFailed(f"the unified tree does not offer {', '.join(missing)} here")
    if set(_CONTROLLERS) - set(read(directory / "cgroup.subtree_control").split()):
        if (directory / "cgroup.type").exists():
            _divide(directory, pid)
        else:  # the very top of the tree may hold processes and children
            _enable_controllers(directory)
    backend = V2Backend(parent=directory)
    _trial(backend)
    return backend


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
        path = _own_paths(self.proc / str(pid)).get("", "")
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


def _scope(proc: Path) -> ScopeBackend:
    program = shutil.which("systemd-run")
    mount = next((m for m in _mounts(proc) if m.kind == "cgroup2"), None)
    if program is None or mount is None:
        raise SandboxSetupFailed("no systemd-run with a unified control group tree")
    names = ("XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS")
    environment = tuple(f"{name}={os.environ[name]}" for name in names if name in os.environ)
    backend = ScopeBackend(systemd_run=Path(program), mount=mount.point, environment=environment)
    unit = f"placet-trial-{secrets.token_hex(6)}"
    group = backend.create(unit, _TRIAL)
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
    import select

    with contextlib.suppress(BrokenPipeError):
        process.stdin.write(b"\n")
        process.stdin.flush()
    ready, _, _ = select.select([pipe], [], [], _SYSTEMD_WAIT_S)
    if not ready or pipe.read(1) != b"\n":
        raise SandboxSetupFailed("systemd-run --user --scope does not work here")
    group.started(process.pid)


def discover(proc: Path = Path("/proc/self"), pid: int | None = None) -> Found:
    """The first back end that works here: v2, v1, a systemd scope.

    It blocks for moments, and may move this process to a leaf of its own delegated group.
    """
    reasons = []
    own_pid = os.getpid() if pid is None else pid
    for name, attempt in (
        ("unified control groups", lambda: _v2(proc, own_pid)),
        ("control groups v1", lambda: _v1(proc)),
        ("systemd scope", lambda: _scope(proc)),
    ):
        try:
            return Found(backend=attempt(), reasons=tuple(reasons))
        except SandboxSetupFailed as error:
            reasons.append(f"{name}: {error}")
        except (OSError, ValueError) as error:
            reasons.append(f"{name}: {type(error).__name__}")
    return Found(backend=None, reasons=tuple(reasons))
