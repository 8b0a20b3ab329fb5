"""Running the process under test, and judging what it left behind.

Lives here: the fork server under the shim, fresh folders, and the comparison of three things that
cannot agree by accident: what was acknowledged, what the log says, what really ran.
Must not live here: which faults there are. Law: the log is read raw and verified by the product's
own verifier; an effect without its approval and start before it in the log is harm.
"""

import json
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from bench.processes import environment
from bench.shim import Control, build
from bot.compose.verification import verify_ledger

HARM = ("lost", "twice", "unapproved", "unverified", "unfinished")
"""The counts that must be 0."""
_ENDS = {
    "TicketRejected",
    "TicketExpired",
    "TicketDenied",
    "TicketCancelled",
    "ExecutionSucceeded",
    "ExecutionLost",
    "GrantRedeemed",
}
_SHOWN = 5


@dataclass(slots=True)
class Tally:
    """Counts of one script, and the first few harms in words."""

    counts: Counter[str] = field(default_factory=Counter)
    seen: list[str] = field(default_factory=list)

    def harm(self, kind: str, where: str, what: object) -> None:
        """One more harm of ``kind``."""
        self.counts[kind] += 1
        if len(self.seen) < _SHOWN:
            self.seen.append(f"{where}: {kind}: {what}")

    @property
    def harms(self) -> int:
        """All harm together."""
        return sum(self.counts[kind] for kind in HARM)

    def to_json(self) -> dict[str, object]:
        """Every harm by name, 0 included, and whatever else was counted."""
        return {**dict.fromkeys(HARM, 0), **self.counts, "seen": self.seen}


@dataclass(slots=True)
class Bench:
    """A fork server under the shim, and a prepared home that every run copies."""

    folder: Path
    control: Control
    _server: subprocess.Popen[str]
    made: int = 0

    def fresh(self) -> Path:
        """A new home: keys registered, bundle active, nothing asked yet."""
        self.made += 1
        home = self.folder / f"run{self.made}"
        shutil.copytree(self.folder / "template", home)
        return home

    def play(self, home: Path, story: str, **order: object) -> int:
        """Tell a story in ``home``; the status it ended by, minus the signal that ended it."""
        return self.order({"home": str(home), "story": story, "is_quiet": True, **order})

    def order(self, order: Mapping[str, object]) -> int:
        """See ``bench.fault_driver``."""
        stdin, stdout = _pipes(self._server)
        stdin.write(json.dumps(order) + "\n")
        stdin.flush()
        line = stdout.readline()
        if not line:
            raise RuntimeError("the fork server is gone")
        return int(json.loads(line)["status"])

    def tidy(self, home: Path) -> None:
        """Remove a home that nobody will look at."""
        shutil.rmtree(home)


def _pipes(server: "subprocess.Popen[str]") -> tuple[IO[str], IO[str]]:
    assert server.stdin is not None
    assert server.stdout is not None
    return server.stdin, server.stdout


@contextmanager
def opened(**settings: str) -> Iterator[Bench]:
    """Build the shim, start the fork server, prepare the template; all gone at the end.

    Raises:
        RuntimeError: there is no gcc, or the process under test does not even start.
    """
    with tempfile.TemporaryDirectory(prefix="placet-faults-") as name:
        folder = Path(name)
        shim = build("fault_shim", folder)
        with Control(folder / "control") as control:
            server = subprocess.Popen(
                [sys.executable, "-m", "bench.fault_driver"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                env={**environment(settings), **control.environment(shim)},
            )
            try:
                stdin, stdout = _pipes(server)
                if "ready" not in stdout.readline():
                    raise RuntimeError("the process under test does not start")
                bench = Bench(folder=folder, control=control, _server=server)
                template = folder / "template"
                template.mkdir()
                if bench.order({"home": str(template), "story": "first"}):
                    raise RuntimeError("the template could not be prepared")
                yield bench
                stdin.close()
            finally:
                server.kill()
                server.wait()
                stdout_of = server.stdout
                if stdout_of is not None:
                    stdout_of.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One event, as its raw row says."""

    seq: int
    type: str
    ticket: str
    trace: str
    state: str
    """In which a ticket was born; empty for every other event."""


def log_of(database: Path) -> list[Entry]:
    """Every event, oldest first."""
    with closing(sqlite3.connect(database)) as connection:
        rows = connection.execute(
            "SELECT seq, type, ticket_id, trace_id, body FROM events ORDER BY seq"
        ).fetchall()
    return [
        Entry(
            seq=seq,
            type=kind,
            ticket=ticket or "",
            trace=trace or "",
            state=json.loads(body)["payload"]["state"] if kind == "TicketOpened" else "",
        )
        for seq, kind, ticket, trace, body in rows
    ]


def lines_of(path: Path) -> list[str]:
    """The whole lines of a file; none where there is no file."""
    return path.read_text(encoding="utf-8").split("\n")[:-1] if path.exists() else []


def facts_of(home: Path) -> list[dict[str, Any]]:
    """What was acknowledged in ``home``, in order."""
    return [json.loads(line) for line in lines_of(home / "outside" / "acks")]


def judge(
    home: Path, tally: Tally, where: str, *, facts: Iterable[Mapping[str, Any]] | None = None
) -> list[Entry]:
    """Compare acknowledgements, log and effects of ``home``; the log."""
    database = home / "ledger.db"
    try:
        verdict = verify_ledger(f"sqlite:///{database}")
        log = log_of(database)
    except Exception as error:  # noqa: BLE001  # a log that cannot be read at all is lost
        tally.harm("unverified", where, repr(error))
        return []
    if not verdict.is_verified:
        tally.harm("unverified", where, verdict.problems[0])
    seqs = {entry.seq for entry in log}
    said = {(entry.ticket, entry.type) for entry in log} | {("", entry.type) for entry in log}
    for fact in facts_of(home) if facts is None else facts:
        for seq in fact.get("seqs", ()):
            if seq not in seqs:
                tally.harm("lost", where, f"event {seq}")
        if "event" in fact:
            tally.counts["acknowledged"] += 1
            if (fact["ticket"], fact["event"]) not in said:
                tally.harm("lost", where, fact)
    _judge_effects(home, log, tally, where)
    return log


def _judge_effects(home: Path, log: list[Entry], tally: Tally, where: str) -> None:
    ran = Counter(lines_of(home / "outside" / "effects"))
    for trace, times in ran.items():
        story = [entry for entry in log if entry.trace == trace]
        kinds = [entry.type for entry in story]
        before = kinds[: kinds.index("ExecutionStarted")] if "ExecutionStarted" in kinds else []
        is_allowed = any(entry.state == "APPROVED" for entry in story)
        if not (is_allowed or "TicketApproved" in before) or "ExecutionCleared" not in before:
            tally.harm("unapproved", where, f"{trace} ran after {kinds}")
        if times > 1:
            tally.harm("twice", where, f"{trace} ran {times} times")
    tally.counts["effects"] += sum(ran.values())


def judge_end(home: Path, story: str, log: list[Entry], tally: Tally, where: str) -> None:
    """After the second start: the story was told to its end and no ticket is on its way."""
    if {"done": story} not in facts_of(home):
        tally.harm("unfinished", where, "the story did not end")
    ended = {entry.ticket for entry in log if entry.type in _ENDS}
    waiting = {entry.ticket for entry in log if entry.state == "APPROVED"}
    waiting |= {entry.ticket for entry in log if entry.type == "TicketApproved"}
    for ticket in waiting - ended:
        tally.harm("unfinished", where, f"{ticket} was approved and never ended")
