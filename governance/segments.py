"""Sealed segments of the log: what a seal says, and which seal may follow which.

Lives here: that as values, its event, the message that is signed, and the pure step. Must not live
here: files, verification (``storage``), when anybody seals (``bot``). Law: segments follow one
another without a gap, each begins with the hash at which the one before it ended, and none is
sealed by a key that has ended.
"""

from dataclasses import dataclass
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
