"""The table of requests that were taken.

Lives here: one table that only requests from outside fill. Must not live here: any other table
(``tables``), or filling it (``taken``). Law: a key is there once.
"""

from sqlalchemy import Column, Index, Table

from storage.schema.base import NAME, metadata, text_column

taken = Table(
    "taken",
    metadata,
    Column("key", NAME, primary_key=True),
    text_column("until"),
)
"""Digests of requests that were acted on, until their signature is good for nothing any more."""

Index("ix_taken_until", taken.c.until)
