"""What a posted candidate bundle would have answered, judged in a process of its own.

Lives here: starting that process, feeding it the log, and how many may run at once.
Must not live here: judging, or anything that the candidate could reach.
Law: a candidate costs at most ``CPU_S`` seconds of a processor, ``WALL_S`` in all and the child's
memory; one simulation at a time for a credential and ``MOST_AT_ONCE`` in all; a process that dies
or talks too much is a refusal of the candidate. It is given no environment and no file.
"""

import asyncio
import base64
import contextlib
import sys
from asyncio.subprocess import DEVNULL, PIPE, Process, create_subprocess_exec
from collections.abc import Mapping
from dataclasses import dataclass, field

from bot import replay
from governance.canonical import Json, parse
from governance.errors import Code, InvalidInput, Refused, Unavailable
from governance.json_text import to_text
from governance.ports import Reader

CPU_S = 20
WALL_S = 30.0
MOST_AT_ONCE = 2
MOST_READ = 200_000
"""Records of the log that one simulation walks at most."""
_MOST_SAID = 8_388_608
_DIED = "judging history with this bundle took too much time or memory"


@dataclass(slots=True)
class Simulations:
    """The simulations that run now, by who asked."""

    wall_s: float = WALL_S
    cpu_s: int = CPU_S
    _running: set[str] = field(default_factory=set)

    async def run(
        self, who: str, reader: Reader, choice: replay.Choice, candidate: Mapping[str, Json]
    ) -> Mapping[str, Json]:
        """The report of ``governance.simulation`` on the chosen decisions, as JSON.

        Raises:
            InvalidInput: ``invalid_bundle``: it does not load, or costs too much.
            Refused: ``throttled``: one of ``who`` runs already, or too many in all.
        """
        if who in self._running or len(self._running) >= MOST_AT_ONCE:
            raise Refused(Code.THROTTLED, "a simulation is running already; ask when it is done")
        self._running.add(who)
        try:
            async with asyncio.timeout(self.wall_s):
                return await _judged(reader, choice, candidate, self.cpu_s)
        except TimeoutError as error:
            raise InvalidInput(Code.INVALID_BUNDLE, _DIED, pointer="/bundle") from error
        finally:
            self._running.discard(who)


async def _judged(
    reader: Reader, choice: replay.Choice, candidate: Mapping[str, Json], cpu_s: int
) -> Mapping[str, Json]:
    window = await replay.find(reader, choice, most_read=MOST_READ)
    process = await create_subprocess_exec(
        *(sys.executable, "-I", "-B", "-m", "bot.candidate_child", str(cpu_s)),
        stdin=PIPE,
        stdout=PIPE,
        stderr=DEVNULL,
        env={},
        cwd="/",
    )
    listening = asyncio.create_task(_said(process))
    try:
        await _feed(process, reader, choice, window, candidate)
        said = await listening
        await process.wait()
    finally:
        listening.cancel()
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    return _answer(said)


async def _feed(
    process: Process,
    reader: Reader,
    choice: replay.Choice,
    window: replay.Window,
    candidate: Mapping[str, Json],
) -> None:
    """Candidate, bundles, cases; each a line. A process that died is heard of elsewhere."""
    assert process.stdin is not None  # noqa: S101  # a pipe was asked for
    texts: dict[str, Json] = {
        snapshot: base64.b64encode(raw).decode("ascii")
        for snapshot, text in window.sources.items()
        if (raw := await reader.content(text)) is not None
    }
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for value in (candidate, texts):
            process.stdin.write(_line(value))
            await process.stdin.drain()
        async for record, content in replay.records(reader, choice, window):
            process.stdin.write(_line(replay.as_line(record, content)))
            await process.stdin.drain()
    process.stdin.close()


def _line(value: Mapping[str, Json]) -> bytes:
    return to_text(value).encode("utf-8") + b"\n"


async def _said(process: Process) -> bytes:
    """All that it says, up to a bound; past it the process is stopped."""
    assert process.stdout is not None  # noqa: S101  # a pipe was asked for
    said = bytearray()
    while chunk := await process.stdout.read(65_536):
        said += chunk
        if len(said) > _MOST_SAID:
            process.kill()
            return b""
    return bytes(said)


def _answer(said: bytes) -> Mapping[str, Json]:
    """The report, or the refusal of the candidate."""
    try:
        told = parse(said, max_bytes=_MOST_SAID)
    except InvalidInput:
        told = None
    match told:
        case {"report": Mapping() as report}:
            return report
        case {"error": {"code": "ledger_unavailable", "message": str() as message}}:
            raise Unavailable(Code.LEDGER_UNAVAILABLE, message)
        case {"error": {"message": str() as message, "pointer": str() as place}}:
            raise InvalidInput(Code.INVALID_BUNDLE, message, pointer=f"/bundle{place}")
        case _:
            raise InvalidInput(Code.INVALID_BUNDLE, _DIED, pointer="/bundle")
