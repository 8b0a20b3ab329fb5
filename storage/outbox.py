"""The outbox: what a worker does to messages owed, inside the writer's transactions.

Lives here: the statements of claim, done, retry, bury and owe, and those of cursors and places.
Must not live here: which messages an event owes (``governance.outbox``), or their delivery.
Law: what one process is claiming no other sees (SQLite has one write lock, PostgreSQL passes over
locked rows), so two never hold one message; a message that was owed again while it was held
survives and is due at once.
"""

import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from governance.outbox import LONGEST_WAIT_S, Claimed, Owed, OwedKind, Place
from governance.tickets.binding import stamp
from governance.tickets.ticket import TicketId
from storage.connection import Connection
from storage.writing.flush import OWE, owe_row

_HELD = "kind = ? AND key = ? AND token = ? AND token <> ''"
_DELIVERED = f"DELETE FROM outbox WHERE {_HELD} AND generation = claimed_generation"  # noqa: S608  # constant
_AGAIN = f"""UPDATE outbox SET claimed_until = NULL, token = '', attempts = 0, error = ?
    WHERE {_HELD} AND generation <> claimed_generation"""  # noqa: S608  # constant
_RETRY = f"""UPDATE outbox SET claimed_until = NULL, token = '', error = ?,
    due_at = CASE WHEN generation = claimed_generation THEN ? ELSE due_at END
    WHERE {_HELD}"""  # noqa: S608  # constant
_BURY = f"""UPDATE outbox SET claimed_until = NULL, token = '', error = ?, dead = 1
    WHERE {_HELD} AND generation = claimed_generation"""  # noqa: S608  # constant
_WHERE_PLACED = {None: "", True: " AND placed = 1", False: " AND placed = 0"}
_CLAIM = """UPDATE outbox SET claimed_until = ?, token = ?, claimed_generation = generation,
    attempts = attempts + 1 WHERE kind = ? AND key = ?"""
_ADVANCE = """INSERT INTO cursors (name, seq) VALUES (?, ?)
    ON CONFLICT (name) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > cursors.seq"""
_NOW_PLACED = "UPDATE outbox SET placed = ? WHERE kind = ? AND key = ?"
_PLACE = """INSERT INTO places (ticket_id, channel, ts, shown) VALUES (?, ?, ?, ?)
    ON CONFLICT (ticket_id) DO UPDATE SET channel = excluded.channel, ts = excluded.ts,
    shown = excluded.shown"""
_LOST = """UPDATE places SET ts = '', shown = ''
    WHERE ticket_id = ? AND channel = ? AND ts = ? AND shown = ?"""


def claim(
    connection: Connection,
    kinds: Sequence[OwedKind],
    *,
    at: datetime,
    lease_s: int,
    limit: int,
    is_placed: bool | None = None,
    key: str | None = None,
) -> list[Claimed]:
    """Take due messages, the earliest deadline first, and hide them until the lease runs out."""
    marks = ",".join("?" * len(kinds))
    now, until = stamp(at), stamp(at + timedelta(seconds=lease_s))
    never = stamp(at + timedelta(seconds=LONGEST_WAIT_S))
    only = "" if key is None else " AND key = ?"
    sql = f"""SELECT kind, key, attempts FROM outbox
        WHERE dead = 0 AND kind IN ({marks}) AND (due_at <= ? OR due_at > ?)
        AND (claimed_until IS NULL OR claimed_until <= ? OR claimed_until > ?)
        {only}{_WHERE_PLACED[is_placed]}
        ORDER BY deadline, due_at, kind, key LIMIT ?{connection.dialect.skip_locked}"""  # noqa: S608  # constants
    keys = () if key is None else (key,)
    values = (*(kind.value for kind in kinds), now, never, now, never, *keys, limit)
    rows = connection.execute(sql, values).fetchall()
    claimed: list[Claimed] = []
    for kind, found, attempts in rows:
        token = secrets.token_hex(8)
        connection.execute(_CLAIM, (until, token, kind, found))
        owed = Owed(kind=OwedKind(kind), key=found)
        claimed.append(Claimed(owed=owed, token=token, attempts=attempts + 1))
    return claimed


def done(connection: Connection, claimed: Claimed) -> None:
    """Delivered: gone, unless it was owed again meanwhile."""
    connection.execute(_AGAIN, ("", *_held(claimed)))
    connection.execute(_DELIVERED, _held(claimed))


def retry(connection: Connection, claimed: Claimed, *, at: datetime, error: str) -> None:
    """Not delivered: due again at ``at``, or at once if it was owed again meanwhile."""
    connection.execute(_RETRY, (error, stamp(at), *_held(claimed)))


def bury(connection: Connection, claimed: Claimed, *, error: str) -> None:
    """Given up, unless it was owed again meanwhile."""
    connection.execute(_AGAIN, (error, *_held(claimed)))
    connection.execute(_BURY, (error, *_held(claimed)))


def owe(connection: Connection, owed: Owed, *, at: datetime) -> None:
    """Owe a message, or owe it anew."""
    connection.execute(OWE, owe_row(owed, at))


def advance(connection: Connection, name: str, seq: int) -> None:
    """Remember how far a sink has read; never back."""
    connection.execute(_ADVANCE, (name, seq))


def put_place(connection: Connection, ticket_id: TicketId, place: Place) -> None:
    """Remember where a card is, also on the message that is owed to it."""
    connection.execute(_PLACE, (ticket_id, place.channel, place.ts, place.shown))
    connection.execute(_NOW_PLACED, (int(bool(place.ts)), OwedKind.CARD.value, ticket_id))


def lose_place(
    connection: Connection, ticket_id: TicketId, lost: Place, owed: Owed, *, at: datetime
) -> None:
    """Forget the card at ``lost`` and owe it anew, unless another was posted meanwhile."""
    row = (ticket_id, lost.channel, lost.ts, lost.shown)
    if connection.execute(_LOST, row).rowcount:
        owe(connection, owed, at=at)
        connection.execute(_NOW_PLACED, (0, owed.kind.value, owed.key))


def _held(claimed: Claimed) -> tuple[str, str, str]:
    return claimed.owed.kind.value, claimed.owed.key, claimed.token
