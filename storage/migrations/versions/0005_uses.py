"""Which records named which contents, so that what a hold covers is found.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
What was logged before it is read once and named too: else a hold would not cover it.
"""

import json
from collections.abc import Iterator

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_BATCH = 1_000
_PLACES = {
    "TicketOpened": (("ask", "content_digest"),),
    "VoteCast": (("vote", "comment_digest"),),
    "BundleActivated": (("content_digest",),),
    "TicketRejected": (("comment_digest",),),
    "ExecutionSucceeded": (("report", "output_digest"), ("report", "shown_digest")),
    "ExecutionFailed": (("report", "output_digest"), ("report", "shown_digest")),
    "OutcomeReported": (("report", "output_digest"), ("report", "shown_digest")),
}

_SQLITE = (
    """
        CREATE TRIGGER content_uses_no_update BEFORE UPDATE ON content_uses
        BEGIN SELECT RAISE(ABORT, 'who named a content stays'); END""",
    """
        CREATE TRIGGER content_uses_no_delete BEFORE DELETE ON content_uses
        BEGIN SELECT RAISE(ABORT, 'who named a content stays'); END""",
)
_POSTGRES = (
    """
        CREATE FUNCTION content_uses_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        RAISE EXCEPTION 'who named a content stays'
        USING ERRCODE = 'integrity_constraint_violation';
        END $$""",
    """
        CREATE TRIGGER content_uses_no_change
        BEFORE UPDATE OR DELETE OR TRUNCATE ON content_uses
        FOR EACH STATEMENT EXECUTE FUNCTION content_uses_kept()""",
    "ALTER TABLE content_uses ENABLE ALWAYS TRIGGER content_uses_no_change",
)


def upgrade() -> None:
    """Create ``content_uses``, fill it from the log, and keep it append-only."""
    op.create_table(
        "content_uses",
        sa.Column("digest", _TEXT, nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("digest", "seq", name=op.f("pk_content_uses")),
    )
    op.create_index("ix_content_uses_seq", "content_uses", ["seq"], unique=False)
    connection = op.get_bind()
    uses = sa.table("content_uses", sa.column("digest"), sa.column("seq"))
    after = 0
    while rows := _some(connection, after):
        after = rows[-1].seq
        found = [{"digest": name, "seq": row.seq} for row in rows for name in _named(row)]
        if found:
            connection.execute(sa.insert(uses), found)
    is_sqlite = connection.dialect.name == "sqlite"
    for statement in _SQLITE if is_sqlite else _POSTGRES:
        op.execute(statement)


def _some(connection: sa.Connection, after: int) -> list[sa.Row[tuple[int, str, bytes]]]:
    events = sa.table("events", sa.column("seq"), sa.column("type"), sa.column("body"))
    query = sa.select(events.c.seq, events.c.type, events.c.body)
    wanted = query.where(events.c.seq > after, events.c.type.in_(tuple(_PLACES)))
    return list(connection.execute(wanted.order_by(events.c.seq).limit(_BATCH)))


def _named(row: sa.Row[tuple[int, str, bytes]]) -> Iterator[str]:
    payload = json.loads(row.body)["payload"]
    found = []
    for path in _PLACES[row.type]:
        inner = payload
        for name in path:
            inner = (inner or {}).get(name)
        found.append(inner)
    yield from dict.fromkeys(name for name in found if isinstance(name, str) and name)
