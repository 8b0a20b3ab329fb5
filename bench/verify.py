"""How fast a long log is verified, and how fast it was written.

``python -m bench.verify`` writes a ledger of a million events by the real writer in batches, every
vote signed, and verifies it part by part; ``--quick`` takes a tenth of them. Each part is timed
by the wall clock and in a process of its own, so that the memory told is that part's: how much its
peak grew from a tenth of the log to all of it. The last line is JSON.

written: whole stories through the writer, everything that a ticket's life leaves in the database.
appended: the records of such stories linked, hashed and inserted alone (``bench.append``).
chain: every record read, its form, hash, links, time and columns. tree: the records hashed once
more, as leaves, and the tree over them, in one process. signatures: votes' signatures verified on
one core. whole: everything that ``placet audit verify`` does, rows beside the log included.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

from bench.append import append_alone
from bench.verify_story import Signing, write
from bot import memory
from bot.scheduler import WallClock
from storage.ledger import SqlLedger
from storage.verify.chain import HASH_BYTES, Problem, Raw, Tree, leaves
from storage.verify.claims import holding
from storage.verify.crew import Crew, stretches, usual_jobs
from storage.verify.facts import Facts
from storage.verify.form import load
from storage.verify.source import SqliteSource
from storage.verify.verifier import verify_database

_KB = 1024
_SIGNATURES = 5_000
PARTS = ("chain", "tree", "signatures", "whole")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One part: what it looked at, how long it took, and the memory that it needed."""

    part: str
    items: int
    seconds: float
    per_second: float
    peak_mb: float
    problems: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--quick", action="store_true", help="a tenth of it")
    jobs = "processes beside the one that is measured; else one for each other core"
    parser.add_argument("--jobs", type=int, default=usual_jobs(), help=jobs)
    parser.add_argument("--keep", type=Path, help="folder that keeps the ledger, or has it already")
    parser.add_argument("--part", choices=PARTS, help=argparse.SUPPRESS)
    parser.add_argument("--first", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        one = measured(given.part, given.keep / "placet.db", given.jobs, given.first)
        print(json.dumps(asdict(one)))
        return
    with tempfile.TemporaryDirectory(prefix="placet-verify-") as folder:
        events = given.events // 10 if given.quick else given.events
        tell(given.keep or Path(folder), events, given.jobs)


def tell(folder: Path, events: int, jobs: int) -> None:
    """Write the ledger unless it is there, measure every part of it, and print."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "placet.db"
    written = {} if path.is_file() else asyncio.run(_written(path, events)) | _alone(events // 10)
    parts = [_apart(folder, part, jobs, 0) for part in PARTS]
    tenth = {part: _apart(folder, part, jobs, events // 10) for part in ("chain", "tree")}
    for one in parts:
        print(
            f"{one.part:<11} {one.items:>9} in {one.seconds:7.2f} s  {one.per_second:>10,.0f} /s  "
            f"{one.peak_mb:5.0f} MB  {one.problems} problems"
        )
    grown = {
        one.part: round(one.peak_mb - tenth[one.part].peak_mb, 1)
        for one in parts
        if one.part in tenth
    }
    print(f"memory grown from a tenth of the log to all of it: {grown} MB")
    told = {"jobs": jobs, "parts": [asdict(one) for one in parts], "grown_mb": grown}
    print(json.dumps(written | told))


async def _written(path: Path, events: int) -> dict[str, float]:
    async with SqlLedger(f"sqlite:///{path}", WallClock()) as ledger:
        count, seconds = await write(ledger, Signing(), events)
    rate = count / seconds
    print(f"written     {count:>9} in {seconds:7.2f} s  {rate:>10,.0f} /s  (whole stories)")
    return {"appended": count, "append_s": seconds, "append_per_s": rate}


def _alone(events: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory(prefix="placet-append-") as folder:
        rate = append_alone(Path(folder), events)
    print(f"appended    {events:>9}               {rate:>10,.0f} /s  (linked, hashed, inserted)")
    return {"append_alone_per_s": rate}


def _apart(folder: Path, part: str, jobs: int, first: int) -> Part:
    """Measure in a process of its own."""
    words = ("--part", part, "--jobs", str(jobs), "--keep", str(folder), "--first", str(first))
    command = [sys.executable, "-m", "bench.verify", *words]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Part(**json.loads(done.stdout.splitlines()[-1]))


def measured(part: str, path: Path, jobs: int, first: int) -> Part:
    """One part over the ``first`` records (0: all)."""
    parts: dict[str, Callable[[], tuple[int, float, int]]] = {
        "chain": lambda: _chain(path, jobs, first),
        "tree": lambda: _tree(path, first),
        "signatures": lambda: _signatures(path),
        "whole": lambda: _whole(path, jobs),
    }
    memory.settle()  # as the command does
    items, seconds, problems = parts[part]()
    return Part(
        part=part,
        items=items,
        seconds=round(seconds, 3),
        per_second=round(items / seconds, 1),
        peak_mb=_peak_mb(),
        problems=problems,
    )


def _peak_mb() -> float:
    """The most memory that this process had; ``getrusage`` would tell its parent's as well."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    (peak,) = (line for line in lines if line.startswith("VmHWM:"))
    return round(int(peak.split()[1]) / _KB, 1)


def _records(path: Path, first: int) -> Iterator[Raw | Problem]:
    source = SqliteSource(path)
    source.attach(Facts({}).scratch)
    return islice(source.records(), first or None)


def _chain(path: Path, jobs: int, first: int) -> tuple[int, float, int]:
    begun = time.perf_counter()
    crew = Crew(jobs, has_tree=False)
    count = wrong = 0
    for raws, aside, found in crew.looked(_records(path, first)):
        count += len(raws)
        wrong += len(aside) + len(found.problems)
    crew.close()
    return count, time.perf_counter() - begun, wrong


def _tree(path: Path, first: int) -> tuple[int, float, int]:
    """Reading the records is not timed: the chain's time has it."""
    tree, taken = Tree(), 0.0
    for stretch, _ in stretches(_records(path, first)):
        begun = time.perf_counter()
        hashed = leaves(stretch.raws)
        for place in range(0, len(hashed), HASH_BYTES):
            tree.add(hashed[place : place + HASH_BYTES])
        taken += time.perf_counter() - begun
    return tree.size, taken, 0


def _signatures(path: Path) -> tuple[int, float, int]:
    """The first votes of the log, verified one after the other in this process."""
    facts = Facts({}, deferred=True)
    for item in _records(path, 0):
        if isinstance(item, Raw):
            deque(facts.take(item.seq, load(item.body.decode())), maxlen=0)
        if len(facts.rules.doubts) >= _SIGNATURES:
            break
    claims = [doubt.claim for doubt in facts.rules.doubts]
    begun = time.perf_counter()
    held = holding(claims)
    return len(claims), time.perf_counter() - begun, held.count(False)


def _whole(path: Path, jobs: int) -> tuple[int, float, int]:
    begun = time.perf_counter()
    report = verify_database(path, jobs=jobs)
    return report.counts.events, time.perf_counter() - begun, len(report.problems)


if __name__ == "__main__":
    main()
