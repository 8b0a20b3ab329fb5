"""How a server's tables are declared, and what stands before them: the verifier's own look.

Lives here: kinds of relations, columns, constraints, and names that others would find instead of
ours. Must not live here: keys (``uniques``), triggers and who may do what. Law: shares no
text with the schema; the catalogue is read and nothing of it is run.
"""

from collections.abc import Iterator
from typing import Any

import psycopg

from storage.verify.chain import Problem
from storage.verify.uniques import TABLES

Connection = psycopg.Connection[tuple[Any, ...]]

_RELATIONS = """SELECT c.relname::text, c.relkind::text, c.relpersistence::text FROM pg_class c
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND c.relname = ANY (%s) ORDER BY 1"""
_COLUMNS = """SELECT c.relname::text, a.attname::text, format_type(a.atttypid, a.atttypmod),
    coalesce(l.collname::text, ''), coalesce(pg_get_expr(d.adbin, d.adrelid), ''),
    a.attgenerated <> '' OR a.attidentity <> ''
    FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid
    LEFT JOIN pg_collation l ON l.oid = a.attcollation
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r'
    AND c.relname = ANY (%s) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY 1, a.attnum"""
_CONSTRAINTS = """SELECT c.relname::text, k.conname::text, pg_get_constraintdef(k.oid)
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid
    WHERE c.relnamespace = current_schema()::regnamespace AND c.relname = ANY (%s)
    AND k.contype IN ('c', 'f', 'x') ORDER BY 1, 2"""
# Who comes by another way may have another path: a schema of the role's name, or one that was set.
_SHADOWS = """SELECT n.nspname::text, c.relname::text
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
    AND n.nspname <> current_schema() AND (n.nspname = ANY (current_schemas(true))
        OR n.nspname IN (SELECT rolname FROM pg_roles)
        OR EXISTS (SELECT 1 FROM pg_db_role_setting s, unnest(s.setconfig) one
            WHERE one LIKE 'search_path=%%' AND position(n.nspname::text IN one) > 0
            AND s.setdatabase IN (0, (SELECT oid FROM pg_database
                WHERE datname = current_database()))))
    ORDER BY 1, 2"""
_NAMESAKES = """SELECT p.proname::text FROM pg_proc p
    WHERE p.pronamespace = current_schema()::regnamespace AND EXISTS (SELECT 1 FROM pg_proc b
        WHERE b.proname = p.proname AND b.pronamespace = 'pg_catalog'::regnamespace)
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.deptype = 'e' AND e.objid = p.oid
        AND e.classid = 'pg_proc'::regclass)
    UNION SELECT o.oprname::text FROM pg_operator o
    WHERE o.oprnamespace = current_schema()::regnamespace
    AND NOT EXISTS (SELECT 1 FROM pg_depend e WHERE e.deptype = 'e' AND e.objid = o.oid
        AND e.classid = 'pg_operator'::regclass) ORDER BY 1"""
_PATHS = """SELECT coalesce(r.rolname::text, 'every role') FROM pg_db_role_setting s
    LEFT JOIN pg_roles r ON r.oid = s.setrole, unnest(s.setconfig) one
    WHERE one LIKE 'search_path=%,%pg_catalog%' AND s.setdatabase IN (0,
        (SELECT oid FROM pg_database WHERE datname = current_database())) ORDER BY 1"""
_TYPES = frozenset((("bigint", ""), ("integer", ""), ("bytea", ""), ("text", "C")))
"""Types of columns and their collations: text is the same where its bytes are."""
_DEFAULTS = frozenset(("", "''::text", "0", "'0'::bigint"))
_ONE_ROW = "CHECK ((id = 1))"
_OF_ONE_ROW = ("control", "head")


def declared(connection: Connection) -> Iterator[Problem]:
    """What is declared otherwise than it was made, or found by others in place of it."""
    ours = [sorted(TABLES)]
    for table, kind, persistence in connection.execute(_RELATIONS, ours).fetchall():
        if kind != "r":
            yield _problem(table, table, "is no table any more")
        elif persistence != "p":
            yield _problem(table, table, "is not written ahead: a crash empties it")
    yield from _columns(connection)
    yield from _constraints(connection)
    for schema, table in connection.execute(_SHADOWS, ours).fetchall():
        detail = f"{schema} holds a {table} as well, which some find instead of ours"
        yield Problem(seq=0, what="shadow", detail=detail, table=table, row=f"{schema}.{table}")
    for (name,) in connection.execute(_NAMESAKES).fetchall():
        detail = f"{name} may be found in place of what the server itself calls so"
        yield Problem(seq=0, what="shadow", detail=detail, row=name)
    for (role,) in connection.execute(_PATHS).fetchall():
        detail = f"a path that was set for {role} finds others before what is the server's own"
        yield Problem(seq=0, what="shadow", detail=detail, row=role)


def _columns(connection: Connection) -> Iterator[Problem]:
    for row in connection.execute(_COLUMNS, [sorted(TABLES)]).fetchall():
        table, column, kind, collation, default, is_made = row
        if (kind, collation) not in _TYPES:
            yield _problem(table, column, f"has a column {column} of another type or order: {kind}")
        if default not in _DEFAULTS or is_made:
            yield _problem(table, column, f"fills its column {column} by itself")


def _constraints(connection: Connection) -> Iterator[Problem]:
    missing = set(_OF_ONE_ROW)
    for table, name, definition in connection.execute(_CONSTRAINTS, [sorted(TABLES)]).fetchall():
        if definition == _ONE_ROW and table in _OF_ONE_ROW:
            missing.discard(table)
        else:
            yield _problem(table, name, f"has a constraint {name} that is none of ours")
    for table in sorted(missing):
        yield _problem(table, table, "may hold a second row: its constraint is gone")


def _problem(table: str, row: str, detail: str) -> Problem:
    return Problem(seq=0, what="declaration", detail=f"{table} {detail}", table=table, row=row)
