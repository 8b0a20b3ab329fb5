"""The two C shims of the benches: built with gcc when they are used, and steered through a file.

Lives here: building, and the control block of ``fault_shim.c``. Must not live here: what is tried.
Law: nothing of the product is changed or told; a shim stands between it and the C library.

``python -m bench.shim FOLDER`` builds ``fsync_shim.so`` there and prints its path: with
``LD_PRELOAD=PATH FSYNC_SHIM_US=2000`` every sync of any process takes 2 ms longer.
"""

import mmap
import os
import shutil
import struct
import subprocess
import sys
from enum import IntEnum, IntFlag
from pathlib import Path
from types import TracebackType
from typing import Self

SOURCES = Path(__file__).parent
_BLOCK = struct.Struct("=6i2q256s256s256s256s")
_COUNTERS = struct.Struct("=i2q")
_FIRED_AT = 5 * 4


class Action(IntEnum):
    """What happens at the chosen write."""

    OFF = 0
    KILL = 1
    FAIL = 2


class How(IntEnum):
    """When in a write the process dies."""

    BEFORE = 0
    HALF = 1
    AFTER = 2


class Op(IntFlag):
    """What a process does to its files."""

    WRITE = 1
    SYNC = 2
    TRUNCATE = 4
    TOLD = 8
    UNLINK = 16
    DIRSYNC = 32


CHANGES = Op.WRITE | Op.SYNC | Op.TRUNCATE


def is_buildable() -> bool:
    """Whether there is a compiler."""
    return shutil.which("gcc") is not None


def build(name: str, folder: Path) -> Path:
    """Compile ``bench/NAME.c`` to a shared library in ``folder``; its path.

    Raises:
        RuntimeError: there is no gcc, or it refuses.
    """
    compiler = shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("gcc is needed to build the shim")
    out = folder / f"{name}.so"
    source = SOURCES / f"{name}.c"
    flags = ("-O2", "-fPIC", "-shared", "-Wall", "-Wextra", "-Werror")
    done = subprocess.run(
        [compiler, *flags, "-o", str(out), str(source), "-ldl", "-lpthread"],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"gcc refuses {source.name}: {done.stderr}")
    return out


class Control:
    """The control block that a process under ``fault_shim.so`` looks at before every write."""

    def __init__(self, file: Path) -> None:
        self.file = file
        file.write_bytes(bytes(_BLOCK.size))
        with file.open("r+b") as opened:
            self._map = mmap.mmap(opened.fileno(), _BLOCK.size)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._map.close()

    def environment(self, shim: Path) -> dict[str, str]:
        """What a process must be started with."""
        return {"LD_PRELOAD": str(shim), "FAULT_SHIM_CONTROL": str(self.file)}

    def set(
        self,
        database: Path,
        *,
        action: Action = Action.OFF,
        how: How = How.BEFORE,
        error: int = 0,
        is_sticky: bool = False,
        ops: Op = CHANGES,
        when: int = 1,
        trace: Path | None = None,
    ) -> None:
        """Arm it for the files of ``database``; the count begins anew."""
        texts = (
            str(database),
            str(database.parent),
            str(database.with_name("outside")),
            str(trace or ""),
        )
        block = _BLOCK.pack(
            Action.OFF, how, error, is_sticky, ops, 0, when, 0, *map(os.fsencode, texts)
        )
        self._map[:4] = struct.pack("=i", Action.OFF)
        self._map[4:] = block[4:]
        self._map[:4] = struct.pack("=i", action)  # armed last: nothing half set is acted on

    def clear(self) -> None:
        """No more faults; what was counted stays."""
        self._map[:4] = struct.pack("=i", Action.OFF)

    @property
    def fired(self) -> int:
        """How often it struck."""
        return int(_COUNTERS.unpack_from(self._map, _FIRED_AT)[0])

    @property
    def count(self) -> int:
        """How many writes it saw."""
        return int(_COUNTERS.unpack_from(self._map, _FIRED_AT)[2])


if __name__ == "__main__":
    print(build("fsync_shim", Path(sys.argv[1])))
