"""The records of sealed segments leave the database: the statements, inside one transaction.

Lives here: what is looked at before, what stays of the records, and taking them out. Must not live
here: whether they may go (``governance.detaching``), files (``detachable``), transactions.
Law: a range leaves in the transaction that logs its ``SegmentDetached``, as a whole or not at all;
what proofs, erasures and holds go on needing of the records stays: the hashes of their leaves, and
who named which contents. The guards let go of what a row of ``detached`` names, beside the record
that says so.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

from governance.retention_events import Hold, HoldScope
from governance.segments import Needs, SegmentDetached, SegmentSealed
from governance.tickets.binding import stamp
from governance.tickets.ticket import TicketState
from storage import codec
from storage.connection import Connection, Contradiction
from storage.retention import keeping
from storage.retention.keeping import Run

WIDTH = 256
"""Leaves in one row, at most: rows end where tiles do."""
_AT_ONCE = 2_048
"""Records whose uses are held at once."""
_NAMED = 3
"""How many of what is in the way are named."""
_OVER = tuple(
    state.value
    for state in TicketState
    if state
    not in (TicketState.PENDING, TicketState.APPROVED, TicketState.EXECUTING, TicketState.UNKNOWN)
)
_SEAL = "SELECT body FROM events WHERE seq = ? AND type = 'SegmentSealed'"
# What was born before the first of them was over when those events left.
_TICKETS = f"""SELECT id FROM tickets WHERE opened_seq >= ? AND opened_seq <= ?
    AND (state NOT IN ({", ".join(f"'{state}'" for state in _OVER)}) OR expires_at > ?)
    ORDER BY opened_seq LIMIT {_NAMED}"""  # noqa: S608  # constants
# Keys of tickets that were over before ends were kept have none: they stay, and need no record.
_KEYS = f"""SELECT t.id FROM tickets t JOIN idempotency i ON i.ticket_id = t.id
    WHERE t.opened_seq >= ? AND t.opened_seq <= ? AND i.kept_until > ?
    ORDER BY t.opened_seq LIMIT {_NAMED}"""  # noqa: S608  # constants
_HELD = "SELECT 1 FROM events WHERE seq <= ? AND tenant = ?{} LIMIT 1"
_COLUMNS = {
    HoldScope.TICKET: " AND ticket_id = ? AND ticket_id <> ''",
    HoldScope.TRACE: " AND trace_id = ? AND trace_id <> ''",
    HoldScope.AGENT: " AND agent_id = ?",
}
_DETACHED = """INSERT INTO detached (last, first, seq, head, file, file_digest, state_digest)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_USES = f"""SELECT u.digest, u.seq, e.at, e.tenant, e.agent_id, e.trace_id, e.ticket_id,
    {keeping.BORN} FROM content_uses u JOIN events e ON e.seq = u.seq {keeping.BIRTH}
    WHERE u.seq >= ? AND u.seq <= ?"""  # noqa: S608  # constants
_USE = """INSERT INTO detached_uses
    (digest, seq, at, tenant, agent_id, trace_id, ticket_id, data_classes)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_SOME = "SELECT seq, hash, body FROM events WHERE seq > ? AND seq <= ? ORDER BY seq"
_LEAVES = "INSERT INTO detached_leaves (after, hashes) VALUES (?, ?)"
_GONE = "DELETE FROM events WHERE seq > ? AND seq <= ?"


def read_needs(run: Run, seals: Sequence[int], holds: Iterable[Hold], at: datetime) -> Needs:
    """What still needs the records up to the end of the last of ``seals``."""
    found = {seq: seal for seq in seals for seal in _seals(run, seq)}
    first = min((seal.first for seal in found.values()), default=1)
    upto = max((seal.last for seal in found.values()), default=0)
    reach = (first, upto, stamp(at))
    return Needs(
        seals=found,
        tickets=tuple(str(row[0]) for row in run(_TICKETS, reach)),
        keys=tuple(str(row[0]) for row in run(_KEYS, reach)),
        holds=tuple(hold.id for hold in holds if _is_held(run, hold, upto))[:_NAMED],
    )


def _seals(run: Run, seq: int) -> Iterator[SegmentSealed]:
    for (body,) in run(_SEAL, (seq,)):
        stored = codec.record(bytes(body))
        version = int(str(stored["version"]))
        event = codec.event(str(stored["type"]), version, stored["payload"])
        if isinstance(event, SegmentSealed):
            yield event


def _is_held(run: Run, hold: Hold, upto: int) -> bool:
    if hold.scope is HoldScope.ALL:
        return bool(list(run(_HELD.format(""), (upto, hold.tenant))))
    sql = _HELD.format(_COLUMNS[hold.scope])
    return bool(list(run(sql, (upto, hold.tenant, hold.target))))


def take_out(connection: Connection, seq: int, segment: SegmentDetached) -> None:
    """Take the records of ``segment`` out; record ``seq``, written before, says so.

    Raises:
        Contradiction: they are not all there, or do not end as the seal says.
        Exception: the driver's own: the guards or the role's rights refused.
    """
    digests = (segment.head, segment.file, segment.file_digest, segment.state_digest)
    connection.execute(_DETACHED, (segment.last, segment.first, seq, *digests))
    # All of them before any record goes: a request's record of birth tells its classes.
    for first in range(segment.first, segment.last + 1, _AT_ONCE):
        last = min(segment.last, first + _AT_ONCE - 1)
        uses = connection.execute(_USES, (first, last)).fetchall()
        if uses:
            connection.executemany(_USE, [_use(row) for row in uses])
    after, hash_ = segment.first - 1, ""
    while after < segment.last:
        end = min(segment.last, (after // WIDTH + 1) * WIDTH)
        rows = connection.execute(_SOME, (after, end)).fetchall()
        if [row[0] for row in rows] != list(range(after + 1, end + 1)):
            raise Contradiction(f"records {after + 1} to {end} are not all there")
        leaves = b"".join(sha256(b"\0" + bytes(row[2])).digest() for row in rows)
        connection.execute(_LEAVES, (after, leaves))
        if connection.execute(_GONE, (after, end)).rowcount != len(rows):
            raise Contradiction(f"records {after + 1} to {end} did not all leave")
        after, hash_ = end, rows[-1][1]
    if hash_ != segment.head:
        raise Contradiction(f"record {segment.last} is not the one that was sealed")


def _use(row: Sequence[Any]) -> tuple[Any, ...]:
    *fields, body, classes = row
    named = keeping.classes_born(body, classes)
    return (*fields, json.dumps(named, ensure_ascii=False, separators=(",", ":")))
