"""Processes of this machine, looked at from outside.

Here: waiting for an end, who descends from whom, who is gone. Not here: starting and killing
(`run`). Law kept: nothing here blocks the loop, and a process is held by a descriptor and not by
a number that may be given out again.
"""

import asyncio
import contextlib
import os
import subprocess


async def exited(process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a process and take its status, without a thread."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Future[None] = loop.create_future()

    def signal_end() -> None:
        if not ended.done():
            ended.set_result(None)

    pidfd = os.pidfd_open(process.pid)
    loop.add_reader(pidfd, signal_end)
    try:
        await ended
        process.wait()  # it has ended: this only takes the status
    finally:
        loop.remove_reader(pidfd)
        os.close(pidfd)


def open_descendants(pid: int) -> list[int]:
    """A descriptor for every process below `pid`."""
    found: list[int] = []
    try:
        tasks = os.listdir(f"/proc/{pid}/task")
    except OSError:
        return found
    for task in tasks:
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                children = [int(child) for child in file.read().split()]
            for child in children:
                found += open_descendants(child)
                found.append(os.pidfd_open(child))
    return found


def is_gone(pid: str) -> bool:
    """Whether a process id, as text, names no process any more."""
    if not pid.isdigit():
        return False
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except (PermissionError, OverflowError):
        return False
    return False
