"""A plain HTTP load generator: many connections, one request at a time on each.

Lives here: keep-alive connections that send prepared bytes and count answers. Must not live here:
what is asked. Law: loopback only, bounded in time; it parses no more of an answer than it must,
so that it is the server that is measured.
"""

import asyncio
import itertools
import re
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import cast

_LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)\r\n", re.IGNORECASE)
_OK = b"HTTP/1.1 200"


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
    ports: Sequence[int], request: Callable[[], bytes], *, connections: int, seconds: float
) -> Measured:
    """Send what ``request`` makes over ``connections`` connections, in turn to each of ``ports``.

    Raises:
        ConnectionError: the server closed a connection, or answers what is not understood.
    """
    loop = asyncio.get_running_loop()
    told = _Told(request=request, until=time.perf_counter() + seconds)
    made: list[_Connection] = []
    begun = time.perf_counter()
    for _, port in zip(range(connections), itertools.cycle(ports), strict=False):
        _, connection = await loop.create_connection(lambda: _Connection(told), "127.0.0.1", port)
        made.append(connection)
    await asyncio.gather(*(connection.ended for connection in made))
    elapsed = time.perf_counter() - begun
    return Measured(
        per_second=len(told.taken) / elapsed,
        p50_ms=percentile(told.taken, 0.5),
        p99_ms=percentile(told.taken, 0.99),
        answers=len(told.taken),
        other_statuses=told.other,
    )


@dataclass(slots=True, kw_only=True)
class _Told:
    """What all connections share: what to send until when, and what was seen."""

    request: Callable[[], bytes]
    until: float
    taken: list[float] = field(default_factory=list)
    other: int = 0


class _Connection(asyncio.Protocol):
    """One connection: a request, its whole answer, the next request."""

    def __init__(self, told: _Told) -> None:
        self._told = told
        self._got = b""
        self._begun = 0.0
        self._transport: asyncio.Transport | None = None
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first."""
        self._transport = cast("asyncio.Transport", transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        """Count an answer once it is whole."""
        self._got += data
        length = _whole(self._got)
        if not length:
            return
        if length < len(self._got):
            self._end(ConnectionError("more was answered than was asked"))
            return
        told, now = self._told, time.perf_counter()
        told.taken.append((now - self._begun) * 1000)
        told.other += not self._got.startswith(_OK)
        self._got = b""
        if now < told.until:
            self._send()
        else:
            self._end(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """The server closed it, unless it is ended already."""
        self._end(exc or ConnectionError("the server closed a connection"))

    def _send(self) -> None:
        assert self._transport is not None
        message = self._told.request()
        self._begun = time.perf_counter()
        self._transport.write(message)

    def _end(self, error: Exception | None) -> None:
        if self.ended.done():
            return
        if error is None:
            self.ended.set_result(None)
        else:
            self.ended.set_exception(error)
        if self._transport is not None:
            self._transport.close()


def _whole(got: bytes) -> int:
    """How long the answer is that ``got`` begins with; 0 while it is not whole."""
    ends = got.find(b"\r\n\r\n")
    if ends < 0:
        return 0
    found = _LENGTH.search(got, 0, ends + 2)
    if found is None:
        raise ConnectionError("an answer without a length")
    length = ends + 4 + int(found[1])
    return length if len(got) >= length else 0


def post(path: str, body: bytes, token: str = "") -> bytes:
    """One POST of JSON as bytes."""
    bearer = f"Authorization: Bearer {token}\r\n" if token else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"{bearer}Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body
