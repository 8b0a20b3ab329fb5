"""Whether a server's indexes hold what their tables hold: the verifier's own way of asking.

Lives here: every index asked by itself, compared with its table read row by row. Must not live
here: what has to be unique (``uniques``). Law: an index that says something else than its
table is found, although every row is as the log says; one that cannot be asked is a problem as
well; nothing is kept but sums; no expression is evaluated that whoever owns the tables wrote.

Three passes for each: the table (rows, their keys, and where they lie), the keys as they stand in
the index, and the rows that the index leads to, in its order. Where the keys are the same ones,
every row is led to once and their keys do not go down, each entry leads to a row of its own key.
Source: postgresql.org/docs: catalog-pg-index, runtime-config-query, indexes-index-only-scans.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import psycopg

from storage.verify.chain import Problem

Connection = psycopg.Connection[tuple[Any, ...]]
"""One in a transaction, which sees one moment."""

_INDEXES = """SELECT c.oid::regclass::text, quote_ident(x.relname),
    coalesce(pg_get_expr(i.indpred, i.indrelid), ''),
    ARRAY(SELECT quote_ident(a.attname) FROM generate_series(1, i.indnkeyatts) n
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = i.indkey[n - 1] ORDER BY n),
    i.indexprs IS NULL AND m.amname = 'btree', i.indisready AND i.indislive, i.indcheckxmin
    FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_class c ON c.oid = i.indrelid
    JOIN pg_am m ON m.oid = x.relam WHERE c.relkind = 'r' AND i.indisvalid
    AND c.relnamespace = current_schema()::regnamespace ORDER BY 1, 2"""
_PLAIN = re.compile(r"\w+ (?:(?:[<>]?=|<>|<|>) (?:'\w*'::text|\d+)|IS NOT NULL)")
"""A condition that calls nothing."""
_TABLE = """SELECT count(*), sum(hashtextextended({row}::text, 0)),
    sum(hashtextextended({place}::text, 0)) FROM ONLY {table} {where}"""
_ENTRIES = """SELECT count(*), sum(hashtextextended({row}::text, 0))
    FROM (SELECT {keys} FROM ONLY {table} {where} ORDER BY {keys}) asked"""
_REACHED = """SELECT count(*), sum(hashtextextended(place::text, 0)),
    coalesce(bool_and(before <= row), true) FROM
    (SELECT {place} place, {row} AS row, lag({row}) OVER (ORDER BY {keys}) AS before
    FROM ONLY {table} {where}) asked"""
_BY_INDEX = ("seqscan", "bitmapscan", "tidscan", "sort", "incremental_sort")
_BY_TABLE = ("indexscan", "indexonlyscan", "bitmapscan")
_DEAR = "SET LOCAL cpu_operator_cost = 1000"
"""What has its own condition is cheaper than what would have to look at each row for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Index:
    """What is asked; ``may_be_young``: made so lately that no reader of our moment uses it."""

    table: str
    name: str
    where: str
    keys: Sequence[str]
    is_plain: bool
    is_kept_up: bool
    may_be_young: bool

    def filled(self, sql: str) -> str:
        """``sql`` about this index's columns and rows."""
        keys = ", ".join(self.keys)
        where = f"WHERE {self.where}" if self.where else ""
        row, place = f"ROW({keys})", f"ROW(ctid, {keys})"
        return sql.format(keys=keys, table=self.table, where=where, row=row, place=place)

    def is_used(self, plan: Iterable[tuple[Any, ...]]) -> bool:
        """Whether the server reads by this index, and takes its order for what it is."""
        lines = [str(line) for (line,) in plan]
        is_sorted = any(
            line.lstrip(" ->").startswith(("Sort", "Incremental Sort")) for line in lines
        )
        return not is_sorted and any(f" using {self.name} on " in line for line in lines)

    def problem(self, detail: str) -> Problem:
        """Something wrong with it."""
        told = f"the index {self.name} of {self.table} {detail}"
        return Problem(seq=0, what="damage", detail=told, table=self.table, row=self.name)


def indexes(connection: Connection) -> Iterator[Problem]:
    """Each index of the schema's tables that does not hold what its table holds."""
    for row in connection.execute(_INDEXES).fetchall():
        index = _Index(**dict(zip(_Index.__slots__, row, strict=True)))
        if not index.is_kept_up:
            yield index.problem("is read and not written: what comes from now on is not in it")
        elif not index.is_plain or not _calls_nothing(index.where):
            yield index.problem("is none of ours, and of a kind that is not looked through")
        else:
            yield from _compared(connection, index)


def _compared(connection: Connection, index: _Index) -> Iterator[Problem]:
    entries = _asked(connection, index, _ENTRIES)
    reached = _asked(connection, index, _REACHED)
    if entries is None or reached is None:
        if not index.may_be_young:
            yield index.problem("cannot be looked through: the server takes another one for it")
        return
    rows, keys, places = _read(connection, index)
    if entries != (rows, keys) or reached != (rows, places, True):
        detail = f"does not hold what its table holds: {rows} rows, {entries[0]} by the index"
        yield index.problem(detail)


def _asked(connection: Connection, index: _Index, sql: str) -> tuple[Any, ...] | None:
    """What the index says; None if the server would not ask it."""
    with connection.transaction(force_rollback=True):
        _without(connection, _BY_INDEX)
        if not index.is_used(connection.execute(f"EXPLAIN {index.filled(sql)}".encode())):
            return None
        return connection.execute(index.filled(sql).encode(), prepare=False).fetchone()


def _read(connection: Connection, index: _Index) -> tuple[Any, ...]:
    with connection.transaction(force_rollback=True):
        _without(connection, _BY_TABLE)
        found = connection.execute(index.filled(_TABLE).encode(), prepare=False).fetchone()
        return found or ()


def _without(connection: Connection, ways: Sequence[str]) -> None:
    """Let the server read in no such way until the end of the (inner) transaction."""
    for way in ways:
        connection.execute(f"SET LOCAL enable_{way} = off".encode())
    connection.execute("SET LOCAL max_parallel_workers_per_gather = 0")
    connection.execute(_DEAR)


def _calls_nothing(where: str) -> bool:
    parts = re.sub("[()]", "", where).split(" AND ") if where else ()
    return all(_PLAIN.fullmatch(part) for part in parts)
