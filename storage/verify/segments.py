"""The verifier's own reading of sealed segments: which follow, who signed, and what they cover.

Lives here: seals as records tell of them, beside checkpoints met and files at hand. Must not live
here: reading those files' records (``source``), the state itself (``state``).
Law: shares no code with what seals; a seal counts only at the very records, files and state that
its key signed for.

A signature covers, in UTF-8: ``placet/v1/segment``, a zero byte, then the canonical JSON object
with ``tenant``, ``origin``, ``first``, ``last``, ``previous``, ``head``, ``root``, ``events``,
``file``, ``state`` (SHA-256 of whole files, in hex) and ``keep_until``. It is ES256: base64 of r
and s. A seal ends where a checkpoint before it saw the log end.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from storage.verify.chain import GENESIS, Json, Problem
from storage.verify.claims import Claim, Doubt
from storage.verify.form import canonical
from storage.verify.keys import Ring

KIND = "SegmentSealed"
TABLE = "CREATE TABLE k (size INTEGER PRIMARY KEY, root TEXT, head TEXT);"
_FILE = re.compile(r"log-(\d{12})-(\d{12})\.jsonl", re.ASCII)
_STATE = re.compile(r"state-(\d{12})\.ndjson", re.ASCII)
_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """Segments in a folder, by their last record: SHA-256 of the records' file and the state's."""

    files: Mapping[int, str]
    states: Mapping[int, str]
    folder: Path | None = None
    """Where they are, if they may be read."""

    @classmethod
    def of(cls, folder: Path) -> "Shelf":
        """What lies in ``folder``.

        Raises:
            OSError: it cannot be read.
        """
        paths = [(path, path.name) for path in sorted(folder.iterdir())]
        files = {int(m[2]): digest_of(p) for p, name in paths if (m := _FILE.fullmatch(name))}
        states = {int(m[1]): digest_of(p) for p, name in paths if (m := _STATE.fullmatch(name))}
        return cls(files=files, states=states, folder=folder)


def file_name(first: int, last: int) -> str:
    """What the file of a segment's records is called."""
    return f"log-{first:012d}-{last:012d}.jsonl"


def state_name(last: int) -> str:
    """What the file of the state at a segment's end is called."""
    return f"state-{last:012d}.ndjson"


def digest_of(path: Path) -> str:
    """SHA-256 of a file's bytes in hex."""
    found = sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            found.update(chunk)
    return found.hexdigest()


class Segments:
    """The seals so far; ``begun`` is where a walk began whose start was not verified."""

    def __init__(self, scratch: sqlite3.Connection) -> None:
        self._scratch = scratch
        self.sealed: dict[str, Json] | None = None
        """The newest seal, as the governing state has it."""
        self.shelf: Shelf | None = None
        self.derived: dict[int, str] = {}
        """Digests of the state as it was derived, by the size of the log."""
        self.begun = 0
        self.vouched = False
        """Whether a seal vouches for where the walk began."""
        self.seals: dict[int, Mapping[str, Json]] = {}
        """What was sealed since the walk began, by the numbers of the records that say so."""
        self.count = 0
        self.is_complete = False
        """Whether a file that is not on the shelf is a problem."""

    def begin(self, size: int, digest: str) -> None:
        """A walk begins with a state of ``size`` records, whose file has this digest."""
        self.begun = size
        self.derived[size] = digest

    def checkpoint(self, size: int, root: bytes, head: str) -> None:
        """A checkpoint inside the log that holds."""
        row = (size, root.hex(), head)
        self._scratch.execute("INSERT OR REPLACE INTO k VALUES (?, ?, ?)", row)

    def take(
        self, seq: int, told: Mapping[str, Json], ring: Ring, doubts: list[Doubt]
    ) -> Iterator[Problem]:
        """What is wrong with a seal; its signature is left in ``doubts``."""
        last = told["last"]
        yield from self._place(seq, told)
        yield from self._files(seq, told)
        void = ring.void(told["key_id"], "checkpoint")
        if void:
            yield _wrong(seq, f"the seal does not count: {void}")
        else:
            pem = ring.keys[told["key_id"]].pem
            wrong = _wrong(seq, "the signature of the seal does not hold")
            doubts.append(Doubt(Claim(pem, told["signature"], message(told)), wrong))
            self.vouched |= bool(last == self.begun)
        self._scratch.execute("DELETE FROM k WHERE size <= ?", (last,))
        self.sealed = {"last": last, "head": told["head"], "state": told["state_digest"]}
        self.seals[seq] = told
        self.count += 1

    def _place(self, seq: int, told: Mapping[str, Json]) -> Iterator[Problem]:
        first, last = told["first"], told["last"]
        before, previous = 0, GENESIS
        if self.sealed is not None:
            before, previous = self.sealed["last"], self.sealed["head"]
        if first != before + 1 or told["previous"] != previous or not first <= last < seq:
            yield _wrong(seq, f"a seal of {first} to {last} does not follow that of {before}")
        if told["events"] != last - first + 1:
            yield _wrong(seq, "a seal does not count its records")
        if last < self.begun:
            return  # what it covers stands before the start, which a later seal vouches for
        sql = "SELECT root, head FROM k WHERE size = ?"
        if self._scratch.execute(sql, (last,)).fetchone() != (told["root"], told["head"]):
            yield _wrong(seq, f"no checkpoint before it saw the {last} records that it seals")

    def _files(self, seq: int, told: Mapping[str, Json]) -> Iterator[Problem]:
        last, state = told["last"], told["state_digest"]
        derived = self.derived.pop(last, None)
        if derived is not None and derived != state:
            yield _wrong(seq, f"the state at {last} is not what the records before it say")
        if self.shelf is None:
            return
        for name, found, sealed in (
            (file_name(told["first"], last), self.shelf.files.get(last), told["file_digest"]),
            (state_name(last), self.shelf.states.get(last), state),
        ):
            if found is None and self.is_complete:
                yield _wrong(seq, f"{name} is missing", name)
            elif found not in (None, sealed):
                yield _wrong(seq, f"{name} is not the file that was sealed", name)

    def left(self) -> Iterator[Problem]:
        """At the end: whether the start was vouched for."""
        if self.begun and not self.vouched:
            detail = f"no seal in the log vouches for the state at {self.begun}"
            yield _wrong(0, detail, state_name(self.begun))


def message(told: Mapping[str, Json]) -> bytes:
    """What the signature of a seal must cover."""
    names = ("tenant", "origin", "first", "last", "previous", "head", "root", "events")
    digests = {"file": told["file_digest"], "state": told["state_digest"]}
    fields = {name: told[name] for name in names} | digests
    return b"placet/v1/segment\x00" + canonical(fields | {"keep_until": told["keep_until"]})


def _wrong(seq: int, detail: str, table: str = "") -> Problem:
    return Problem(seq=seq, what="seal", detail=detail, table=table)
