"""Control groups: the part of the machine that one run may use.

Here: the group of one run, and its two forms (v1 controllers, the unified v2 tree); finding which
can be used is `cgroup_discovery`. Not here: namespaces, rlimits, processes' starting. Law kept: a
limit counts only when it is read back from the kernel as asked; anything else is an error, and
nothing runs in a group that could not be limited.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from bot.executor.errors import SandboxSetupFailed

CPU_PERIOD_US: Final = 100_000
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


def _number(path: Path) -> int:
    text = read(path)
    if not text.lstrip("-").isdigit():
        raise SandboxSetupFailed(f"control group file {path.name} holds no limit")
    return int(text)


def _optional_number(path: Path) -> int | None:
    try:
        return _number(path)
    except SandboxSetupFailed:
        return None


def _members(directory: Path) -> list[int]:
    try:
        text = (directory / "cgroup.procs").read_text(encoding="ascii")
    except FileNotFoundError:
        return []
    # Id 0 is a process of another pid name space: it cannot be signalled by number from here.
    return [int(line) for line in text.split() if line != "0"]


def _kill_members(directory: Path) -> None:
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


def _remove_directory(directory: Path) -> None:
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


def _make_directory(directory: Path) -> None:
    try:
        directory.mkdir()
    except OSError as error:
        raise SandboxSetupFailed(
            f"control group {directory.name} cannot be made: {error.strerror}"
        ) from error


def _check(asked: GroupLimits, group: Group) -> None:
    got = group.limits()
    if not asked.covers(got):
        raise SandboxSetupFailed(f"control group limits: asked for {asked}, the kernel says {got}")


@dataclass(frozen=True, slots=True, kw_only=True)
class V1Group:
    """One directory in each of the cpu, memory and pids hierarchies."""

    cpu: Path
    memory: Path
    pids: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        """Nothing: the starting process joins by itself."""
        return ()

    @property
    def procs_files(self) -> tuple[Path, ...]:
        """One file in each hierarchy."""
        return tuple(path / "cgroup.procs" for path in dict.fromkeys(self._directories()))

    def _directories(self) -> tuple[Path, ...]:
        return (self.cpu, self.memory, self.pids)

    def started(self, pid: int) -> None:
        """Nothing to learn."""

    def apply(self, limits: GroupLimits) -> None:
        """Set every limit, then read them back."""
        write(self.cpu / "cpu.cfs_period_us", str(CPU_PERIOD_US))
        write(self.cpu / "cpu.cfs_quota_us", str(round(limits.cpu * CPU_PERIOD_US)))
        write(self.memory / "memory.limit_in_bytes", str(limits.memory_bytes))
        swap = self.memory / "memory.memsw.limit_in_bytes"
        if swap.exists():
            write(swap, str(limits.memory_bytes))
        write(self.pids / "pids.max", str(limits.pids))
        _check(limits, self)

    def limits(self) -> GroupLimits:
        """The limits as the kernel now reports them."""
        quota = _number(self.cpu / "cpu.cfs_quota_us")
        period = _number(self.cpu / "cpu.cfs_period_us")
        memory = _number(self.memory / "memory.limit_in_bytes")
        swap = self.memory / "memory.memsw.limit_in_bytes"
        if swap.exists():
            memory = max(memory, _number(swap))
        return GroupLimits(
            cpu=quota / period, memory_bytes=memory, pids=_number(self.pids / "pids.max")
        )

    def kill(self) -> None:
        """Kill everything inside until it is empty."""
        for directory in dict.fromkeys(self._directories()):
            _kill_members(directory)

    def stats(self) -> GroupStats:
        """What was used so far."""
        return GroupStats(
            peak_memory_bytes=_optional_number(self.memory / "memory.max_usage_in_bytes"),
            oom_kills=fields(self.memory / "memory.oom_control").get("oom_kill", 0),
            throttled_periods=fields(self.cpu / "cpu.stat").get("nr_throttled", 0),
        )

    def remove(self) -> None:
        """Remove the empty group."""
        for directory in dict.fromkeys(self._directories()):
            _remove_directory(directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class V2Group:
    """One directory of the unified tree."""

    directory: Path

    @property
    def prefix(self) -> tuple[str, ...]:
        """Nothing: the starting process joins by itself."""
        return ()

    @property
    def procs_files(self) -> tuple[Path, ...]:
        """One file."""
        return (self.directory / "cgroup.procs",)

    def started(self, pid: int) -> None:
        """Nothing to learn."""

    def apply(self, limits: GroupLimits) -> None:
        """Set every limit, then read them back."""
        quota = round(limits.cpu * CPU_PERIOD_US)
        write(self.directory / "cpu.max", f"{quota} {CPU_PERIOD_US}")
        write(self.directory / "memory.max", str(limits.memory_bytes))
        swap = self.directory / "memory.swap.max"
        if swap.exists():
            write(swap, "0")
        if (self.directory / "memory.oom.group").exists():
            write(self.directory / "memory.oom.group", "0")
        write(self.directory / "pids.max", str(limits.pids))
        _check(limits, self)

    def limits(self) -> GroupLimits:
        """The limits as the kernel now reports them; swap counts as memory."""
        quota, _, period = read(self.directory / "cpu.max").partition(" ")
        if not quota.isdigit() or not period.isdigit() or period == "0":
            raise SandboxSetupFailed("control group file cpu.max holds no limit")
        memory = _number(self.directory / "memory.max")
        swap = self.directory / "memory.swap.max"
        if swap.exists():
            memory += _number(swap)
        return GroupLimits(
            cpu=int(quota) / int(period),
            memory_bytes=memory,
            pids=_number(self.directory / "pids.max"),
        )

    def kill(self) -> None:
        """Kill everything inside until it is empty."""
        if (self.directory / "cgroup.kill").exists():
            with contextlib.suppress(SandboxSetupFailed):  # the loop below does it without
                write(self.directory / "cgroup.kill", "1")
        _kill_members(self.directory)

    def stats(self) -> GroupStats:
        """What was used so far."""
        return GroupStats(
            peak_memory_bytes=_optional_number(self.directory / "memory.peak"),
            oom_kills=fields(self.directory / "memory.events").get("oom_kill", 0),
            throttled_periods=fields(self.directory / "cpu.stat").get("nr_throttled", 0),
        )

    def remove(self) -> None:
        """Remove the empty group."""
        _remove_directory(self.directory)


@dataclass(frozen=True, slots=True, kw_only=True)
class V1Backend:
    """Groups under one directory in each v1 hierarchy."""

    cpu: Path
    memory: Path
    pids: Path
    name: str = "cgroup-v1"

    def create(self, run_id: str, limits: GroupLimits) -> V1Group:
        """A new group, limited and read back.

        Raises:
            SandboxSetupFailed: a directory or a limit was refused; nothing is left behind.
        """
        group = V1Group(cpu=self.cpu / run_id, memory=self.memory / run_id, pids=self.pids / run_id)
        made: list[Path] = []
        try:
            for directory in dict.fromkeys((group.cpu, group.memory, group.pids)):
                _make_directory(directory)
                made.append(directory)
            group.apply(limits)
        except SandboxSetupFailed:
            for directory in made:
                with contextlib.suppress(OSError):
                    directory.rmdir()
            raise
        return group


@dataclass(frozen=True, slots=True, kw_only=True)
class V2Backend:
    """Groups under one directory whose children have the cpu, memory and pids controllers."""

    parent: Path
    name: str = "cgroup-v2"

    def create(self, run_id: str, limits: GroupLimits) -> V2Group:
        """A new group, limited and read back.

        Raises:
            SandboxSetupFailed: the directory or a limit was refused; nothing is left behind.
        """
        group = V2Group(directory=self.parent / run_id)
        _make_directory(group.directory)
        try:
            group.apply(limits)
        except SandboxSetupFailed:
            with contextlib.suppress(OSError):
                group.directory.rmdir()
            raise
        return group
