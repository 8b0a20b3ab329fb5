"""Which sealed segments may leave the database, as far as their files and rows tell.

Lives here: choosing them, and comparing rows with files. Must not live here: the rest of what may
keep them (``governance.detaching``, inside the transaction), taking them out
(``detaching``). Law: read only; a segment is chosen only where the rows of the database
are, byte for byte, the file that lies there and was signed for.
"""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path

from governance.audit import GENESIS
from governance.errors import Code, Refused
from governance.retention import Retention
from governance.segments import Detached, SegmentSealed, file_of
from storage import codec
from storage.connection import Database
from storage.export import End
from storage.retention.segments import Read, days_of, write_range
from storage.verify.segments import digest_of, state_name


class _Hashed(StringIO):
    """A text that is hashed and not kept."""

    def __init__(self) -> None:
        super().__init__()
        self.found = sha256()

    def write(self, text: str) -> int:
        """See ``TextIO``."""
        self.found.update(text.encode("utf-8"))
        return len(text)


def choose(
    db: Database,
    folder: Path,
    detached: Detached | None,
    retention: Retention,
    *,
    until: datetime,
    now: datetime,
) -> Mapping[int, SegmentSealed]:
    """Seals, by the numbers of their records, of the oldest segments that may go by their age.

    That is: they end before ``until``, and every record was kept for as long as its seal and
    ``retention`` demand.

    Raises:
        Refused: ``wrong_state``: a file is missing or another one, or the rows are not its records.
        OSError: a file cannot be read.
        Exception: the driver's own.
    """
    after = End(seq=detached.last, hash=detached.head) if detached else End(hash=GENESIS)
    chosen: dict[int, SegmentSealed] = {}
    with db.moment() as read:
        for seq, seal in _seals(read, after.seq):
            if not _is_over(read, seal, retention, until=until, now=now):
                break
            _hold_same(read, folder, seal, after)
            chosen[seq] = seal
            after = End(seq=seal.last, hash=seal.head)
    return chosen


def _seals(read: Read, after: int) -> Iterator[tuple[int, SegmentSealed]]:
    """The seals whose segments are still here, oldest first."""
    sql = f"SELECT seq, body FROM events WHERE seq > {after:d} AND type = 'SegmentSealed'"  # noqa: S608  # a number
    for seq, body in list(read(f"{sql} ORDER BY seq")):
        stored = codec.record(bytes(body))
        event = codec.event(str(stored["type"]), int(str(stored["version"])), stored["payload"])
        if isinstance(event, SegmentSealed) and event.last > after:
            yield int(seq), event


def _is_over(
    read: Read, seal: SegmentSealed, retention: Retention, *, until: datetime, now: datetime
) -> bool:
    ends = list(read(f"SELECT at FROM events WHERE seq = {seal.last:d}"))  # noqa: S608  # a number
    if not ends:
        raise Refused(Code.WRONG_STATE, f"event {seal.last} is gone, and nothing says why")
    at = datetime.fromisoformat(ends[0][0])
    kept = at + timedelta(days=days_of(read, retention, seal.first, seal.last))
    return at <= until and max(kept, seal.keep_until) <= now


def _hold_same(read: Read, folder: Path, seal: SegmentSealed, after: End) -> None:
    if (seal.first, seal.previous) != (after.seq + 1, after.hash):
        text = f"the seal of {seal.first} to {seal.last} does not follow event {after.seq}"
        raise Refused(Code.WRONG_STATE, text)
    for name, digest in (
        (file_of(seal.first, seal.last), seal.file_digest),
        (state_name(seal.last), seal.state_digest),
    ):
        path = folder / name
        if not path.is_file() or digest_of(path) != digest:
            text = f"{path} is not there, or is not what was sealed: nothing is detached"
            raise Refused(Code.WRONG_STATE, text)
    rows = _Hashed()
    write_range(read, rows, after, seal.last)
    if rows.found.hexdigest() != seal.file_digest:
        text = f"events {seal.first} to {seal.last} are not those of their file: nothing was done"
        raise Refused(Code.WRONG_STATE, text)
