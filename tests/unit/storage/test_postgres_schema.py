"""PostgreSQL: migrations yield the schema, once however many start, and its reads use indexes."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import event

from governance.errors import Unavailable
from governance.ports import TicketQuery
from governance.tickets.ticket import TicketId, TicketState
from storage import deeds
from storage.connection import in_style
from storage.engine import database, migrate
from storage.ledger import SqlLedger
from storage.schema.guards import POSTGRES_TRIGGERS
from storage.schema.tables import metadata
from storage.writing.source import PENDING_OF
from tests.support import build
from tests.support.build import FixedClock
from tests.support.postgres import Postgres

ROOT = Path(__file__).parents[3]
_OBJECTS = (
    """SELECT 'column', table_name, column_name, data_type, collation_name, is_nullable,
       column_default FROM information_schema.columns
       WHERE table_schema = 'public' AND table_name <> 'alembic_version'""",
    """SELECT 'index', indexname, indexdef FROM pg_indexes
       WHERE schemaname = 'public' AND tablename <> 'alembic_version'""",
    """SELECT 'constraint', conname, pg_get_constraintdef(oid) FROM pg_constraint
       WHERE connamespace = 'public'::regnamespace AND conname NOT LIKE 'alembic%'""",
    """SELECT 'trigger', tgname, tgenabled::text, pg_get_triggerdef(oid) FROM pg_trigger
       WHERE NOT tgisinternal""",
    """SELECT 'function', proname, regexp_replace(prosrc, '\\s+', ' ', 'g') FROM pg_proc
       WHERE pronamespace = 'public'::regnamespace""",
)


def structure(server: Postgres, name: str) -> set[tuple[object, ...]]:
    """Every object of a database, but for the layout of its text."""
    return {row for sql in _OBJECTS for row in server.execute(sql, name=name)}


def test_migrations_yield_exactly_the_schema(postgres: Postgres):
    migrated, direct = postgres.empty(), postgres.empty()
    migrate(postgres.url(migrated))
    migrate(postgres.url(migrated))
    engine = database(postgres.url(direct)).migrating_engine()
    with engine.begin() as connection:
        metadata.create_all(connection)
        for statement in POSTGRES_TRIGGERS.values():
            connection.exec_driver_sql(statement)
    engine.dispose()
    found = structure(postgres, migrated)
    assert found == structure(postgres, direct)
    triggers = {row[1]: row[2] for row in found if row[0] == "trigger"}
    assert {"events_no_change", "events_in_order"} <= triggers.keys()
    assert set(triggers.values()) == {"A"}, "also in a session that calls itself a replica"


def test_all_text_is_in_the_order_of_its_bytes(postgres: Postgres):
    """Text order must be time order, and the same as SQLite's, whatever the server speaks."""
    columns = [row for row in structure(postgres, postgres.ready()) if row[0] == "column"]
    texts = {(row[1], row[2]): row[4] for row in columns if row[3] == "text"}
    assert texts
    assert {place for place, collation in texts.items() if collation != "C"} == set()
    assert {row[3] for row in columns} == {"text", "bigint", "integer", "bytea"}


def migrating(url: str) -> subprocess.Popen[bytes]:
    code = "import sys; from storage.engine import migrate; migrate(sys.argv[1])"
    return subprocess.Popen([sys.executable, "-c", code, url], cwd=ROOT, stderr=subprocess.PIPE)


async def test_processes_that_start_together_migrate_once(postgres: Postgres):
    url = postgres.url(postgres.empty())
    starting = [migrating(url) for _ in range(4)]
    ends = [await asyncio.to_thread(process.communicate) for process in starting]
    assert [process.returncode for process in starting] == [0] * 4, ends


async def test_an_old_database_is_not_used_by_who_may_not_migrate(
    postgres: Postgres, clock: FixedClock
):
    name = postgres.empty()
    postgres.execute("CREATE ROLE stranger LOGIN")
    ledger = SqlLedger(postgres.url(name).replace("postgres:@", "stranger:@"), clock)
    with pytest.raises(Unavailable, match="placet db migrate"):
        await ledger.start()
    await ledger.close()
    postgres.execute("DROP ROLE stranger")


async def statements(ledger: SqlLedger) -> list[str]:
    """Each statement of a round of reads, as PREPARE writes it."""
    seen: list[str] = []

    def note(_c: object, _cur: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(ledger._pool.engine.sync_engine, "before_cursor_execute", note)
    await ledger.due(build.T0, clearance_age_s=60, limit=10)
    await ledger.queue(build.TENANT)
    await ledger.timeline("a" * 32)
    await ledger.history(TicketId("t-1"))
    await ledger.records(5, 10)
    for query in (
        TicketQuery(states=(TicketState.PENDING,)),
        TicketQuery(tenant=build.TENANT, states=(TicketState.PENDING, TicketState.APPROVED)),
        TicketQuery(agent=build.AGENT),
        TicketQuery(trace_id="a" * 32),
        TicketQuery(before=TicketId("t-1")),
        TicketQuery(tenant=build.TENANT),
        TicketQuery(tenant=build.TENANT, before=TicketId("t-1"), opened=range(1, 9)),
        TicketQuery(
            tenant=build.TENANT,
            states=(TicketState.PENDING,),
            needed_people=True,
            soonest=True,
            before=TicketId("t-1"),
        ),
    ):
        await ledger.tickets(query)
    return [in_style(sql, "pyformat") for sql in seen]


def plan(connection: psycopg.Connection[tuple[str]], sql: str) -> str:
    """How the server would run ``sql`` whatever its parameters; scans and sorts cost too much."""
    numbers = iter(range(1, 1000))
    generic = re.sub(r"%\(\w+\)s|%s", lambda _: f"${next(numbers)}", sql)
    rows = connection.execute(f"EXPLAIN (GENERIC_PLAN, COSTS OFF) {generic}").fetchall()
    return "\n".join(row[0] for row in rows)


async def test_no_read_scans_or_sorts_a_table_that_grows(postgres: Postgres, clock: FixedClock):
    name = postgres.ready()
    async with SqlLedger(postgres.url(name), clock) as ledger:
        found = await statements(ledger)
    found += [PENDING_OF, *deeds.READS.values(), *deeds.COUNTS.values(), deeds.COUNT_BY_LABEL]
    with psycopg.connect(postgres.url(name), autocommit=True) as connection:
        connection.execute("SET enable_seqscan = off")
        connection.execute("SET enable_sort = off")
        connection.execute("SET enable_bitmapscan = off")
        plans = [plan(connection, in_style(sql, "pyformat")) for sql in found]
    assert len(plans) == 1 + 1 + (2 + 2 + 1) + 8 + 8
    for text in plans:
        assert "Seq Scan" not in text, text
        # Within one instant a few rows may be put in order; a table never.
        assert not re.search(r"(?<!Incremental )Sort(?! Key)", text), text
    for index in ("expiring", "overdue", "lease", "uncleared"):
        assert f"ix_tickets_{index}" in plans[0]
    assert "ix_tickets_expiring" in plans[14]
    assert "ix_tickets_pending" in plans[15]
