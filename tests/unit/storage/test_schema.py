"""Migrations yield the schema, and the queries that run all day use its indexes."""

import re
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import event

from governance.outbox import OwedKind
from governance.ports import TicketQuery
from governance.tickets.ticket import TicketId, TicketState
from storage import deeds
from storage.engine import database, migrate
from storage.ledger import SqliteLedger
from storage.retention.forgetting import FORGET
from storage.schema.guards import TRIGGERS
from storage.schema.tables import metadata
from storage.writing.source import PENDING_OF
from tests.support import build


def structure(connection: sqlite3.Connection) -> dict[str, str]:
    """Every object of a database by name, its text without its layout."""
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name <> 'alembic_version'"
    )
    return {name: re.sub(r"\s+", "", text).replace('"', "") for name, text in rows}


def test_migrations_yield_exactly_the_schema(url: str, path: Path, tmp_path: Path):
    migrate(url)
    migrate(url)
    engine = database(f"sqlite:///{tmp_path}/direct.db").migrating_engine()
    with engine.begin() as connection:
        metadata.create_all(connection)
        for statement in TRIGGERS.values():
            connection.exec_driver_sql(statement)
    engine.dispose()
    with (
        closing(sqlite3.connect(path)) as migrated,
        closing(sqlite3.connect(tmp_path / "direct.db")) as direct,
    ):
        assert structure(migrated) == structure(direct)


def test_alembic_sees_no_drift(url: str):
    migrate(url)
    engine = database(url).migrating_engine()
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()


def test_the_writer_survives_power_loss_by_its_pragmas(ledger: SqliteLedger):
    connection = ledger._writer._connection
    assert connection is not None
    settings = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "recursive_triggers")
    }
    assert settings == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "recursive_triggers": 1,
    }


_ALL = "SELECT * FROM events ORDER BY seq"
_RECORD = "INSERT INTO events VALUES (?, 'at', 'type', 1, 'acme', 't', 'k', 'a', ?, ?)"


def test_a_log_keeps_records_indexes_and_guards_when_its_index_by_hash_goes(url: str, path: Path):
    migrate(url)
    with closing(sqlite3.connect(path)) as connection:
        wanted = structure(connection)
        records = [(number, f"{number:064x}", bytes([number])) for number in range(1, 6)]
    path.unlink()
    engine = database(url).migrating_engine()
    config = Config()
    config.set_main_option("script_location", "storage:migrations")
    with engine.begin() as old:
        config.attributes["connection"] = old
        command.upgrade(config, "0006")
    engine.dispose()
    with closing(sqlite3.connect(path)) as connection:
        assert "UNIQUE(hash)" in structure(connection)["events"]
        connection.executemany(_RECORD, records)
        connection.commit()
        before = connection.execute(_ALL).fetchall()
    migrate(url)
    with closing(sqlite3.connect(path)) as connection:
        assert structure(connection) == wanted
        assert connection.execute(_ALL).fetchall() == before
        for refused in (
            "UPDATE events SET hash = ''",
            "DELETE FROM events",
            "INSERT OR REPLACE INTO events SELECT * FROM events WHERE seq = 5",
        ):
            with pytest.raises(sqlite3.IntegrityError):
                connection.execute(refused)


async def plans(ledger: SqliteLedger, path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How SQLite would run each statement of a round of reads."""
    seen: list[tuple[str, object]] = []

    def note(_c: object, _cur: object, statement: str, values: object, *_: object) -> None:
        seen.append((statement, values))

    quick = ledger._points.rows

    async def rows(sql: str, *values: str | int) -> Sequence[Sequence[Any]]:
        seen.append((sql, values))
        return await quick(sql, *values)

    monkeypatch.setattr(ledger._points, "rows", rows)
    event.listen(ledger._pool.engine.sync_engine, "before_cursor_execute", note)
    await ledger.due(build.T0, clearance_age_s=60, limit=10)
    await ledger.queue(build.TENANT)
    await ledger.timeline("a" * 32)
    await ledger.history(TicketId("t-1"))
    await ledger.records(5, 10)
    for query in (
        TicketQuery(states=(TicketState.PENDING,)),
        TicketQuery(tenant=build.TENANT, states=(TicketState.PENDING, TicketState.APPROVED)),
        TicketQuery(tenant=build.TENANT, agent=build.AGENT, states=(TicketState.PENDING,)),
        TicketQuery(agent=build.AGENT),
        TicketQuery(trace_id="a" * 32),
        TicketQuery(before=TicketId("t-1")),
        TicketQuery(tenant=build.TENANT),
        TicketQuery(tenant=build.TENANT, needed_people=True),
        TicketQuery(tenant=build.TENANT, agent=build.AGENT),
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
    with closing(sqlite3.connect(path)) as connection:
        return [
            " / ".join(row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values))  # type: ignore[arg-type]
            for sql, values in seen
        ]


async def test_no_read_scans_or_sorts_a_table_that_grows(
    ledger: SqliteLedger, path: Path, monkeypatch: pytest.MonkeyPatch
):
    found = await plans(ledger, path, monkeypatch)
    assert len(found) == 1 + 1 + (2 + 2 + 1) + 11
    for plan in found:
        assert "TEMP B-TREE" not in plan, plan
        # due_0 and its like are no tables, but the few rows that an index has found already.
        assert not re.search(r"SCAN (?!(due|of)_\d)\w+( /|$)", plan), plan
    for index in ("tickets_expiring", "tickets_overdue", "tickets_lease", "tickets_uncleared"):
        assert f"SEARCH tickets USING COVERING INDEX ix_{index} " in found[0]
    by_end = "SEARCH tickets USING INDEX ix_tickets_expiring ((expiring_at,id)>(?,?))"
    assert found[-1].startswith(by_end)
    assert "SEARCH floods USING INDEX ix_floods_ends " in found[0]
    of_one = [plan for plan in found if "ix_tickets_pending" in plan]
    assert of_one == [
        "SEARCH tickets USING INDEX ix_tickets_pending (tenant=? AND agent=? AND state=?)"
    ]


async def test_keys_that_are_over_are_found_by_their_index(ledger: SqliteLedger, path: Path):
    with closing(sqlite3.connect(path)) as connection:
        rows = connection.execute(f"EXPLAIN QUERY PLAN {FORGET}", ("2026", 9)).fetchall()
    plan = " / ".join(row[3] for row in rows)
    assert "SEARCH idempotency USING INDEX ix_idempotency_kept " in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan


async def test_the_past_is_found_and_counted_by_indexes(path: Path, ledger: SqliteLedger):
    with closing(sqlite3.connect(path)) as connection:

        def plan(sql: str) -> str:
            marks = ("x",) * (sql.count("?") - 1)
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", (*marks, 1)[: sql.count("?")])
            return " / ".join(row[3] for row in rows)

        for whose, sql in deeds.READS.items():
            assert f"ix_deeds_{whose} (tenant=? AND" in plan(sql), plan(sql)
            assert "TEMP B-TREE" not in plan(sql), plan(sql)
            assert "SEARCH t USING INDEX" in plan(sql), plan(sql)
        for per, sql in deeds.COUNTS.items():
            assert f"SEARCH deeds USING COVERING INDEX ix_deeds_{per} (" in plan(sql), plan(sql)
        by_label = plan(deeds.COUNT_BY_LABEL)
        assert "ix_deeds_tenant (tenant=? AND at>?)" in by_label
        assert "TEMP B-TREE" not in by_label


async def test_an_agents_pending_tickets_are_counted_in_their_index_alone(
    path: Path, ledger: SqliteLedger
):
    with closing(sqlite3.connect(path)) as connection:
        explained = connection.execute(f"EXPLAIN QUERY PLAN {PENDING_OF}", ("acme", "deployer"))
        plan = [row[3] for row in explained]
    assert plan == [
        "SEARCH tickets USING COVERING INDEX ix_tickets_pending (tenant=? AND agent=? AND state=?)"
    ]


async def test_a_claim_walks_the_index_of_what_is_alive(path: Path, ledger: SqliteLedger):
    with closing(sqlite3.connect(path)) as connection:
        for lane, index in (("", "ix_outbox_due"), ("AND placed = 0", "ix_outbox_lane")):
            sql = f"""SELECT key FROM outbox WHERE dead = 0 AND kind IN (?) AND due_at <= ? {lane}
                ORDER BY deadline, due_at, kind, key LIMIT 1"""
            values = (OwedKind.CARD, "2026")
            rows = connection.execute(f"EXPLAIN QUERY PLAN {sql}", values).fetchall()
            assert any(index in row[3] for row in rows)
            assert not any("TEMP B-TREE" in row[3] for row in rows)
