"""Sealed segments as files: written, verified, and made ready to be signed for.

Lives here: the two files of a segment, from one moment of the ledger. Must not live here: the
signature and the event (``governance.administration``), when anybody seals (``bot``). Law: a file
has its name once it is whole and on the disk; nothing is made ready that the verifier, reading
those very files, does not hold for the log that a checkpoint saw.
"""

import fcntl
import json
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import chain, count
from pathlib import Path
from typing import Any, TextIO

from governance.audit import GENESIS
from governance.canonical import Json
from governance.errors import Code, InvalidInput, Refused
from governance.retention import Retention
from governance.segments import Sealed, Segment
from governance.tickets.binding import stamp
from storage.connection import Database
from storage.export import End, write_records
from storage.retention.keeping import classes_in
from storage.verify.chain import root
from storage.verify.segments import digest_of, file_name, state_name
from storage.verify.source import ExportSource
from storage.verify.values import notes
from storage.verify.verifier import Verification

_LEFT = re.compile(r"(?:log-(\d{12})-\d{12}|state-(\d{12}))\.(?:jsonl|ndjson|\d+\.part)", re.ASCII)
Read = Callable[[str], Iterator[Sequence[Any]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A checkpoint that the ledger has, and the record that was the newest when it was signed."""

    size: int
    root: bytes
    head: str
    at: datetime


def make_ready(
    db: Database,
    folder: Path,
    sealed: Sealed | None,
    retention: Retention,
    *,
    until: datetime,
) -> Segment | None:
    """Write the files of what follows ``sealed`` up to the newest checkpoint until then.

    None: there is no such checkpoint. What an interrupted run left is replaced.

    Raises:
        InvalidInput: ``invalid_field``: ``folder`` lacks the state of the newest seal.
        Refused: ``wrong_state``: the records do not verify; nothing is to be sealed.
        OSError: the folder cannot be written.
        Exception: the driver's own.
    """
    after = End(seq=sealed.last, hash=sealed.head) if sealed else End(hash=GENESIS)
    _clear(folder, after.seq)
    start = _start(folder, sealed)
    with db.moment() as read:
        seen = _newest(read, after.seq, until)
        if seen is None:
            return None
        records = folder / file_name(after.seq + 1, seen.size)
        with _whole(records) as out:
            write_range(read, out, after, seen.size)
        days = days_of(read, retention, after.seq + 1, seen.size)
    state = folder / state_name(seen.size)
    _derive(records, state, start, seen)
    _sync_folder(folder)
    return Segment(
        first=after.seq + 1,
        last=seen.size,
        previous=after.hash,
        head=seen.head,
        root=seen.root.hex(),
        file_digest=digest_of(records),
        state_digest=digest_of(state),
        keep_until=seen.at + timedelta(days=days),
    )


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Make ``folder`` where it is missing, and be the only one who seals into it.

    Raises:
        Refused: ``wrong_state``: another process does.
        OSError: it cannot be made.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Refused(
                Code.WRONG_STATE, f"another process seals into {folder} right now"
            ) from error
        yield
    finally:
        os.close(lock)


def _clear(folder: Path, last: int) -> None:
    """Put aside what was written and never sealed here: else the folder would be no export.

    Nothing is taken away but what was cut: a log that was put back from a backup may know less
    than was sealed, and then these files are the only witnesses.
    """
    for path in sorted(folder.iterdir()):
        found = _LEFT.fullmatch(path.name)
        if found is None or int(found[1] or found[2]) <= last:
            continue
        if path.suffix == ".part":
            path.unlink()
            continue
        names = (path.with_name(f"{path.name}.left-{number}") for number in count(1))
        path.rename(next(name for name in names if not name.exists()))


def _start(folder: Path, sealed: Sealed | None) -> Path | None:
    if sealed is None:
        return None
    path = folder / state_name(sealed.last)
    if not path.is_file() or digest_of(path) != sealed.state:
        raise InvalidInput(
            Code.INVALID_FIELD,
            f"{path} is not there, or is not what was sealed: the next segment continues it",
        )
    return path


def _newest(read: Read, after: int, until: datetime) -> Seen | None:
    """The newest checkpoint that the log itself records; the table of them is no witness."""
    last = f"SELECT max(seq) FROM events WHERE seq > {after:d} AND at <= '{stamp(until)}'"  # noqa: S608  # a number and an instant
    ((limit,),) = read(last)
    if limit is None:
        return None
    sql = f"SELECT body FROM events WHERE seq > {after:d} AND type = 'CheckpointSigned'"  # noqa: S608  # a number
    found: Mapping[str, Json] | None = None
    size = after
    for (body,) in read(sql):
        told = json.loads(bytes(body))["payload"]
        if size < told["size"] <= limit:
            size, found = told["size"], told
    if found is None:
        return None
    ((at,),) = read(f"SELECT at FROM events WHERE seq = {size:d}")  # noqa: S608  # a number
    noted = next(notes(str(found["note"])), None)
    return Seen(
        size=size,
        root=b"" if noted is None else noted.root,
        head=str(found["head"]),
        at=datetime.fromisoformat(at),
    )


def write_range(read: Read, out: TextIO, after: End, last: int) -> None:
    """Write the records after ``after`` up to ``last`` as one file of an export."""
    rows = read(
        f"""SELECT e.seq, e.hash, e.body, h.origin, h.key_id, h.value FROM events e
        LEFT JOIN head_signatures h ON h.seq = e.seq
        WHERE e.seq > {after.seq:d} AND e.seq <= {last:d} ORDER BY e.seq"""  # noqa: S608  # numbers
    )
    write_records(((row[0], row[1], bytes(row[2]), *row[3:6]) for row in rows), out, after)


def days_of(read: Read, retention: Retention, first: int, last: int) -> int:
    """The longest, in days, that any request with a record in there is to be kept."""
    born = f"""SELECT body FROM events WHERE seq >= {first:d} AND seq <= {last:d}
        AND type IN ('TicketOpened', 'DecisionEvaluated')"""  # noqa: S608  # numbers
    before = f"""SELECT o.body FROM events o WHERE o.seq < {first:d} AND o.seq IN
        (SELECT t.opened_seq FROM events e JOIN tickets t ON t.id = e.ticket_id
        WHERE e.ticket_id <> '' AND e.seq >= {first:d} AND e.seq <= {last:d})"""  # noqa: S608  # numbers
    longest = retention.days
    gone = f"""SELECT d.data_classes FROM deeds d WHERE d.seq < {first:d} AND d.seq IN
        (SELECT t.opened_seq FROM events e JOIN tickets t ON t.id = e.ticket_id
        WHERE e.ticket_id <> '' AND e.seq >= {first:d} AND e.seq <= {last:d})"""  # noqa: S608  # numbers
    for (body,) in chain(read(born), read(before)):
        longest = max(longest, retention.days_of(classes_in(bytes(body))))
    for (classes,) in read(gone):  # also where the record of birth is detached
        longest = max(longest, retention.days_of(json.loads(classes)))
    return longest


def _derive(records: Path, state: Path, start: Path | None, seen: Seen) -> None:
    """Verify the file of the records, and write what was derived up to its end."""
    # No processes besides: whoever ends this one would leave them behind.
    walk = Verification(start=start, jobs=0)
    # The seal of its start may be among records that are newer than this segment.
    walk.facts.segments.vouched = True
    try:
        for problem in walk.of(ExportSource(records)):
            raise Refused(
                Code.WRONG_STATE,
                f"nothing is sealed, as the log does not verify: event {problem.seq}: "
                f"{problem.what}: {problem.detail}",
            )
        tree = walk.chain.tree
        if (tree.size, root(tree.peaks), walk.chain.hash) != (seen.size, seen.root, seen.head):
            raise Refused(Code.WRONG_STATE, f"the records are not those of checkpoint {seen.size}")
        with _whole(state) as out:
            out.writelines(line.decode("utf-8") for line in walk.state())
    finally:
        walk.facts.scratch.close()


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file for us alone that gets its name once it is on the disk."""
    # A name of this process: what a killed one left writing must not write into ours.
    aside = path.with_suffix(f".{os.getpid()}.part")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as out:
        yield out
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
