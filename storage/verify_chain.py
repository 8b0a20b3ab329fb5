"""The verifier's own reading of the chain: bytes, hashes, links, order and tree.

Lives here: what makes records a log, re-derived from raw bytes. Must not live here: what they
mean. Law: shares no code with the writer, so that it can contradict it; a record that is wrong is
named, and the walk goes on.
Source: RFC 8785, RFC 6962 section 2.1.
"""

import json
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, NoReturn

_FIELDS = frozenset(
    (
        *("seq", "previous", "type", "version", "timestamp", "tenant", "actor", "traceId"),
        *("agentId", "ticketId", "revision", "binding", "tool", "action", "dataClass"),
        *("approvalStatus", "outcome", "payload"),
    )
)
_STAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")
_LARGEST_PLAIN = 10**21
_WINDOW = 4096
"""How many recent sizes a checkpoint inside the log may refer back to."""

Json = Any
"""Parsed JSON: this module reads what may have been forged, and checks as it goes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong: at which record (0: none in particular), what, and how."""

    seq: int
    what: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Raw:
    """A record as stored: its place, hash and bytes, and the columns beside them, if any."""

    seq: int
    hash: str
    body: bytes
    columns: Mapping[str, str | int] | None = None


def canonical(value: Json) -> bytes:
    """Canonical bytes of JSON without fractions and with plain keys, which is all that we log."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode("utf-8")


def digest(domain: str, raw: bytes) -> str:
    """SHA-256 in hex in a domain of its own."""
    return sha256(b"placet/v1/" + domain.encode() + b"\x00" + raw).hexdigest()


class Tree:
    """An RFC 6962 tree grown leaf by leaf."""

    def __init__(self) -> None:
        self.size = 0
        self.peaks: tuple[bytes, ...] = ()

    def add(self, leaf: bytes) -> None:
        """One more record."""
        node, carry, peaks = sha256(b"\x00" + leaf).digest(), self.size, self.peaks
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
    """The walk so far: the last hash and time, and the tree."""

    def __init__(self) -> None:
        self.seq = 0
        self.hash = "0" * 64
        self.time = ""
        self.tree = Tree()
        self._recent: deque[tuple[int, tuple[bytes, ...], str]] = deque(maxlen=_WINDOW)

    def at_size(self, size: int) -> tuple[bytes, str] | None:
        """Root and head hash when the log had ``size`` records, if that was lately."""
        if size == 0:
            return root(()), "0" * 64
        if not self._recent or not self._recent[0][0] <= size <= self._recent[-1][0]:
            return None
        found = self._recent[size - self._recent[0][0]]
        return root(found[1]), found[2]

    def check(self, raw: Raw) -> Iterator[Problem]:
        """What is wrong with the bytes and the place of ``raw``; it becomes the last record."""
        if raw.seq != self.seq + 1:
            yield Problem(
                seq=raw.seq, what="sequence", detail=f"record {self.seq + 1} is missing before it"
            )
        if digest("event", raw.body) != raw.hash:
            yield Problem(seq=raw.seq, what="hash", detail="its bytes do not have its hash")
        self.seq = raw.seq
        self.tree.add(raw.body)
        self._recent.append((self.tree.size, self.tree.peaks, raw.hash))

    def link(self, raw: Raw, record: Mapping[str, Json]) -> Iterator[Problem]:
        """What is wrong between ``record`` and the one before it; moves on to it."""
        if record["seq"] != raw.seq:
            yield Problem(seq=raw.seq, what="sequence", detail=f"its bytes say {record['seq']!r}")
        if record["previous"] != self.hash:
            yield Problem(
                seq=raw.seq, what="link", detail="it does not name the hash of the record before it"
            )
        stamp = record["timestamp"]
        if not isinstance(stamp, str) or not _STAMP.fullmatch(stamp):
            yield Problem(seq=raw.seq, what="time", detail="its time is not in the one form")
        elif stamp < self.time:
            yield Problem(seq=raw.seq, what="time", detail="it is earlier than the one before it")
        else:
            self.time = stamp
        for column, value in (raw.columns or {}).items():
            if record[_COLUMNS[column]] != value:
                yield Problem(
                    seq=raw.seq, what="column", detail=f"{column} is not what its bytes say"
                )

    def move(self, raw: Raw) -> None:
        """The next record must name this one's hash."""
        self.hash = raw.hash


_COLUMNS = {
    "at": "timestamp",
    "type": "type",
    "version": "version",
    "tenant": "tenant",
    "trace_id": "traceId",
    "ticket_id": "ticketId",
    "agent_id": "agentId",
}


def parse(raw: Raw) -> tuple[Mapping[str, Json] | None, str]:
    """The record in ``raw``, and why there is none: bytes that are not canonical are no record."""
    try:
        record = json.loads(raw.body.decode("utf-8"), parse_float=_no, parse_constant=_no)
    except (ValueError, RecursionError):
        return None, "its bytes are not JSON of whole numbers"
    if not isinstance(record, dict) or record.keys() != _FIELDS:
        return None, "it has not the fields of a record"
    if not isinstance(record["payload"], dict) or not isinstance(record["type"], str):
        return None, "its type or payload is malformed"
    if _has_large(record["payload"]) or _encoded(record) != raw.body:
        return None, "its bytes are not in canonical form"
    return record, ""


def _encoded(record: Json) -> bytes:
    try:
        return canonical(record)
    except UnicodeEncodeError:  # a lone surrogate, written as an escape
        return b""


def _no(literal: str) -> NoReturn:
    raise ValueError(literal)


def _has_large(value: Json) -> bool:
    if isinstance(value, dict):
        return any(_has_large(item) for item in value.values())
    if isinstance(value, list):
        return any(_has_large(item) for item in value)
    return isinstance(value, int) and abs(value) >= _LARGEST_PLAIN
