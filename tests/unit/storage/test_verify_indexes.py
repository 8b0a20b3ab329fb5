"""A server's indexes beside their tables: the service finds by the one what the other holds."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest

from storage.verify import indexes as verify_indexes
from storage.verify.indexes import indexes
from storage.verifying import verify_server
from tests.support.postgres import Postgres
from tests.unit.storage.test_verify_postgres import write

_PUT_BACK = """UPDATE pg_index SET {} WHERE indexrelid = '{}'::regclass"""


@pytest.fixture(scope="module")
def told(postgres: Postgres) -> str:
    """A database whose log holds the story; tests copy it."""
    name = postgres.ready()
    asyncio.run(write(postgres.url(name)))
    return name


@pytest.fixture
def copy(postgres: Postgres, told: str) -> str:
    return postgres.copy(told)


@contextmanager
def moment(postgres: Postgres, name: str) -> Iterator[psycopg.Connection[tuple[object, ...]]]:
    """As the verifier reads."""
    with psycopg.connect(postgres.url(name)) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        yield connection


def found(postgres: Postgres, name: str) -> list[tuple[str, str]]:
    """Index and what is said of it."""
    with moment(postgres, name) as connection:
        return [(problem.row, problem.detail) for problem in indexes(connection)]


def without_index(postgres: Postgres, name: str, index: str, flag: str, *changes: str) -> None:
    """Change rows while the server takes an index for one that is not to be written."""
    # Each by its own connection: what a session knows of a table's indexes it does not ask again.
    for statements in ([_PUT_BACK.format(f"{flag} = false", index)], changes):
        postgres.execute(*statements, name=name)
    postgres.execute(_PUT_BACK.format(f"{flag} = true", index), name=name)


@pytest.mark.parametrize("upkeep", ["ANALYZE", "VACUUM", "VACUUM FULL", "REINDEX DATABASE {}"])
def test_indexes_that_hold_their_tables_are_no_problem(postgres: Postgres, copy: str, upkeep: str):
    assert found(postgres, copy) == []
    postgres.execute(upkeep.format(copy), name=copy)
    assert found(postgres, copy) == []


@pytest.mark.parametrize(
    ("index", "table", "row"),
    [
        ("pk_idempotency", "idempotency", "ticket_id = 't-run'"),
        ("ix_deeds_trace", "deeds", "seq = (SELECT min(seq) FROM deeds)"),
        ("ix_tickets_pending", "tickets", "id = 't-wait'"),
        ("ix_outbox_due", "outbox", "key = (SELECT min(key) FROM outbox)"),
        ("ix_tickets_people", "tickets", "id = 't-wait'"),
        ("uq_tickets_opened_seq", "tickets", "id = 't-wait'"),
        ("ix_votes_voice", "votes", "person = (SELECT min(person) FROM votes)"),
    ],
)
def test_an_index_that_lacks_a_row_is_found(
    postgres: Postgres, copy: str, index: str, table: str, row: str
):
    postgres.execute(
        f"CREATE TABLE kept AS SELECT * FROM {table} WHERE {row}",
        f"DELETE FROM {table} WHERE {row}",
        name=copy,
    )
    back = f"INSERT INTO {table} SELECT * FROM kept"
    without_index(postgres, copy, index, "indisready", back, "DROP TABLE kept")
    ((name, detail),) = found(postgres, copy)
    assert name == index
    assert detail.startswith(f"the index {index} of {table} does not hold what its table holds")
    (problem,) = verify_server(postgres.url(copy)).problems
    assert (problem.what, problem.table, problem.row) == ("damage", table, index)


def test_an_index_whose_entry_has_another_key_than_its_row_is_found(postgres: Postgres, copy: str):
    postgres.execute("UPDATE deeds SET trace_id = 'x' || trace_id", name=copy)
    back = "UPDATE deeds SET trace_id = substr(trace_id, 2)"
    without_index(postgres, copy, "ix_deeds_trace", "indislive", back)
    assert [name for name, _ in found(postgres, copy)] == ["ix_deeds_trace"]


def test_an_index_whose_entries_lead_to_each_other_s_rows_is_found(postgres: Postgres, copy: str):
    swapped = """UPDATE credentials SET id = CASE id WHEN 'd' THEN 'e' ELSE 'd' END
        WHERE id IN ('d', 'e')"""
    postgres.execute(
        "ALTER TABLE credentials DROP CONSTRAINT pk_credentials",
        "CREATE INDEX pk ON credentials (id)",
        "INSERT INTO credentials SELECT v, issued_at, revoked_at, body FROM"
        " (SELECT * FROM credentials LIMIT 1) c, (VALUES ('d'), ('e')) AS more(v)",
        swapped,
        name=copy,
    )
    without_index(postgres, copy, "pk", "indislive", swapped)
    assert [name for name, _ in found(postgres, copy)] == ["pk"]


@pytest.mark.parametrize("flag", ["indisready", "indislive"])
def test_an_index_that_is_read_and_not_written_is_found(postgres: Postgres, copy: str, flag: str):
    postgres.execute(_PUT_BACK.format(f"{flag} = false", "ix_deeds_trace"), name=copy)
    ((name, detail),) = found(postgres, copy)
    assert name == "ix_deeds_trace"
    assert "is read and not written" in detail


@pytest.mark.parametrize("flag", ["indisvalid", "indisready", "indislive"])
def test_a_unique_index_that_is_not_kept_up_holds_nothing_apart(
    postgres: Postgres, copy: str, flag: str
):
    postgres.execute(_PUT_BACK.format(f"{flag} = false", "ix_votes_voice"), name=copy)
    assert "unique" in {p.what for p in verify_server(postgres.url(copy)).problems}


def test_a_unique_index_by_an_equality_of_somebody_s_own_holds_nothing_apart(
    postgres: Postgres, copy: str
):
    postgres.execute(
        """CREATE FUNCTION never(text, text) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -1'""",
        """CREATE OPERATOR CLASS odd FOR TYPE text USING btree AS OPERATOR 1 <, OPERATOR 2 <=,
           OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 never(text, text)""",
        "DROP INDEX ix_votes_voice",
        """CREATE UNIQUE INDEX ix_votes_voice ON votes (ticket_id odd, revision, voice)
           WHERE withdrawn = 0""",
        name=copy,
    )
    assert "unique" in {p.what for p in verify_server(postgres.url(copy)).problems}


@pytest.mark.parametrize(
    "index",
    [
        "USING hash (tool)",
        "(upper(tool))",
        "(tool) WHERE mine(tool)",
        "(tenant, trace_id, at)",
        "(tool DESC, at)",
    ],
)
def test_an_index_that_cannot_be_looked_through_is_a_problem_and_nothing_of_it_is_run(
    postgres: Postgres, copy: str, index: str
):
    postgres.execute(
        """CREATE FUNCTION mine(text) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS
           $$ BEGIN IF pg_is_in_recovery() OR current_setting('transaction_read_only') = 'on' THEN
           RAISE EXCEPTION 'run by whoever verifies'; END IF; RETURN true; END $$""",
        f"CREATE INDEX more ON deeds {index}",
        name=copy,
    )
    details = [detail for _, detail in found(postgres, copy)]
    assert len(details) == 1
    assert "looked through" in details[0]


def test_an_index_too_young_for_our_moment_is_no_problem(
    postgres: Postgres, copy: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(verify_indexes, "_asked", lambda *_: None)
    assert len(found(postgres, copy)) > 1
    postgres.execute("UPDATE pg_index SET indcheckxmin = true", name=copy)
    assert found(postgres, copy) == []


def test_how_the_server_reads_is_left_as_it_was(postgres: Postgres, copy: str):
    with moment(postgres, copy) as connection:
        list(indexes(connection))
        ways = "SELECT setting FROM pg_settings WHERE name LIKE 'enable_%scan'"
        assert set(connection.execute(ways)) == {("on",)}


def test_an_index_is_asked_though_another_one_of_the_same_keys_is_smaller(
    postgres: Postgres, copy: str
):
    postgres.execute(
        """INSERT INTO outbox SELECT 'k' || n % 3, 'key' || n, 1, 'a', null, '', 0, 0, '', 1, '', 0
           FROM generate_series(1, 5000) n""",
        "UPDATE outbox SET attempts = 1 WHERE key < 'key3'",
        "REINDEX INDEX pk_outbox",
        "ANALYZE outbox",
        name=copy,
    )
    assert found(postgres, copy) == []
