"""A trace's records of tickets are found by its tickets; only the others have an index by trace.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
An index by names that come in no order is a page to write for each record.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the index anew, of records without a ticket."""
    op.drop_index("ix_events_trace", table_name="events")
    alone = sa.text("trace_id <> '' AND ticket_id = ''")
    op.create_index(
        "ix_events_trace",
        "events",
        ["trace_id", "seq"],
        sqlite_where=alone,
        postgresql_where=alone,
    )
