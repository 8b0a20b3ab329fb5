"""Who named a content, and when it was erased: rows, and the reads of them.

Lives here: the statements for ``content_uses`` and for erasing. Must not live here: whether a
content may be erased (``governance.retention``), transactions. Law: a content's bytes go, its row
stays with the moment; the log keeps its digest.
"""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from governance.kept import Kept, Named, Use
from governance.principal import AgentId, TenantId
from governance.retention import classes_of
from governance.tickets.ticket import TicketId, TicketState
from storage import codec

Run = Callable[[str, tuple[object, ...]], Iterable[Sequence[Any]]]
"""Runs one statement and yields its rows."""

NAME = "INSERT INTO content_uses (digest, seq) VALUES (?, ?)"
ERASE = "UPDATE contents SET body = NULL, erased_at = ? WHERE digest = ? AND body IS NOT NULL"
ERASED_AT = "SELECT erased_at FROM contents WHERE digest = ?"
BORN = "o.body, b.data_classes"
"""What tells the classes of the request that a record is of; see ``classes_born``."""
BIRTH = """LEFT JOIN tickets t ON t.id = e.ticket_id AND e.ticket_id <> ''
    LEFT JOIN events o ON o.seq = t.opened_seq
    LEFT JOIN deeds b ON b.seq = t.opened_seq"""
_ATTACHED = f"""SELECT u.seq, e.at, e.tenant, e.agent_id, e.trace_id, e.ticket_id, t.state, {BORN}
    FROM content_uses u JOIN events e ON e.seq = u.seq {BIRTH} WHERE u.digest = ?"""  # noqa: S608  # constants
_DETACHED = """SELECT u.seq, u.at, u.tenant, u.agent_id, u.trace_id, u.ticket_id, t.state, NULL,
    u.data_classes FROM detached_uses u
    LEFT JOIN tickets t ON t.id = u.ticket_id AND u.ticket_id <> '' WHERE u.digest = ?"""
_NAMED = f"""SELECT u.digest, u.seq, e.at, {BORN}, c.erased_at FROM content_uses u
    JOIN events e ON e.seq = u.seq JOIN contents c ON c.digest = u.digest {BIRTH}
    WHERE u.seq > ? ORDER BY u.seq, u.digest LIMIT ?"""  # noqa: S608  # constants
"""Contents by the records that named them, in the log's order."""
_NAMED_DETACHED = """SELECT u.digest, u.seq, u.at, NULL, u.data_classes, c.erased_at
    FROM detached_uses u JOIN contents c ON c.digest = u.digest
    WHERE u.seq > ? ORDER BY u.seq, u.digest LIMIT ?"""
"""The same of records that are detached: all of them stand before any other."""


NAMED_BY = """SELECT u.digest, u.seq FROM events e JOIN content_uses u ON u.seq = e.seq
    WHERE e.ticket_id = ? AND e.ticket_id <> ''
    UNION SELECT digest, seq FROM detached_uses WHERE ticket_id = ? AND ticket_id <> ''"""
"""Contents that the records of a ticket named."""


def read_kept(run: Run, digest: str) -> Kept | None:
    """Everything that is known of one content; None: nobody ever named it."""
    rows = list(run(ERASED_AT, (digest,)))
    rows_by_seq = sorted((*run(_DETACHED, (digest,)), *run(_ATTACHED, (digest,))), key=_seq)
    uses = tuple(_use(row) for row in rows_by_seq)
    if not rows and not uses:
        return None
    gone = rows[0][0] if rows else None
    return Kept(uses=uses, erased_at=datetime.fromisoformat(gone) if gone else None)


def read_named(run: Run, after_seq: int, limit: int) -> list[Named]:
    """Contents that records after a number named; of each record all or none."""
    found = [
        Named(
            seq=seq,
            at=datetime.fromisoformat(at),
            digest=digest,
            data_classes=classes_born(body, classes),
            is_gone=erased_at is not None,
        )
        for sql in (_NAMED_DETACHED, _NAMED)
        for digest, seq, at, body, classes, erased_at in run(sql, (after_seq, limit))
    ][:limit]
    if len(found) == limit and found[0].seq != found[-1].seq:
        return [item for item in found if item.seq != found[-1].seq]
    return found


def read_contents_of(run: Run, ticket_id: TicketId) -> list[str]:
    """Contents that the records of a ticket named, in the log's order."""
    named = sorted((seq, digest) for digest, seq in run(NAMED_BY, (ticket_id, ticket_id)))
    return list(dict.fromkeys(str(digest) for _, digest in named))


def classes_in(body: bytes | None) -> tuple[str, ...]:
    """The classes and marks in play of the request whose record of birth is ``body``."""
    return () if body is None else classes_of(codec.record(bytes(body))["payload"])


def classes_born(body: bytes | None, classes: str | None) -> tuple[str, ...]:
    """The same; ``classes`` tells them as JSON where the record of birth is detached."""
    return tuple(json.loads(classes)) if body is None and classes else classes_in(body)


def _seq(row: Sequence[Any]) -> int:
    return int(row[0])


def _use(row: Sequence[Any]) -> Use:
    seq, at, tenant, agent, trace_id, ticket_id, state, body, classes = row
    return Use(
        seq=seq,
        at=datetime.fromisoformat(at),
        tenant=TenantId(tenant),
        agent=AgentId(agent),
        trace_id=trace_id,
        ticket_id=ticket_id,
        state=None if state is None else TicketState(state),
        data_classes=classes_born(body, classes),
    )
