"""Control groups in the separate hierarchies of version 1.

Here: the group of one run in the cpu, memory and pids hierarchies. Not here: finding where they
are mounted (`cgroup_discovery`). Law kept: limits are read back before the group is given out,
and swap, where it is counted, is part of the memory limit.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from bot.executor.cgroup import (
    CPU_PERIOD_US,
    GroupLimits,
    GroupStats,
    check,
    fields,
    kill_members,
    make_directory,
    number,
    optional_number,
    remove_directory,
    write,
)
from bot.executor.errors import SandboxSetupFailed


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
        check(limits, self)

    def limits(self) -> GroupLimits:
        """The limits as the kernel now reports them."""
        quota = number(self.cpu / "cpu.cfs_quota_us")
        period = number(self.cpu / "cpu.cfs_period_us")
        memory = number(self.memory / "memory.limit_in_bytes")
        swap = self.memory / "memory.memsw.limit_in_bytes"
        if swap.exists():
            memory = max(memory, number(swap))
        return GroupLimits(
            cpu=quota / period, memory_bytes=memory, pids=number(self.pids / "pids.max")
        )

    def kill(self) -> None:
        """Kill everything inside until it is empty."""
        for directory in dict.fromkeys(self._directories()):
            kill_members(directory)

    def stats(self) -> GroupStats:
        """What was used so far."""
        return GroupStats(
            peak_memory_bytes=optional_number(self.memory / "memory.max_usage_in_bytes"),
            oom_kills=fields(self.memory / "memory.oom_control").get("oom_kill", 0),
            throttled_periods=fields(self.cpu / "cpu.stat").get("nr_throttled", 0),
        )

    def remove(self) -> None:
        """Remove the empty group."""
        for directory in dict.fromkeys(self._directories()):
            remove_directory(directory)


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
                make_directory(directory)
                made.append(directory)
            group.apply(limits)
        except SandboxSetupFailed:
            for directory in made:
                with contextlib.suppress(OSError):
                    directory.rmdir()
            raise
        return group
