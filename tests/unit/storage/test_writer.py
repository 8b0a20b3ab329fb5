"""What only the durable ledger must show: triggers, restarts, full queues, sick files."""

import asyncio
import os
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from governance.errors import Code, InvalidInput, Unavailable
from governance.ports import Keys, Result, State, TicketQuery
from governance.tickets import events as ev
from governance.tickets.ticket import TicketId
from storage.ledger import SqliteLedger
from storage.sqlite import database as sqlite
from tests.support import build
from tests.support.build import ANNA, BEN, T0, FixedClock
from tests.support.commits import append, appending, whole

ROOT = Path(__file__).parents[3]
REST = "at, type, version, tenant, trace_id, ticket_id, agent_id, 'x', body"


def connect(path: Path) -> closing[sqlite3.Connection]:
    return closing(sqlite3.connect(path, isolation_level=None))


def until_taken(ledger: SqliteLedger) -> None:
    """Wait until the writer has what was queued."""
    patience_ends = time.monotonic() + 30
    while not ledger._writer._queue.empty():
        assert time.monotonic() < patience_ends
        time.sleep(0.001)


async def code_of(awaitable: asyncio.Future[object]) -> Code:
    with pytest.raises(Unavailable) as caught:
        await awaitable
    return caught.value.code


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET type = 'TicketApproved' WHERE seq = 1",
        "UPDATE events SET seq = 9 WHERE seq = 2",
        "DELETE FROM events WHERE seq = 2",
        "DELETE FROM events",
        f"INSERT OR REPLACE INTO events SELECT 1, {REST} FROM events WHERE seq = 2",
        f"INSERT INTO events SELECT 7, {REST} FROM events WHERE seq = 2",
    ],
)
async def test_the_database_refuses_to_change_the_log(
    ledger: SqliteLedger, path: Path, statement: str
):
    await append(ledger, build.evaluated(), build.evaluated())
    with connect(path) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    assert len(await whole(ledger)) == 2


async def test_everything_is_as_before_after_a_restart(url: str, clock: FixedClock):
    async with SqliteLedger(url, clock) as ledger:
        await append(ledger, build.opened("t-1"), build.allowed("t-2"), build.cast())
        await append(ledger, build.samples()["AgentFrozen"][0])
        before = (
            await whole(ledger),
            await ledger.tickets(TicketQuery()),
            await ledger.control(),
            await ledger.tree_head(),
        )
    async with SqliteLedger(url, clock) as again:
        after = (
            await whole(again),
            await again.tickets(TicketQuery()),
            await again.control(),
            await again.tree_head(),
        )
        assert after == before
        clock.pass_(-60)
        done = await again.commit(
            Keys(), lambda state: Result(reply=state.at, events=(build.evaluated(),))
        )
        assert (done.reply, done.seqs) == (T0, (5,))


async def test_a_full_queue_refuses_at_once_and_drains(url: str, clock: FixedClock):
    gate = threading.Event()
    entered = threading.Event()

    def held(_: State) -> Result[str]:
        entered.set()
        assert gate.wait(30)
        return Result(reply="held")

    async with SqliteLedger(url, clock, queue_limit=2) as ledger:
        first = asyncio.create_task(ledger.commit(Keys(), held))
        await asyncio.to_thread(entered.wait, 30)
        rest = [asyncio.create_task(append(ledger, build.evaluated())) for _ in range(3)]
        await asyncio.wait(rest, return_when=asyncio.FIRST_COMPLETED)
        assert [task.done() for task in rest] == [False, False, True]
        assert await code_of(rest[2]) is Code.LEDGER_BUSY
        await asyncio.to_thread(gate.set)
        assert (await first).reply == "held"
        assert [(await task).seqs for task in rest[:2]] == [(1,), (2,)]


async def test_of_steps_together_those_that_find_no_room_are_refused_and_the_others_are_not(
    url: str, clock: FixedClock
):
    gate, entered = threading.Event(), threading.Event()

    def held(_: State) -> Result[str]:
        entered.set()
        assert gate.wait(30)
        return Result(reply="held")

    async with SqliteLedger(url, clock, queue_limit=2) as ledger:
        first = asyncio.create_task(ledger.commit(Keys(), held))
        await asyncio.to_thread(entered.wait, 30)
        steps = [(Keys(), appending(build.evaluated())) for _ in range(4)]
        rest = asyncio.create_task(ledger.commit_all(steps))
        await asyncio.sleep(0)
        await asyncio.to_thread(gate.set)
        assert (await first).reply == "held"
        told = [getattr(one, "seqs", None) or getattr(one, "code", None) for one in await rest]
    assert told == [(1,), (2,), Code.LEDGER_BUSY, Code.LEDGER_BUSY]


async def test_of_steps_together_what_a_constraint_refuses_fails_alone(
    ledger: SqliteLedger, path: Path
):
    await append(ledger, build.opened("t-1"))
    with connect(path) as connection:  # a vote that the projection does not know of
        connection.execute(
            "INSERT INTO votes VALUES ('t-1', 1, ?, 'operator', 1, 'approve', 0, 'x')", (ANNA,)
        )
    steps = [
        appending(build.opened("t-2")),
        appending(build.cast()),
        appending(build.opened("t-3")),
    ]
    found = await ledger.commit_all([(Keys(), step) for step in steps])
    assert [isinstance(one, Unavailable) for one in found] == [False, True, False]
    assert [record.seq for record in await whole(ledger)] == [1, 2, 3]


async def test_whoever_gives_up_on_steps_together_leaves_the_writer_at_work(ledger: SqliteLedger):
    steps = [(Keys(), appending(build.evaluated())) for _ in range(3)]
    task = asyncio.create_task(ledger.commit_all(steps))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await append(ledger, build.evaluated())).seqs == (4,)


async def test_what_waits_together_is_committed_together(url: str, clock: FixedClock):
    gate, entered = threading.Event(), threading.Event()
    inside: list[int] = []

    def held(_: State) -> Result[None]:
        entered.set()
        assert gate.wait(30)
        return Result(reply=None)

    async with SqliteLedger(url, clock, batch_limit=8) as ledger:

        def noting(_: State) -> Result[None]:
            connection = ledger._writer._connection
            assert connection is not None
            inside.append(connection.total_changes)
            return Result(reply=None, events=(build.evaluated(),))

        first = asyncio.create_task(ledger.commit(Keys(), held))
        await asyncio.to_thread(entered.wait, 30)
        rest = [asyncio.create_task(ledger.commit(Keys(), noting)) for _ in range(20)]
        await asyncio.to_thread(lambda: None)
        await asyncio.to_thread(gate.set)
        await asyncio.gather(first, *rest)
    assert [inside.count(value) for value in sorted(set(inside))] == [8, 8, 4]


@pytest.mark.parametrize("is_closed_meanwhile", [False, True])
async def test_what_comes_while_another_process_writes_is_committed_with_what_waited(
    url: str, path: Path, clock: FixedClock, is_closed_meanwhile: bool
):
    inside: list[int] = []
    ledger = await SqliteLedger(url, clock, batch_limit=8).start()

    def noting(_: State) -> Result[None]:
        connection = ledger._writer._connection
        assert connection is not None
        inside.append(connection.total_changes)
        return Result(reply=None, events=(build.evaluated(),))

    with connect(path) as other:
        other.execute("BEGIN IMMEDIATE")
        tasks = [asyncio.create_task(ledger.commit(Keys(), noting))]
        await asyncio.sleep(0)
        await asyncio.to_thread(until_taken, ledger)
        tasks += [asyncio.create_task(ledger.commit(Keys(), noting)) for _ in range(9)]
        await asyncio.sleep(0)
        closing_ = asyncio.create_task(ledger.close()) if is_closed_meanwhile else None
        await asyncio.sleep(0.01)
        other.execute("ROLLBACK")
        found = await asyncio.gather(*tasks)
        await (closing_ or ledger.close())
    assert [one.seqs for one in found] == [(number,) for number in range(1, 11)]
    assert [inside.count(value) for value in sorted(set(inside))] == [8, 2]


async def test_a_file_that_cannot_be_tidied_costs_nobody_an_answer(
    ledger: SqliteLedger, monkeypatch: pytest.MonkeyPatch
):
    tried: list[str] = []

    class Sick(sqlite.SqliteConnection):
        def execute(self, sql: str, *more: Any) -> Any:
            if "wal_checkpoint" in sql:
                tried.append(sql)
                raise sqlite3.OperationalError("disk I/O error")
            return super().execute(sql, *more)

    monkeypatch.setattr(sqlite, "TIDY_AFTER", 1)
    monkeypatch.setattr(sqlite, "SqliteConnection", Sick)
    ledger._writer._disconnect()
    assert [(await append(ledger, build.evaluated())).seqs for _ in range(3)] == [(1,), (2,), (3,)]
    assert tried


async def test_what_a_constraint_refuses_fails_alone(ledger: SqliteLedger, path: Path):
    await append(ledger, build.opened("t-1"))
    with connect(path) as connection:  # a vote that the projection does not know of
        connection.execute(
            "INSERT INTO votes VALUES ('t-1', 1, ?, 'operator', 1, 'approve', 0, 'x')", (ANNA,)
        )
    results = await asyncio.gather(
        append(ledger, build.opened("t-2")),
        append(ledger, build.cast()),
        append(ledger, build.cast(person=BEN, role="security-admin", weight=3)),
        append(ledger, build.opened("t-3")),
        return_exceptions=True,
    )
    assert [isinstance(one, Unavailable) for one in results] == [False, True, False, False]
    assert [record.seq for record in await whole(ledger)] == [1, 2, 3, 4]


async def test_a_projection_row_that_is_gone_is_never_written_around(
    ledger: SqliteLedger, path: Path
):
    await append(ledger, build.opened("t-1"))
    with connect(path) as connection:
        connection.execute("DELETE FROM tickets")
    future = asyncio.ensure_future(append(ledger, build.on("t-1", ev.TicketExpired)))
    assert await code_of(future) is Code.LEDGER_UNAVAILABLE


async def test_a_ticket_that_does_not_read_back_fails_only_who_needs_it(
    ledger: SqliteLedger, path: Path
):
    await append(ledger, build.opened("t-1"), build.opened("t-2"))
    with connect(path) as connection:
        connection.execute("UPDATE tickets SET body = x'7b7d' WHERE id = 't-1'")
    results = await asyncio.gather(
        *(
            ledger.commit(Keys(tickets=(TicketId(name),)), lambda s: Result(reply=len(s.tickets)))
            for name in ("t-2", "t-1", "t-2")
        ),
        return_exceptions=True,
    )
    assert [isinstance(one, Unavailable) for one in results] == [False, True, False]


async def test_a_locked_file_answers_unavailable_and_service_resumes(
    url: str, path: Path, clock: FixedClock
):
    async with SqliteLedger(url, clock, busy_timeout_s=0.01) as ledger:
        await append(ledger, build.evaluated())
        with connect(path) as other:
            other.execute("BEGIN IMMEDIATE")
            codes = await asyncio.gather(
                *(code_of(asyncio.ensure_future(append(ledger, build.evaluated()))) for _ in "ab")
            )
            assert set(codes) == {Code.LEDGER_UNAVAILABLE}
            other.execute("ROLLBACK")
        assert (await append(ledger, build.evaluated())).seqs == (2,)


async def test_a_read_only_file_answers_unavailable_and_service_resumes(ledger: SqliteLedger):
    await append(ledger, build.evaluated())
    connection = ledger._writer._connection
    assert connection is not None
    connection.execute("PRAGMA query_only = ON")
    future = asyncio.ensure_future(append(ledger, build.evaluated()))
    assert await code_of(future) is Code.LEDGER_UNAVAILABLE
    assert ledger.condition.unwritable_s > 0
    assert (await append(ledger, build.evaluated())).seqs == (2,)
    assert ledger.condition.unwritable_s == 0


async def test_a_trial_writes_as_much_as_a_request_and_leaves_nothing(
    ledger: SqliteLedger, path: Path
):
    log = path.with_name("placet.db-wal")
    await append(ledger, build.evaluated())
    empty = log.stat().st_size
    await append(ledger, build.opened("t-1"))
    request = log.stat().st_size - empty
    before = await whole(ledger)
    await ledger.check_writable()
    assert log.stat().st_size - empty - request > request
    assert await whole(ledger) == before
    with connect(path) as connection:
        assert connection.execute("SELECT * FROM outbox WHERE kind = 'probe'").fetchall() == []


def test_a_full_disk_answers_unavailable_and_it_is_known_until_it_takes_writes_again(url: str):
    module = "tests.unit.storage.full_disk_process"
    done = subprocess.run(
        [sys.executable, "-m", module, url], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == [
        *("1", "unwritable=False"),
        *("ledger_unavailable", "ledger_unavailable", "unwritable=True"),
        *("ledger_unavailable", "unwritable=True"),
        *("unwritable=False", "2"),
    ]


async def test_a_file_that_is_gone_is_never_made_anew(ledger: SqliteLedger, path: Path):
    await append(ledger, build.evaluated())
    ledger._writer._disconnect()
    away = path.with_name("away.db")
    os.rename(path, away)
    future = asyncio.ensure_future(append(ledger, build.evaluated()))
    assert await code_of(future) is Code.LEDGER_UNAVAILABLE
    os.rename(away, path)
    assert (await append(ledger, build.evaluated())).seqs == (2,)


async def test_a_head_row_that_is_gone_stops_every_commit(ledger: SqliteLedger, path: Path):
    await append(ledger, build.evaluated())
    for statement in (
        "UPDATE head SET tree = x'00'",
        "UPDATE head SET tree = x''",
        "DELETE FROM head",
    ):
        with connect(path) as connection:
            connection.execute(statement)
        future = asyncio.ensure_future(append(ledger, build.evaluated()))
        assert await code_of(future) is Code.LEDGER_UNAVAILABLE
        with pytest.raises(Unavailable):
            await ledger.tree_head()


async def test_a_stale_head_row_never_forks_the_log(ledger: SqliteLedger, path: Path):
    with connect(path) as connection:
        old = connection.execute("SELECT * FROM head").fetchone()
        await append(ledger, build.evaluated())
        connection.execute("REPLACE INTO head VALUES (?, ?, ?, ?, ?, ?)", old)
    future = asyncio.ensure_future(append(ledger, build.evaluated()))
    assert await code_of(future) is Code.LEDGER_UNAVAILABLE
    assert len(await whole(ledger)) == 1


async def test_a_closed_ledger_takes_nothing(url: str, clock: FixedClock):
    ledger = SqliteLedger(url, clock)
    early = asyncio.ensure_future(append(ledger, build.evaluated()))
    assert await code_of(early) is Code.LEDGER_UNAVAILABLE
    async with ledger:
        await append(ledger, build.evaluated())
    late = asyncio.ensure_future(append(ledger, build.evaluated()))
    assert await code_of(late) is Code.LEDGER_UNAVAILABLE
    await ledger.close()


async def test_closing_finishes_what_is_queued(url: str, clock: FixedClock):
    ledger = await SqliteLedger(url, clock).start()
    tasks = [asyncio.create_task(append(ledger, build.evaluated())) for _ in range(50)]
    await asyncio.to_thread(lambda: None)
    await ledger.close()
    assert [(await task).seqs[0] for task in tasks] == list(range(1, 51))


async def test_a_caller_that_gives_up_does_not_stop_the_others(ledger: SqliteLedger):
    gate, entered = threading.Event(), threading.Event()

    def held(_: State) -> Result[str]:
        entered.set()
        assert gate.wait(30)
        return Result(reply="held")

    first = asyncio.create_task(ledger.commit(Keys(), held))
    await asyncio.to_thread(entered.wait, 30)
    second = asyncio.create_task(ledger.commit(Keys(), appending(build.evaluated())))
    first.cancel()
    gate.set()
    assert (await second).seqs == (1,)
    assert first.cancelled()


async def test_an_unreadable_folder_is_unavailable(tmp_path: Path, clock: FixedClock):
    blocker = tmp_path / "file"
    blocker.write_text("")
    ledger = SqliteLedger(f"sqlite:///{blocker}/placet.db", clock)
    assert await code_of(asyncio.ensure_future(ledger.start())) is Code.LEDGER_UNAVAILABLE
    await ledger.close()


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "placet.db",
        "sqlite://",
        "sqlite:///:memory:",
        "mysql://localhost/placet",
        "postgresql+asyncpg://h/d",
    ],
)
def test_a_url_of_another_kind_is_refused(bad: str, clock: FixedClock):
    with pytest.raises(InvalidInput) as caught:
        SqliteLedger(bad, clock)
    assert caught.value.code is Code.INVALID_SETTINGS


async def test_a_file_that_is_no_database_is_unavailable(path: Path, url: str, clock: FixedClock):
    await asyncio.to_thread(path.write_bytes, b"not a database" * 1000)
    ledger = SqliteLedger(url, clock)
    assert await code_of(asyncio.ensure_future(ledger.start())) is Code.LEDGER_UNAVAILABLE
    await ledger.close()


async def test_a_database_that_cannot_be_read_answers_unavailable(ledger: SqliteLedger, path: Path):
    with connect(path) as connection:
        connection.execute("ALTER TABLE tickets RENAME TO gone")
    with pytest.raises(Unavailable):
        await ledger.ticket(TicketId("t-1"))
