"""Verifying a ledger on PostgreSQL: the verdicts of a file, and the guards of a server."""

import asyncio
import base64
from pathlib import Path

import psycopg
import pytest

from governance.errors import Code, InvalidInput
from governance.transparency import Cosignature, Published
from storage.ledger import SqlLedger
from storage.verify.verifier import Report
from storage.verifying import verify_server
from tests.support import world
from tests.support.build import FixedClock
from tests.support.postgres import Postgres
from tests.unit.storage.story import tell


async def write(url: str) -> int:
    async with SqlLedger(url, FixedClock(), trusts_database_time=False) as ledger:
        await tell(ledger)
        size, root, head = await ledger.tree_head()
        note = await world.checkpointed(ledger, (size, root, head))
        await ledger.tiles.publish(Published(size=size, root=root, note=note))
        line = "\u2014 watch.example " + base64.b64encode(bytes(76)).decode()
        await ledger.tiles.cosign(Cosignature(size=size, name="watch.example", line=line))
        return (await ledger.head())[0]


@pytest.fixture(scope="module")
def told(postgres: Postgres) -> str:
    """A database whose log holds the story; tests copy it."""
    name = postgres.ready()
    asyncio.run(write(postgres.url(name)))
    return name


@pytest.fixture
def copy(postgres: Postgres, told: str) -> str:
    return postgres.copy(told)


def whats(report: Report) -> set[str]:
    return {problem.what for problem in report.problems}


def test_a_clean_log_verifies(postgres: Postgres, told: str):
    steps: list[tuple[int, int]] = []
    report = verify_server(
        postgres.url(told), progress=lambda done, total: steps.append((done, total))
    )
    assert report.problems == ()
    assert report.counts.events == steps[-1][0] == steps[-1][1] > 20
    assert report.counts.votes > 0


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("UPDATE events SET body = body || '\\x20'::bytea WHERE seq = 5", "hash"),
        ("UPDATE events SET tenant = 'other' WHERE seq = 5", "column"),
        ("DELETE FROM events WHERE seq = 5", "sequence"),
        ("UPDATE head SET pending = pending + 1", "head"),
        ("UPDATE tickets SET state = 'APPROVED' WHERE id = 't-wait'", "projection"),
        ("DELETE FROM votes WHERE ticket_id = 't-wait'", "votes"),
        ("UPDATE votes SET weight = 9", "votes"),
        ("UPDATE contents SET body = 'x'", "contents"),
        ("DELETE FROM contents", "contents"),
        ("UPDATE checkpoints SET root = 'x'", "published"),
        ("UPDATE checkpoints SET note = note || ' '", "published"),
        ("UPDATE cosignatures SET name = 'else.example'", "cosignature"),
        ("UPDATE idempotency SET key = 'other' WHERE ticket_id = 't-wait'", "idempotency"),
        ("""UPDATE control SET body = '{"snapshot":"","frozen":{},"keys":{}}'""", "control"),
    ],
)
def test_what_was_altered_by_who_owns_the_server_is_found(
    postgres: Postgres, copy: str, change: str, what: str
):
    postgres.execute(
        "ALTER TABLE events DISABLE TRIGGER ALL",
        change,
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change",
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_delete",
        "ALTER TABLE events ENABLE ALWAYS TRIGGER events_in_order",
        name=copy,
    )
    found = whats(verify_server(postgres.url(copy)))
    assert what in found
    assert "trigger" not in found


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ("DROP TRIGGER events_no_change ON events", "trigger"),
        ("DROP TRIGGER events_no_delete ON events", "trigger"),
        ("ALTER TABLE events DISABLE TRIGGER events_in_order", "trigger"),
        ("ALTER TABLE detached DISABLE TRIGGER detached_in_order", "trigger"),
        ("DROP TRIGGER detached_uses_no_change ON detached_uses", "trigger"),
        (
            """CREATE OR REPLACE FUNCTION events_detached() RETURNS trigger LANGUAGE plpgsql
               AS $$ BEGIN RETURN OLD; END $$""",
            "trigger",
        ),
        ("ALTER TABLE events ENABLE TRIGGER events_no_change", "trigger"),
        (
            """CREATE OR REPLACE FUNCTION events_kept() RETURNS trigger LANGUAGE plpgsql
               AS $$ BEGIN RETURN NULL; END $$""",
            "trigger",
        ),
        (
            """DROP TRIGGER events_no_change ON events;
               CREATE TRIGGER events_no_change BEFORE UPDATE ON events
               FOR EACH STATEMENT EXECUTE FUNCTION events_kept();
               ALTER TABLE events ENABLE ALWAYS TRIGGER events_no_change""",
            "trigger",
        ),
        (
            """CREATE TRIGGER more BEFORE INSERT ON tickets
               FOR EACH ROW EXECUTE FUNCTION events_kept()""",
            "trigger",
        ),
        (
            """CREATE TRIGGER tickets_by_executor BEFORE INSERT ON events
               FOR EACH ROW EXECUTE FUNCTION events_kept()""",
            "trigger",
        ),
        (
            """CREATE TRIGGER events_in_order BEFORE INSERT ON tickets
               FOR EACH ROW EXECUTE FUNCTION events_kept();
               DROP TRIGGER events_in_order ON events;
               CREATE TRIGGER events_in_order BEFORE INSERT ON events
               FOR EACH ROW EXECUTE FUNCTION events_next();
               ALTER TABLE events ENABLE ALWAYS TRIGGER events_in_order""",
            "trigger",
        ),
        ("CREATE VIEW more AS SELECT 1", "schema"),
        (
            """ALTER TABLE control ENABLE ROW LEVEL SECURITY;
               CREATE POLICY more ON control FOR SELECT USING (current_user <> 'reader')""",
            "row security",
        ),
        ("DROP INDEX ix_votes_voice", "unique"),
        ("ALTER TABLE votes DROP CONSTRAINT pk_votes", "unique"),
        ("ALTER TABLE control DROP CONSTRAINT pk_control", "unique"),
        (
            """ALTER TABLE tickets DROP CONSTRAINT uq_tickets_opened_seq;
               ALTER TABLE tickets ADD CONSTRAINT uq_tickets_opened_seq UNIQUE (opened_seq)
               DEFERRABLE INITIALLY DEFERRED""",
            "unique",
        ),
        ("CREATE TABLE more () INHERITS (votes); INSERT INTO more SELECT * FROM votes", "unique"),
        ("CREATE RULE more AS ON INSERT TO votes DO INSTEAD NOTHING", "schema"),
    ],
)
def test_a_guard_that_no_longer_guards_is_found(
    postgres: Postgres, copy: str, change: str, what: str
):
    postgres.execute(change, name=copy)
    assert whats(verify_server(postgres.url(copy))) == {what}


def test_a_dump_that_was_restored_is_the_whole_log_with_its_guards(
    postgres: Postgres, told: str, tmp_path: Path
):
    postgres.dumped(told, tmp_path / "placet.dump")
    name = postgres.restored(tmp_path / "placet.dump")
    report = verify_server(postgres.url(name))
    assert report.problems == ()
    assert report.head == verify_server(postgres.url(told)).head
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        postgres.execute("DELETE FROM events", name=name)


def test_a_server_that_cannot_be_asked_verifies_nothing(postgres: Postgres):
    report = verify_server(postgres.url("nowhere"))
    assert whats(report) == {"database"}


def test_a_file_is_not_on_a_server():
    with pytest.raises(InvalidInput) as caught:
        verify_server("sqlite:////nowhere/placet.db")
    assert caught.value.code is Code.INVALID_SETTINGS
