"""What rules may ask about the past, and counters of refusals.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
The past begins here: what was asked before this migration is not in ``deeds``.
"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Create ``deeds`` and ``floods`` with their indexes."""
    op.create_table(
        "deeds",
        sa.Column(
            "seq",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at", _TEXT, nullable=False),
        sa.Column("tenant", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("trace_id", _TEXT, nullable=False),
        sa.Column("ticket_id", _TEXT, nullable=False),
        sa.Column("topic", _TEXT, nullable=False),
        sa.Column("tool", _TEXT, nullable=False),
        sa.Column("action", _TEXT, nullable=False),
        sa.Column("target", _TEXT, nullable=False),
        sa.Column("data_classes", _TEXT, nullable=False),
        sa.Column("risk_tags", _TEXT, nullable=False),
        sa.Column("labels", _TEXT, nullable=False),
        sa.Column("stands", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_deeds")),
    )
    op.create_index("ix_deeds_agent", "deeds", ["tenant", "agent", "at"], unique=False)
    op.create_index("ix_deeds_tenant", "deeds", ["tenant", "at"], unique=False)
    op.create_index("ix_deeds_tool", "deeds", ["tenant", "tool", "at"], unique=False)
    op.create_index("ix_deeds_trace", "deeds", ["tenant", "trace_id", "at"], unique=False)
    op.create_table(
        "floods",
        sa.Column("key", _TEXT, nullable=False),
        sa.Column("tenant", _TEXT, nullable=False),
        sa.Column("agent", _TEXT, nullable=False),
        sa.Column("effect", _TEXT, nullable=False),
        sa.Column("rule_id", _TEXT, nullable=False),
        sa.Column("ends_at", _TEXT, nullable=False),
        sa.Column("recorded", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("count", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("first_at", _TEXT, nullable=False),
        sa.Column("last_at", _TEXT, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_floods")),
    )
    op.create_index("ix_floods_ends", "floods", ["ends_at"], unique=False)
