"""Finding the control groups that this process may make.

Here: reading where the controllers are mounted, trying each place for real, dividing a delegated
v2 group. Not here: the groups themselves (`cgroup_v1`, `cgroup_v2`, `cgroup_scope`). Law kept: a
back end is returned only after a trial group with limits was made, read back and removed there;
otherwise the answer is the reasons.
"""

import contextlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.executor.cgroup import TRIAL, Backend, read, run_id, sweep, write
from bot.executor.cgroup_mounts import Mount, mounts, own_paths
from bot.executor.cgroup_scope import try_scope
from bot.executor.cgroup_v1 import V1Backend
from bot.executor.cgroup_v2 import V2Backend
from bot.executor.errors import SandboxSetupFailed

_CONTROLLERS: Final = ("cpu", "memory", "pids")
_PREPARED: Final = "placet"
_SERVICE_LEAF: Final = "placet-service"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The back end that works, or None and the reason for each that does not."""

    backend: Backend | None
    reasons: tuple[str, ...] = ()


def _directory(mount: Mount, path: str) -> Path | None:
    """Where a path of the hierarchy is visible here, if it is."""
    if mount.root != "/":
        if path != mount.root and not path.startswith(mount.root + "/"):
            return mount.point  # a container's own group, seen as the top of its tree
        path = path[len(mount.root) :]
    if path.startswith("/.."):
        return None
    return mount.point / path.lstrip("/")


def _trial(backend: Backend) -> None:
    group = backend.create(run_id(), TRIAL)
    try:
        for path in group.procs_files:
            if not os.access(path, os.W_OK):
                raise SandboxSetupFailed("the group's cgroup.procs is not writable")
    finally:
        group.remove()


def _v1(proc: Path) -> V1Backend:
    own = own_paths(proc)
    found: dict[str, Path] = {}
    for mount in mounts(proc):
        for controller in _CONTROLLERS:
            if mount.kind == "cgroup" and controller in mount.options and controller in own:
                directory = _directory(mount, own[controller])
                if directory is not None:
                    found[controller] = directory
    missing = [name for name in _CONTROLLERS if name not in found]
    if missing:
        raise SandboxSetupFailed(f"no v1 hierarchy for {', '.join(missing)}")
    # An administrator prepares /placet in each hierarchy for an executor that is not root.
    prepared = {name: path / _PREPARED for name, path in found.items()}
    found = {
        name: prepared[name] if os.access(prepared[name], os.W_OK) else path
        for name, path in found.items()
    }
    backend = V1Backend(cpu=found["cpu"], memory=found["memory"], pids=found["pids"])
    _trial(backend)
    for directory in dict.fromkeys(found.values()):
        sweep(directory)
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
    own = own_paths(proc).get("")
    mount = next((m for m in mounts(proc) if m.kind == "cgroup2"), None)
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
    sweep(directory)
    return backend


def discover(proc: Path = Path("/proc/self"), pid: int | None = None) -> Found:
    """The first back end that works here: v2, v1, a systemd scope.

    It blocks for moments, and may move this process to a leaf of its own delegated group.
    """
    reasons: list[str] = []
    own_pid = os.getpid() if pid is None else pid
    for name, attempt in (
        ("unified control groups", lambda: _v2(proc, own_pid)),
        ("control groups v1", lambda: _v1(proc)),
        ("systemd scope", lambda: try_scope(proc)),
    ):
        try:
            return Found(backend=attempt(), reasons=tuple(reasons))
        except SandboxSetupFailed as error:
            reasons.append(f"{name}: {error}")
        except (OSError, ValueError) as error:
            reasons.append(f"{name}: {type(error).__name__}")
    return Found(backend=None, reasons=tuple(reasons))
