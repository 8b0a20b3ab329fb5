"""Hashes for proofs, checkpoints and what witnesses signed beneath them.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
All of it is derived: the next checkpoint fills it from the log.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create ``tiles``, ``checkpoints`` and ``cosignatures``."""
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "tiles",
        sa.Column("level", number, nullable=False),
        sa.Column("place", number, nullable=False),
        sa.Column("hashes", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("level", "place", name=op.f("pk_tiles")),
    )
    op.create_table(
        "checkpoints",
        sa.Column("size", number, autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("size", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "cosignatures",
        sa.Column("size", number, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("line", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("size", "name", name=op.f("pk_cosignatures")),
    )
