"""Messages owed have a deadline, and say whether their card is posted already.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
Messages owed before it name none, and come first.
"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def upgrade() -> None:
    """Add both columns, and have what is due in the order of deadlines."""
    op.add_column(
        "outbox", sa.Column("deadline", _TEXT, nullable=False, server_default=sa.text("''"))
    )
    number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
    op.add_column(
        "outbox", sa.Column("placed", number, nullable=False, server_default=sa.text("0"))
    )
    op.execute(
        "UPDATE outbox SET placed = 1 WHERE EXISTS "
        "(SELECT 1 FROM places WHERE places.ticket_id = outbox.key AND places.ts <> '')"
    )
    op.drop_index("ix_outbox_due", table_name="outbox")
    _index("ix_outbox_due", ["kind", "deadline", "due_at", "key"])
    _index("ix_outbox_lane", ["kind", "placed", "deadline", "due_at", "key"])


def _index(name: str, columns: list[str]) -> None:
    alive = sa.text("dead = 0")
    op.create_index(name, "outbox", columns, sqlite_where=alive, postgresql_where=alive)
