"""What appending alone costs: records linked, encoded, hashed and inserted, and nothing else.

Lives here: the events of ``bench.verify_story`` put into a log by the writer's own statements, in
batches of the same size, each made durable. Must not live here: steps, projections, messages owed:
what a whole story costs is ``bench.verify_story``'s figure. Law: what is not timed is said: making
the events, what happens to their tickets, and their payloads as plain JSON.
"""

import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from bench.verify_story import BATCH, Signing, ticket
from governance.audit import Event, Header, describe, encode_fields, hash_of
from governance.canonical import Json
from governance.ports import Logged
from governance.tickets import events as ev
from governance.tickets.lifecycle import evolve
from governance.tickets.ticket import Ticket
from storage import codec
from storage.changes import Changes
from storage.connection import Connection
from storage.engine import database, migrate
from storage.flush import flush
from storage.source import head_of


class Told(NamedTuple):
    """A record before it is linked."""

    type: str
    version: int
    header: Header
    payload: Json


def append_alone(folder: Path, events: int) -> float:
    """Records a second, of at least ``events``."""
    url = f"sqlite:///{folder / 'append.db'}"
    migrate(url)
    connection = database(url).connect(busy_timeout_s=5)
    signing, at = Signing(), datetime.now(UTC)
    count, taken, number = 0, 0.0, 0
    while count < events:
        stories = (ticket(signing, number + more, at) for more in range(BATCH))
        told = [record for story in stories for record in told_of(story, at)]
        begun = time.perf_counter()
        append(connection, told, at)
        taken += time.perf_counter() - begun
        number, count = number + BATCH, count + len(told)
    connection.close()
    return count / taken


def told_of(story: Sequence[Event], at: datetime) -> list[Told]:
    """What the log is told of one ticket."""
    after: Ticket | None = None
    told: list[Told] = []
    for event in story:
        if ev.is_of_ticket(event):
            after = evolve(after, event, at)
        header = describe(event, after)
        told.append(Told(type(event).__name__, event.version, header, codec.payload(event)))
    return told


def append(connection: Connection, told: Sequence[Told], at: datetime) -> None:
    """One transaction."""
    row, _ = connection.begin_chain()
    changes = Changes(head=replace(head_of(row), at=at))
    for one in told:
        before = changes.head
        seq = before.seq + 1
        encoded = encode_fields(
            seq=seq,
            previous=before.hash,
            type_=one.type,
            version=one.version,
            at=at,
            head=one.header,
            payload=one.payload,
        )
        logged = Logged(
            seq=seq,
            type=one.type,
            version=one.version,
            at=at,
            header=one.header,
            payload=one.payload,
            hash=hash_of(encoded),
            encoded=encoded,
        )
        changes.events.append(logged)
        changes.head = before.followed_by(logged)
    flush(connection, changes, at, due_at=at)
    connection.commit()
