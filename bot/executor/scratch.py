"""A run's scratch folder, and reading back what the program left there.

Here: making the folder for the sandbox's user, measuring it, and the collector. Not here: binding
it (`sandbox`) or stopping a run that overfills it (`launcher`). Law kept: whatever lies in the
folder was put there by somebody hostile; only a plain file with one name, reached without any
symbolic link and no larger than asked for, is ever read.
"""

import contextlib
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from bot.executor.errors import OutputRefused, SandboxSetupFailed
from bot.executor.tools import RunAs

_CHUNK_BYTES: Final = 64 * 1024
_FLAGS: Final = os.O_NOFOLLOW | os.O_CLOEXEC
_MAX_DEPTH: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """What lies in a folder."""

    size_bytes: int
    entries: int


def make(run_as: RunAs | None, base: Path | None = None) -> Path:
    """A new folder that the sandbox's user alone can write; `remove` it after the run.

    Raises:
        SandboxSetupFailed: it cannot be made.
    """
    try:
        path = Path(tempfile.mkdtemp(prefix="placet-scratch-", dir=base))
        if run_as is not None:
            os.chown(path, run_as.uid, run_as.gid)
    except OSError as error:
        raise SandboxSetupFailed(f"no scratch folder: {error.strerror}") from error
    return path


def remove(path: Path) -> None:
    """Remove a scratch folder with everything in it; symbolic links are not followed."""
    shutil.rmtree(path, ignore_errors=True)


def _walk(descriptor: int, depth: int) -> Iterator[os.stat_result]:
    with os.scandir(descriptor) as entries:
        for entry in entries:
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield status
            if stat.S_ISDIR(status.st_mode) and depth > 0:
                # A folder that vanished or was closed to us while it was measured.
                with contextlib.suppress(OSError):
                    inner = os.open(
                        entry.name, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=descriptor
                    )
                    try:
                        yield from _walk(inner, depth - 1)
                    finally:
                        os.close(inner)


def usage(path: Path) -> Usage:
    """How much lies in the folder, by allocated blocks."""
    size, entries = 0, 0
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    except OSError:
        return Usage(size_bytes=0, entries=0)
    try:
        for status in _walk(descriptor, _MAX_DEPTH):
            size += status.st_blocks * 512
            entries += 1
    finally:
        os.close(descriptor)
    return Usage(size_bytes=size, entries=entries)


def _components(name: str) -> tuple[str, ...]:
    parts = PurePosixPath(name).parts
    bad = not parts or name.startswith("/") or "\0" in name or ".." in parts
    if bad or str(PurePosixPath(*parts)) != name:
        raise OutputRefused(f"output {name!r}: expected a relative path without '..'")
    return parts


def _open_inside(base: Path, parts: tuple[str, ...]) -> int:
    """A descriptor of the file, each component opened below the one before, never via a link."""
    current = os.open(base, os.O_RDONLY | os.O_DIRECTORY | _FLAGS)
    try:
        for part in parts[:-1]:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | _FLAGS, dir_fd=current)
            os.close(current)
            current = inner
        return os.open(parts[-1], os.O_RDONLY | os.O_NONBLOCK | _FLAGS, dir_fd=current)
    finally:
        os.close(current)


def collect(base: Path, name: str, *, max_bytes: int) -> bytes:
    """The content of one file that the program left below `base`. Call it when the run is over.

    Raises:
        OutputRefused: missing, not a plain file, has another name too, or is too large.
    """
    try:
        descriptor = _open_inside(base, _components(name))
    except OSError as error:
        raise OutputRefused(f"output {name!r}: {error.strerror}") from error
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise OutputRefused(f"output {name!r}: not a plain file")
        if status.st_nlink != 1:
            raise OutputRefused(f"output {name!r}: {status.st_nlink} names, expected 1")
        content = b""
        while chunk := os.read(descriptor, min(_CHUNK_BYTES, max_bytes + 1 - len(content))):
            content += chunk
            if len(content) > max_bytes:
                raise OutputRefused(f"output {name!r}: larger than {max_bytes} bytes")
    finally:
        os.close(descriptor)
    return content
