"""How long one policy decision takes, beside other engines on the same rules and requests.

``python -m bench.decide`` prints a table, whether each target holds, and a line of JSON; ``--json``
prints that line alone, ``--quick`` takes at most half a minute, ``--check`` exits 1 unless all
targets hold. Ours is the whole decision with its trace.

Each engine decides each request once in every round, and the rounds of the engines take turns. A
request's time is its median over the rounds, and p50 and p99 are taken over the requests. It is
the processor time of the one thread that decides, so that what else the machine does falls out of
it; ``wall_p50_us`` and ``wall_p99_us`` are the same by the clock on the wall, and
``wall_worst_p99_us`` is over all single calls. A slow engine gets fewer requests. The garbage
collector stands still while it is measured.
"""

import argparse
import gc
import json
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NoReturn

import yaml

from bench.decide_engines import KINDS, Engine, Kind, built
from bench.decide_load import Loaded, measured
from bench.decide_report import Report, Result, table, targets_of
from bench.decide_workload import SHAPES, Workload, expected, has_topic, workload
from bench.load import percentile

SIZES = (10, 100, 1_000, 10_000)
_US = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How much is measured. ``seconds`` bounds the rounds of one engine on one workload."""

    sizes: tuple[int, ...] = SIZES
    rounds: int = 25
    """At most; an engine that has no time for so many gets fewer, and never under three."""
    requests: int = 300
    seconds: float = 3.0
    load_rules: int = 10_000
    load_rounds: int = 3


QUICK = Effort(rounds=9, requests=60, seconds=0.25, load_rounds=1)
FEWEST_ROUNDS = 3


@dataclass(slots=True)
class _Lane:
    """One engine's requests and what they took, request by request."""

    engine: Engine
    cases: Sequence[int]
    rounds: int
    cpu_us: dict[int, list[float]]
    wall_us: dict[int, list[float]]
    agreed: int


def run(effort: Effort, kinds: Iterable[Kind] = KINDS) -> Report:
    """Measure every installed engine of ``kinds``."""
    begun = time.perf_counter()
    known = tuple(kinds)
    installed = [kind for kind in known if kind.version]
    results: list[Result] = []
    candidates: dict[str, float] = {}
    for shape in SHAPES:
        for size in effort.sizes:
            work = workload(size, shape, effort.requests)
            candidates[f"{shape}/{size}"] = statistics.median(
                sum(has_topic(rule, case) for rule in work.rules) for case in work.cases[:50]
            )
            results += _measure(work, [built(kind, work) for kind in installed], effort)
    load = _load(effort)
    return Report(
        results=tuple(results),
        candidates=candidates,
        load=load,
        not_installed=tuple(kind.name for kind in known if not kind.version),
        targets=tuple(targets_of(results, load)),
        elapsed_s=time.perf_counter() - begun,
    )


def _measure(work: Workload, engines: list[Engine], effort: Effort) -> list[Result]:
    answers = [expected(work.rules, case) for case in work.cases]
    lanes = [_lane(engine, work, answers, effort) for engine in engines]
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        for number in range(effort.rounds):
            for lane in lanes:
                # Fewer rounds are spread over the same time.
                before, after = ((number + more) * lane.rounds // effort.rounds for more in (0, 1))
                if before != after:
                    _round(lane, work)
    finally:
        gc.enable()
        gc.unfreeze()
    return [_result(lane, work) for lane in lanes]


def _lane(engine: Engine, work: Workload, answers: list[str], effort: Effort) -> _Lane:
    """Check answers, which warms the engine up, and see how much it has time for."""
    begun = time.perf_counter()
    a_round = effort.seconds / FEWEST_ROUNDS
    agreed, checked, spent = 0, 0, 0.0
    while checked < len(work.cases) and (checked < 2 or spent < a_round):
        agreed += engine.decide(work.cases[checked]) == answers[checked]
        checked += 1
        spent = time.perf_counter() - begun
    rounds = min(effort.rounds, max(FEWEST_ROUNDS, int(effort.seconds / spent)))
    cpu, wall = ({number: list[float]() for number in range(checked)} for _ in range(2))
    return _Lane(engine, range(checked), rounds, cpu, wall, agreed)


def _round(lane: _Lane, work: Workload) -> None:
    decide, clock, thread = lane.engine.decide, time.perf_counter, time.thread_time
    for number in lane.cases:
        case = work.cases[number]
        begun, begun_thread = clock(), thread()
        decide(case)
        ended_thread, ended = thread(), clock()
        lane.cpu_us[number].append((ended_thread - begun_thread) * _US)
        lane.wall_us[number].append((ended - begun) * _US)


def _result(lane: _Lane, work: Workload) -> Result:
    kind = lane.engine.kind
    cpu = [statistics.median(taken) for taken in lane.cpu_us.values()]
    wall = [statistics.median(taken) for taken in lane.wall_us.values()]
    single = [one for taken in lane.wall_us.values() for one in taken]
    taken = len(lane.cpu_us[0])
    return Result(
        engine=kind.name,
        is_full=kind.is_full,
        rules=len(work.rules),
        shape=work.shape,
        p50_us=round(percentile(cpu, 0.5), 2),
        p99_us=round(percentile(cpu, 0.99), 2),
        wall_p50_us=round(percentile(wall, 0.5), 2),
        wall_p99_us=round(percentile(wall, 0.99), 2),
        wall_worst_p99_us=round(percentile(single, 0.99), 2),
        requests=len(lane.cases),
        rounds=taken,
        load_s=round(lane.engine.load_s, 3),
        checked=len(lane.cases) if kind.is_full else 0,
        agreed=lane.agreed if kind.is_full else 0,
    )


def _load(effort: Effort) -> Loaded:
    bundle = workload(effort.load_rules, "sparse", 1).bundle()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.yaml"
        with path.open("w", encoding="utf-8") as out:
            yaml.dump(bundle, out, Dumper=yaml.CSafeDumper, sort_keys=False)
        return measured(path, effort.load_rounds)


@contextmanager
def _offline() -> Iterator[None]:
    def refuse(*_: object) -> NoReturn:
        raise OSError("nothing that is measured here may use the network")

    real = socket.socket.connect
    socket.socket.connect = refuse  # type: ignore[method-assign]
    try:
        yield
    finally:
        socket.socket.connect = real  # type: ignore[method-assign]


def main(arguments: Sequence[str] | None = None, *, effort: Effort | None = None) -> int:
    """Measure, print, and answer with the exit code."""
    parser = argparse.ArgumentParser(prog="python -m bench.decide", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print the line of JSON alone")
    parser.add_argument("--quick", action="store_true", help="fewer requests, at most 30 s")
    parser.add_argument("--check", action="store_true", help="exit 1 unless every target holds")
    given = parser.parse_args(arguments)
    with _offline():
        report = run(effort or (QUICK if given.quick else Effort()))
    if not given.json:
        print("\n".join(table(report)))
    print(json.dumps(asdict(report)))
    is_met = all(target.holds for target in report.targets)
    return 1 if given.check and not is_met else 0


if __name__ == "__main__":
    sys.exit(main())
