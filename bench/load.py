"""A plain HTTP load generator: many connections, one request at a time on each.

Lives here: keep-alive connections that send prepared bytes and count answers. Must not live here:
what is asked. Law: loopback only, bounded in time; it parses no more of an answer than it must,
so that it is the server that is measured.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

_LENGTH = b"content-length:"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one round saw; latencies in milliseconds."""

    per_second: float
    p50_ms: float
    p99_ms: float
    answers: int
    other_statuses: int


def percentile(values: Sequence[float], share: float) -> float:
    """The value below which ``share`` of ``values`` lie."""
    ranked = sorted(values)
    return ranked[min(len(ranked) - 1, int(len(ranked) * share))] if ranked else 0.0


async def drive(
    port: int, request: Callable[[], bytes], *, connections: int, seconds: float
) -> Measured:
    """Send what ``request`` makes over ``connections`` connections for ``seconds``."""
    taken: list[float] = []
    other = 0
    until = time.perf_counter() + seconds

    async def one() -> None:
        nonlocal other
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            while time.perf_counter() < until:
                begun = time.perf_counter()
                writer.write(request())
                is_ok = await _answer(reader)
                taken.append((time.perf_counter() - begun) * 1000)
                other += not is_ok
        finally:
            writer.close()

    begun = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(connections)))
    elapsed = time.perf_counter() - begun
    return Measured(
        per_second=len(taken) / elapsed,
        p50_ms=percentile(taken, 0.5),
        p99_ms=percentile(taken, 0.99),
        answers=len(taken),
        other_statuses=other,
    )


async def _answer(reader: asyncio.StreamReader) -> bool:
    head = await reader.readuntil(b"\r\n\r\n")
    place = head.lower().index(_LENGTH) + len(_LENGTH)
    length = int(head[place : head.index(b"\r\n", place)])
    await reader.readexactly(length)
    return head.startswith(b"HTTP/1.1 200")


def post(path: str, body: bytes, token: str = "") -> bytes:
    """One POST of JSON as bytes."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{bearer}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
