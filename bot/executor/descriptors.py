"""The file descriptors of one run, and the two pipes by which it is held at the gate.

Here: sealed memory files for what bubblewrap reads, the status pipe and the gate. Not here: what
they mean to bubblewrap (`sandbox`). Law kept: nothing but these is inherited, each of them is
closed by bubblewrap before the program begins, a sealed file cannot be changed by who reads it,
and the gate is opened by a written byte only, never by a closed pipe.
"""

import asyncio
import contextlib
import fcntl
import os
from collections.abc import Mapping
from typing import Final

from bot.executor.sandbox import Descriptors, SandboxSpec

_SEALS: Final = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE
_STATUS_BYTES: Final = 4096


def sealed(name: str, content: bytes) -> int:
    """A descriptor, at the start of `content`, that nobody can write through."""
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING)
    try:
        left = memoryview(content)
        while left:
            left = left[os.write(descriptor, left) :]
        os.lseek(descriptor, 0, os.SEEK_SET)
        fcntl.fcntl(descriptor, fcntl.F_ADD_SEALS, _SEALS)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


class OpenDescriptors:
    """Every descriptor of one run; `close` closes whichever are open."""

    def __init__(self) -> None:
        self._mine: dict[str, int] = {}
        self._given: dict[str, int] = {}
        self._inputs: dict[str, int] = {}
        self._status = bytearray()

    @property
    def stdin(self) -> int:
        """What the program reads as its standard input: its bytes, or nothing."""
        return self._given["stdin"]

    def open(self, program: bytes, spec: SandboxSpec) -> None:
        """Open all of them."""
        self._given["seccomp"] = sealed("seccomp", program)
        for item in spec.inputs:
            self._inputs[item.name] = sealed("input", item.content)
        self._given["stdin"] = sealed("stdin", spec.stdin or b"")
        self._mine["status"], self._given["status"] = os.pipe2(os.O_CLOEXEC)
        read_end, self._mine["gate"] = os.pipe2(os.O_CLOEXEC)
        try:
            # Both ways, so that who waits at the gate is a writer too: were this process to die,
            # the gate would stay shut and not read as its end.
            self._given["gate"] = os.open(f"/proc/self/fd/{read_end}", os.O_RDWR | os.O_CLOEXEC)
        finally:
            os.close(read_end)
        os.set_blocking(self._mine["status"], False)

    def given(self) -> Descriptors:
        """Those that bubblewrap gets; the child keeps their numbers."""
        inputs: Mapping[str, int] = dict(self._inputs)
        return Descriptors(
            seccomp=self._given["seccomp"],
            status=self._given["status"],
            gate=self._given["gate"],
            inputs=inputs,
        )

    def close_given(self) -> None:
        """Close this side's copies, once the child has its own."""
        for descriptor in (*self._given.values(), *self._inputs.values()):
            os.close(descriptor)
        self._given.clear()
        self._inputs.clear()

    async def await_status(self) -> bool:
        """Whether bubblewrap reported the process that waits at the gate (False: it ended)."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[bool] = loop.create_future()

        def readable() -> None:
            is_open = self._read_status()
            if not answer.done() and (not is_open or b'"child-pid"' in self._status):
                answer.set_result(is_open)

        loop.add_reader(self._mine["status"], readable)
        try:
            return await answer
        finally:
            loop.remove_reader(self._mine["status"])

    def _read_status(self) -> bool:
        """Take in what was reported; whether there can be more."""
        try:
            chunk = os.read(self._mine["status"], _STATUS_BYTES)
        except BlockingIOError:
            return True
        self._status += chunk
        return bool(chunk)

    def has_begun(self) -> bool:
        """Whether bubblewrap, which has ended, reported that the program began and ended.

        It reports a status only for a program that was handed control: not where a wall failed.
        """
        self._read_status()
        return b'"exit-code"' in self._status

    def open_gate(self) -> None:
        """Let the program begin. A run that has died at the gate is found out by its end."""
        with contextlib.suppress(BrokenPipeError):
            os.write(self._mine["gate"], b"1")

    def close(self) -> None:
        """Close whichever are open."""
        self.close_given()
        for descriptor in self._mine.values():
            os.close(descriptor)
        self._mine.clear()
