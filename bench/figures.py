"""How long the figures of a large log take, and how much memory: ``python -m bench.figures``.

Lives here: a week of tickets written into the table of events as bytes, many times the same few,
and one reading of them. Must not live here: what is counted. Law: nothing here is a chain, and
nothing of it is verified; only reading and counting are measured. The loop's longest pause is how
long another request would have waited. The last line is JSON.
"""

import argparse
import asyncio
import json
import resource
import sqlite3
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from bench.verify_story import BATCH, TENANT, Signing, write
from bot.figures.gathered import WEEK, gather
from bot.scheduler import WallClock
from governance.statistics import Figures
from governance.tickets.binding import stamp
from storage.ledger import SqlLedger
from storage.memory.ledger import MemoryLedger

_BEGAN = datetime(2026, 3, 2, tzinfo=UTC)
_KIB = 1_024
_BORN = "TicketOpened"


@dataclass(frozen=True, slots=True)
class _Record:
    type: str
    version: int
    ticket_id: str
    body: bytes


async def _templates() -> list[_Record]:
    """Every record of a few hundred tickets, as the ledger writes them."""
    ledger = MemoryLedger(WallClock())
    count, _ = await write(ledger, Signing(), BATCH)
    records = await ledger.records(0, count)
    return [
        _Record(one.type, one.version, one.header.ticket_id, one.encoded)
        for one in records
        if one.header.ticket_id
    ]


def _rows(blocks: int, templates: Sequence[_Record]) -> Iterator[tuple[object, ...]]:
    size = blocks * len(templates)
    for number in range(size):
        block, place = divmod(number, len(templates))
        one = templates[place]
        at = stamp(_BEGAN + WEEK * number / size)
        ticket_id, name = f"{one.ticket_id}/{block}", f"{number:064d}"
        yield number + 1, at, one.type, one.version, TENANT, "", ticket_id, "", name, one.body


async def _longest_pause(pauses: list[float]) -> None:
    loop = asyncio.get_running_loop()
    while True:
        before = loop.time()
        await asyncio.sleep(0.001)
        pauses.append(loop.time() - before - 0.001)


async def _counted(ledger: SqlLedger) -> Figures:
    return await gather(ledger, TENANT, since=_BEGAN, until=_BEGAN + WEEK + timedelta(seconds=1))


async def measure(path: Path, events: int) -> None:
    """Fill a ledger at ``path`` with about so many events, read it, and print what that took."""
    async with SqlLedger(f"sqlite:///{path}", WallClock()) as ledger:
        templates = await _templates()
        blocks = max(1, events // len(templates))
        with sqlite3.connect(path) as raw:
            marks = ", ".join("?" * 10)
            raw.executemany(f"INSERT INTO events VALUES ({marks})", _rows(blocks, templates))
            raw.execute("UPDATE head SET seq = ?", (blocks * len(templates),))
        pauses = [0.0]
        beat = asyncio.create_task(_longest_pause(pauses))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began, cpu = time.perf_counter(), time.process_time()
        found = await _counted(ledger)
        took, used = time.perf_counter() - began, time.process_time() - cpu
        beat.cancel()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - memory
    assert found.decisions == blocks * sum(one.type == _BORN for one in templates)
    told = {
        "events": blocks * len(templates),
        "decisions": found.decisions,
        "seconds": round(took, 2),
        "cpu_s": round(used, 2),
        "grown_mb": round(grown / _KIB),
        "longest_pause_ms": round(1_000 * max(pauses)),
    }
    print(
        f"{told['events']} events, {found.decisions} decisions: {took:.1f} s, {used:.1f} s of CPU, "
        f"{told['grown_mb']} MiB more; longest pause of the loop {told['longest_pause_ms']} ms"
    )
    print(json.dumps(told))


def main() -> None:
    """Measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=1_000_000)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder) / "log.db", given.events))


if __name__ == "__main__":
    main()
