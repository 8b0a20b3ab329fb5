"""A batch's changes -> rows, on the writer's own connection, inside its transaction.

Lives here: the statements that write, at driver level. Must not live here: deciding what to write.
Law: every claim of "once" is an INSERT that a unique constraint can refuse, and a refusal fails
the batch as a whole.
"""

from datetime import datetime
from functools import cache
from itertools import chain

from governance.outbox import Owed
from governance.policy.floods import Flood
from governance.tickets.binding import stamp
from governance.tickets.ticket import Ticket
from storage import deeds, encoding
from storage.connection import Connection, Contradiction
from storage.retention import detaching, keeping
from storage.writing.changes import Changes, Linked, VoteKey, VoteRow
from storage.writing.projections import due_columns, needed_people

_EVENT = """INSERT INTO events
    (seq, at, type, version, tenant, trace_id, ticket_id, agent_id, hash, body)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_HEAD = "UPDATE head SET seq = ?, hash = ?, at = ?, pending = ?, tree = ? WHERE id = 1"
_SIGNED_HEAD = "INSERT INTO head_signatures (seq, origin, key_id, value) VALUES (?, ?, ?, ?)"
_OPENED = """INSERT INTO tickets
    (state, revision, needed_people, expires_at, expiring_at, overdue_at, lease_until,
     uncleared_since, body, id, opened_seq, tenant, agent, topic, tool, trace_id, created_at)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"""
_TICKET = """UPDATE tickets SET state = ?, revision = ?, needed_people = ?, expires_at = ?,
    expiring_at = ?, overdue_at = ?, lease_until = ?, uncleared_since = ?, body = ?
    WHERE id = ?"""
_IDEMPOTENCY = """INSERT INTO idempotency (tenant, agent, key, request_digest, ticket_id,
    kept_until) VALUES (?, ?, ?, ?, ?, ?)"""
_KEPT = "UPDATE idempotency SET kept_until = ? WHERE ticket_id = ?"
_NEW_VOTE = """INSERT INTO votes (ticket_id, revision, person, role, weight, choice, withdrawn,
    voice) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (ticket_id, revision, person) DO UPDATE SET role = excluded.role,
    weight = excluded.weight, choice = excluded.choice, withdrawn = excluded.withdrawn,
    voice = excluded.voice WHERE votes.withdrawn = 1"""
_VOTE = """UPDATE votes SET role = ?, weight = ?, choice = ?, withdrawn = ?, voice = ?
    WHERE ticket_id = ? AND revision = ? AND person = ?"""
_SILENT = """UPDATE votes SET withdrawn = 1
    WHERE ticket_id = ? AND revision = ? AND person = ?"""
_CONTROL = """INSERT INTO control (id, body) VALUES (1, ?)
    ON CONFLICT (id) DO UPDATE SET body = excluded.body"""
_CREDENTIAL = """INSERT INTO credentials (id, issued_at, revoked_at, body) VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET revoked_at = excluded.revoked_at, body = excluded.body"""
_BUCKET = """INSERT INTO buckets (key, tokens_milli, updated_at) VALUES (?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET tokens_milli = excluded.tokens_milli,
    updated_at = excluded.updated_at"""
_CONTENT = """INSERT INTO contents (digest, body, at, erased_at) VALUES (?, ?, ?, NULL)
    ON CONFLICT (digest) DO UPDATE SET body = excluded.body, at = excluded.at, erased_at = NULL
    WHERE contents.body IS NULL"""
_FLOOD = """INSERT INTO floods (key, tenant, agent, effect, rule_id, ends_at, recorded, count,
    first_at, last_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (key) DO UPDATE SET ends_at = excluded.ends_at, recorded = excluded.recorded,
    count = excluded.count, first_at = excluded.first_at, last_at = excluded.last_at"""
_NO_FLOOD = "DELETE FROM floods WHERE key = ?"
OWE = """INSERT INTO outbox (kind, key, generation, due_at, deadline, claimed_until, token,
    claimed_generation, attempts, error, dead, placed)
    VALUES (?, ?, 0, ?, ?, NULL, '', 0, 0, '', 0,
        (SELECT COUNT(*) FROM places WHERE ticket_id = ? AND ts <> ''))
    ON CONFLICT (kind, key) DO UPDATE SET generation = outbox.generation + 1,
    due_at = excluded.due_at, deadline = excluded.deadline, dead = 0,
    attempts = CASE outbox.dead WHEN 1 THEN 0 ELSE outbox.attempts END"""


def flush(connection: Connection, changes: Changes, at: datetime, *, due_at: datetime) -> None:
    """Write all of ``changes``; the caller commits or rolls back.

    Messages are due at ``due_at``, by the clock that their workers look at.

    Raises:
        Contradiction: a row that must be there is not.
        Exception: the driver's own: a constraint or a trigger refused, or it cannot be written.
    """
    when = stamp(at)
    if changes.events:
        head = changes.ended()
        connection.executemany(_EVENT, [_event_row(event) for event in changes.events])
        row = (head.seq, head.hash, when, head.pending, head.tree.to_bytes())
        connection.execute(_HEAD, row)
    if changes.signed_head is not None:
        signed = changes.signed_head
        made = signed.signature
        values = (signed.seq, signed.origin, made.key_id, made.value)
        connection.execute(_SIGNED_HEAD, values)
    if changes.tickets:
        _flush_tickets(connection, changes)
    if changes.votes:
        _flush_votes(connection, changes.votes)
    if changes.control is not None:
        connection.execute(_CONTROL, (encoding.dump(changes.control),))
    if changes.credentials:
        _flush_credentials(connection, changes)
    _many(
        connection,
        _BUCKET,
        [(key, b.tokens_milli, stamp(b.updated_at)) for key, b in changes.buckets.items()],
    )
    _insert(connection, deeds.INSERT, [deeds.row_of(row) for row in changes.deeds])
    if changes.floods:
        _flush_floods(connection, changes.floods)
    _insert(connection, _CONTENT, [(digest, b, when) for digest, b in changes.contents.items()])
    _insert(connection, keeping.NAME, [(digest, record.seq) for digest, record in changes.uses])
    _many(connection, keeping.ERASE, [(when, digest) for digest in changes.erased])
    for seq, segment in changes.detached:
        detaching.take_out(connection, seq, segment)
    _many(connection, OWE, [owe_row(owed, due_at) for owed in changes.owed])


def _flush_floods(connection: Connection, floods: dict[str, Flood | None]) -> None:
    kept = [(key, flood) for key, flood in floods.items() if flood is not None]
    _many(connection, _NO_FLOOD, [(key,) for key, flood in floods.items() if flood is None])
    _many(
        connection,
        _FLOOD,
        [
            (
                *(key, f.tenant, f.agent, f.effect.value, f.rule_id, stamp(f.ends_at)),
                *(f.recorded, f.count, stamp(f.first_at), stamp(f.last_at)),
            )
            for key, f in kept
        ],
    )


def owe_row(owed: Owed, at: datetime) -> tuple[str, str, str, str, str]:
    """The parameters of ``OWE``, for what is owed at ``at``; no deadline comes before any."""
    due = at if owed.not_before is None else max(at, owed.not_before)
    return owed.kind.value, owed.key, stamp(due), _maybe(owed.deadline) or "", owed.key


def _many(connection: Connection, sql: str, rows: list[tuple[object, ...]]) -> None:
    if rows:
        connection.executemany(sql, rows)


def _insert(connection: Connection, sql: str, rows: list[tuple[object, ...]]) -> None:
    """The same of an INSERT of one row each, by as many as go into one statement at once."""
    size = connection.dialect.rows_at_once
    whole = len(rows) // size * size if size > 1 else 0
    for first in range(0, whole, size):
        connection.execute(_of_rows(sql, size), [*chain(*rows[first : first + size])])
    _many(connection, sql, rows[whole:])


@cache
def _of_rows(sql: str, count: int) -> str:
    """``sql``, whose VALUES are one row of marks alone, with so many such rows."""
    before, values, after = sql.partition("VALUES ")
    row, end, rest = after.partition(")")
    return before + values + ", ".join([row + end] * count) + rest


def _event_row(event: Linked) -> tuple[object, ...]:
    head = event.header
    return (
        event.seq,
        stamp(event.at),
        event.type,
        event.version,
        head.tenant,
        head.trace_id,
        head.ticket_id,
        head.agent_id,
        event.hash,
        event.encoded,
    )


def _flush_tickets(connection: Connection, changes: Changes) -> None:
    born: list[tuple[object, ...]] = []
    changed: list[tuple[object, ...]] = []
    for ticket in changes.tickets.values():
        moving = _moving(ticket)
        opened_seq = changes.opened.get(ticket.id)
        if opened_seq is None:
            changed.append((*moving, ticket.id))
        else:
            born.append((*moving, ticket.id, opened_seq, *_fixed(ticket)))
    _insert(connection, _OPENED, born)
    _exactly(connection, _TICKET, changed)
    kept = {ticket_id: stamp(until) for ticket_id, until in changes.keys_kept.items()}
    _insert(
        connection,
        _IDEMPOTENCY,
        [
            (*key, r.request_digest, r.ticket_id, kept.pop(r.ticket_id, None))
            for key, r in changes.remembered.items()
        ],
    )
    _many(connection, _KEPT, [(until, ticket_id) for ticket_id, until in kept.items()])


def _moving(ticket: Ticket) -> tuple[object, ...]:
    due = due_columns(ticket)
    return (
        ticket.state.value,
        ticket.revision,
        int(needed_people(ticket)),
        stamp(ticket.expires_at),
        _maybe(due.expiring_at),
        _maybe(due.overdue_at),
        _maybe(due.lease_until),
        _maybe(due.uncleared_since),
        encoding.dump(ticket),
    )


def _fixed(ticket: Ticket) -> tuple[object, ...]:
    ask = ticket.ask
    return (ask.tenant, ask.agent, ask.topic, ask.tool, ask.trace_id, stamp(ticket.created_at))


def _flush_votes(connection: Connection, votes: dict[VoteKey, VoteRow]) -> None:
    new: list[tuple[object, ...]] = []
    known: list[tuple[object, ...]] = []
    for key, row in votes.items():
        vote = (
            *(row.vote.role, row.vote.weight, row.vote.choice.value, int(row.is_withdrawn)),
            row.vote.voice,
        )
        if row.is_new:
            new.append((*key, *vote))
        else:
            known.append((*vote, *key))
    if known and any(row.vote.delegator for row in votes.values()):
        # A voice may go from one hand to another here: no row holds one while they are written.
        _exactly(connection, _SILENT, [key for key, row in votes.items() if not row.is_new])
    _exactly(connection, _NEW_VOTE, new)
    _exactly(connection, _VOTE, known)


def _flush_credentials(connection: Connection, changes: Changes) -> None:
    rows: list[tuple[object, ...]] = [
        (c.id, stamp(c.issued_at), _maybe(c.revoked_at), encoding.dump(c))
        for c in changes.credentials.values()
    ]
    _many(connection, _CREDENTIAL, rows)


def _exactly(connection: Connection, sql: str, rows: list[tuple[object, ...]]) -> None:
    """Run ``sql`` for each row; where one touched nothing, the projection is not ours: refuse."""
    if rows and connection.executemany(sql, rows).rowcount != len(rows):
        raise Contradiction("a projection row is not as the log says")


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else stamp(at)
