"""Signatures of the log's head, one for each batch that a process with a file key committed.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
What was committed before it is covered by the first head that is signed.
"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")

_SQLITE = (
    """
        CREATE TRIGGER head_signatures_no_update BEFORE UPDATE ON head_signatures
        BEGIN SELECT RAISE(ABORT, 'signatures of heads are append-only'); END""",
    """
        CREATE TRIGGER head_signatures_no_delete BEFORE DELETE ON head_signatures
        BEGIN SELECT RAISE(ABORT, 'signatures of heads are append-only'); END""",
    """
        CREATE TRIGGER head_signatures_in_order BEFORE INSERT ON head_signatures
        WHEN NEW.seq <= (SELECT coalesce(max(seq), 0) FROM head_signatures)
        BEGIN SELECT RAISE(ABORT, 'a signed head follows the one before it'); END""",
)
_POSTGRES = (
    """
        CREATE FUNCTION head_signatures_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'signatures of heads are append-only'
        USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    """
        CREATE FUNCTION head_signatures_next() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF NEW.seq <= (SELECT coalesce(max(seq), 0) FROM head_signatures) THEN
        RAISE EXCEPTION 'a signed head follows the one before it'
        USING ERRCODE = 'integrity_constraint_violation'; END IF;
        RETURN NEW; END $$""",
    """
        CREATE TRIGGER head_signatures_no_change
        BEFORE UPDATE OR DELETE OR TRUNCATE ON head_signatures
        FOR EACH STATEMENT EXECUTE FUNCTION head_signatures_kept()""",
    """
        CREATE TRIGGER head_signatures_in_order BEFORE INSERT ON head_signatures
        FOR EACH ROW EXECUTE FUNCTION head_signatures_next()""",
    "ALTER TABLE head_signatures ENABLE ALWAYS TRIGGER head_signatures_no_change",
    "ALTER TABLE head_signatures ENABLE ALWAYS TRIGGER head_signatures_in_order",
)


def upgrade() -> None:
    """Create ``head_signatures`` and what keeps it append-only."""
    op.create_table(
        "head_signatures",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("origin", _TEXT, nullable=False),
        sa.Column("key_id", _TEXT, nullable=False),
        sa.Column("value", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_head_signatures")),
    )
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else _POSTGRES:
        op.execute(statement)
