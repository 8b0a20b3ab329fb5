"""Idempotency keys have an end: until when each is kept once its ticket is over.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
Keys of tickets that were over before it say no end and are kept for good.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add ``kept_until`` and its index, and an order to an agent's pending tickets."""
    op.add_column("idempotency", sa.Column("kept_until", _TEXT, nullable=True))
    some = sa.text("kept_until IS NOT NULL")
    op.create_index(
        "ix_idempotency_kept",
        "idempotency",
        ["kept_until"],
        sqlite_where=some,
        postgresql_where=some,
    )
    op.drop_index("ix_tickets_pending", table_name="tickets")
    pending = sa.text("state = 'PENDING'")
    op.create_index(
        "ix_tickets_pending",
        "tickets",
        ["tenant", "agent", "state", "opened_seq"],
        sqlite_where=pending,
        postgresql_where=pending,
    )
