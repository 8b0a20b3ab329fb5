"""``placet audit verify``: re-derives everything from raw rows, or from an export alone.

Lives here: the walk over records and checkpoints. Must not live here: anything that the writer
uses. Law: standard library and cryptography only, and no line shared with what it verifies, so that
it can contradict it. Memory does not grow with the log.

What only an outside copy shows: records removed from the end together with their projections, and
a whole log replaced by another. Give it the checkpoints that were published.
"""

import json
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from storage import verify_values as values
from storage.verify_chain import Chain, Json, Problem, Raw, parse, root
from storage.verify_facts import Facts
from storage.verify_rows import compare

Progress = Callable[[int, int], None]
"""Called now and then with records done and records in all (0: not known)."""

_EVERY = 5_000
_COLUMNS = ("at", "type", "version", "tenant", "trace_id", "ticket_id", "agent_id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """What was verified; ``uncovered`` records are newer than the newest good checkpoint."""

    events: int
    tickets: int
    votes: int
    signatures: int
    checkpoints: int
    uncovered: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Everything that is wrong, and how much was looked at; no problems = the log verifies."""

    problems: tuple[Problem, ...]
    counts: Counts
    size: int
    root: bytes
    head: str


class Verification:
    """One walk; ``problems`` yields them as they are found, ``report`` says what was covered.

    ``keys``: public keys from outside, as ``{id: {"purpose": ..., "pem": ...}}``; one that the log
    registers differently is a problem. ``checkpoints``: the text of published signed notes.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, Mapping[str, str]] | None = None,
        checkpoints: str = "",
        progress: Progress | None = None,
    ) -> None:
        known = {
            name: values.key_of(entry["purpose"], entry["pem"])
            for name, entry in (keys or {}).items()
        }
        self.chain = Chain()
        self.facts = Facts(known)
        self._progress = progress or _silent
        self._outside = list(values.notes(checkpoints))
        self._has_checkpoints = bool(checkpoints.strip())
        self._checkpoints = self._covered = 0

    def of_database(self, path: Path) -> Iterator[Problem]:
        """Everything wrong with a database file, read at one moment."""
        scratch = self.facts.scratch
        try:
            scratch.execute("COMMIT")
            scratch.execute("ATTACH ? AS db", (f"file:{quote(str(path.absolute()))}?mode=ro",))
            scratch.execute("BEGIN")
            (total,) = scratch.execute("SELECT count(*) FROM db.events").fetchone()
            yield from self._walk(_rows(scratch), total)
            self.facts.settle()
            yield from compare(self.facts, self.chain)
        except sqlite3.Error as error:
            yield Problem(seq=self.chain.seq, what="database", detail=f"unreadable: {error}")

    def of_export(self, path: Path) -> Iterator[Problem]:
        """Everything wrong with an export, from its text alone."""
        with path.open("rb") as lines:
            yield from self._walk(_lines(lines), 0)
        if not self.chain.tree.size:
            yield Problem(seq=0, what="empty", detail="nothing to verify: it holds no record")

    def report(self, problems: Iterator[Problem]) -> Report:
        """Run to the end."""
        found = tuple(problems)
        counts = Counts(
            events=self.chain.tree.size,
            tickets=self.facts.tickets,
            votes=self.facts.votes,
            signatures=self.facts.rules.signatures,
            checkpoints=self._checkpoints,
            uncovered=self.chain.tree.size - self._covered,
        )
        self.facts.scratch.close()
        return Report(
            problems=found,
            counts=counts,
            size=self.chain.tree.size,
            root=root(self.chain.tree.peaks),
            head=self.chain.hash,
        )

    def _walk(self, records: Iterator[Raw | Problem], total: int) -> Iterator[Problem]:
        if self._has_checkpoints and not self._outside:
            yield Problem(seq=0, what="checkpoint", detail="the checkpoints cannot be read")
        waiting = sorted((n for n in self._outside if n is not None), key=lambda note: note.size)
        for _ in range(sum(note is None for note in self._outside)):
            yield Problem(seq=0, what="checkpoint", detail="a checkpoint cannot be read")
        for raw in records:
            if isinstance(raw, Problem):
                yield raw
                continue
            yield from self._record(raw)
            while waiting and waiting[0].size <= self.chain.tree.size:
                yield from self._checkpoint(waiting.pop(0), self.chain.seq)
            if self.chain.tree.size % _EVERY == 0:
                self._progress(self.chain.tree.size, total)
        for note in waiting:
            yield Problem(
                seq=0,
                what="checkpoint",
                detail=f"the log ends at {self.chain.tree.size}; a checkpoint saw {note.size}: "
                "records were removed, or this copy is older than the checkpoint",
            )
        self._progress(self.chain.tree.size, total)

    def _record(self, raw: Raw) -> Iterator[Problem]:
        record, why = parse(raw)
        if record is not None and record["type"] == "CheckpointSigned":
            yield from self._own_checkpoint(raw.seq, record["payload"])
        yield from self.chain.check(raw)
        if record is None:
            yield Problem(seq=raw.seq, what="form", detail=why)
        else:
            yield from self._meaning(raw, record)
        self.chain.move(raw)

    def _meaning(self, raw: Raw, record: Mapping[str, Json]) -> Iterator[Problem]:
        try:
            yield from self.chain.link(raw, record)
            yield from self.facts.take(raw.seq, record)
        except (KeyError, TypeError, ValueError, AttributeError, sqlite3.Error) as error:
            detail = f"{record['type']} is malformed ({type(error).__name__})"
            yield Problem(seq=raw.seq, what="form", detail=detail)

    def _own_checkpoint(self, seq: int, payload: Mapping[str, Json]) -> Iterator[Problem]:
        """A checkpoint inside the log speaks of the log before it."""
        found = list(values.notes(str(payload.get("note"))))
        note = found[0] if len(found) == 1 else None
        if note is None or (note.size, note.head) != (payload.get("size"), payload.get("head")):
            yield Problem(seq=seq, what="checkpoint", detail="its note says something else")
            return
        yield from self._checkpoint(note, seq)

    def _checkpoint(self, note: values.Note, seq: int) -> Iterator[Problem]:
        """Compare a note with the log at its size, and verify who signed it."""
        was = self.chain.at_size(note.size)
        if was is None:
            detail = f"no log of {note.size} records is near enough to compare"
            yield Problem(seq=seq, what="checkpoint", detail=detail)
            return
        if was != (note.root, note.head):
            detail = f"the log's first {note.size} records are not those that were signed"
            yield Problem(seq=seq, what="checkpoint", detail=detail)
            return
        keys = [key for key in self.facts.keys.values() if key.purpose == "checkpoint"]
        body = note.body.encode()
        if not any(values.is_signed(key, s, body) for key in keys for s in note.signatures):
            detail = f"no known key signed the checkpoint of {note.size} records"
            yield Problem(seq=seq, what="checkpoint", detail=detail)
            return
        self._checkpoints += 1
        self._covered = max(self._covered, note.size)


def verify_database(
    path: Path,
    *,
    keys: Mapping[str, Mapping[str, str]] | None = None,
    checkpoints: str = "",
    progress: Progress | None = None,
) -> Report:
    """Verify a ledger's file; see ``Verification``."""
    walk = Verification(keys=keys, checkpoints=checkpoints, progress=progress)
    return walk.report(walk.of_database(path))


def verify_export(
    path: Path,
    *,
    keys: Mapping[str, Mapping[str, str]] | None = None,
    checkpoints: str = "",
    progress: Progress | None = None,
) -> Report:
    """Verify an export; see ``Verification``.

    Raises:
        OSError: the file cannot be read.
    """
    walk = Verification(keys=keys, checkpoints=checkpoints, progress=progress)
    return walk.report(walk.of_export(path))


def _rows(connection: sqlite3.Connection) -> Iterator[Raw | Problem]:
    sql = f"SELECT seq, hash, body, {', '.join(_COLUMNS)} FROM db.events ORDER BY seq"  # noqa: S608  # constant
    for seq, hash_, body, *columns in connection.execute(sql):
        if not isinstance(body, bytes):
            yield Problem(seq=seq, what="form", detail="its body is not bytes")
            continue
        named = dict(zip(_COLUMNS, columns, strict=True))
        yield Raw(seq=seq, hash=hash_, body=body, columns=named)


def _lines(lines: Iterator[bytes]) -> Iterator[Raw | Problem]:
    for number, line in enumerate(lines, start=1):
        try:
            entry = json.loads(line)
            raw = Raw(seq=int(entry["seq"]), hash=entry["hash"], body=entry["body"].encode("utf-8"))
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
            yield Problem(seq=0, what="form", detail=f"line {number} is not a record of an export")
            continue
        yield raw


def _silent(done: int, total: int) -> None:
    """No progress is shown."""
