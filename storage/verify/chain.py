"""The verifier's own reading of the chain: hashes, links, order and tree, stretch by stretch.

Lives here: what makes records a log, re-derived from raw bytes. Must not live here: what they
mean. Law: shares no code with the writer, so that it can contradict it; a record that is wrong is
named, and the walk goes on. A stretch of records is looked at by itself, given the hash before it:
so several processes may look at several stretches.
Source: RFC 6962 section 2.1.
"""

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import NamedTuple

from storage.verify.form import Forms, Json, canonical

__all__ = [
    "Chain",
    "Json",
    "Look",
    "Problem",
    "Raw",
    "Tree",
    "canonical",
    "digest",
    "leaves",
    "look",
    "root",
]

GENESIS = "0" * 64
HASH_BYTES = 32
COLUMNS = ("at", "type", "version", "tenant", "trace_id", "ticket_id", "agent_id")
"""The columns that repeat what a record says, in the order of a ``Top``."""
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", re.ASCII)
_EVENT = b"placet/v1/event\x00"
_WINDOW = 4096
"""How many recent sizes a checkpoint inside the log may refer back to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: at which record (0: none in particular), what, and how.

    ``what`` is one of ``verify_findings.FINDINGS``; ``table``, ``row`` and ``field`` say which row
    of which table and what of it, where it is not the record itself.
    """

    seq: int
    what: str
    detail: str
    table: str = ""
    row: str = ""
    field: str = ""


class Raw(NamedTuple):
    """A record as stored: its place, hash and bytes, and the columns beside them, if any."""

    seq: int
    hash: str
    body: bytes
    columns: tuple[Json, ...] | None = None


class Stretch(NamedTuple):
    """Records that follow one another, and the number and hash stored before the first."""

    before: int
    previous: str
    raws: Sequence[Raw]


class Look(NamedTuple):
    """What a stretch showed by itself.

    ``void`` are records, by their place in it, that are none; ``leaves`` their hashes in the tree,
    one after the other, where the tree is looked at; ``first`` and ``last`` the times at its ends,
    empty where there is none.
    """

    problems: list[Problem]
    void: frozenset[int]
    leaves: bytes
    first: tuple[int, str]
    last: str


def digest(domain: str, raw: bytes) -> str:
    """SHA-256 in hex in a domain of its own."""
    return sha256(b"placet/v1/" + domain.encode() + b"\x00" + raw).hexdigest()


def look(stretch: Stretch, forms: Forms) -> Look:
    """What is wrong with the bytes, places, links and times of a stretch."""
    problems: list[Problem] = []
    void: list[int] = []
    before, previous, raws = stretch
    begun = sha256(_EVENT)
    first, last = (0, ""), ""
    for place, (seq, hash_, body, columns) in enumerate(raws):
        if seq != before + 1:
            detail = f"record {before + 1} is missing before it"
            problems.append(Problem(seq=seq, what="sequence", detail=detail, field="seq"))
        hashed = begun.copy()
        hashed.update(body)
        if hashed.hexdigest() != hash_:
            detail = "its bytes do not have its hash"
            problems.append(Problem(seq=seq, what="hash", detail=detail, field="hash"))
        top, why = forms.read(seq, body)
        if top is None:
            void.append(place)
            problems.append(Problem(seq=seq, what="form", detail=why, field="body"))
        else:
            number, link, beside = top
            if number != seq or type(number) is not int or link != previous:
                problems += _links(seq, previous, number, link)
            stamp = beside[0]
            if stamp != last:
                wrong = _time(seq, stamp, last)
                problems += wrong
                if not wrong:
                    last = stamp
                    first = first if first[1] else (seq, stamp)
            if columns is not None and columns != beside:
                problems += _columns(seq, columns, beside)
        before, previous = seq, hash_
    return Look(problems, frozenset(void), b"", first, last)


def leaves(raws: Iterable[Raw]) -> bytes:
    """The hashes of records in the tree, one after the other."""
    begun, found = sha256(b"\x00"), []
    for raw in raws:
        hashed = begun.copy()
        hashed.update(raw[2])
        found.append(hashed.digest())
    return b"".join(found)


def _links(seq: int, previous: str, number: Json, link: Json) -> Iterator[Problem]:
    if number != seq or type(number) is not int:
        detail = f"its bytes say {number!r}"
        yield Problem(seq=seq, what="sequence", detail=detail, field="seq")
    if link != previous:
        detail = "it does not name the hash of the record before it"
        yield Problem(seq=seq, what="link", detail=detail, field="previous")


def _time(seq: int, stamp: Json, last: str) -> list[Problem]:
    if not isinstance(stamp, str) or not _STAMP.fullmatch(stamp):
        detail = "its time is not in the one form"
    elif stamp < last:
        detail = "it is earlier than the one before it"
    else:
        return []
    return [Problem(seq=seq, what="time", detail=detail, field="timestamp")]


def _columns(seq: int, columns: tuple[Json, ...], beside: tuple[Json, ...]) -> Iterator[Problem]:
    for name, stored, said in zip(COLUMNS, columns, beside, strict=True):
        if stored != said:
            detail = f"{name} is not what its bytes say"
            yield Problem(
                seq=seq, what="column", detail=detail, table="events", row=str(seq), field=name
            )


class Tree:
    """An RFC 6962 tree grown leaf by leaf."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: tuple[bytes, ...] = ()

    def add(self, leaf: bytes) -> None:
        """One more record, by the hash of its bytes as a leaf."""
        node, carry, peaks = leaf, self.size, self.peaks
        while carry % 2:
            node = sha256(b"\x01" + peaks[-1] + node).digest()
            peaks, carry = peaks[:-1], carry // 2
        self.peaks = (*peaks, node)
        self.size += 1


def root(peaks: tuple[bytes, ...]) -> bytes:
    """The root over a tree's peaks."""
    if not peaks:
        return sha256(b"").digest()
    node = peaks[-1]
    for peak in peaks[-2::-1]:
        node = sha256(b"\x01" + peak + node).digest()
    return node


class Chain:
    """The walk so far: the last number, hash and time, and the tree."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = GENESIS
        self.time = ""
        self.tree = Tree()
        self._recent: deque[tuple[int, tuple[bytes, ...], str]] = deque(maxlen=_WINDOW)

    def recent(self) -> Iterator[tuple[int, tuple[bytes, ...], str]]:
        """Sizes that are near enough to compare, with peaks and hash."""
        return iter(self._recent)

    def begin(
        self,
        seq: int,
        hash_: str,
        time: str,
        tree: tuple[int, tuple[bytes, ...]],
        recent: Iterable[tuple[int, bytes, str]],
    ) -> None:
        """Go on from there; of ``recent`` sizes the roots are known, and not their peaks."""
        self.seq, self.hash, self.time = seq, hash_, time
        self.tree.size, self.tree.peaks = tree
        self._recent.extend((size, (root,), head) for size, root, head in recent)

    def at_size(self, size: int) -> tuple[bytes, str] | None:
        """Root and head hash when the log had ``size`` records, if that was lately."""
        if size == 0:
            return root(()), GENESIS
        if not self._recent or not self._recent[0][0] <= size <= self._recent[-1][0]:
            return None
        found = self._recent[size - self._recent[0][0]]
        return root(found[1]), found[2]

    def meet(self, found: Look) -> list[Problem]:
        """What a stretch showed, and whether it is later than what came before it."""
        at, stamp = found.first
        wrong = _time(at, stamp, self.time) if stamp else []
        self.time = max(self.time, found.last)
        return [*found.problems, *wrong]

    def grow(self, raw: Raw, leaf: bytes) -> None:
        """``raw`` is the last record now."""
        self.seq, self.hash = raw.seq, raw.hash
        self.tree.add(leaf)
        self._recent.append((self.tree.size, self.tree.peaks, raw.hash))
