"""Control groups: the part of the machine that one run may use.

Here: what a group and a way to make groups are, and reading and writing their files. Not here:
the forms (`cgroup_v1`, `cgroup_v2`, `cgroup_scope`) and finding which works (`cgroup_discovery`).
Law kept: a limit counts only when it is read back from the kernel as asked; anything else is an
error, and nothing runs in a group that could not be limited.
"""

import contextlib
import os
import secrets
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bot.executor.errors import SandboxSetupFailed
from bot.executor.processes import is_gone

CPU_PERIOD_US: Final = 100_000
_NAME_PARTS: Final = 3
_PAGE_BYTES: Final = os.sysconf("SC_PAGE_SIZE")
_KILL_WAIT_S: Final = 5.0
_KILL_STEP_S: Final = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupLimits:
    """What a group may use; `cpu` is in cores."""

    cpu: float
    memory_bytes: int
    pids: int

    def covers(self, other: "GroupLimits") -> bool:
        """Whether `other`, as the kernel reports it, is this limit (memory rounds to pages)."""
        return (
            round(self.cpu * CPU_PERIOD_US) == round(other.cpu * CPU_PERIOD_US)
            and 0 <= self.memory_bytes - other.memory_bytes < _PAGE_BYTES
            and self.pids == other.pids
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupStats:
    """What a group has used; None where the kernel does not say."""

    peak_memory_bytes: int | None
    oom_kills: int
    throttled_periods: int


TRIAL: Final = GroupLimits(cpu=0.5, memory_bytes=64 * 1024 * 1024, pids=16)


def run_id() -> str:
    """A name for one run's group that says which process answers for it."""
    return f"placet-{os.getpid()}-{secrets.token_hex(8)}"


def is_abandoned(name: str) -> bool:
    """Whether the process that made a group of this name is gone."""
    parts = name.split("-")
    return len(parts) == _NAME_PARTS and parts[0] == "placet" and is_gone(parts[1])


def sweep(parent: Path) -> None:
    """Empty and remove the groups of executors that died; what refuses is left as it is."""
    for directory in parent.glob("placet-*"):
        if is_abandoned(directory.name):
            with contextlib.suppress(SandboxSetupFailed, OSError):
                kill_members(directory)
                directory.rmdir()


class Group(Protocol):
    """The control group of one run. All methods block for moments: call them off the loop."""

    @property
    def prefix(self) -> tuple[str, ...]:
        """What to put before the command, where the group starts the process itself."""

    @property
    def procs_files(self) -> tuple[Path, ...]:
        """The files that the starting process writes its own id to, before anything else."""

    def started(self, pid: int) -> None:
        """Learn which process was started in it."""

    def limits(self) -> GroupLimits:
        """The limits as the kernel now reports them."""

    def kill(self) -> None:
        """Kill everything inside until it is empty."""

    def stats(self) -> GroupStats:
        """What was used so far."""

    def remove(self) -> None:
        """Remove the empty group; a group that is gone is no error."""


class Backend(Protocol):
    """One way to make groups on this machine."""

    @property
    def name(self) -> str:
        """The name that evidence carries."""

    def create(self, run_id: str, limits: GroupLimits) -> Group:
        """A new group with these limits, read back (a scope's: once it has started)."""


def write(path: Path, value: str) -> None:
    """Write one value to a control file.

    Raises:
        SandboxSetupFailed: the kernel refused it.
    """
    try:
        path.write_text(value, encoding="ascii")
    except OSError as error:
        raise SandboxSetupFailed(
            f"control group file {path.name} refused {value!r}: {error.strerror}"
        ) from error


def read(path: Path) -> str:
    """The value of one control file.

    Raises:
        SandboxSetupFailed: it cannot be read.
    """
    try:
        return path.read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SandboxSetupFailed(f"control group file {path.name} cannot be read") from error


def fields(path: Path) -> dict[str, int]:
    """A flat keyed file as numbers; an unreadable file has none."""
    try:
        text = read(path)
    except SandboxSetupFailed:
        return {}
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2 and pair[1].isdigit()}  # noqa: PLR2004 - a key and its value


def number(path: Path) -> int:
    """A control file that holds one number.

    Raises:
        SandboxSetupFailed: it holds none, for instance `max`.
    """
    text = read(path)
    if not text.lstrip("-").isdigit():
        raise SandboxSetupFailed(f"control group file {path.name} holds no limit")
    return int(text)


def optional_number(path: Path) -> int | None:
    """The same, None where the kernel does not say."""
    try:
        return number(path)
    except SandboxSetupFailed:
        return None


def _members(directory: Path) -> list[int]:
    try:
        text = (directory / "cgroup.procs").read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    # Id 0 is a process of another pid name space: it cannot be signalled by number from here.
    return [int(line) for line in text.split() if line != "0"]


def kill_members(directory: Path) -> None:
    """SIGKILL whoever is inside, again and again, until nobody is.

    Raises:
        SandboxSetupFailed: somebody is still inside after five seconds.
    """
    deadline = time.monotonic() + _KILL_WAIT_S
    while pids := _members(directory):
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if time.monotonic() > deadline:
            raise SandboxSetupFailed(f"{len(pids)} processes survive in a control group")
        time.sleep(_KILL_STEP_S)


def remove_directory(directory: Path) -> None:
    """Remove the directory of an empty group, waiting until the kernel sees it as empty.

    Raises:
        SandboxSetupFailed: it is still there after five seconds.
    """
    deadline = time.monotonic() + _KILL_WAIT_S
    while True:
        try:
            directory.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if time.monotonic() > deadline:
                raise SandboxSetupFailed(
                    f"control group {directory.name} cannot be removed: {error.strerror}"
                ) from error
            time.sleep(_KILL_STEP_S)
        else:
            return


def make_directory(directory: Path) -> None:
    """Make the directory of a new group.

    Raises:
        SandboxSetupFailed: the kernel refused it.
    """
    try:
        directory.mkdir()
    except OSError as error:
        raise SandboxSetupFailed(
            f"control group {directory.name} cannot be made: {error.strerror}"
        ) from error


def check(asked: GroupLimits, group: Group) -> None:
    """Read the limits back.

    Raises:
        SandboxSetupFailed: the kernel does not report what was asked for.
    """
    got = group.limits()
    if not asked.covers(got):
        raise SandboxSetupFailed(f"control group limits: asked for {asked}, the kernel says {got}")
