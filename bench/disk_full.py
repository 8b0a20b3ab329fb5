"""A disk that is really full, at every level of fill.

``python -m bench.disk_full`` enters a mount name space of its own (bubblewrap) with a small tmpfs,
keeps the database there, and leaves fewer and more bytes free: from none to enough for a whole
story. The process is told "no space" by the kernel itself, wherever that happens, the growing of
the shared index included. Once the client was refused a few times the space is given back; the
process must go on by itself. What was acknowledged and what ran is kept outside of that disk, and
compared with the log. The last line is JSON.
"""

import argparse
import contextlib
import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.disk_faults import CODES
from bench.fault_harness import Bench, Tally, facts_of, judge, judge_end, opened

_SIZE_BYTES = 24 * 1024 * 1024
_PAGE_BYTES = 4096
_REFUSALS = 3
_POLL_S = 0.002
_ENOUGH_BYTES = 640 * 1024
STORY = "many"


def is_runnable() -> bool:
    """Whether bubblewrap can make such a disk here."""
    program = shutil.which("bwrap")
    if program is None:
        return False
    tried = subprocess.run([*_prefix(Path("/tmp")), "true"], check=False, capture_output=True)  # noqa: S108  # any folder that exists
    return tried.returncode == 0


def _prefix(disk: Path) -> list[str]:
    small = ("--size", str(_SIZE_BYTES), "--tmpfs", str(disk))
    return ["bwrap", "--dev-bind", "/", "/", *small, "--die-with-parent", "--"]


@contextmanager
def _filled(disk: Path, home: Path, left_bytes: int) -> Iterator[None]:
    """All but ``left_bytes`` of the disk are taken, until the client was refused a few times."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(_PAGE_BYTES))
    taken = ballast.stat().st_size
    os.truncate(ballast, max(0, taken - left_bytes))
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(_POLL_S):
            if sum("unavailable" in fact for fact in facts_of(home)) >= _REFUSALS:
                break
        os.truncate(ballast, 0)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()
        ballast.unlink()


def fill_once(bench: Bench, disk: Path, left_bytes: int, tally: Tally) -> None:
    """One story on a disk with ``left_bytes`` free; ``tally`` gets what came of it."""
    template = bench.fresh()
    home = disk / "home"
    shutil.copytree(template, home)
    outside = bench.folder / f"outside{bench.made}"
    shutil.rmtree(home / "outside")
    outside.mkdir()
    (home / "outside").symlink_to(outside)
    where = f"{left_bytes} bytes left"
    with _filled(disk, home, left_bytes):
        status = bench.play(home, STORY, patience=4)
    refused = {fact["unavailable"] for fact in facts_of(home) if "unavailable" in fact}
    tally.counts["levels"] += 1
    tally.counts["refused"] += bool(refused)
    tally.counts["went_on"] += status == 0
    if not refused <= CODES:
        tally.harm("unfinished", where, f"refused with {refused}")
    if status and any("event" in fact for fact in facts_of(home)):
        tally.harm("unfinished", where, f"ended with {status} in the middle")
    judge(home, tally, where)
    if bench.play(home, STORY, again=True):
        tally.harm("unfinished", where, "a restart failed although there was space again")
    judge_end(home, STORY, judge(home, tally, f"{where}, again"), tally, where)
    shutil.rmtree(home)
    bench.tidy(template)


def measure_inside(disk: Path, *, step_bytes: int) -> dict[str, object]:
    """Every level, on the small disk mounted at ``disk``; the counts."""
    started, tally = time.monotonic(), Tally()
    if shutil.disk_usage(disk).total > 2 * _SIZE_BYTES:
        raise OSError(errno.EINVAL, "this is no small disk")
    with opened(FAULT_BATCHES="3") as bench:
        for left in range(0, _ENOUGH_BYTES, step_bytes):
            fill_once(bench, disk, left, tally)
    return {
        **tally.to_json(),
        "harms": tally.harms,
        "seconds": round(time.monotonic() - started),
    }


def measure(step_bytes: int) -> dict[str, object]:
    """Run ``measure_inside`` on a small disk of its own.

    Raises:
        RuntimeError: bubblewrap cannot make one here, or the run failed.
    """
    with tempfile.TemporaryDirectory(prefix="placet-full-") as folder:
        inside = [sys.executable, "-m", "bench.disk_full", "--disk", folder]
        done = subprocess.run(
            [*_prefix(Path(folder)), *inside, "--step-bytes", str(step_bytes)],
            capture_output=True,
            text=True,
            check=False,
        )
    lines = done.stdout.splitlines()
    if not lines:
        raise RuntimeError(f"nothing was measured: {done.stderr[-500:]}")
    counts: dict[str, object] = json.loads(lines[-1])
    return counts


def main() -> None:
    """Parse, run, print; exit 1 on any harm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="eight levels only")
    parser.add_argument("--step-bytes", type=int, default=2 * _PAGE_BYTES)
    parser.add_argument("--disk", type=Path, default=None, help=argparse.SUPPRESS)
    options = parser.parse_args()
    step_bytes = _ENOUGH_BYTES // 8 if options.quick else options.step_bytes
    if options.disk is not None:
        counts = measure_inside(options.disk, step_bytes=step_bytes)
    else:
        counts = measure(step_bytes)
    print(json.dumps(counts))
    if counts["harms"]:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
