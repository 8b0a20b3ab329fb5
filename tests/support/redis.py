"""A real Redis server for tests: on a UNIX socket in a folder of its own, ended by its id."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.support.servers import tool

_PATIENCE_S = 20.0
_QUIET = ("--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning")


@dataclass(frozen=True, slots=True, kw_only=True)
class RedisServer:
    """A server that runs."""

    process: subprocess.Popen[bytes]
    path: Path

    @property
    def url(self) -> str:
        """As the setting names it."""
        return f"unix://{self.path}"

    def end(self) -> None:
        """Kill it."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """Let it answer nothing, its connections open."""
        os.kill(self.process.pid, signal.SIGSTOP)

    def go_on(self) -> None:
        """Let it answer again."""
        os.kill(self.process.pid, signal.SIGCONT)


def start(folder: Path) -> RedisServer:
    """Start one whose socket is in ``folder``; without the tool the test is skipped."""
    program, path = tool("redis-server"), folder / "redis.sock"
    command = [program, *_QUIET, "--unixsocket", str(path), "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    server = RedisServer(process=process, path=path)
    ends = time.monotonic() + _PATIENCE_S
    while time.monotonic() < ends:
        with suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
            probe.connect(str(path))
            return server
        if process.poll() is not None:
            break
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.02)
    server.end()
    raise RuntimeError("redis-server did not start")


@contextmanager
def running(folder: Path) -> Iterator[RedisServer]:
    """One that is ended afterwards, whatever was done to it."""
    server = start(folder)
    try:
        yield server
    finally:
        server.end()
