"""The verifier's own list of what a table may hold once: what stands behind every "once".

Lives here: columns that a primary key or unique index must keep apart, on both engines. Must not
live here: triggers (``guards``). Law: shares no text with the schema; a table made anew
without its key, or an index taken away, is found although every row is as the log says.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping

from storage.verify.chain import Problem

Unique = tuple[str, tuple[str, ...], str]
"""A table, the columns that are unique together, and where (empty: everywhere)."""

_ONCE: tuple[Unique, ...] = (
    ("events", ("seq",), ""),
    ("head", ("id",), ""),
    ("head_signatures", ("seq",), ""),
    ("control", ("id",), ""),
    ("tickets", ("id",), ""),
    ("tickets", ("opened_seq",), ""),
    ("votes", ("ticket_id", "revision", "person"), ""),
    ("votes", ("ticket_id", "revision", "voice"), "withdrawn = 0"),
    ("idempotency", ("tenant", "agent", "key"), ""),
    ("idempotency", ("ticket_id",), ""),
    ("credentials", ("id",), ""),
    ("buckets", ("key",), ""),
    ("deeds", ("seq",), ""),
    ("floods", ("key",), ""),
    ("contents", ("digest",), ""),
    ("content_uses", ("digest", "seq"), ""),
    ("outbox", ("kind", "key"), ""),
    ("cursors", ("name",), ""),
    ("taken", ("key",), ""),
    ("places", ("ticket_id",), ""),
    ("tiles", ("level", "place"), ""),
    ("checkpoints", ("size",), ""),
    ("cosignatures", ("size", "name"), ""),
    ("detached", ("last",), ""),
    ("detached_leaves", ("after",), ""),
    ("detached_uses", ("digest", "seq"), ""),
)
TABLES = frozenset(table for table, *_ in _ONCE)
"""Every table of a ledger."""
_COLUMNS = "SELECT name, pk FROM pragma_table_info(?, 'db') ORDER BY pk"
_INDEXES = """SELECT l.name, l.partial, m.sql FROM pragma_index_list(?, 'db') l
    LEFT JOIN db.sqlite_master m ON m.name = l.name WHERE l."unique" = 1"""
_OF_INDEX = "SELECT name FROM pragma_index_info(?, 'db') ORDER BY seqno"


def missing(columns: Mapping[str, frozenset[str]], found: Iterable[Unique]) -> Iterator[Problem]:
    """What is kept apart no more; ``columns``: those of each table that there is."""
    kept = {(table, frozenset(names), where) for table, names, where in found}
    for table, names, where in _ONCE:
        if not set(names) <= columns.get(table, frozenset()):
            continue  # an earlier version left it; what reads a table misses it by itself
        if (table, frozenset(names), where) not in kept:
            one = ", ".join(names)
            detail = f"{table} may hold one {one} twice: its unique constraint is gone"
            yield Problem(seq=0, what="unique", detail=detail, table=table, row=one)


def uniques(scratch: sqlite3.Connection) -> Iterator[Problem]:
    """What the SQLite database ``db`` attached to ``scratch`` keeps apart no more."""
    columns: dict[str, frozenset[str]] = {}
    found: list[Unique] = []
    for table in dict.fromkeys(table for table, *_ in _ONCE):
        rows = scratch.execute(_COLUMNS, (table,)).fetchall()
        columns[table] = frozenset(name for name, _ in rows)
        found.append((table, tuple(name for name, place in rows if place), ""))
        for name, is_partial, sql in scratch.execute(_INDEXES, (table,)).fetchall():
            names = tuple(column for (column,) in scratch.execute(_OF_INDEX, (name,)))
            where = (sql or "").rpartition(" WHERE ")[2].strip() if is_partial else ""
            found.append((table, names, where))
    yield from missing(columns, found)
