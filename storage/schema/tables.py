"""The tables, as SQLAlchemy Core metadata.

Lives here: names, keys, unique constraints and partial indexes. Must not live here: triggers
(``guards``), queries, and how a database gets these (``migrations``).
Law: a unique constraint stands behind every claim of "once"; instants are RFC 3339 text of one
length, so that text order is time order; a test proves that migrations yield exactly this.
"""

from sqlalchemy import (
    CheckConstraint,
    Column,
    Index,
    Integer,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    text,
)

from storage.schema.base import NAME, NUMBER, bytes_column, int_column, metadata, text_column
from storage.schema.detached import detached, detached_leaves, detached_uses
from storage.schema.published import checkpoints, cosignatures, tiles
from storage.schema.taken import taken as taken  # noqa: PLC0414  # told on, as those above are

__all__ = [
    "buckets",
    "checkpoints",
    "content_uses",
    "contents",
    "control",
    "cosignatures",
    "credentials",
    "cursors",
    "deeds",
    "detached",
    "detached_leaves",
    "detached_uses",
    "events",
    "floods",
    "head",
    "head_signatures",
    "idempotency",
    "metadata",
    "outbox",
    "places",
    "tickets",
    "tiles",
    "votes",
]

events = Table(
    "events",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    text_column("at"),
    text_column("type"),
    int_column("version"),
    *(text_column(name) for name in ("tenant", "trace_id", "ticket_id", "agent_id", "hash")),
    bytes_column("body"),
    # No index by hash: it would double what a commit writes, and a number is taken once already.
)
"""The log. ``body`` is the very bytes that were hashed; the other columns repeat it for queries."""

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    int_column("seq"),
    text_column("hash"),
    text_column("at"),
    int_column("pending"),
    bytes_column("tree"),
    CheckConstraint("id = 1", name="one_row"),
)
"""Where the log ends: read and replaced inside every writing transaction. ``at`` may be empty."""

head_signatures = Table(
    "head_signatures",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    *(text_column(name) for name in ("origin", "key_id", "value")),
)
"""Who signed the head, and as which log, when it was at ``seq``; base64 of r and s (ES256)."""

contents = Table(
    "contents",
    metadata,
    Column("digest", NAME, primary_key=True),
    bytes_column("body", nullable=True),
    text_column("at"),
    text_column("erased_at", nullable=True),
)
"""What may be erased without breaking the log: a row without a body was erased."""

content_uses = Table(
    "content_uses",
    metadata,
    text_column("digest"),
    int_column("seq"),
    PrimaryKeyConstraint("digest", "seq"),
)
"""Which records named which contents, derived from the log: so what a hold covers is found."""

tickets = Table(
    "tickets",
    metadata,
    Column("id", NAME, primary_key=True),
    int_column("opened_seq"),
    text_column("tenant"),
    text_column("state"),
    int_column("revision"),
    *(text_column(name) for name in ("agent", "topic", "tool", "trace_id")),
    int_column("needed_people"),
    *(text_column(name) for name in ("created_at", "expires_at")),
    *(text_column(name, nullable=True) for name in ("expiring_at", "overdue_at")),
    *(text_column(name, nullable=True) for name in ("lease_until", "uncleared_since")),
    bytes_column("body"),
    UniqueConstraint("opened_seq"),
)
"""The tickets projection; the four nullable moments are those at which the clock must act."""

idempotency = Table(
    "idempotency",
    metadata,
    text_column("tenant"),
    text_column("agent"),
    text_column("key"),
    text_column("request_digest"),
    text_column("ticket_id"),
    text_column("kept_until", nullable=True),
    PrimaryKeyConstraint("tenant", "agent", "key"),
    UniqueConstraint("ticket_id"),
)
"""What each key of each agent was used for: one ticket; no ``kept_until``: it is not over yet."""

votes = Table(
    "votes",
    metadata,
    text_column("ticket_id"),
    int_column("revision"),
    *(text_column(name) for name in ("person", "role")),
    int_column("weight"),
    text_column("choice"),
    int_column("withdrawn"),
    Column("voice", NAME, nullable=False, server_default=text("''")),
    PrimaryKeyConstraint("ticket_id", "revision", "person"),
)
"""The database's own guard of "one person, one vote" on a revision, and of one for each voice."""

control = Table(
    "control",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    bytes_column("body"),
    CheckConstraint("id = 1", name="one_row"),
)
"""The governing state."""

credentials = Table(
    "credentials",
    metadata,
    Column("id", NAME, primary_key=True),
    text_column("issued_at"),
    text_column("revoked_at", nullable=True),
    bytes_column("body"),
)
"""Bearer credentials, by digest of their secret, revoked ones included."""

buckets = Table(
    "buckets",
    metadata,
    Column("key", NAME, primary_key=True),
    int_column("tokens_milli"),
    text_column("updated_at"),
)
"""The levels of the token buckets."""

deeds = Table(
    "deeds",
    metadata,
    Column("seq", NUMBER, primary_key=True, autoincrement=False),
    *(
        text_column(name)
        for name in (
            *("at", "tenant", "agent", "trace_id", "ticket_id", "topic", "tool", "action"),
            *("target", "data_classes", "risk_tags", "labels"),
        )
    ),
    int_column("stands"),
)
"""What later rules may ask about, by the record that told it; lists are JSON."""

floods = Table(
    "floods",
    metadata,
    Column("key", NAME, primary_key=True),
    *(text_column(name) for name in ("tenant", "agent", "effect", "rule_id", "ends_at")),
    int_column("recorded"),
    int_column("count"),
    *(text_column(name) for name in ("first_at", "last_at")),
)
"""Counters of refusals in windows that are not over yet: the one fact beside the log."""

outbox = Table(
    "outbox",
    metadata,
    text_column("kind"),
    text_column("key"),
    int_column("generation"),
    text_column("due_at"),
    text_column("claimed_until", nullable=True),
    text_column("token"),
    *(int_column(name) for name in ("claimed_generation", "attempts")),
    text_column("error"),
    int_column("dead"),
    Column("deadline", NAME, nullable=False, server_default=""),
    Column("placed", NUMBER, nullable=False, server_default=text("0")),
    PrimaryKeyConstraint("kind", "key"),
)
"""Messages owed, one of each kind and key, by ``deadline``; ``placed``: its key has a card."""

cursors = Table("cursors", metadata, Column("name", NAME, primary_key=True), int_column("seq"))
"""How far each sink has read."""

places = Table(
    "places",
    metadata,
    Column("ticket_id", NAME, primary_key=True),
    *(text_column(name) for name in ("channel", "ts", "shown")),
)
"""Where each card is."""


def _partial(
    table: Table, name: str, columns: tuple[str, ...], where: str, *, once: bool = False
) -> Index:
    condition = text(where)
    return Index(
        name,
        *(table.c[column] for column in columns),
        unique=once,
        sqlite_where=condition,
        postgresql_where=condition,
    )


_partial(events, "ix_events_ticket", ("ticket_id", "seq"), "ticket_id <> ''")
# A ticket's records are found by the tickets of its trace: a page less to write for each.
_partial(events, "ix_events_trace", ("trace_id", "seq"), "trace_id <> '' AND ticket_id = ''")
_partial(tickets, "ix_tickets_expiring", ("expiring_at", "id"), "expiring_at IS NOT NULL")
_partial(tickets, "ix_tickets_overdue", ("overdue_at", "id"), "overdue_at IS NOT NULL")
_partial(tickets, "ix_tickets_lease", ("lease_until", "id"), "lease_until IS NOT NULL")
_partial(tickets, "ix_tickets_uncleared", ("uncleared_since", "id"), "uncleared_since IS NOT NULL")
_partial(tickets, "ix_tickets_people", ("opened_seq",), "needed_people = 1")
_partial(outbox, "ix_outbox_due", ("kind", "deadline", "due_at", "key"), "dead = 0")
_partial(outbox, "ix_outbox_lane", ("kind", "placed", "deadline", "due_at", "key"), "dead = 0")
_partial(votes, "ix_votes_voice", ("ticket_id", "revision", "voice"), "withdrawn = 0", once=True)
_partial(outbox, "ix_outbox_dead", ("kind", "key"), "dead = 1")
# The state once more as a column: else SQLite prefers an index over every ticket of the tenant.
_PENDING = ("tenant", "agent", "state", "opened_seq")
_partial(tickets, "ix_tickets_pending", _PENDING, "state = 'PENDING'")
_partial(idempotency, "ix_idempotency_kept", ("kept_until",), "kept_until IS NOT NULL")
Index("ix_deeds_agent", deeds.c.tenant, deeds.c.agent, deeds.c.at)
Index("ix_deeds_trace", deeds.c.tenant, deeds.c.trace_id, deeds.c.at)
Index("ix_deeds_tool", deeds.c.tenant, deeds.c.tool, deeds.c.at)
Index("ix_deeds_tenant", deeds.c.tenant, deeds.c.at)
Index("ix_floods_ends", floods.c.ends_at)
Index("ix_content_uses_seq", content_uses.c.seq)
Index("ix_tickets_state", tickets.c.state, tickets.c.opened_seq)
Index("ix_tickets_tenant", tickets.c.tenant, tickets.c.state, tickets.c.opened_seq)
Index("ix_tickets_agent", tickets.c.agent, tickets.c.opened_seq)
Index("ix_tickets_trace", tickets.c.trace_id, tickets.c.opened_seq)
