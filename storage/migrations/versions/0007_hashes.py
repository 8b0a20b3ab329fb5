"""The log is no longer indexed by hash: each record's hash holds its number, which is unique.

A migration is frozen: it repeats what ``storage.schema`` said on its day and imports none of it.
SQLite cannot drop such a constraint, so there the records are copied within the one transaction:
that takes some tens of seconds for each million of them, and room for two copies meanwhile.
"""

from collections.abc import Iterable

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_CONSTRAINT = "uq_events_hash"
_CLAUSE = f", \n\tCONSTRAINT {_CONSTRAINT} UNIQUE (hash)"
_NEW = "events_without_index"
_TABLE = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = 'events'"
_INDEXES = """SELECT sql FROM sqlite_master
    WHERE type = 'index' AND tbl_name = 'events' AND sql IS NOT NULL ORDER BY name"""
# Those of other tables, too, that look at the log: renaming a table reads them.
_TRIGGERS = """SELECT name, sql FROM sqlite_master
    WHERE type = 'trigger' AND sql LIKE '%events%' ORDER BY name"""


def upgrade() -> None:
    """Drop the unique constraint on ``events.hash``."""
    if op.get_bind().dialect.name == "postgresql":
        op.drop_constraint(_CONSTRAINT, "events", type_="unique")
    else:
        _copied(op.get_bind())


def _copied(connection: sa.Connection) -> None:
    """Copy the log into a table without it; what stood on the old table stands on the new one."""
    table = str(connection.exec_driver_sql(_TABLE).scalar_one())
    bare = table.replace(_CLAUSE, "", 1)
    if bare == table:
        raise RuntimeError(f"the table events has no constraint {_CONSTRAINT} to drop")
    indexes = [row[0] for row in connection.exec_driver_sql(_INDEXES)]
    triggers = connection.exec_driver_sql(_TRIGGERS).all()
    _run(f"DROP TRIGGER {row.name}" for row in triggers)
    _run(
        (
            bare.replace("CREATE TABLE events", f"CREATE TABLE {_NEW}", 1),
            f"INSERT INTO {_NEW} SELECT * FROM events ORDER BY seq",  # noqa: S608  # a constant
            "DROP TABLE events",
            f"ALTER TABLE {_NEW} RENAME TO events",
            *indexes,
            *(row.sql for row in triggers),
        )
    )


def _run(statements: Iterable[str]) -> None:
    for statement in statements:
        op.get_bind().exec_driver_sql(statement)
