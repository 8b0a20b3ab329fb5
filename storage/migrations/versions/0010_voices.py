"""Votes in another person's name: each voice counts once on a revision.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
Every vote before it was cast in its voter's own name.
"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add ``voice``, which is the voter's own in every vote so far, and its index."""
    op.add_column("votes", sa.Column("voice", _TEXT, nullable=False, server_default=sa.text("''")))
    op.execute("UPDATE votes SET voice = person")
    counted = sa.text("withdrawn = 0")
    op.create_index(
        "ix_votes_voice",
        "votes",
        ["ticket_id", "revision", "voice"],
        unique=True,
        sqlite_where=counted,
        postgresql_where=counted,
    )
