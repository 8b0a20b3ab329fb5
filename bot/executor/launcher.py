"""Starting one sandboxed run, watching it, and ending all of it.

Here: the one door to a run, and its result. Not here: the run's own parts (`run`), what the walls
are (`sandbox`), whether they hold on this machine (`selftest`). Law kept: nothing runs in a tier
that was not proven, an error says whether the program can have begun, and when `run` returns, is
cancelled or fails, nothing of the run is alive.
"""

import asyncio
import hashlib
from dataclasses import dataclass, field

from bot.executor import seccomp
from bot.executor.cgroup import Backend
from bot.executor.errors import SandboxUnavailable
from bot.executor.run import Run
from bot.executor.sandbox import RECIPE, SandboxSpec
from bot.executor.tools import Tools
from governance.execution import SandboxTier as Tier


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """What came of one run. `exit_code` is 128 + n after signal n.

    `oom_killed` and the peak are the control group's, so A- does not know them.
    """

    exit_code: int
    stdout: bytes = field(repr=False)
    stderr: bytes = field(repr=False)
    stdout_truncated: bool
    stderr_truncated: bool
    duration_s: float
    timed_out: bool
    scratch_full: bool
    oom_killed: bool
    peak_memory_bytes: int | None
    throttled_periods: int | None
    tier: Tier
    sandbox_version: str

    @property
    def is_success(self) -> bool:
        """Whether it ended by itself, with status 0, within every limit."""
        stopped = self.timed_out or self.scratch_full or self.oom_killed
        return self.exit_code == 0 and not (
            stopped or self.stdout_truncated or self.stderr_truncated
        )


class Launcher:
    """Runs descriptions in the tiers that a self-test has proven on this machine.

    Whoever builds one vouches for `proven`; `selftest.establish` does so after probing.
    """

    def __init__(
        self, *, tools: Tools, backend: Backend | None, proven: frozenset[Tier] = frozenset()
    ) -> None:
        self.tools = tools
        self.backend = backend
        self.proven = proven
        self._filter_digest: str | None = None

    @property
    def version(self) -> str:
        """What the walls were made of, for evidence."""
        if self._filter_digest is None:
            self._filter_digest = hashlib.sha256(seccomp.build()).hexdigest()[:12]
        group = "none" if self.backend is None else self.backend.name
        return (
            f"recipe {RECIPE}; bubblewrap {self.tools.bwrap_version}; "
            f"filter {self._filter_digest}; groups {group}"
        )

    async def run(self, spec: SandboxSpec, tier: Tier) -> RunResult:
        """Run one description, once.

        Raises:
            SandboxUnavailable: the tier was not proven here; nothing was run.
            SandboxSetupFailed: the walls could not be put up; the program never began.
            SandboxError: anything else; `started` says whether the program may have begun.
        """
        if tier not in self.proven or (tier is Tier.A and self.backend is None):
            raise SandboxUnavailable(f"tier {tier} is not available on this machine")
        run = Run(tools=self.tools, backend=self.backend, spec=spec, tier=tier)
        stats = None
        try:
            ended = await run.begin()
            await run.await_gate(ended)
            await run.watch(ended)
            if run.group is not None:
                await asyncio.to_thread(run.group.kill)
                stats = await asyncio.to_thread(run.group.stats)
        finally:
            await run.close()
        return RunResult(
            exit_code=run.exit_code(),
            stdout=bytes(run.stdout.content),
            stderr=bytes(run.stderr.content),
            stdout_truncated=run.stdout.truncated,
            stderr_truncated=run.stderr.truncated,
            duration_s=run.duration_s,
            timed_out=run.timed_out,
            scratch_full=run.scratch_full,
            oom_killed=stats is not None and stats.oom_kills > 0,
            peak_memory_bytes=None if stats is None else stats.peak_memory_bytes,
            throttled_periods=None if stats is None else stats.throttled_periods,
            tier=tier,
            sandbox_version=self.version,
        )
