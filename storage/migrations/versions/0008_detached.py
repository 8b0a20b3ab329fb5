"""Sealed segments may leave the database: what is left of their records, and what lets them go.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_SQLITE = (
    "DROP TRIGGER events_no_delete",
    "DROP TRIGGER events_in_order",
    """
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        WHEN NOT EXISTS (SELECT 1 FROM detached d JOIN events e ON e.seq = d.seq
        WHERE OLD.seq BETWEEN d.first AND d.last AND e.seq > d.last AND e.type = 'SegmentDetached')
        BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END""",
    """
        CREATE TRIGGER events_in_order BEFORE INSERT ON events
        WHEN NEW.seq <> (SELECT coalesce(max(seq), (SELECT max(last) FROM detached), 0) + 1
        FROM events)
        BEGIN SELECT RAISE(ABORT, 'the log has no gaps and replaces nothing'); END""",
    """
        CREATE TRIGGER detached_no_update BEFORE UPDATE ON detached
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    """
        CREATE TRIGGER detached_no_delete BEFORE DELETE ON detached
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    """
        CREATE TRIGGER detached_in_order BEFORE INSERT ON detached
        WHEN NEW.last < NEW.first OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM detached)
        BEGIN SELECT RAISE(ABORT, 'segments are detached in order'); END""",
    """
        CREATE TRIGGER detached_leaves_no_update BEFORE UPDATE ON detached_leaves
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    """
        CREATE TRIGGER detached_leaves_no_delete BEFORE DELETE ON detached_leaves
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    """
        CREATE TRIGGER detached_uses_no_update BEFORE UPDATE ON detached_uses
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
    """
        CREATE TRIGGER detached_uses_no_delete BEFORE DELETE ON detached_uses
        BEGIN SELECT RAISE(ABORT, 'what was detached stays so'); END""",
)
_POSTGRES = (
    """
        CREATE FUNCTION detached_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'what was detached stays so'
        USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    """
        CREATE FUNCTION detached_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.last < NEW.first
        OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM detached) THEN
        RAISE EXCEPTION 'segments are detached in order'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
    """
        CREATE TRIGGER detached_in_order BEFORE INSERT ON detached
        FOR EACH ROW EXECUTE FUNCTION detached_next()""",
    "ALTER TABLE detached ENABLE ALWAYS TRIGGER detached_in_order",
    """
        CREATE TRIGGER detached_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON detached
        FOR EACH STATEMENT EXECUTE FUNCTION detached_kept()""",
    "ALTER TABLE detached ENABLE ALWAYS TRIGGER detached_no_change",
    """
        CREATE TRIGGER detached_leaves_no_change
        BEFORE UPDATE OR DELETE OR TRUNCATE ON detached_leaves
        FOR EACH STATEMENT EXECUTE FUNCTION detached_kept()""",
    "ALTER TABLE detached_leaves ENABLE ALWAYS TRIGGER detached_leaves_no_change",
    """
        CREATE TRIGGER detached_uses_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON detached_uses
        FOR EACH STATEMENT EXECUTE FUNCTION detached_kept()""",
    "ALTER TABLE detached_uses ENABLE ALWAYS TRIGGER detached_uses_no_change",
    """
        CREATE OR REPLACE FUNCTION events_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.seq IS DISTINCT FROM
        (SELECT coalesce(max(seq), (SELECT max(last) FROM detached), 0) + 1 FROM events) THEN
        RAISE EXCEPTION 'the log has no gaps and replaces nothing'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
    """
        CREATE FUNCTION events_detached() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NOT EXISTS (SELECT 1 FROM detached d JOIN events e ON e.seq = d.seq
        WHERE OLD.seq BETWEEN d.first AND d.last AND e.seq > d.last
        AND e.type = 'SegmentDetached') THEN
        RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END IF; RETURN OLD; END $$""",
    "DROP TRIGGER events_no_change ON events",
    """
        CREATE TRIGGER events_no_change BEFORE UPDATE OR TRUNCATE ON events
        FOR EACH STATEMENT EXECUTE FUNCTION events_kept()""",
    """
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        FOR EACH ROW EXECUTE FUNCTION events_detached()""",
    "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change",
    "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_delete",
)


def upgrade() -> None:
    """Create the three tables, and let go of what they name."""
    op.create_table(
        "detached",
        sa.Column("last", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("first", _NUMBER, nullable=False),
        sa.Column("seq", _NUMBER, nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("head", "file")),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("file_digest", "state_digest")),
        sa.PrimaryKeyConstraint("last", name=op.f("pk_detached")),
    )
    op.create_table(
        "detached_leaves",
        sa.Column("after", _NUMBER, autoincrement=False, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("after", name=op.f("pk_detached_leaves")),
    )
    op.create_table(
        "detached_uses",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("seq", _NUMBER, nullable=False),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("at", "tenant", "agent_id")),
        *(sa.Column(name, _TEXT, nullable=False) for name in ("trace_id", "ticket_id")),
        sa.Column("data_classes", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("digest", "seq", name=op.f("pk_detached_uses")),
    )
    op.create_index("ix_detached_uses_seq", "detached_uses", ["seq"], unique=False)
    op.create_index("ix_detached_uses_ticket_id", "detached_uses", ["ticket_id"], unique=False)
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else _POSTGRES:
        op.execute(statement)
