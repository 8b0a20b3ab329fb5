"""What several processes may take together, where one ledger holds the level."""

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

from storage.engine import migrate
from storage.ledger import SqliteLedger
from storage.verify.verifier import verify_database
from tests.support.build import FixedClock
from tests.support.commits import whole
from tests.unit.storage.asking_process import CAPACITY, LIMIT

ROOT = Path(__file__).parents[3]
ASKED = 60
"""Of each kind by each process: less than what both may have, and more than half of it."""


def asking(url: str, name: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.unit.storage.asking_process", url, name, str(ASKED)]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, cwd=ROOT, stdin=pipe, stdout=pipe)


def at_once(processes: list[subprocess.Popen[bytes]]) -> list[int]:
    """Let all begin once all are ready; their exit codes."""
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(b"go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
    return [process.returncode for process in processes]


async def test_two_processes_together_get_no_more_than_a_limit_says(
    url: str, path: Path, clock: FixedClock
):
    migrate(url)
    processes = [asking(url, name) for name in ("left", "right")]
    assert await asyncio.to_thread(at_once, processes) == [0, 0]
    async with SqliteLedger(url, clock) as ledger:
        records = await whole(ledger)
        tickets = [await ledger.history(r.header.ticket_id) for r in records if r.header.ticket_id]
    granted: Counter[str] = Counter()
    sides: set[str] = set()
    for (birth,) in tickets:
        topic, state = birth.payload["ask"]["topic"], birth.payload["state"]  # type: ignore[index,call-overload]
        if state == "APPROVED":
            granted[str(topic)] += 1
            sides.add(birth.header.ticket_id.split("-")[0])
    assert granted == {"job.bucket": CAPACITY, "job.window": LIMIT}
    assert sides == {"left", "right"}
    assert verify_database(path).problems == ()
