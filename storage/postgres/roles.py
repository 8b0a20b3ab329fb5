"""Who may do what inside a PostgreSQL ledger: three roles with the least that each needs.

Lives here: the rights by role and table, the SQL that grants them, and what a connected role has.
Must not live here: applying the SQL (``role_check`` and people do). Law: the executor can
tell of runs and of nothing else: it cannot insert a vote, a decision, a bundle or a credential,
and cannot give a ticket votes or approval; no role can change what was logged or how it is guarded.
SQLite has no roles: whoever can write the file can write all of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from storage.schema.tables import metadata


class Role(StrEnum):
    """A process, and what its database role is called after a common prefix."""

    SERVE = "serve"
    EXECUTOR = "executor"
    READER = "reader"


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who we are on a server; ``role`` is the one whose rights these exactly are, None: none."""

    user: str
    may_all: bool
    """Superuser, or the tables' owner: it can take the guards away."""
    role: Role | None
    surplus: tuple[str, ...]
    """Rights beyond those of the role that is nearest."""
    is_ready: bool
    """Whether there is a ledger."""
    synchronous_commit: str
    fsync: str
    is_standby: bool


EXECUTORS_EVENTS = (
    "ExecutionDeferred",
    "ExecutionFailed",
    "ExecutionStarted",
    "ExecutionSucceeded",
    "TicketCancelled",
    "TicketExpired",
    "TicketRevised",
)
"""What an executor tells: of its runs, and what follows from one that failed or came too late."""

PRIVILEGES = ("SELECT", "INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
VERSIONS = "alembic_version"
_READ = ("SELECT",)
_ADD = ("SELECT", "INSERT")
_KEEP = ("SELECT", "INSERT", "UPDATE")
_ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
_TABLES: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "events": (_ADD, _ADD),
    "head": (("SELECT", "UPDATE"), ("SELECT", "UPDATE")),
    "head_signatures": (_ADD, _READ),
    "contents": (_KEEP, _KEEP),
    "content_uses": (_ADD, _ADD),
    "detached": (_READ, _READ),
    "detached_leaves": (_READ, ()),
    "detached_uses": (_READ, ()),
    "tickets": (_KEEP, ("SELECT", "UPDATE")),
    "idempotency": (_ALL, ("SELECT", "UPDATE")),
    "votes": (_KEEP, ()),
    "control": (_KEEP, _READ),
    "credentials": (_KEEP, ()),
    "buckets": (_KEEP, _READ),
    "deeds": (_ADD, _READ),
    "floods": (_ALL, _READ),
    "outbox": (_ALL, _ALL),
    "cursors": (_KEEP, ()),
    "taken": (_ALL, ()),
    "places": (_KEEP, _READ),
    "tiles": (_ALL, ()),
    "checkpoints": (_KEEP, ()),
    "cosignatures": (_KEEP, ()),
    VERSIONS: (_READ, _READ),
}
"""Rights of serve and of the executor; the reader reads all. A test misses no table."""
_COLUMNS = {(Role.EXECUTOR, "idempotency"): ("SELECT", "UPDATE (kept_until)")}
"""Where a role may change one column only: a run that ends says until when its key is kept."""


def rights(role: Role) -> dict[str, tuple[str, ...]]:
    """What ``role`` has on each table, and nothing beside it."""
    if role is Role.READER:
        return dict.fromkeys(_TABLES, _READ)
    place = 0 if role is Role.SERVE else 1
    return {table: both[place] for table, both in _TABLES.items()}


def statements(prefix: str = "placet") -> Iterator[str]:
    """SQL for the owner of the tables; run again, it takes away what is too much.

    Roles are made without a password: give each the way to log in that the server asks for.
    ``prefix`` is letters, digits and underscores.
    """
    names = {role: f"{prefix}_{role}" for role in Role}
    for name in names.values():
        yield _role(name)
    yield "REVOKE CREATE ON SCHEMA public FROM PUBLIC"
    yield f"GRANT USAGE ON SCHEMA public TO {', '.join(names.values())}"
    for role, name in names.items():
        yield f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {name}"
        for table, granted in rights(role).items():
            if granted:
                limited = _COLUMNS.get((role, table), granted)
                yield f"GRANT {', '.join(limited)} ON {table} TO {name}"
    yield "ALTER TABLE events ENABLE ROW LEVEL SECURITY"
    for name, sql in _policies(names).items():
        yield f"DROP POLICY IF EXISTS {name} ON events"
        yield f"CREATE POLICY {name} ON events {sql}"
    yield _TICKETS
    yield "DROP TRIGGER IF EXISTS tickets_by_executor ON tickets"
    # Whoever logs in as a member of the role is held to it, too; a role that is gone holds nobody.
    held, free = (
        f"pg_has_role(to_regrole('{names[role]}'), 'member')"
        for role in (Role.EXECUTOR, Role.SERVE)
    )
    yield f"""CREATE TRIGGER tickets_by_executor BEFORE UPDATE ON tickets FOR EACH ROW
    WHEN ({held} AND {free} IS NOT TRUE) EXECUTE FUNCTION tickets_by_executor()"""


def _role(name: str) -> str:
    return f"""DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{name}') THEN
    CREATE ROLE {name} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION NOBYPASSRLS;
    END IF; END $$"""  # noqa: S608  # a checked name


def _policies(names: Mapping[Role, str]) -> dict[str, str]:
    kinds = ", ".join(f"'{kind}'" for kind in EXECUTORS_EVENTS)
    # What was hashed says the type, not only the column beside it.
    told = f"{_JSON.format('body')} ->> 'type'"
    return {
        "events_read": f"FOR SELECT TO {', '.join(names.values())} USING (true)",
        "events_of_serve": f"FOR INSERT TO {names[Role.SERVE]} WITH CHECK (true)",
        "events_of_executor": f"""FOR INSERT TO {names[Role.EXECUTOR]}
    WITH CHECK (type IN ({kinds}) AND {told} = type)""",
    }


# An escaped NUL, which PostgreSQL cannot hold as text, is read as another control character.
_JSON = r"replace(convert_from({}, 'UTF8'), '\u0000', '\u0001')::json"
_SAME = (
    *("id", "ask", "ruling", "binding", "basis", "created_at", "approved_at", "decided_by"),
    "upheld_by",
)
"""Fields of a ticket that stay through a run of one revision."""
_FIELDS = ", ".join(f"'{name}'" for name in (*_SAME, "votes"))
_TICKETS = f"""CREATE OR REPLACE FUNCTION tickets_by_executor() RETURNS trigger
LANGUAGE plpgsql AS $$
DECLARE
    before json := {_JSON.format("OLD.body")};
    after json := {_JSON.format("NEW.body")};
    field text;
BEGIN
    IF NEW.state = 'EXPIRED' AND OLD.state IN ('PENDING', 'APPROVED', 'EXECUTING')
    OR OLD.state = 'APPROVED' AND NEW.state IN ('APPROVED', 'EXECUTING')
    OR OLD.state = 'EXECUTING' AND NEW.state IN ('EXECUTED', 'PENDING', 'CANCELLED') THEN
        IF after ->> 'state' IS DISTINCT FROM NEW.state
        OR (after ->> 'revision')::bigint IS DISTINCT FROM NEW.revision THEN
            RAISE insufficient_privilege USING MESSAGE = 'a row that contradicts itself';
        END IF;
        IF NEW.revision = OLD.revision THEN
            FOREACH field IN ARRAY ARRAY[{_FIELDS}] LOOP
                IF (after -> field)::text IS DISTINCT FROM (before -> field)::text THEN
                    RAISE insufficient_privilege
                    USING MESSAGE = 'an executor does not change ' || field;
                END IF;
            END LOOP;
            RETURN NEW;
        ELSIF NEW.revision = OLD.revision + 1 AND (after -> 'votes')::text = '[]'
        AND NEW.state IN ('PENDING', 'CANCELLED') THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE insufficient_privilege USING MESSAGE = 'an executor only tells of runs';
END $$"""


def every_table() -> frozenset[str]:
    """The tables of the schema."""
    return frozenset((*metadata.tables, VERSIONS))
