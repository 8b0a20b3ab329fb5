"""The tables of what is left of detached records.

Lives here: three tables that only a detachment fills. Must not live here: any other table
(``tables``), or filling them (``retention.detaching``). Law: what is there never changes.
"""

from sqlalchemy import Column, Index, PrimaryKeyConstraint, Table

from storage.schema.base import NUMBER, bytes_column, int_column, metadata, text_column

detached = Table(
    "detached",
    metadata,
    Column("last", NUMBER, primary_key=True, autoincrement=False),
    int_column("first"),
    int_column("seq"),
    *(text_column(name) for name in ("head", "file", "file_digest", "state_digest")),
)
"""Stretches of the log that lie in files alone, with the record ``seq`` that says so."""

detached_leaves = Table(
    "detached_leaves",
    metadata,
    Column("after", NUMBER, primary_key=True, autoincrement=False),
    bytes_column("hashes"),
)
"""Hashes of detached records as leaves of the tree, for proofs; a row ends where a tile does."""

detached_uses = Table(
    "detached_uses",
    metadata,
    text_column("digest"),
    int_column("seq"),
    *(text_column(name) for name in ("at", "tenant", "agent_id", "trace_id", "ticket_id")),
    text_column("data_classes"),
    PrimaryKeyConstraint("digest", "seq"),
)
"""What detached records say of the contents that they name, for holds, erasures and retention."""

Index("ix_detached_uses_seq", detached_uses.c.seq)
Index("ix_detached_uses_ticket_id", detached_uses.c.ticket_id)
