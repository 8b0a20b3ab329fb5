"""Control groups in the unified tree of version 2.

Here: the group of one run. Not here: getting a part of the tree delegated (`cgroup_discovery`).
Law kept: limits are read back before the group is given out, and swap is not allowed at all.
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
    read,
    remove_directory,
    write,
)
from bot.executor.errors import SandboxSetupFailed


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
        check(limits, self)

    def limits(self) -> GroupLimits:
        """The limits as the kernel now reports them; swap counts as memory."""
        quota, _, period = read(self.directory / "cpu.max").partition(" ")
        if not quota.isdigit() or not period.isdigit() or period == "0":
            raise SandboxSetupFailed("control group file cpu.max holds no limit")
        memory = number(self.directory / "memory.max")
        swap = self.directory / "memory.swap.max"
        if swap.exists():
            memory += number(swap)
        return GroupLimits(
            cpu=int(quota) / int(period),
            memory_bytes=memory,
            pids=number(self.directory / "pids.max"),
        )

    def kill(self) -> None:
        """Kill everything inside until it is empty."""
        if (self.directory / "cgroup.kill").exists():
            with contextlib.suppress(SandboxSetupFailed):  # the loop below does it without
                write(self.directory / "cgroup.kill", "1")
        kill_members(self.directory)

    def stats(self) -> GroupStats:
        """What was used so far."""
        return GroupStats(
            peak_memory_bytes=optional_number(self.directory / "memory.peak"),
            oom_kills=fields(self.directory / "memory.events").get("oom_kill", 0),
            throttled_periods=fields(self.directory / "cpu.stat").get("nr_throttled", 0),
        )

    def remove(self) -> None:
        """Remove the empty group."""
        remove_directory(self.directory)


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
        make_directory(group.directory)
        try:
            group.apply(limits)
        except SandboxSetupFailed:
            with contextlib.suppress(OSError):
                group.directory.rmdir()
            raise
        return group
