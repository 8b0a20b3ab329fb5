"""The tables, as SQLAlchemy Core metadata.

Lives here: names, keys, unique constraints and partial indexes. Must not live here: triggers
(``storage.guards``), queries, and how a database gets these (``storage.migrations``).
Law: a unique constraint stands behind every claim of "once"; instants are RFC 3339 text of one
length, so that text order is time order; a test proves that migrations yield exactly this.
"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
    text,
)

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
    }
)

_NUMBER = BigInteger().with_variant(Integer, "sqlite")
"""SQLite's INTEGER has 64 bits already, and only that name makes a primary key its row id."""
NAME = Text().with_variant(Text(collation="C"), "postgresql")
"""Text in the order of its bytes, as SQLite has it: a server's own order knows languages."""


def _text(name: str, *, nullable: bool = False) -> Column[str]:
    return Column(name, NAME, nullable=nullable)


def _int(name: str) -> Column[int]:
    return Column(name, _NUMBER, nullable=False)


def _bytes(name: str, *, nullable: bool = False) -> Column[bytes]:
    return Column(name, LargeBinary, nullable=nullable)


events = Table(
    "events",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    _text("at"),
    _text("type"),
    _int("version"),
    *(_text(name) for name in ("tenant", "trace_id", "ticket_id", "agent_id", "hash")),
    _bytes("body"),
    # No index by hash: it would double what a commit writes, and a number is taken once already.
)
"""The log. ``body`` is the very bytes that were hashed; the other columns repeat it for queries."""

head = Table(
    "head",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _int("seq"),
    _text("hash"),
    _text("at"),
    _int("pending"),
    _bytes("tree"),
    CheckConstraint("id = 1", name="one_row"),
)
"""Where the log ends: read and replaced inside every writing transaction. ``at`` may be empty."""

head_signatures = Table(
    "head_signatures",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    _text("origin"),
    _text("key_id"),
    _text("value"),
)
"""Who signed the head, and as which log, when it was at ``seq``; base64 of r and s (ES256)."""

contents = Table(
    "contents",
    metadata,
    Column("digest", NAME, primary_key=True),
    _bytes("body", nullable=True),
    _text("at"),
    _text("erased_at", nullable=True),
)
"""What may be erased without breaking the log: a row without a body was erased."""

content_uses = Table(
    "content_uses",
    metadata,
    _text("digest"),
    _int("seq"),
    PrimaryKeyConstraint("digest", "seq"),
)
"""Which records named which contents, derived from the log: so what a hold covers is found."""

tickets = Table(
    "tickets",
    metadata,
    Column("id", NAME, primary_key=True),
    _int("opened_seq"),
    _text("tenant"),
    _text("state"),
    _int("revision"),
    *(_text(name) for name in ("agent", "topic", "tool", "trace_id")),
    _int("needed_people"),
    *(_text(name) for name in ("created_at", "expires_at")),
    *(_text(name, nullable=True) for name in ("expiring_at", "overdue_at")),
    *(_text(name, nullable=True) for name in ("lease_until", "uncleared_since")),
    _bytes("body"),
    UniqueConstraint("opened_seq"),
)
"""The tickets projection; the four nullable moments are those at which the clock must act."""

idempotency = Table(
    "idempotency",
    metadata,
    _text("tenant"),
    _text("agent"),
    _text("key"),
    _text("request_digest"),
    _text("ticket_id"),
    _text("kept_until", nullable=True),
    PrimaryKeyConstraint("tenant", "agent", "key"),
    UniqueConstraint("ticket_id"),
)
"""What each key of each agent was used for: one ticket; no ``kept_until``: it is not over yet."""

votes = Table(
    "votes",
    metadata,
    _text("ticket_id"),
    _int("revision"),
    _text("person"),
    _text("role"),
    _int("weight"),
    _text("choice"),
    _int("withdrawn"),
    PrimaryKeyConstraint("ticket_id", "revision", "person"),
)
"""The database's own guard of "one person, one vote" on a revision."""

control = Table(
    "control",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    _bytes("body"),
    CheckConstraint("id = 1", name="one_row"),
)
"""The governing state."""

credentials = Table(
    "credentials",
    metadata,
    Column("id", NAME, primary_key=True),
    _text("issued_at"),
    _text("revoked_at", nullable=True),
    _bytes("body"),
)
"""Bearer credentials, by digest of their secret, revoked ones included."""

buckets = Table(
    "buckets",
    metadata,
    Column("key", NAME, primary_key=True),
    _int("tokens_milli"),
    _text("updated_at"),
)
"""The levels of the token buckets."""

deeds = Table(
    "deeds",
    metadata,
    Column("seq", _NUMBER, primary_key=True, autoincrement=False),
    *(
        _text(name)
        for name in (
            *("at", "tenant", "agent", "trace_id", "ticket_id", "topic", "tool", "action"),
            *("target", "data_classes", "risk_tags", "labels"),
        )
    ),
    _int("stands"),
)
"""What later rules may ask about, by the record that told it; lists are JSON."""

floods = Table(
    "floods",
    metadata,
    Column("key", NAME, primary_key=True),
    *(_text(name) for name in ("tenant", "agent", "effect", "rule_id", "ends_at")),
    _int("recorded"),
    _int("count"),
    *(_text(name) for name in ("first_at", "last_at")),
)
"""Counters of refusals in windows that are not over yet: the one fact beside the log."""

outbox = Table(
    "outbox",
    metadata,
    _text("kind"),
    _text("key"),
    _int("generation"),
    _text("due_at"),
    _text("claimed_until", nullable=True),
    _text("token"),
    _int("claimed_generation"),
    _int("attempts"),
    _text("error"),
    _int("dead"),
    PrimaryKeyConstraint("kind", "key"),
)
"""Messages owed, at most one of each kind and key; ``generation`` counts how often it was owed."""

cursors = Table("cursors", metadata, Column("name", NAME, primary_key=True), _int("seq"))
"""How far each sink has read."""

places = Table(
    "places",
    metadata,
    Column("ticket_id", NAME, primary_key=True),
    _text("channel"),
    _text("ts"),
    _text("shown"),
)
"""Where each card is."""

tiles = Table(
    "tiles",
    metadata,
    _int("level"),
    _int("place"),
    _bytes("hashes"),
    PrimaryKeyConstraint("level", "place"),
)
"""Hashes of the tree over the log, 256 to a tile, derived from the records' bytes for proofs."""

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", _NUMBER, primary_key=True, autoincrement=False),
    _bytes("root"),
    _text("note"),
)
"""The checkpoints that were signed, which the log has too, by their size."""

cosignatures = Table(
    "cosignatures",
    metadata,
    _int("size"),
    _text("name"),
    _text("line"),
    PrimaryKeyConstraint("size", "name"),
)
"""What witnesses signed beneath a checkpoint: one line of each."""


def _partial(table: Table, name: str, columns: tuple[str, ...], where: str) -> Index:
    condition = text(where)
    return Index(
        name,
        *(table.c[column] for column in columns),
        sqlite_where=condition,
        postgresql_where=condition,
    )


_partial(events, "ix_events_ticket", ("ticket_id", "seq"), "ticket_id <> ''")
_partial(events, "ix_events_trace", ("trace_id", "seq"), "trace_id <> ''")
_partial(tickets, "ix_tickets_expiring", ("expiring_at", "id"), "expiring_at IS NOT NULL")
_partial(tickets, "ix_tickets_overdue", ("overdue_at", "id"), "overdue_at IS NOT NULL")
_partial(tickets, "ix_tickets_lease", ("lease_until", "id"), "lease_until IS NOT NULL")
_partial(tickets, "ix_tickets_uncleared", ("uncleared_since", "id"), "uncleared_since IS NOT NULL")
_partial(tickets, "ix_tickets_people", ("opened_seq",), "needed_people = 1")
_partial(outbox, "ix_outbox_due", ("kind", "due_at"), "dead = 0")
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
