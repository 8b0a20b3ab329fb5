"""``placet audit verify``: re-derives everything from raw rows, or from an export alone.

Lives here: the walk over records and checkpoints. Must not live here: anything that the writer
uses. Law: standard library and cryptography only, and no line shared with what it verifies, so that
it can contradict it. Memory does not grow with the log.

What only an outside copy shows: records removed from the end together with their projections, and
a whole log replaced by another. Give it the checkpoints that were published.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Unpack

from storage.verify import values
from storage.verify.chain import HASH_BYTES, Chain, Json, Look, Problem, Raw, root
from storage.verify.crew import Crew, usual_jobs
from storage.verify.detached import NotAtHand, begins_after, has_table, rejoined, state_at
from storage.verify.facts import Facts
from storage.verify.form import load
from storage.verify.heads import Heads
from storage.verify.kept import kept
from storage.verify.options import Options, Progress
from storage.verify.published import Published, witnesses_in
from storage.verify.report import Counts, Report
from storage.verify.rows import compare
from storage.verify.segments import Shelf
from storage.verify.source import ExportSource, Source, SqliteSource
from storage.verify.state import MALFORMED, NoState, state_digest, taken_up, written
from storage.verify.tiles import Tiles

__all__ = ["Counts", "Options", "Report", "Verification", "verify"]
__all__ += ["verify_database", "verify_export"]

_FOR_JOBS = 20_000
"""Records from which on other processes are worth their start."""
_BYTES_OF_RECORD = 1_000
"""About; for a progress bar over an export, which does not say how many it holds."""


class Verification:
    """One walk; ``problems`` yields them as they are found, ``report`` says what was covered.

    ``keys``: public keys from outside, as ``{id: {"purpose": ..., "pem": ...}}``; one that the log
    registers differently is a problem. ``checkpoints``: the text of published signed notes.
    ``witnesses``: the text of witnesses' verifier keys, one to a line.
    ``jobs``: processes beside this one for a long log; None: one for each other core.
    ``shelf``: files of sealed segments, to compare with their seals; ``complete``: all of them.
    ``start``: a sealed state to begin with, instead of the first record.
    ``states``: where the state lies at the end of what is detached, to begin with it where neither
    ``start`` is given nor a ``shelf`` with the detached files themselves.
    """

    def __init__(
        self,
        *,
        keys: Mapping[str, Mapping[str, str]] | None = None,
        checkpoints: str = "",
        progress: Progress | None = None,
        jobs: int | None = None,
        shelf: Shelf | None = None,
        complete: bool = False,
        start: Path | None = None,
        states: Path | None = None,
        witnesses: str = "",
    ) -> None:
        known = {
            name: values.key_of(entry["purpose"], entry["pem"])
            for name, entry in (keys or {}).items()
        }
        self.chain = Chain()
        self.facts = Facts(known, deferred=True)
        self._jobs = usual_jobs() if jobs is None else jobs
        self._heads, self._crew = Heads(iter(()), self.facts.ring), Crew(0)
        self._tiles = Tiles(self.facts.scratch)
        self._published = Published(self.facts.scratch, witnesses_in(witnesses))
        self._progress = progress or _silent
        self._outside = list(values.notes(checkpoints))
        self._has_checkpoints = bool(checkpoints.strip())
        known_sizes = (note for note in self._outside if note is not None)
        self._waiting = sorted(known_sizes, key=lambda note: note.size)
        self._checkpoints = self._covered = 0
        self._known, self._start, self._states = known, start, states
        self.facts.segments.shelf, self.facts.segments.is_complete = shelf, complete
        self._marks = frozenset((*shelf.files, *shelf.states)) if shelf else frozenset()

    def of(self, source: Source) -> Iterator[Problem]:
        """Everything wrong with what ``source`` holds, read at one moment."""
        scratch = self.facts.scratch
        try:
            total = source.attach(scratch)
            source, total = self._placed(source, total)
            origin = self._begin(self._start) if self._start is not None else ""
            since = self.facts.segments.begun
            self._heads = Heads(source.signed_heads(since), self.facts.ring)
            self._heads.origin, self._heads.covered = origin, since
            self._crew = Crew(self._jobs if total >= _FOR_JOBS else 0)
            yield from self._walk(source, total)
            if source.has_tables:
                self.facts.settle()
                yield from source.guards()
                yield from compare(self.facts, self.chain, self._crew)
                yield from self.facts.detachments.compare(source)
                yield from self._tiles.compare()
                if has_table(scratch):
                    yield from self._tiles.compare_leaves(self.facts.detachments.upto)
                yield from self._published.compare()
            elif not self.chain.tree.size:
                detail = "nothing to verify: it holds no record"
                yield Problem(seq=0, what="empty", detail=detail)
        except NotAtHand as error:
            yield Problem(seq=0, what="detached", detail=str(error))
        except NoState as error:
            yield Problem(seq=0, what="seal", detail=str(error), table=str(self._start))
        except source.unreadable as error:
            yield Problem(seq=self.chain.seq, what="database", detail=f"unreadable: {error}")
        finally:
            self._crew.close()

    def report(self, problems: Iterator[Problem]) -> Report:
        """Run to the end."""
        found = kept(problems)
        counts = Counts(
            events=self.chain.tree.size,
            tickets=self.facts.tickets,
            votes=self.facts.votes,
            signatures=self._crew.signatures,
            checkpoints=self._checkpoints,
            uncovered=self.chain.tree.size - self._covered,
            unsigned=self.chain.tree.size - self._heads.covered,
        )
        detached = self.facts.detachments.upto
        self.facts.scratch.close()
        return Report(
            problems=found.problems,
            kinds=found.kinds,
            counts=counts,
            size=self.chain.tree.size,
            root=root(self.chain.tree.peaks),
            head=self.chain.hash,
            since=self.facts.segments.begun,
            seals=self.facts.segments.count,
            detached=detached,
        )

    def state(self, time: str = "") -> Iterator[bytes]:
        """What was derived, before ``report``; within a stretch at the ``time`` of a record."""
        at = time or self.chain.time
        return written(self.chain, self.facts, self._tiles, self._heads.origin, at)

    def _placed(self, source: Source, total: int) -> tuple[Source, int]:
        """Where records are detached: their files in their place, or a state to begin with."""
        upto = begins_after(self.facts.scratch) if source.has_tables else 0
        if upto and self._start is None:
            shelf = self.facts.segments.shelf
            if shelf is not None and shelf.folder is not None:
                source = rejoined(source, self.facts.scratch, shelf.folder)
            else:
                self._start = state_at(self._states, upto)
        return source, total + upto

    def _begin(self, path: Path) -> str:
        """Begin with a sealed state; the seal itself is among the records that follow."""
        origin, digest = taken_up(path, self.chain, self.facts, self._tiles, self._known)
        since = self.chain.tree.size
        self.facts.segments.begin(since, digest)
        self._covered = since
        old = [note for note in self._waiting if note.size < since]
        self._waiting = [n for n in self._waiting if n not in old or self.chain.at_size(n.size)]
        return origin

    def _walk(self, source: Source, total: int) -> Iterator[Problem]:
        yield from self._unread()
        at = (self.chain.seq, self.chain.hash)
        for raws, aside, found in self._crew.looked(source.records(*at), *at):
            yield from aside
            yield from self._stretch(raws, found)
            doubts, self.facts.rules.doubts[:] = list(self.facts.rules.doubts), ()
            yield from self._crew.doubt(doubts)
            doubts, self._heads.doubts[:] = list(self._heads.doubts), ()
            yield from self._crew.doubt(doubts)
            self._progress(self.chain.tree.size, total)
        yield from self._crew.settle()
        yield from self._heads.left()
        yield from self.facts.segments.left()
        if self._known and self.chain.tree.size and not self._known.keys() & self.facts.ring.keys:
            detail = "none of the keys that you were given is of this log"
            yield Problem(seq=0, what="key", detail=detail)
        for note in self._waiting:
            yield Problem(
                seq=0,
                what="checkpoint",
                detail=f"the log ends at {self.chain.tree.size}; a checkpoint saw {note.size}: "
                "records were removed, or this copy is older than the checkpoint",
            )
        self._progress(self.chain.tree.size, total)

    def _unread(self) -> Iterator[Problem]:
        if self._has_checkpoints and not self._outside:
            yield Problem(seq=0, what="checkpoint", detail="the checkpoints cannot be read")
        for _ in range(sum(note is None for note in self._outside)):
            yield Problem(seq=0, what="checkpoint", detail="a checkpoint cannot be read")

    def _stretch(self, raws: Sequence[Raw], found: Look) -> Iterator[Problem]:
        yield from self.chain.meet(found)
        for place, raw in enumerate(raws):
            record = None if place in found.void else load(raw.body.decode("utf-8"))
            leaf = found.leaves[place * HASH_BYTES : (place + 1) * HASH_BYTES]
            if record is not None and record["type"] == "CheckpointSigned":
                yield from self._own_checkpoint(raw.seq, record["payload"])
            self.chain.grow(raw, leaf)
            self._tiles.add(leaf)
            if record is not None:
                yield from self._meaning(raw.seq, record)
                yield from self._heads.meet(raw.seq, raw.hash, record["timestamp"])
            if self.chain.tree.size in self._marks and record is not None:
                derived = state_digest(self.state(record["timestamp"]))
                self.facts.segments.derived[self.chain.tree.size] = derived
            while self._waiting and self._waiting[0].size <= self.chain.tree.size:
                note = self._waiting.pop(0)
                # One that saw less than where the walk began was signed by a key of that time.
                at = max(note.size, 1) if note.size < self.facts.segments.begun else None
                yield from self._checkpoint(note, self.chain.seq, at)

    def _meaning(self, seq: int, record: Mapping[str, Json]) -> Iterator[Problem]:
        try:
            yield from self.facts.take(seq, record)
        except MALFORMED as error:
            detail = f"{record['type']} is malformed ({type(error).__name__})"
            yield Problem(seq=seq, what="form", detail=detail, field="payload")

    def _own_checkpoint(self, seq: int, payload: Mapping[str, Json]) -> Iterator[Problem]:
        """A checkpoint inside the log speaks of the log before it."""
        self._published.take(payload)
        found = list(values.notes(str(payload.get("note"))))
        note = found[0] if len(found) == 1 else None
        if note is None or (note.size, note.head) != (payload.get("size"), payload.get("head")):
            yield Problem(seq=seq, what="checkpoint", detail="its note says something else")
            return
        held = self._checkpoints
        yield from self._checkpoint(note, seq)
        if self._checkpoints > held:
            self.facts.segments.checkpoint(note.size, note.root, note.head)

    def _checkpoint(self, note: values.Note, seq: int, at: int | None = None) -> Iterator[Problem]:
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
        ring = self.facts.ring
        signed = [name for name, key in ring.keys.items() if values.is_noted(name, key, note)]
        voids = [ring.void(name, "checkpoint", at) for name in signed]
        if all(voids):
            why = voids[0] if voids else "no known key signed it"
            detail = f"the checkpoint of {note.size} records does not count: {why}"
            yield Problem(seq=seq, what="checkpoint", detail=detail)
            return
        self._checkpoints += 1
        self._covered = max(self._covered, note.size)


def verify(source: Source, **options: Unpack[Options]) -> Report:
    """Verify whatever ``source`` reads; see ``Verification``."""
    walk = Verification(**options)
    return walk.report(walk.of(source))


def verify_database(path: Path, **options: Unpack[Options]) -> Report:
    """Verify a ledger's file; see ``Verification``."""
    return verify(SqliteSource(path), **options)


def verify_export(path: Path, **options: Unpack[Options]) -> Report:
    """Verify an export, a file or a folder of segments; see ``Verification``.

    Raises:
        OSError: it cannot be read.
    """
    path.stat()
    return verify(ExportSource(path), **options)


def _silent(done: int, total: int) -> None:
    """No progress is shown."""
