"""Our own processes, started and killed by a benchmark.

Lives here: one process of the installed command, its environment and its readiness line.
Must not live here: what is measured. Law: processes are ended by their pid, on this machine only.
"""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bot.settings import PREFIX

READY_WITHIN_S = 180


@dataclass(slots=True)
class Started:
    """A process and what it said when it was ready."""

    process: asyncio.subprocess.Process
    ready: dict[str, Any]

    async def kill(self) -> None:
        """SIGKILL, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()
        await self.process.wait()

    async def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        with contextlib.suppress(ProcessLookupError):
            self.process.terminate()
        await self.process.wait()


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """The environment of a process of ours: nothing of the caller's settings, and ``settings``."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    return {**kept, **settings}


def settings_in(home: Path, policies: Path) -> dict[str, str]:
    """The settings of a service that keeps everything in ``home`` and listens where it can."""
    return {
        "PLACET_DATABASE": f"sqlite:///{home / 'bench.db'}",
        "PLACET_KEYS": str(home / "keys"),
        "PLACET_CHECKPOINTS": str(home / "checkpoints.txt"),
        "PLACET_POLICIES": str(policies),
        "PLACET_PORT": "0",
        "PLACET_REQUESTS_PER_S": "1000000",  # counted as ever, and never reached
    }


async def start(name: str, settings: Mapping[str, str]) -> Started:
    """Start ``placet NAME`` and wait until it is ready.

    Raises:
        RuntimeError: it ended before.
    """
    return await launch(["-m", "bot", name, "--json"], settings)


async def launch(arguments: Sequence[str], settings: Mapping[str, str]) -> Started:
    """Start a Python process that prints one line of JSON when it is ready.

    Raises:
        RuntimeError: it ended before.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        env=environment(settings),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    assert process.stdout is not None
    line = await asyncio.wait_for(process.stdout.readline(), READY_WITHIN_S)
    if not line:
        await process.wait()
        name = " ".join(arguments)
        raise RuntimeError(f"{name} ended with {process.returncode} before it was ready")
    return Started(process=process, ready=json.loads(line))


async def run_json(settings: Mapping[str, str], *arguments: str) -> Any:  # noqa: ANN401  # JSON
    """Run one command of ours to its end and read the JSON that it prints."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "bot",
        *arguments,
        "--json",
        env=environment(settings),
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate()
    return json.loads(out)
