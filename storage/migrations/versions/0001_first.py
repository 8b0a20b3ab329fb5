"""The first schema: the log with its triggers, and every projection.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


_TRIGGERS = (
    """
    CREATE TRIGGER events_no_update BEFORE UPDATE ON events
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    """
    CREATE TRIGGER events_no_delete BEFORE DELETE ON events
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    """
    CREATE TRIGGER events_in_order BEFORE INSERT ON events
    WHEN NEW.seq <> (SELECT coalesce(max(seq), 0) + 1 FROM events)
    BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
)
_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_POSTGRES = (
    """
    CREATE FUNCTION events_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
    END $$""",
    """
    CREATE FUNCTION events_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM events) THEN
    RAISE EXCEPTION 'the log has no gaps and replaces nothing'
    USING ERRCODE = 'integrity_constraint_violation'; END IF;
    RETURN NEW; END $$""",
    """
    CREATE TRIGGER events_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON events
    FOR EACH STATEMENT EXECUTE FUNCTION events_kept()""",
    """
    CREATE TRIGGER events_in_order BEFORE INSERT ON events
    FOR EACH ROW EXECUTE FUNCTION events_next()""",
    "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change",
    "ALTER TABLE events ENABLE ALWAYS TRIGGER events_in_order",
)


def upgrade() -> None:
    """Create every table, index and trigger, and the head of an empty log."""
    op.create_table(
        "buckets",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column(
            "tokens_milli", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("updated_at", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_buckets")),
    )
    op.create_table(
        "contents",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=True),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("erased_at", _TEXT, nullable=True),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_contents")),
    )
    op.create_table(
        "control",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_control_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_control")),
    )
    op.create_table(
        "credentials",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("issued_at", _TEXT, nullable=False),
        sa.Column("revoked_at", _TEXT, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_credentials")),
    )
    op.create_table(
        "cursors",
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "events",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("type", _TEXT, nullable=False),
        sa.Column("version", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tenant", _TEXT, nullable=False),
        sa.Column("trace_id", _TEXT, nullable=False),
        sa.Column("ticket_id", _TEXT, nullable=False),
        sa.Column("agent_id", _TEXT, nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sa.UniqueConstraint("hash", name=op.f("uq_events_hash")),
    )
    op.create_index(
        "ix_events_ticket",
        "events",
        ["ticket_id", "seq"],
        unique=False,
        sqlite_where=sa.text("ticket_id <> ''"),
        postgresql_where=sa.text("ticket_id <> ''"),
    )
    op.create_index(
        "ix_events_trace",
        "events",
        ["trace_id", "seq"],
        unique=False,
        sqlite_where=sa.text("trace_id <> ''"),
        postgresql_where=sa.text("trace_id <> ''"),
    )
    op.create_table(
        "head",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("hash", _TEXT, nullable=False),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("pending", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tree", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_head_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_head")),
    )
    op.create_table(
        "idempotency",
        sa.Column("tenant", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("request_digest", _TEXT, nullable=False),
        sa.Column("ticket_id", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("tenant", "agent", "key", name=op.f("pk_idempotency")),
        sa.UniqueConstraint("ticket_id", name=op.f("uq_idempotency_ticket_id")),
    )
    op.create_table(
        "outbox",
        sa.Column("kind", _TEXT, nullable=False),
        sa.Column("key", _TEXT, nullable=False),
        sa.Column(
            "generation", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("due_at", _TEXT, nullable=False),
        sa.Column("claimed_until", _TEXT, nullable=True),
        sa.Column("token", _TEXT, nullable=False),
        sa.Column(
            "claimed_generation",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            nullable=False,
        ),
        sa.Column("attempts", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("error", _TEXT, nullable=False),
        sa.Column("dead", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name=op.f("pk_outbox")),
    )
    op.create_index(
        "ix_outbox_dead",
        "outbox",
        ["kind", "key"],
        unique=False,
        sqlite_where=sa.text("dead = 1"),
        postgresql_where=sa.text("dead = 1"),
    )
    op.create_index(
        "ix_outbox_due",
        "outbox",
        ["kind", "due_at"],
        unique=False,
        sqlite_where=sa.text("dead = 0"),
        postgresql_where=sa.text("dead = 0"),
    )
    op.create_table(
        "places",
        sa.Column("ticket_id", _TEXT, nullable=False),
        sa.Column("channel", _TEXT, nullable=False),
        sa.Column("ts", _TEXT, nullable=False),
        sa.Column("shown", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("ticket_id", name=op.f("pk_places")),
    )
    op.create_table(
        "tickets",
        sa.Column("id", _TEXT, nullable=False),
        sa.Column(
            "opened_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("tenant", _TEXT, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("topic", _TEXT, nullable=False),
        sa.Column("tool", _TEXT, nullable=False),
        sa.Column("trace_id", _TEXT, nullable=False),
        sa.Column(
            "needed_people", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.Column("created_at", _TEXT, nullable=False),
        sa.Column("expires_at", _TEXT, nullable=False),
        sa.Column("expiring_at", _TEXT, nullable=True),
        sa.Column("overdue_at", _TEXT, nullable=True),
        sa.Column("lease_until", _TEXT, nullable=True),
        sa.Column("uncleared_since", _TEXT, nullable=True),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tickets")),
        sa.UniqueConstraint("opened_seq", name=op.f("uq_tickets_opened_seq")),
    )
    op.create_index("ix_tickets_agent", "tickets", ["agent", "opened_seq"], unique=False)
    op.create_index(
        "ix_tickets_expiring",
        "tickets",
        ["expiring_at", "id"],
        unique=False,
        sqlite_where=sa.text("expiring_at IS NOT NULL"),
        postgresql_where=sa.text("expiring_at IS NOT NULL"),
    )
    op.create_index(
        "ix_tickets_lease",
        "tickets",
        ["lease_until", "id"],
        unique=False,
        sqlite_where=sa.text("lease_until IS NOT NULL"),
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
    op.create_index(
        "ix_tickets_overdue",
        "tickets",
        ["overdue_at", "id"],
        unique=False,
        sqlite_where=sa.text("overdue_at IS NOT NULL"),
        postgresql_where=sa.text("overdue_at IS NOT NULL"),
    )
    op.create_index(
        "ix_tickets_pending",
        "tickets",
        ["tenant", "agent", "state"],
        unique=False,
        sqlite_where=sa.text("state = 'PENDING'"),
        postgresql_where=sa.text("state = 'PENDING'"),
    )
    op.create_index(
        "ix_tickets_people",
        "tickets",
        ["opened_seq"],
        unique=False,
        sqlite_where=sa.text("needed_people = 1"),
        postgresql_where=sa.text("needed_people = 1"),
    )
    op.create_index("ix_tickets_state", "tickets", ["state", "opened_seq"], unique=False)
    op.create_index("ix_tickets_tenant", "tickets", ["tenant", "state", "opened_seq"], unique=False)
    op.create_index("ix_tickets_trace", "tickets", ["trace_id", "opened_seq"], unique=False)
    op.create_index(
        "ix_tickets_uncleared",
        "tickets",
        ["uncleared_since", "id"],
        unique=False,
        sqlite_where=sa.text("uncleared_since IS NOT NULL"),
        postgresql_where=sa.text("uncleared_since IS NOT NULL"),
    )
    op.create_table(
        "votes",
        sa.Column("ticket_id", _TEXT, nullable=False),
        sa.Column("revision", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person", _TEXT, nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("weight", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("choice", _TEXT, nullable=False),
        sa.Column(
            "withdrawn", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False
        ),
        sa.PrimaryKeyConstraint("ticket_id", "revision", "person", name=op.f("pk_votes")),
    )
    log_head = sa.table(
        "head",
        sa.column("id", sa.Integer),
        sa.column("seq", sa.Integer),
        sa.column("hash", sa.Text),
        sa.column("at", sa.Text),
        sa.column("pending", sa.Integer),
        sa.column("tree", sa.LargeBinary),
    )
    empty = {"id": 1, "seq": 0, "hash": "0" * 64, "at": "", "pending": 0, "tree": b""}
    op.bulk_insert(log_head, [empty])
    if op.get_bind().dialect.name == "sqlite":
        for trigger in _TRIGGERS:
            op.execute(trigger)
    else:
        for statement in _POSTGRES:
            op.execute(statement)
