"""The tables of what is published of the log.

Lives here: the tree's hashes, checkpoints and what witnesses signed. Must not live here: any other
table (``tables``). Law: all of it is derived from the log or vouches for it.
"""

from sqlalchemy import Column, PrimaryKeyConstraint, Table

from storage.schema.base import NUMBER, bytes_column, int_column, metadata, text_column

tiles = Table(
    "tiles",
    metadata,
    int_column("level"),
    int_column("place"),
    bytes_column("hashes"),
    PrimaryKeyConstraint("level", "place"),
)
"""Hashes of the tree over the log, 256 to a tile, derived from the records' bytes for proofs."""


checkpoints = Table(
    "checkpoints",
    metadata,
    Column("size", NUMBER, primary_key=True, autoincrement=False),
    bytes_column("root"),
    text_column("note"),
)
"""The checkpoints that were signed, which the log has too, by their size."""


cosignatures = Table(
    "cosignatures",
    metadata,
    int_column("size"),
    text_column("name"),
    text_column("line"),
    PrimaryKeyConstraint("size", "name"),
)
"""What witnesses signed beneath a checkpoint: one line of each."""
