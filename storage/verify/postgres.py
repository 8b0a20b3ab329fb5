"""The verifier's source on a PostgreSQL server, which others may be writing.

Lives here: raw rows of one snapshot, and the guards that must stand. Must not live here: any
judgement of records. Law: one read-only transaction sees one moment; the log is streamed and never
held, the tables beside it are copied into the scratch; shares no text with the schema, so that a
guard weakened in both is found.
"""

import re
import sqlite3
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

import psycopg

from storage.verify.chain import COLUMNS, GENESIS, Problem, Raw
from storage.verify.declared import declared
from storage.verify.indexes import indexes
from storage.verify.roles import roles
from storage.verify.source import later, record
from storage.verify.uniques import missing

_BATCH = 2_000
# No view: reading one would run what somebody wrote.
_TABLES = """SELECT table_name, array_agg(column_name::text ORDER BY ordinal_position)
    FROM information_schema.columns JOIN information_schema.tables USING (table_schema, table_name)
    WHERE table_schema = current_schema() AND table_type = 'BASE TABLE'
    AND table_name NOT IN ('events', 'alembic_version') GROUP BY table_name"""
_LOG = "SELECT relkind = 'r' FROM pg_class WHERE oid = to_regclass('events')"
_TRIGGERS = """SELECT t.tgname, c.relname, t.tgenabled::text, pg_get_triggerdef(t.oid),
    CASE WHEN p.proconfig IS NULL AND NOT p.prosecdef AND l.lanname = 'plpgsql'
        THEN p.prosrc ELSE '' END
    FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc p ON p.oid = t.tgfoid
    JOIN pg_language l ON l.oid = p.prolang
    WHERE NOT t.tgisinternal AND c.relnamespace = current_schema()::regnamespace"""
_RULES = """SELECT rulename FROM pg_rules WHERE schemaname = current_schema()
    UNION ALL SELECT viewname FROM pg_views WHERE schemaname = current_schema()"""
_AT_LOGIN = (
    """SELECT evtname FROM pg_event_trigger WHERE evtevent = 'login' AND evtenabled <> 'D'"""
)
_COLUMNS = """SELECT table_name, array_agg(column_name::text) FROM information_schema.columns
    WHERE table_schema = current_schema() GROUP BY table_name"""
_UNIQUES = """SELECT c.relname, (SELECT array_agg(a.attname::text ORDER BY a.attnum)
        FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = ANY (i.indkey)),
    coalesce(pg_get_expr(i.indpred, i.indrelid), '')
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    WHERE c.relnamespace = current_schema()::regnamespace
    AND i.indisunique AND i.indisvalid AND i.indisready AND i.indislive
    AND i.indimmediate AND i.indexprs IS NULL AND NOT EXISTS (SELECT 1 FROM pg_opclass o
        WHERE o.oid = ANY (i.indclass) AND NOT (o.opcdefault
        AND o.opcnamespace = 'pg_catalog'::regnamespace))
    AND NOT EXISTS (SELECT 1 FROM pg_attribute n WHERE n.attrelid = c.oid
        AND n.attnum = ANY (i.indkey) AND NOT n.attnotnull)"""
_HIDDEN = """SELECT relname FROM pg_class WHERE relrowsecurity AND relname <> 'events'
    AND relnamespace = current_schema()::regnamespace"""
_HEIRS = """SELECT c.relname, p.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
    JOIN pg_class p ON p.oid = i.inhparent WHERE p.relkind = 'r'
    AND p.relnamespace = current_schema()::regnamespace"""
_KEPT = """BEGIN RAISE EXCEPTION '{}' USING ERRCODE = 'integrity_constraint_violation'; END"""
_GUARDS = {
    "events_no_change": (
        "BEFORE UPDATE OR TRUNCATE ON events FOR EACH STATEMENT",
        _KEPT.format("the log is append-only"),
    ),
    "events_no_delete": (
        "BEFORE DELETE ON events FOR EACH ROW",
        """BEGIN IF NOT EXISTS (SELECT 1 FROM detached d JOIN events e ON e.seq = d.seq
        WHERE OLD.seq BETWEEN d.first AND d.last AND e.seq > d.last
        AND e.type = 'SegmentDetached') THEN
        RAISE EXCEPTION 'the log is append-only' USING ERRCODE = 'integrity_constraint_violation';
        END IF; RETURN OLD; END""",
    ),
    "events_in_order": (
        "BEFORE INSERT ON events FOR EACH ROW",
        """BEGIN IF NEW.seq IS DISTINCT FROM
        (SELECT coalesce(max(seq), (SELECT max(last) FROM detached), 0) + 1 FROM events) THEN
        RAISE EXCEPTION 'the log has no gaps and replaces nothing'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END""",
    ),
    "head_signatures_no_change": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON head_signatures FOR EACH STATEMENT",
        _KEPT.format("signatures of heads are append-only"),
    ),
    "head_signatures_in_order": (
        "BEFORE INSERT ON head_signatures FOR EACH ROW",
        """BEGIN IF NEW.seq <= (SELECT coalesce(max(seq), 0) FROM head_signatures) THEN
        RAISE EXCEPTION 'a signed head follows the one before it'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END""",
    ),
    "content_uses_no_change": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON content_uses FOR EACH STATEMENT",
        _KEPT.format("who named a content stays"),
    ),
    "detached_in_order": (
        "BEFORE INSERT ON detached FOR EACH ROW",
        """BEGIN IF NEW.last < NEW.first
        OR NEW.first <> (SELECT coalesce(max(last), 0) + 1 FROM detached) THEN
        RAISE EXCEPTION 'segments are detached in order'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END""",
    ),
} | {
    f"{table}_no_change": (
        f"BEFORE DELETE OR UPDATE OR TRUNCATE ON {table} FOR EACH STATEMENT",
        _KEPT.format("what was detached stays so"),
    )
    for table in ("detached", "detached_leaves", "detached_uses")
}
_BEFORE = {
    "events_no_change": (
        "BEFORE DELETE OR UPDATE OR TRUNCATE ON events FOR EACH STATEMENT",
        _KEPT.format("the log is append-only"),
    ),
    "events_in_order": (
        "BEFORE INSERT ON events FOR EACH ROW",
        """BEGIN IF NEW.seq IS DISTINCT FROM (SELECT coalesce(max(seq), 0) + 1 FROM events) THEN
        RAISE EXCEPTION 'the log has no gaps and replaces nothing'
        USING ERRCODE = 'integrity_constraint_violation'; END IF; RETURN NEW; END""",
    ),
}
"""What stood there before anything could be detached: these let nothing go at all."""
_SINCE = ("detached", "events_no_delete")
OF_ROLES = frozenset((("tickets_by_executor", "tickets"),))
"""Triggers that ``placet db roles`` adds, and where: they separate processes, and guard nothing."""


class PostgresSource:
    """See ``source.Source``."""

    unreadable: tuple[type[Exception], ...] = (psycopg.Error, sqlite3.Error)
    has_tables = True

    def __init__(self, link: Mapping[str, Any]) -> None:
        """``link``: how the driver connects."""
        self._link = link
        self._open: psycopg.Connection[tuple[Any, ...]] | None = None

    def attach(self, scratch: sqlite3.Connection) -> int:
        """See ``Source``: the tables are copied into a temporary database."""
        self._open = psycopg.connect(**self._link)
        self._open.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._open.read_only = True
        if self._connection.execute(_LOG).fetchone() == (False,):
            raise psycopg.errors.WrongObjectType("events is no table")
        scratch.execute("COMMIT")
        scratch.execute("ATTACH '' AS db")
        scratch.execute("BEGIN")
        for table, columns in self._connection.execute(_TABLES).fetchall():
            self._copy(scratch, table, columns)
        row = self._connection.execute("SELECT count(*) FROM events").fetchone()
        return int(row[0]) if row else 0

    def close(self) -> None:
        """Let the snapshot go."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def records(self, after: int = 0, previous: str = GENESIS) -> Iterator[Raw | Problem]:
        """See ``Source``."""
        some = f" WHERE seq > {after:d}" if after else ""
        sql = f"SELECT seq, hash, body, {', '.join(COLUMNS)} FROM events{some} ORDER BY seq"  # noqa: S608  # a number
        for row in self._stream("records", sql):
            yield record(row)

    def signed_heads(self, after: int = 0) -> Iterator[tuple[object, ...]]:
        """See ``Source``."""
        sql = "SELECT seq, origin, key_id, value FROM head_signatures ORDER BY seq"
        return later(self._stream("heads", sql), after)

    def held(self, upto: int) -> int:
        """See ``Source``."""
        sql = "SELECT count(*) FROM events WHERE seq <= %s"
        row = self._connection.execute(sql, (upto,)).fetchone()
        return int(row[0]) if row else 0

    def guards(self) -> Iterator[Problem]:
        """See ``Source``."""
        found = {row[:2]: row[2:] for row in self._connection.execute(_TRIGGERS)}
        for name, (event, source) in self._wanted().items():
            table = event.partition(" ON ")[2].partition(" ")[0]
            enabled, definition, body = found.pop((name, table), ("", "", ""))
            # ALWAYS ("A"): else a session that calls itself a replica would go around it.
            stands = _spaced(body) == _spaced(source) and enabled == "A"
            wanted = f"CREATE TRIGGER {name} {event} EXECUTE FUNCTION "
            if not stands or not _bare(definition).startswith(wanted):
                detail = f"{name} does not guard the log any more"
                yield Problem(seq=0, what="trigger", detail=detail, table="events", row=name)
        for name, table in found.keys() - OF_ROLES:
            detail = f"{name} is none of ours"
            yield Problem(seq=0, what="trigger", detail=detail, table=table, row=name)
        for (name,) in self._connection.execute(_AT_LOGIN):
            detail = f"{name} does something whenever anybody connects, and is none of ours"
            yield Problem(seq=0, what="trigger", detail=detail, row=name)
        for (name,) in self._connection.execute(_RULES):
            detail = f"the view or rule {name} is none of ours"
            yield Problem(seq=0, what="schema", detail=detail, row=name)
        for (name,) in self._connection.execute(_HIDDEN):
            detail = f"policies say who sees which rows of {name}, and none of ours do"
            yield Problem(seq=0, what="row security", detail=detail, table=name, row=name)
        yield from self._uniques()
        for look in (declared, roles, indexes):
            yield from look(self._connection)

    def _uniques(self) -> Iterator[Problem]:
        columns = {name: frozenset(names) for name, names in self._connection.execute(_COLUMNS)}
        kept = self._connection.execute(_UNIQUES)
        yield from missing(columns, ((t, tuple(n), w.strip("()")) for t, n, w in kept))
        for heir, table in self._connection.execute(_HEIRS):
            detail = f"rows of {heir} count as rows of {table}, whose keys do not hold for them"
            yield Problem(seq=0, what="unique", detail=detail, table=table, row=heir)

    def _wanted(self) -> dict[str, tuple[str, str]]:
        row = self._connection.execute("SELECT to_regclass('detached') IS NULL").fetchone()
        if row == (False,):
            return _GUARDS
        return {n: item for n, item in _GUARDS.items() if not n.startswith(_SINCE)} | _BEFORE

    @property
    def _connection(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._open is None:
            raise ValueError("attach comes first")
        return self._open

    def _stream(self, name: str, sql: str) -> Iterator[tuple[Any, ...]]:
        with self._connection.cursor(name) as cursor:
            cursor.itersize = _BATCH
            cursor.execute(sql.encode())
            yield from cursor

    def _copy(self, scratch: sqlite3.Connection, table: str, columns: list[str]) -> None:
        names = ", ".join(f'"{name}"' for name in columns)
        marks = ", ".join("?" * len(columns))
        scratch.execute(f'CREATE TABLE db."{table}" ({names})')
        rows = self._stream(f"copy_{table}", f'SELECT {names} FROM "{table}"')  # noqa: S608  # the catalogue's names
        insert = f'INSERT INTO db."{table}" VALUES ({marks})'  # noqa: S608
        while some := list(islice(rows, _BATCH)):
            scratch.executemany(insert, some)
        if table == "contents":  # found by name for every ticket
            scratch.execute("CREATE INDEX db.contents_by_digest ON contents (digest)")


def _spaced(text: str) -> str:
    """SQL without its layout."""
    return re.sub(r"\s+", " ", text).strip()


def _bare(definition: str) -> str:
    """A definition without the schema's name."""
    return re.sub(r" ON \w+\.", " ON ", definition)
