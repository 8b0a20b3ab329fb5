"""A headless demo as a process of its own, for tests that use the installed command."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

READY_WITHIN_S = 60


def command(*arguments: str) -> list[str]:
    """The installed ``placet`` of this environment, as a command line."""
    return [sys.executable, "-m", "bot", *arguments]


def environment() -> dict[str, str]:
    """The caller's environment without any of our settings."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PLACET_")}


async def run(*arguments: str) -> tuple[int, str, str]:
    """Run one command to its end: exit code, standard output, standard error."""
    process = await asyncio.create_subprocess_exec(
        *command(*arguments),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


@asynccontextmanager
async def headless(folder: Path) -> AsyncIterator[tuple[Path, dict[str, Any]]]:
    """A demo that runs until the context ends; its state file and what is in it."""
    state = folder / "demo.json"
    process = await asyncio.create_subprocess_exec(
        *command("demo", "--headless", "--port", "0", "--state", str(state)),
        env=environment(),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(READY_WITHIN_S):
            while not state.exists():
                line = await process.stdout.readline()  # it says much before it is ready, then this
                assert line or state.exists(), "the demo ended before it was ready"
        yield state, json.loads(state.read_text(encoding="utf-8"))
    finally:
        process.terminate()
        await process.communicate()
