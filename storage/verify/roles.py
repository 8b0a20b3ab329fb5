"""What keeps a server's roles apart: the verifier's own look at who may do what.

Lives here: rights, row policies and the guard of tickets, where roles of ours are. Must not live
here: the triggers that guard the log from everybody (``postgres``). Law: shares no text with
what makes the roles; whoever counts as an executor may not do more than tell of runs. Where there
are no such roles, or an account is none of theirs, nothing is said.
"""

import re
from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any

import psycopg

from storage.verify.chain import Problem
from storage.verify.uniques import TABLES

Connection = psycopg.Connection[tuple[Any, ...]]

_SETS = """SELECT left(s.rolname, -6)::text FROM pg_roles s JOIN pg_roles e
    ON e.rolname = left(s.rolname, -6) || '_executor' WHERE right(s.rolname, 6) = '_serve'
    AND has_table_privilege(s.oid, to_regclass('events'), 'INSERT')
    AND has_table_privilege(e.oid, to_regclass('events'), 'SELECT') ORDER BY 1"""
# Whoever may become another has what that one has.
_HELD = """SELECT m.rolname::text, EXISTS (SELECT 1 FROM pg_roles r
        WHERE pg_has_role(m.oid, r.oid, 'member') AND (r.rolsuper OR r.rolbypassrls
        OR r.rolcreaterole OR r.oid IN (SELECT relowner FROM pg_class
            WHERE relnamespace = current_schema()::regnamespace)
        OR has_schema_privilege(r.oid, current_schema(), 'CREATE')
        OR r.rolname IN ('pg_write_all_data', 'pg_execute_server_program',
            'pg_write_server_files'))),
    ARRAY(SELECT t.name || ' ' || p.name FROM unnest(%s::text[]) t(name),
        unnest(ARRAY['INSERT', 'UPDATE', 'DELETE', 'TRUNCATE', 'REFERENCES', 'TRIGGER']) p(name)
        WHERE EXISTS (SELECT 1 FROM pg_roles r WHERE pg_has_role(m.oid, r.oid, 'member')
        AND (has_table_privilege(r.oid, to_regclass(t.name), p.name)
        OR p.name IN ('INSERT', 'UPDATE', 'REFERENCES')
        AND has_any_column_privilege(r.oid, to_regclass(t.name), p.name))) ORDER BY 1)
    FROM pg_roles m WHERE m.rolname = %s OR m.rolname = ANY (%s) ORDER BY 1"""
# Those of the service are above an executor, and so is who made the roles or owns the tables.
_MEMBERS = """SELECT m.rolname::text FROM pg_roles m WHERE NOT m.rolsuper
    AND pg_has_role(m.oid, %s::text, 'member') AND NOT pg_has_role(m.oid, %s::text, 'member')
    AND m.oid <> (SELECT relowner FROM pg_class WHERE oid = to_regclass('events'))"""
_POLICIES = """SELECT policyname::text, permissive::text, cmd::text, roles::text[],
    coalesce(qual, ''), coalesce(with_check, '') FROM pg_policies
    WHERE schemaname = current_schema() AND tablename = 'events' ORDER BY 1"""
_SECURED = "SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('events')"
_GUARD = """SELECT t.tgenabled IN ('O', 'A'), pg_get_triggerdef(t.oid), p.prosrc
    FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid JOIN pg_language l ON l.oid = p.prolang
    WHERE t.tgrelid = to_regclass('tickets') AND t.tgname = 'tickets_by_executor'
    AND p.proconfig IS NULL AND NOT p.prosecdef AND l.lanname = 'plpgsql'"""
_BODY = "603f18ef94184f8ad5321a317a6844923dc747e1fade539b16dbc2603d3dfd9d"
"""SHA-256 of what the guard of tickets does, without its layout."""
_TOLD = (
    *("ExecutionDeferred", "ExecutionFailed", "ExecutionStarted", "ExecutionSucceeded"),
    *("TicketCancelled", "TicketExpired", "TicketRevised"),
)
_CHECK = (
    "type = ANY ARRAY[" + ", ".join(f"'{kind}'" for kind in _TOLD) + "] AND "
    r"replaceconvert_frombody, 'UTF8', '\u0000', '\u0001' ->> 'type' = type"
)
_MAY: Mapping[str, Mapping[str, str]] = {
    "serve": {
        "INSERT UPDATE DELETE": "floods idempotency outbox taken tiles",
        "INSERT UPDATE": "buckets checkpoints contents control cosignatures credentials cursors"
        " places tickets votes",
        "INSERT": "content_uses deeds events head_signatures",
        "UPDATE": "head",
    },
    "executor": {
        "INSERT UPDATE DELETE": "outbox",
        "INSERT UPDATE": "contents",
        "INSERT": "content_uses events",
        "UPDATE": "head idempotency tickets",
    },
    "reader": {},
}
"""What each may write; who may read is not looked at."""
_ALL = sorted(TABLES | {"alembic_version"})


def roles(connection: Connection) -> Iterator[Problem]:
    """What no longer keeps the roles of this ledger apart."""
    found = [prefix for (prefix,) in connection.execute(_SETS).fetchall()]
    for prefix in found:
        for role in _MAY:
            yield from _held(connection, prefix, role)
    yield from _policies(connection, found)
    if found and connection.execute(_SECURED).fetchone() != (True,):
        yield _problem("events", "events", "an executor may tell more than runs: no rows are kept")
    for prefix in found:
        if not _is_guarded(connection, prefix):
            detail = f"tickets_by_executor does not hold {prefix}_executor to its runs"
            yield _problem("tickets", "tickets_by_executor", detail)


def _held(connection: Connection, prefix: str, role: str) -> Iterator[Problem]:
    name, members = f"{prefix}_{role}", []
    may = {f"{t} {p}" for ps, ts in _MAY[role].items() for t in ts.split() for p in ps.split()}
    if role == "executor":
        found = connection.execute(_MEMBERS, [name, f"{prefix}_serve"])
        members = [member for (member,) in found]
    rows = connection.execute(_HELD, [_ALL, name, members]).fetchall()
    for member, may_all, has in rows:
        for one in ["everything"] if may_all else sorted(set(has) - may):
            table, _, right = one.partition(" ")
            told = f"may {right} on {table}" if right else "may do everything"
            yield _problem(table if right else "", member, f"{member} {told}")


def _policies(connection: Connection, prefixes: list[str]) -> Iterator[Problem]:
    wanted = {
        "events_read": ("PERMISSIVE", "SELECT", "serve executor reader", "true", ""),
        "events_of_serve": ("PERMISSIVE", "INSERT", "serve", "", "true"),
        "events_of_executor": ("PERMISSIVE", "INSERT", "executor", "", _CHECK),
    }
    for name, permissive, command, named, using, check in connection.execute(_POLICIES).fetchall():
        kind, verb, whose, qualified, checked = wanted.get(name, ("", "", "", "", ""))
        sets = [{f"{prefix}_{role}" for role in whose.split()} for prefix in prefixes]
        is_ours = (kind, verb) == (permissive, command) and set(named) in sets
        if not is_ours or (using, _bare(check)) != (qualified, checked):
            detail = f"the policy {name} is none of ours, or not as it was made"
            yield _problem("events", name, detail)


def _is_guarded(connection: Connection, prefix: str) -> bool:
    row = connection.execute(_GUARD).fetchone()
    if row is None:
        return False
    is_on, definition, body = row
    made = re.sub(r"::\w+|[()]", "", re.sub(r" ON \w+\.", " ON ", definition))
    digest = sha256(" ".join(body.split()).encode()).hexdigest()
    return is_on and digest == _BODY and made == _made(prefix)


def _made(prefix: str) -> str:
    held, free = (
        f"pg_has_roleto_regrole'{prefix}_{role}', 'member'" for role in ("executor", "serve")
    )
    return (
        "CREATE TRIGGER tickets_by_executor BEFORE UPDATE ON tickets FOR EACH ROW "
        f"WHEN {held} AND {free} IS NOT TRUE EXECUTE FUNCTION tickets_by_executor"
    )


def _bare(expression: str) -> str:
    """An expression without what the server adds: types and brackets."""
    return " ".join(re.sub(r"::\w+|[()]", "", expression).split())


def _problem(table: str, row: str, detail: str) -> Problem:
    return Problem(seq=0, what="rights", detail=detail, table=table, row=row)
