"""Requests that were taken are known to every process, and after a restart.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add the table, and the order in which its rows are forgotten."""
    op.create_table(
        "taken",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("until", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_taken"),
    )
    op.create_index("ix_taken_until", "taken", ["until"])
