"""One run in motion: its process, its streams, its gate and its end.

Here: the command from the executor to bubblewrap, output caps, the wall clock, the kill. Not
here: who may run what (`launcher`), what the walls are (`sandbox`). Law kept: whatever was begun
can be found and ended from here, also when it was begun only in part.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable
from typing import IO, Final

from bot.executor import scratch, seccomp, staging
from bot.executor.cgroup import Backend, Group, GroupLimits, run_id
from bot.executor.descriptors import OpenDescriptors
from bot.executor.errors import SandboxError, SandboxSetupFailed
from bot.executor.processes import exited, open_descendants
from bot.executor.sandbox import ENTRY_PATH, SandboxSpec, bwrap_arguments, rlimit_arguments
from bot.executor.tools import Tools
from governance.execution import SandboxTier as Tier

_CHUNK_BYTES: Final = 64 * 1024
_SETUP_S: Final = 15.0
_SCRATCH_POLL_S: Final = 0.1
_MAX_ENTRIES: Final = 10_000
_TAIL_BYTES: Final = 300
# Arguments: a count of files, the files, the command. The process joins by writing its own id.
_JOIN: Final = """
n=$1; shift
while [ "$n" -gt 0 ]; do
  echo $$ > "$1" || exit 97
  shift; n=$((n-1))
done
exec "$@"
"""

_closing: set[asyncio.Task[None]] = set()


class Capped:
    """Bytes of one stream up to a cap; past it they are counted as lost and `stop` is called."""

    def __init__(self, cap: int, stop: Callable[[], None]) -> None:
        self.content = bytearray()
        self.truncated = False
        self._cap = cap
        self._stop = stop

    async def drain(self, pipe: IO[bytes] | None) -> None:
        """Read to the end."""
        if pipe is None:  # pragma: no cover - both pipes were asked for
            raise SandboxSetupFailed("the sandbox has no output pipe")
        loop = asyncio.get_running_loop()
        reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
        transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), pipe
        )
        try:
            while chunk := await reader.read(_CHUNK_BYTES):
                room = self._cap - len(self.content)
                self.content += chunk[:room]
                if len(chunk) > room and not self.truncated:
                    self.truncated = True
                    self._stop()
        finally:
            transport.close()


class Run:
    """The moving parts of one run, so that its end can find whatever was begun."""

    def __init__(
        self, *, tools: Tools, backend: Backend | None, spec: SandboxSpec, tier: Tier
    ) -> None:
        self._tools = tools
        self._backend = backend
        self._spec = spec
        self._tier = tier
        self._staging = staging.Staging()
        self._process: subprocess.Popen[bytes] | None = None
        self._ended: asyncio.Task[None] | None = None
        self._preparing: asyncio.Task[None] | None = None
        self._open = OpenDescriptors()
        self.group: Group | None = None
        self.started = False
        self.timed_out = False
        self.scratch_full = False
        self.duration_s = 0.0
        self.stdout = Capped(spec.limits.output_bytes, self.kill)
        self.stderr = Capped(spec.limits.output_bytes, self.kill)

    def _prepare(self) -> None:
        limits = self._spec.limits
        if self._tier is Tier.A and self._backend is not None:
            self.group = self._backend.create(
                run_id(),
                GroupLimits(cpu=limits.cpu, memory_bytes=limits.memory_bytes, pids=limits.pids),
            )
        bound = (*(source for source, _ in self._tools.python.binds), *self._spec.sources())
        self._staging = staging.prepare(self._tools, bound)
        self._open.open(seccomp.build(), self._spec)

    def _command(self) -> list[str]:
        tools, group = self._tools, self.group
        files = () if group is None else group.procs_files
        out = [] if group is None else list(group.prefix)
        out += (str(tools.shell), "-c", _JOIN, "sh", str(len(files)), *map(str, files))
        out += self._staging.prefix(tools)
        if tools.drop is not None:
            out += (str(tools.drop.setpriv), f"--reuid={tools.drop.run_as.uid}")
            out += (f"--regid={tools.drop.run_as.gid}", "--clear-groups", "--inh-caps=-all")
            out += ("--bounding-set=-all", "--no-new-privs", "--")
        out += rlimit_arguments(tools, self._spec, self._tier)
        given = self._open.given()
        return out + bwrap_arguments(tools, self._spec, self._tier, given, self._staging.places)

    async def begin(self) -> asyncio.Task[None]:
        """Prepare and start the process, up to the gate; the task ends when all of it has ended.

        Being cancelled does not interrupt the preparation half-way: `close` waits for it.
        """
        self._preparing = asyncio.create_task(asyncio.to_thread(self._prepare))
        await asyncio.shield(self._preparing)
        process = self._spawn()
        self._process = process
        self._open.close_given()
        self._ended = asyncio.create_task(self._end(process))
        return self._ended

    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start the process. It returns when `sh` runs, in about a millisecond.

        Not by the loop's own means: uvloop's leave descriptors open that are not to be passed on.
        From the loop's thread, because bubblewrap dies with the thread that has started it.
        """
        try:
            return subprocess.Popen(  # noqa: S603 - a list, and its program is the recipe's
                self._command(),
                stdin=self._open.stdin,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                bufsize=0,
                # Process 1 of the sandbox shows this environment, whatever --clearenv says.
                env={"PATH": ENTRY_PATH},
                cwd="/",
                start_new_session=True,
                close_fds=True,
                pass_fds=self._open.given().all(),
            )
        except (OSError, ValueError) as error:
            raise SandboxSetupFailed(f"the sandbox cannot be started: {error}") from error

    async def _end(self, process: subprocess.Popen[bytes]) -> None:
        await asyncio.gather(
            self.stdout.drain(process.stdout), self.stderr.drain(process.stderr), exited(process)
        )

    async def await_gate(self, ended: asyncio.Task[None]) -> None:
        """Wait until bubblewrap has made the name spaces and the group's limits are known."""
        ready = asyncio.create_task(self._open.await_status())
        try:
            waiting: set[asyncio.Task[bool] | asyncio.Task[None]] = {ready, ended}
            await asyncio.wait(waiting, timeout=_SETUP_S, return_when=asyncio.FIRST_COMPLETED)
            stands = ready.done() and ready.result()
        finally:
            ready.cancel()
        process = self._process
        if not stands or process is None:
            self.kill()
            await asyncio.wait({ended}, timeout=_SETUP_S)
            raise self._setup_failed()
        if self.group is not None:
            await asyncio.to_thread(self.group.started, process.pid)

    async def watch(self, ended: asyncio.Task[None]) -> None:
        """Open the gate and wait for the end, however it comes."""
        loop = asyncio.get_running_loop()
        self.started = True
        began = loop.time()
        self._open.open_gate()
        poll = asyncio.ensure_future(self._watch_scratch())
        try:
            done, _ = await asyncio.wait({ended}, timeout=self._spec.limits.wall_s)
            if not done:
                self.timed_out = True
                self.kill()
                await asyncio.wait({ended}, timeout=_SETUP_S)
        finally:
            poll.cancel()
        self.duration_s = loop.time() - began
        if not ended.done():
            raise SandboxError("the run does not end although it was killed", started=True)
        await ended

        if self._ended_by_itself() and not self._open.has_begun():
            self.started = False
            raise self._setup_failed()

    def _ended_by_itself(self) -> bool:
        return self._process is not None and (self._process.returncode or 0) >= 0

    def _setup_failed(self) -> SandboxSetupFailed:
        tail = bytes(self.stderr.content[-_TAIL_BYTES:]).decode("utf-8", "replace").strip()
        return SandboxSetupFailed(f"the walls could not be put up: {tail or 'no answer'}")

    async def _watch_scratch(self) -> None:
        path = self._spec.scratch
        while path is not None:
            await asyncio.sleep(_SCRATCH_POLL_S)
            used = await asyncio.to_thread(scratch.usage, path)
            if used.size_bytes > self._spec.limits.scratch_bytes or used.entries > _MAX_ENTRIES:
                self.scratch_full = True
                self.kill()
                return

    def kill(self) -> None:
        """SIGKILL everything: the process group, and who has left it.

        Process 1 of the sandbox leaves the group on its way and asks only later to die with its
        parent. So it is looked up before its parent dies; what is born after that look is still
        in the group. With process 1 everything inside dies.
        """
        process = self._process
        if process is None or process.returncode is not None:
            return
        inside = open_descendants(process.pid)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        for pidfd in inside:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, signal.SIGKILL)
            os.close(pidfd)

    def exit_code(self) -> int:
        """The status as a shell would say it."""
        status = None if self._process is None else self._process.returncode
        if status is None:
            raise SandboxError("the run has no exit status", started=self.started)
        return status if status >= 0 else 128 - status

    async def close(self) -> None:
        """Kill what is left and remove what was made. Runs to its end even when cancelled."""
        self.kill()
        task = asyncio.ensure_future(self._close())
        _closing.add(task)
        task.add_done_callback(_closing.discard)
        await asyncio.shield(task)

    async def _close(self) -> None:
        if self._preparing is not None:
            await asyncio.gather(self._preparing, return_exceptions=True)  # said already
        try:
            if self.group is not None:
                await asyncio.to_thread(self.group.kill)
            if self._ended is not None:
                await asyncio.wait_for(self._ended, _SETUP_S)
            if self.group is not None:
                await asyncio.to_thread(self.group.remove)
        finally:
            self._open.close()
            self._staging.remove()
