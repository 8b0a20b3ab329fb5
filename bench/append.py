"""What appending alone costs: records linked, encoded, hashed and inserted, and nothing else.

``python -m bench.append`` appends 200,000 records in transactions of about 256 and of about 1,200;
``--events 20000`` for a quick look, ``--keep FOLDER`` to use the disk that is meant. The rate is by
the wall clock and says what the machine had to spare; microseconds of processor time, of the median
and of the best transaction, can be compared between machines under load. The last line is JSON.

Lives here: the events of ``bench.verify_story`` put into a log by the writer's own statements, in
batches, each made durable. Must not live here: steps, projections, messages owed:
what a whole story costs is ``bench.verify_story``'s figure. Law: what is not timed is said: making
the events, what happens to their tickets and their headers.
"""

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.verify_story import BATCH, Signing, ticket
from governance.audit import Event, Header, describe, encode_fields, hash_of
from governance.tickets import events as ev
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket
from storage.connection import Connection
from storage.encoding import canonical
from storage.engine import database, migrate
from storage.writing.changes import Changes, Linked
from storage.writing.flush import flush
from storage.writing.source import head_of

RECORDS_OF_STORY = 4.75
"""On average."""


class Told(NamedTuple):
    """A record before it is linked."""

    event: Event
    header: Header


class Appended(NamedTuple):
    """How fast it was: records a second, and microseconds of processor time for each."""

    per_second: float
    cpu_us: float
    best_cpu_us: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--keep", type=Path, help="an empty folder; a temporary one when unset")
    given = parser.parse_args()
    found: dict[str, dict[str, float]] = {}
    for stories in (round(BATCH / RECORDS_OF_STORY), BATCH):
        with tempfile.TemporaryDirectory(prefix="placet-append-", dir=given.keep) as folder:
            one = appended(Path(folder), given.events, stories)
        records = round(stories * RECORDS_OF_STORY)
        found[f"batch_{records}"] = {name: round(value, 1) for name, value in one._asdict().items()}
        print(
            f"{records:>5} a transaction  {one.per_second:>9,.0f} /s  "
            f"{one.cpu_us:6.1f} us of processor time each, best {one.best_cpu_us:.1f}"
        )
    print(json.dumps({"events": given.events} | found))


def append_alone(folder: Path, events: int) -> float:
    """Records a second, of at least ``events``."""
    return appended(folder, events, BATCH).per_second


def appended(folder: Path, events: int, stories: int) -> Appended:
    """Append at least ``events`` records, those of so many ``stories`` in one transaction."""
    url = f"sqlite:///{folder / 'append.db'}"
    migrate(url)
    connection = database(url).connect(busy_timeout_s=5)
    signing, at = Signing(), datetime.now(UTC)
    count, taken, number = 0, 0.0, 0
    each: list[float] = []
    while count < events:
        told = [
            record
            for more in range(stories)
            for record in told_of(ticket(signing, number + more, at), at)
        ]
        begun, busy = time.perf_counter(), time.thread_time()
        append(connection, told, at)
        each.append((time.thread_time() - busy) / len(told) * 1e6)
        taken += time.perf_counter() - begun
        number, count = number + stories, count + len(told)
    connection.close()
    return Appended(count / taken, statistics.median(each), min(each))


def told_of(story: Sequence[Event], at: datetime) -> list[Told]:
    """What the log is told of one ticket."""
    after: Ticket | None = None
    told: list[Told] = []
    for event in story:
        if ev.is_of_ticket(event):
            after = evolve(after, event, at)
        told.append(Told(event, describe(event, after)))
    return told


def append(connection: Connection, told: Sequence[Told], at: datetime) -> None:
    """One transaction."""
    row, _ = connection.begin_chain()
    changes = Changes(head=replace(head_of(row), at=at))
    for event, header in told:
        before = changes.head
        seq, name = before.seq + 1, type(event).__name__
        encoded = encode_fields(
            seq=seq,
            previous=before.hash,
            type_=name,
            version=event.version,
            at=at,
            head=header,
            payload=canonical(event),
        )
        linked = Linked(
            seq=seq,
            type=name,
            version=event.version,
            at=at,
            header=header,
            hash=hash_of(encoded),
            encoded=encoded,
        )
        changes.events.append(linked)
        changes.head = before.followed_by(linked)
    flush(connection, changes, at, due_at=at)
    connection.commit()


if __name__ == "__main__":
    main()
