"""Sealed segments of the log: what a seal says, which may follow which, and which was detached.

Lives here: that as values, its events, and the messages that are signed. Must not live here: files,
verification (``storage``), whether one may go (``governance.detaching``), when anybody seals
(``bot``). Law: segments follow one another without a gap, each begins with the hash at which the
one before it ended, and none is sealed or detached by a key that has ended.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import ClassVar

from governance.canonical import canonical_bytes
from governance.principal import TenantId
from governance.tickets.binding import stamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """Where the newest sealed segment ends; ``state`` is the digest of what was derived there."""

    last: int
    head: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """Records ``first`` to ``last`` as they lie in a file, ready to be sealed.

    ``previous`` and ``head`` are the hashes before and at its end, ``root`` the tree's over
    everything up to there; digests are SHA-256 in hex of whole files: the records, and the state
    that verification derived from all records up to ``last``. ``keep_until``: when the longest
    retention of any record in it is over.
    """

    first: int
    last: int
    previous: str
    head: str
    root: str
    file_digest: str
    state_digest: str
    keep_until: datetime

    @property
    def events(self) -> int:
        """How many records it holds."""
        return self.last - self.first + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentSealed:
    """A stretch of the log lies in a file, verified and signed for by the checkpoint key."""

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    origin: str
    first: int
    last: int
    previous: str
    head: str
    root: str
    events: int
    file_digest: str
    state_digest: str
    keep_until: datetime
    key_id: str
    signature: str


def seal_message(*, tenant: TenantId, origin: str, segment: Segment) -> bytes:
    """The bytes that a seal signs: ``placet/v1/segment``, a zero byte, a canonical JSON object."""
    return b"placet/v1/segment\0" + canonical_bytes(
        {
            "tenant": tenant,
            "origin": origin,
            "first": segment.first,
            "last": segment.last,
            "previous": segment.previous,
            "head": segment.head,
            "root": segment.root,
            "events": segment.events,
            "file": segment.file_digest,
            "state": segment.state_digest,
            "keep_until": stamp(segment.keep_until),
        }
    )


def sealed_by(event: SegmentSealed) -> Sealed:
    """What stays in the governing state of a seal."""
    return Sealed(last=event.last, head=event.head, state=event.state_digest)


def follows(sealed: Sealed | None, event: SegmentSealed, *, genesis: str) -> bool:
    """Whether ``event`` continues where the newest seal ended."""
    before = (sealed.last, sealed.head) if sealed else (0, genesis)
    is_counted = event.events == event.last - event.first + 1 > 0
    return is_counted and (event.first - 1, event.previous) == before


@dataclass(frozen=True, slots=True, kw_only=True)
class Detached:
    """Where the newest detached segment ended: the database holds no record up to ``last``."""

    last: int
    head: str
    state: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SegmentDetached:
    """The records of a sealed segment left the database; from here on they lie in its file alone.

    ``seal`` is the number of the record that sealed it. The checkpoint key signed all but the
    actor.
    """

    version: ClassVar[int] = 1
    tenant: TenantId
    actor: str
    origin: str
    seal: int
    first: int
    last: int
    head: str
    events: int
    file: str
    file_digest: str
    state_digest: str
    key_id: str
    signature: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What in the ledger may still need records up to the end of the last of some segments.

    ``seals`` are the seals that were asked for, by the number of their records. Of what is in the
    way some are named: ids of ``tickets`` that are open or whose time is not over, of tickets whose
    idempotency ``keys`` are remembered, of legal ``holds`` that cover a record.
    """

    seals: Mapping[int, SegmentSealed] = field(default_factory=dict)
    tickets: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    holds: tuple[str, ...] = ()


def file_of(first: int, last: int) -> str:
    """What the file of a segment's records is called."""
    return f"log-{first:012d}-{last:012d}.jsonl"


def detach_message(event: SegmentDetached) -> bytes:
    """The bytes that are signed: ``placet/v1/detach``, a zero byte, a canonical JSON object."""
    return b"placet/v1/detach\0" + canonical_bytes(
        {
            "tenant": event.tenant,
            "origin": event.origin,
            "seal": event.seal,
            "first": event.first,
            "last": event.last,
            "head": event.head,
            "events": event.events,
            "name": event.file,
            "file": event.file_digest,
            "state": event.state_digest,
        }
    )


def detached_by(event: SegmentDetached) -> Detached:
    """What stays in the governing state of a segment that was detached."""
    return Detached(last=event.last, head=event.head, state=event.state_digest)
