"""Many rows of one kind in one transaction are those of as many transactions."""

import sqlite3
from contextlib import closing
from pathlib import Path

from governance.digests import content_digest
from governance.errors import Unavailable
from governance.ports import Keys, Result, State, Step
from governance.tickets.ticket import TicketId
from storage.ledger import SqliteLedger
from storage.sqlite.database import SqliteConnection
from tests.support import build
from tests.support.build import FixedClock

ROWS = 2 * SqliteConnection.dialect.rows_at_once + 5
TABLES = ("tickets", "idempotency", "deeds", "contents", "content_uses", "events")


def birth(number: int) -> tuple[Keys, Step[None]]:
    """A ticket with a key and a content of its own."""
    body = f'{{"arguments": {{"n": {number}}}}}'.encode()
    ask = build.ask(idempotency_key=f"key-{number}", content_digest=content_digest(body))

    def step(_: State) -> Result[None]:
        event = build.opened(f"t-{number}", ask=ask)
        return Result(reply=None, events=(event,), contents={content_digest(body): body})

    return Keys(), step


def rows(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with closing(sqlite3.connect(path)) as connection:
        return {
            table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr)
            for table in TABLES
        }


async def test_many_births_together_leave_the_rows_of_each_by_itself(
    tmp_path: Path, clock: FixedClock
):
    singly, together = tmp_path / "singly.db", tmp_path / "together.db"
    async with SqliteLedger(f"sqlite:///{singly}", clock) as ledger:
        for number in range(ROWS):
            await ledger.commit(*birth(number))
    async with SqliteLedger(f"sqlite:///{together}", clock) as ledger:
        await ledger.commit_all([birth(number) for number in range(ROWS)])
    found = rows(together)
    assert found == rows(singly)
    assert [len(found[table]) for table in TABLES] == [ROWS] * len(TABLES)


async def test_among_many_births_what_a_constraint_refuses_fails_alone(
    ledger: SqliteLedger, path: Path
):
    refused = ROWS // 2
    with closing(sqlite3.connect(path)) as connection:  # a key that no step was told of
        connection.execute(
            "INSERT INTO idempotency VALUES (?, ?, 'k', 'digest', ?, NULL)",
            (build.TENANT, build.AGENT, f"t-{refused}"),
        )
        connection.commit()
    found = await ledger.commit_all([birth(number) for number in range(ROWS)])
    assert [n for n, one in enumerate(found) if isinstance(one, Unavailable)] == [refused]
    assert await ledger.ticket(TicketId(f"t-{refused}")) is None
    assert await ledger.ticket(TicketId(f"t-{refused + 1}")) is not None
    assert (await ledger.head())[0] == ROWS - 1
