"""What a run of ``bench.decide`` saw: its values, its targets, and the table for people.

Lives here: figures of one engine on one workload, what has to be true of them, and how they are
told. Must not live here: measuring. Law: a target that could not be measured is told as such and
does not hold.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from bench.decide_engines import KINDS
from bench.decide_load import Loaded
from bench.decide_workload import SHAPES

_TARGET_US = 100.0
_TARGET_SPARSE, _TARGET_DENSE, _TARGET_GROWTH = 150.0, 50.0, 4.0
_TARGET_LOAD_S, _TARGET_LOAD_MB = 5.0, 60.0
_PEER = "cedarpy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """One engine on one workload; ``agreed`` of ``checked`` answers were the oracle's."""

    engine: str
    is_full: bool
    rules: int
    shape: str
    p50_us: float
    p99_us: float
    wall_p50_us: float
    wall_p99_us: float
    wall_worst_p99_us: float
    requests: int
    rounds: int
    load_s: float
    checked: int
    agreed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One thing that has to be true of a run."""

    name: str
    found: float | None
    """None: it could not be measured, because an engine is not installed."""
    limit: float
    holds: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that one run saw."""

    results: tuple[Result, ...]
    candidates: dict[str, float]
    """Workload -> median number of rules whose topics fit a request."""
    load: Loaded
    not_installed: tuple[str, ...]
    targets: tuple[Target, ...]
    elapsed_s: float


def targets_of(results: list[Result], load: Loaded) -> Iterable[Target]:
    """Every target, those of a size that was not measured left out."""
    found = {(result.engine, result.shape, result.rules): result for result in results}
    for shape, limit in (("sparse", _TARGET_SPARSE), ("dense", _TARGET_DENSE)):
        ours = found.get(("placet", shape, 10_000))
        peer = found.get((_PEER, shape, 10_000))
        if ours is not None:
            ratio = None if peer is None else peer.p99_us / ours.p99_us
            name = f"{shape}, 10,000 rules: p99 of {_PEER} over ours, at least"
            holds = None if ratio is None else ratio >= limit
            yield Target(name=name, found=ratio, limit=limit, holds=holds)
    large, small = found.get(("placet", "sparse", 10_000)), found.get(("placet", "sparse", 100))
    if large is not None:
        yield _at_most("sparse, 10,000 rules: our p99 in microseconds", large.p99_us, _TARGET_US)
    if large is not None and small is not None:
        growth = large.p50_us / small.p50_us
        yield _at_most("sparse, 100 to 10,000 rules: growth of our p50", growth, _TARGET_GROWTH)
    yield _at_most("loading from YAML, seconds of processor time", load.cpu_s, _TARGET_LOAD_S)
    yield _at_most("loading from YAML, MB retained", load.retained_mb, _TARGET_LOAD_MB)
    wrong = sum(result.checked - result.agreed for result in results)
    yield _at_most("answers of full engines that are not the oracle's", wrong, 0)


def _at_most(name: str, found: float, limit: float) -> Target:
    return Target(name=f"{name}, at most", found=found, limit=limit, holds=found <= limit)


def table(report: Report) -> Iterable[str]:
    """The report for people."""
    yield "One decision in microseconds of processor time (medians of interleaved rounds),"
    yield "p50 / p99 over the requests; in brackets p99 by the clock on the wall"
    for kind in KINDS:
        yield f"  {kind.name} {kind.version or '(not installed)'}: {kind.note}"
    for shape in SHAPES:
        sizes = sorted({result.rules for result in report.results})
        yield ""
        yield f"{shape:<18}" + "".join(f"{f'{size:,} rules':>28}" for size in sizes)
        counts = (f"{report.candidates[f'{shape}/{size}']:g}" for size in sizes)
        yield f"{'  rules by topic':<18}" + "".join(f"{count:>28}" for count in counts)
        for kind in KINDS:
            rows = {r.rules: r for r in report.results if (r.engine, r.shape) == (kind.name, shape)}
            if rows:
                mark = "" if kind.is_full else " *"
                cells = (_cell(rows[size]) for size in sizes)
                yield f"{'  ' + kind.name + mark:<18}" + "".join(f"{cell:>28}" for cell in cells)
    yield ""
    yield "* partial: it cannot express these rules, so its answers are not compared"
    for kind in KINDS:
        rows_of = [result for result in report.results if result.engine == kind.name]
        if kind.is_full and rows_of:
            agreed, checked = (
                sum(row.agreed for row in rows_of),
                sum(row.checked for row in rows_of),
            )
            yield f"{kind.name}: {agreed} of {checked} answers checked are those of a linear scan"
    load = report.load
    yield (
        f"Loading {load.rules:,} rules from YAML with validation: {load.cpu_s:.2f} s of "
        f"processor time ({load.wall_s:.2f} s by the clock); "
        f"{load.retained_mb:.1f} MB retained, {load.peak_mb:.1f} MB at the peak (tracemalloc, in a "
        f"second process); resident memory +{load.retained_rss_mb:.0f} MB, "
        f"{load.peak_rss_mb:.0f} MB at the peak of the whole process"
    )
    yield ""
    words = {True: "holds", False: "MISSED", None: "not measured"}
    for target in report.targets:
        found = "" if target.found is None else f"{target.found:,.2f}"
        yield f"{words[target.holds]:<14}{target.name} {target.limit:g}: {found}"
    yield f"{report.elapsed_s:.0f} s in all"


def _cell(row: Result) -> str:
    return f"{row.p50_us:,.0f} / {row.p99_us:,.0f} [{row.wall_p99_us:,.0f}]"
