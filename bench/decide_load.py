"""What loading 10,000 rules from YAML costs, in a process of its own.

Lives here: ``python -m bench.decide_load BUNDLE MODE``, which prints one line of JSON, and the
call of it. Must not live here: the rules. Law: time is measured without the tracer, memory with
it; what is retained is what is still there after everything but the bundle is let go.
"""

import gc
import json
import subprocess
import sys
import time
import tracemalloc
from dataclasses import dataclass
from pathlib import Path

from bot.bundles import load_bundle

_MB = 1_000_000
_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """Seconds, and megabytes (of a million bytes) of Python objects and of the process."""

    rules: int
    cpu_s: float
    wall_s: float
    retained_mb: float
    peak_mb: float
    retained_rss_mb: float
    peak_rss_mb: float


def measured(path: Path, rounds: int) -> Loaded:
    """Load ``path`` in fresh processes: ``rounds`` times for the median time, once traced."""
    timed = [_child(path, "time") for _ in range(rounds)]
    traced = _child(path, "trace")
    timed.sort(key=lambda found: found["cpu_s"])
    middle = timed[len(timed) // 2]
    return Loaded(
        rules=int(middle["rules"]),
        cpu_s=middle["cpu_s"],
        wall_s=middle["wall_s"],
        retained_mb=traced["retained_mb"],
        peak_mb=traced["peak_mb"],
        retained_rss_mb=middle["retained_rss_mb"],
        peak_rss_mb=middle["peak_rss_mb"],
    )


def _child(path: Path, mode: str) -> dict[str, float]:
    command = [sys.executable, "-m", "bench.decide_load", str(path), mode]
    done = subprocess.run(
        command, capture_output=True, text=True, check=True, timeout=300, cwd=_ROOT
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


def _rss_mb(which: str) -> float:
    """``VmRSS`` is resident now, ``VmHWM`` was at most, since this program began."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    found = next(line for line in lines if line.startswith(f"{which}:"))
    return int(found.split()[1]) * 1_024 / _MB


def _report(path: Path, mode: str) -> dict[str, float]:
    gc.collect()
    before = _rss_mb("VmRSS")
    if mode == "trace":
        tracemalloc.start()
    begun, begun_cpu = time.perf_counter(), time.process_time()
    bundle = load_bundle(path)
    wall_s, cpu_s = time.perf_counter() - begun, time.process_time() - begun_cpu
    gc.collect()
    retained, peak = tracemalloc.get_traced_memory()
    return {
        "rules": len(bundle.rules.rules),
        "cpu_s": cpu_s,
        "wall_s": wall_s,
        "retained_mb": retained / _MB,
        "peak_mb": peak / _MB,
        "retained_rss_mb": _rss_mb("VmRSS") - before,
        "peak_rss_mb": _rss_mb("VmHWM"),
    }


if __name__ == "__main__":
    print(json.dumps(_report(Path(sys.argv[1]), sys.argv[2])))
