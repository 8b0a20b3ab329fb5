"""What the configured database and its role really promise, asked of the server.

Lives here: reading promises and privileges back, and applying the roles. Must not live here: what
they should be (``roles``). Law: nothing is changed by looking; a right is known by what the
server says of the connected role, the executor's limit also by a write that must be refused.
"""

from typing import Any

import psycopg

from storage.postgres.database import PostgresDatabase
from storage.postgres.roles import PRIVILEGES, Role, Standing, every_table, rights, statements

_WHO = """SELECT current_user::text, bool_or(r.rolsuper OR r.rolbypassrls OR r.rolcreaterole
    OR r.rolname IN ('pg_execute_server_program', 'pg_write_server_files')
    OR r.oid IN (SELECT unnest(ARRAY[relowner, nspowner]) FROM pg_class c
    JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = to_regclass('events')))
    FROM pg_roles r WHERE pg_has_role(r.oid, 'member')"""
_PROMISES = """SELECT current_setting('synchronous_commit'), current_setting('fsync'),
    pg_is_in_recovery()"""
_SECURED = """SELECT relrowsecurity FROM pg_class WHERE oid = to_regclass('events')"""
_GUARDED = """SELECT 1 FROM pg_trigger WHERE tgrelid = to_regclass('tickets')
    AND tgname = 'tickets_by_executor' AND tgenabled IN ('O', 'A')"""
_MOVE = """UPDATE tickets SET state = 'RELEASED' WHERE id =
    (SELECT id FROM tickets LIMIT 1)"""
_PROBE = """INSERT INTO events (seq, at, type, version, tenant, trace_id, ticket_id, agent_id, hash,
    body) SELECT coalesce(max(seq), 0) + 1, '', %s, 1, '', '', '', '', 'probe', %s FROM events"""
_FORBIDDEN = ("VoteCast", "TicketApproved", "TicketOpened", "BundleActivated", "CredentialIssued")


def standing(db: PostgresDatabase) -> Standing:
    """Ask the server.

    Raises:
        psycopg.Error: it cannot be reached.
    """
    with psycopg.connect(**{**db.link, "target_session_attrs": "any"}) as connection:
        user, may_all = _one(connection, _WHO)
        synchronous, fsync, is_standby = _one(connection, _PROMISES)
        found = _rights(connection)
        role = None if may_all else _role_of(connection, found)
        return Standing(
            user=user,
            may_all=may_all,
            role=role,
            surplus=() if may_all or role is not None else _surplus(found),
            is_ready=bool(found),
            synchronous_commit=synchronous,
            fsync=fsync,
            is_standby=is_standby,
        )


def apply(db: PostgresDatabase, prefix: str) -> None:
    """Make the roles, in one transaction, as the owner of the tables.

    Raises:
        psycopg.Error: it may not, or cannot be reached; nothing was changed.
    """
    with psycopg.connect(**db.link) as connection:
        for statement in statements(prefix):
            connection.execute(statement.encode())


def _one(connection: psycopg.Connection[tuple[Any, ...]], sql: str) -> tuple[Any, ...]:
    return connection.execute(sql.encode()).fetchone() or ()


def _rights(connection: psycopg.Connection[tuple[Any, ...]]) -> dict[str, tuple[str, ...]]:
    """Privileges of the connected role by table, in the order of ``PRIVILEGES``; {}: no ledger.

    Those of every role that it is in are its own, since it may become that role.
    """
    sql = """SELECT t.name, array_agg(p.name ORDER BY p.place) FILTER (WHERE EXISTS (
        SELECT FROM pg_roles r WHERE pg_has_role(r.oid, 'member')
        AND (has_table_privilege(r.oid, to_regclass(t.name), p.name)
        OR p.name = ANY(ARRAY['SELECT', 'INSERT', 'UPDATE', 'REFERENCES'])
        AND has_any_column_privilege(r.oid, to_regclass(t.name), p.name))))
        FROM unnest(%s::text[]) t(name), unnest(%s::text[]) WITH ORDINALITY p(name, place)
        WHERE to_regclass(t.name) IS NOT NULL GROUP BY t.name"""
    rows = connection.execute(sql, (sorted(every_table()), list(PRIVILEGES)))
    return {table: tuple(granted or ()) for table, granted in rows}


def _role_of(
    connection: psycopg.Connection[tuple[Any, ...]], found: dict[str, tuple[str, ...]]
) -> Role | None:
    for role in Role:
        if found == rights(role):
            return role if role is not Role.EXECUTOR or _is_limited(connection) else None
    return None


def _is_limited(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    """Whether the server refuses what no executor may do: tell an event, by its column or its
    bytes, or move a ticket.
    """
    if _one(connection, _SECURED) != (True,) or not _one(connection, _GUARDED):
        return False
    if _one(connection, "SELECT 1 FROM tickets LIMIT 1") and not _refused(connection, _MOVE):
        return False
    told = [(kind, kind) for kind in _FORBIDDEN] + [("ExecutionStarted", "VoteCast")]
    return all(
        _refused(connection, _PROBE, column, f'{{"type":"{kind}"}}'.encode())
        for column, kind in told
    )


def _refused(connection: psycopg.Connection[tuple[Any, ...]], sql: str, *values: object) -> bool:
    """Whether this role may not do it; if it may, it is undone."""
    try:
        with connection.transaction(force_rollback=True):
            connection.execute(sql.encode(), values or None)
    except psycopg.errors.InsufficientPrivilege:
        return True
    except psycopg.errors.IntegrityError:
        pass  # it got further than it may
    return False


def _surplus(found: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """What goes beyond serve, the widest of the three."""
    wanted = rights(Role.SERVE)
    return tuple(
        f"{privilege} on {table}"
        for table, granted in sorted(found.items())
        for privilege in granted
        if privilege not in wanted[table]
    )
