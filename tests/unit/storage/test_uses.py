"""What was logged before contents were named is named by the migration: else no hold covers it."""

import sqlite3
from contextlib import closing
from pathlib import Path

from alembic import command

from storage.engine import _config, database, migrate
from storage.ledger import SqliteLedger
from tests.support.build import FixedClock
from tests.unit.storage import story

USES = "SELECT digest, seq FROM content_uses ORDER BY digest, seq"


async def test_an_older_log_is_named_as_the_writer_would_have(tmp_path: Path, clock: FixedClock):
    new, old = tmp_path / "new.db", tmp_path / "old.db"
    async with SqliteLedger(f"sqlite:///{new}", clock) as ledger:
        await story.tell(ledger)
    migrate_to("0004", f"sqlite:///{old}")
    columns = "seq, at, type, version, tenant, trace_id, ticket_id, agent_id, hash, body"
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("ATTACH ? AS new", (str(new),))
        connection.execute(
            f"INSERT INTO events ({columns}) SELECT {columns} FROM new.events ORDER BY seq"
        )
        wanted = connection.execute(USES.replace("FROM ", "FROM new.")).fetchall()
    migrate(f"sqlite:///{old}")
    with closing(sqlite3.connect(old)) as connection:
        assert connection.execute(USES).fetchall() == wanted
    assert len(wanted) > 8


def migrate_to(revision: str, url: str) -> None:
    db = database(url)
    db.prepare()
    engine = db.migrating_engine()
    with engine.begin() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    engine.dispose()
