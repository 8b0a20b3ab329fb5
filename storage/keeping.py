"""Who named a content, and when it was erased: rows, and the reads of them.

Lives here: the statements for ``content_uses`` and for erasing. Must not live here: whether a
content may be erased (``governance.retention``), transactions. Law: a content's bytes go, its row
stays with the moment; the log keeps its digest.
"""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from governance.kept import Kept, Named, Use
from governance.principal import AgentId, TenantId
from governance.retention import classes_of
from governance.tickets.ticket import TicketState
from storage import codec

Run = Callable[[str, tuple[object, ...]], Iterable[Sequence[Any]]]
"""Runs one statement and yields its rows."""

NAME = "INSERT INTO content_uses (digest, seq) VALUES (?, ?)"
ERASE = "UPDATE contents SET body = NULL, erased_at = ? WHERE digest = ? AND body IS NOT NULL"
ERASED_AT = "SELECT erased_at FROM contents WHERE digest = ?"
_USES = """SELECT u.seq, e.at, e.tenant, e.agent_id, e.trace_id, e.ticket_id, t.state, o.body
    FROM content_uses u JOIN events e ON e.seq = u.seq
    LEFT JOIN tickets t ON t.id = e.ticket_id AND e.ticket_id <> ''
    LEFT JOIN events o ON o.seq = t.opened_seq
    WHERE u.digest = ? ORDER BY u.seq"""
_NAMED = """SELECT u.digest, u.seq, e.at, o.body, c.erased_at FROM content_uses u
    JOIN events e ON e.seq = u.seq
    JOIN contents c ON c.digest = u.digest
    LEFT JOIN tickets t ON t.id = e.ticket_id AND e.ticket_id <> ''
    LEFT JOIN events o ON o.seq = t.opened_seq
    WHERE u.seq > ? ORDER BY u.seq, u.digest LIMIT ?"""
"""Contents by the records that named them, in the log's order."""


def read_kept(run: Run, digest: str) -> Kept | None:
    """Everything that is known of one content; None: nobody ever named it."""
    rows = list(run(ERASED_AT, (digest,)))
    uses = tuple(_use(row) for row in run(_USES, (digest,)))
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
            data_classes=classes_in(body),
            is_gone=erased_at is not None,
        )
        for digest, seq, at, body, erased_at in run(_NAMED, (after_seq, limit))
    ]
    if len(found) == limit and found[0].seq != found[-1].seq:
        return [item for item in found if item.seq != found[-1].seq]
    return found


def classes_in(body: bytes | None) -> tuple[str, ...]:
    """The classes and marks in play of the request whose record of birth is ``body``."""
    return () if body is None else classes_of(codec.record(bytes(body))["payload"])


def _use(row: Sequence[Any]) -> Use:
    seq, at, tenant, agent, trace_id, ticket_id, state, body = row
    return Use(
        seq=seq,
        at=datetime.fromisoformat(at),
        tenant=TenantId(tenant),
        agent=AgentId(agent),
        trace_id=trace_id,
        ticket_id=ticket_id,
        state=None if state is None else TicketState(state),
        data_classes=classes_in(body),
    )
