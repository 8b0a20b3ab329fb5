"""What only PostgreSQL must show: several writers, lost servers, its own time, kept promises."""

import asyncio
import contextlib
import logging
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from governance.audit import GENESIS, hash_of
from governance.errors import Code, InvalidInput, Unavailable
from governance.outbox import Owed, OwedKind
from governance.ports import Keys, Result, State
from governance.tickets.ticket import TicketId
from storage.engine import database
from storage.ledger import SqlLedger
from storage.postgres.notices import NotifyWakes
from tests.support import build
from tests.support.build import T0, FixedClock
from tests.support.commits import append, appending, whole
from tests.support.postgres import Postgres, server, standby

ROOT = Path(__file__).parents[3]
REST = "at, type, version, tenant, trace_id, ticket_id, agent_id, 'x', body"


@pytest.fixture
def name(postgres: Postgres) -> str:
    return postgres.ready()


@pytest.fixture
def url(postgres: Postgres, name: str) -> str:
    return postgres.url(name)


@pytest.fixture
async def ledger(url: str, clock: FixedClock) -> AsyncIterator[SqlLedger]:
    async with SqlLedger(url, clock, trusts_database_time=False) as made:
        yield made


@pytest.fixture
def own() -> Iterator[Postgres]:
    """A server that the test may stop."""
    with server() as made:
        yield made


async def code_of(awaitable: asyncio.Future[object]) -> Code:
    with pytest.raises(Unavailable) as caught:
        await awaitable
    return caught.value.code


async def refused(ledger: SqlLedger) -> Code:
    return await code_of(asyncio.ensure_future(append(ledger, build.evaluated())))


def writer(url: str, name: str, count: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.unit.storage.writer_process", url, name, str(count)]
    return subprocess.Popen(command, cwd=ROOT)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET type = 'TicketApproved' WHERE seq = 1",
        "DELETE FROM events WHERE seq = 2",
        "TRUNCATE events",
        f"INSERT INTO events SELECT 7, {REST} FROM events WHERE seq = 2",
        f"INSERT INTO events SELECT 2, {REST} FROM events WHERE seq = 2",
        f"""INSERT INTO events SELECT 2, {REST} FROM events WHERE seq = 2
            ON CONFLICT (seq) DO UPDATE SET type = 'TicketApproved'""",
        """MERGE INTO events USING (SELECT 2 AS seq) AS one ON events.seq = one.seq
           WHEN MATCHED THEN DELETE""",
    ],
)
@pytest.mark.parametrize("role", ["origin", "replica"])
async def test_the_database_refuses_to_change_the_log(
    ledger: SqlLedger, postgres: Postgres, name: str, statement: str, role: str
):
    await append(ledger, build.evaluated(), build.evaluated())
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
        postgres.execute(f"SET session_replication_role = {role}", statement, name=name)
    assert len(await whole(ledger)) == 2


async def test_two_writer_processes_grow_one_chain(url: str, clock: FixedClock):
    processes = [writer(url, name, 300) for name in ("left", "right")]
    assert [await asyncio.to_thread(process.wait, 120) for process in processes] == [0, 0]
    async with SqlLedger(url, clock) as ledger:
        records = await whole(ledger)
    assert [record.seq for record in records] == list(range(1, 601))
    sides = [record.header.ticket_id.split("-")[0] for record in records]
    assert sorted(sides) == ["left"] * 300 + ["right"] * 300
    hashes = [GENESIS, *(record.hash for record in records)]
    assert all(hash_of(record.encoded) == record.hash for record in records)
    assert all(f'"previous":"{hashes[n]}"'.encode() in r.encoded for n, r in enumerate(records))


async def test_a_notice_arrives_without_waiting_for_the_poll(
    url: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("storage.ledger.POLL_S", 3600)
    async with SqlLedger(url, clock) as ledger, SqlLedger(url, clock) as other:
        assert isinstance(ledger._wakes, NotifyWakes)
        await ledger._wakes.is_listening.wait()
        waiting = asyncio.create_task(ledger.changed(0, 60))
        await asyncio.to_thread(lambda: None)
        await append(other, build.evaluated())
        assert await waiting == 1


async def test_without_notices_the_poll_finds_it(
    url: str, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
):
    async with SqlLedger(url, clock) as ledger, SqlLedger(url, clock) as other:
        await ledger._wakes.close()
        waiting = asyncio.create_task(ledger.changed(0, 60))
        await append(other, build.evaluated())
        assert await waiting == 1


async def test_the_servers_time_counts_not_the_machines(url: str, clock: FixedClock):
    clock.pass_(-50 * 365 * 86_400)
    async with SqlLedger(url, clock) as ledger:
        before = datetime.now(UTC)
        done = await ledger.commit(Keys(), lambda state: Result(reply=state.at))
        assert before - timedelta(seconds=5) < done.reply < before + timedelta(seconds=60)
        assert done.reply.utcoffset() == timedelta(0)


async def test_time_is_read_after_the_lock_was_had(url: str, clock: FixedClock):
    """Else whoever waited longest would date its events before those that it comes after."""
    first, second = SqlLedger(url, clock), SqlLedger(url, clock, busy_timeout_s=30)
    gate, entered = threading.Event(), threading.Event()
    left_at: list[datetime] = []

    def held(state: State) -> Result[datetime]:
        entered.set()
        assert gate.wait(30)
        left_at.append(datetime.now(UTC))
        return Result(reply=state.at)

    async with first, second:
        holding = asyncio.create_task(first.commit(Keys(), held))
        await asyncio.to_thread(entered.wait, 30)
        asked_at = datetime.now(UTC)
        waiting = asyncio.create_task(second.commit(Keys(), lambda s: Result(reply=s.at)))
        connection = second._writer._connection
        assert connection is not None
        pid = connection.raw.info.backend_pid  # type: ignore[attr-defined]
        await asyncio.to_thread(wait_for_lock, url, pid)
        gate.set()
        assert (await holding).reply < asked_at
        assert (await waiting).reply >= left_at[0]


def wait_for_lock(url: str, pid: int) -> None:
    """Until the server says that ``pid`` waits for a lock."""
    sql = "SELECT wait_event_type FROM pg_stat_activity WHERE pid = %s"
    patience = time.monotonic() + 30
    with psycopg.connect(url, autocommit=True) as connection:
        while connection.execute(sql, (pid,)).fetchone() != ("Lock",):
            assert time.monotonic() < patience, f"{pid} waits for no lock"


async def test_a_lost_server_answers_unavailable_and_service_resumes(
    own: Postgres, clock: FixedClock
):
    url = own.url(own.ready())
    async with SqlLedger(url, clock) as ledger:
        await append(ledger, build.allowed("t-1"))
        await asyncio.to_thread(own.stop)
        assert await refused(ledger) is Code.LEDGER_UNAVAILABLE
        assert await refused(ledger) is Code.LEDGER_UNAVAILABLE
        for read in (ledger.ticket(TicketId("t-1")), ledger.head(), ledger.records(0, 5)):
            assert await code_of(asyncio.ensure_future(read)) is Code.LEDGER_UNAVAILABLE
        await asyncio.to_thread(own.start)
        assert (await append(ledger, build.evaluated())).seqs == (2,)
        assert await ledger.ticket(TicketId("t-1")) is not None
        assert len(await whole(ledger)) == 2
        await asyncio.to_thread(own.stop)
        await asyncio.to_thread(own.start)  # as a restart that nobody was told of
        assert (await ledger.head())[0] == 2
        assert (await append(ledger, build.evaluated())).seqs == (3,)
        assert isinstance(ledger._wakes, NotifyWakes)
        await asyncio.wait_for(ledger._wakes.is_listening.wait(), 30)


async def test_a_connection_that_is_cut_in_the_middle_commits_nothing(
    ledger: SqlLedger, postgres: Postgres
):
    await append(ledger, build.evaluated())
    connection = ledger._writer._connection
    assert connection is not None
    pid = connection.raw.info.backend_pid  # type: ignore[attr-defined]

    def cut(_: State) -> Result[str]:
        postgres.execute(f"SELECT pg_terminate_backend({pid}, 5000)")
        return Result(reply="cut", events=(build.evaluated(),))

    results = await asyncio.gather(
        ledger.commit(Keys(), cut), append(ledger, build.evaluated()), return_exceptions=True
    )
    assert isinstance(results[0], Unavailable)
    done = 2 if isinstance(results[1], Unavailable) else 3
    assert (await append(ledger, build.evaluated())).seqs == (done,)


async def test_a_held_head_answers_unavailable_and_service_resumes(url: str, clock: FixedClock):
    async with SqlLedger(url, clock, busy_timeout_s=0.05) as ledger:
        await append(ledger, build.evaluated())
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM head FOR UPDATE")
            assert await refused(ledger) is Code.LEDGER_UNAVAILABLE
            other.rollback()
        assert (await append(ledger, build.evaluated())).seqs == (2,)


async def test_a_server_that_became_a_standby_is_left(ledger: SqlLedger):
    await append(ledger, build.evaluated())
    connection = ledger._writer._connection
    assert connection is not None
    connection.begin()
    connection.execute("SET TRANSACTION READ ONLY")
    with pytest.raises(psycopg.InternalError) as caught:
        connection.execute("DELETE FROM floods")
    assert ledger._db.trouble(caught.value).name == "DOWN"
    connection.rollback()


async def test_a_standby_that_takes_over_has_what_was_acknowledged_and_takes_what_comes(
    own: Postgres, clock: FixedClock
):
    name = own.ready()
    with standby(own) as second:
        async with SqlLedger(second.either(name), clock) as ledger:
            await append(ledger, build.allowed("t-1"))
            await asyncio.to_thread(own.stop)
            assert await refused(ledger) is Code.LEDGER_UNAVAILABLE, "a standby takes no writes"
            await asyncio.to_thread(second.take_over)
            assert (await append(ledger, build.evaluated())).seqs == (2,)
            assert await ledger.ticket(TicketId("t-1")) is not None
            assert isinstance(ledger._wakes, NotifyWakes)
            await asyncio.wait_for(ledger._wakes.is_listening.wait(), 30)
            assert await ledger.leads("audit")


async def test_a_rollback_that_looks_like_a_commit_is_an_error(ledger: SqlLedger):
    """COMMIT of a transaction in which a statement failed answers without an error."""

    def break_(_: State) -> Result[str]:
        connection = ledger._writer._connection
        assert connection is not None
        with contextlib.suppress(psycopg.Error):
            connection.execute("SELECT 1 / 0")
        return Result(reply="as if nothing had been")

    future = asyncio.ensure_future(ledger.commit(Keys(), break_))
    assert await code_of(future) is Code.LEDGER_UNAVAILABLE
    assert (await append(ledger, build.evaluated())).seqs == (1,)


async def test_upkeep_does_not_wait_for_the_log(url: str, clock: FixedClock):
    async with SqlLedger(url, clock, busy_timeout_s=0.05) as ledger:
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM head FOR UPDATE")
            await ledger.owe(Owed(kind=OwedKind.CARD, key="t-1"), at=T0)
            (claimed,) = await ledger.claim([OwedKind.CARD], at=T0, lease_s=5, limit=9)
            await ledger.done(claimed)


async def test_a_claim_passes_over_what_another_is_taking(url: str, clock: FixedClock):
    async with SqlLedger(url, clock, busy_timeout_s=0.05) as ledger:
        for key in ("t-1", "t-2"):
            await ledger.owe(Owed(kind=OwedKind.CARD, key=key), at=T0)
        with psycopg.connect(url) as other:
            other.execute("SELECT 1 FROM outbox WHERE key = 't-1' FOR UPDATE")
            found = await ledger.claim([OwedKind.CARD], at=T0, lease_s=5, limit=9)
            assert [one.owed.key for one in found] == ["t-2"]


async def test_claims_of_many_processes_never_overlap(url: str, clock: FixedClock):
    async with contextlib.AsyncExitStack() as stack:
        ledgers = [await stack.enter_async_context(SqlLedger(url, clock)) for _ in range(4)]
        for number in range(40):
            await ledgers[0].owe(Owed(kind=OwedKind.CARD, key=f"t-{number}"), at=T0)
        shares = await asyncio.gather(
            *(
                ledger.claim([OwedKind.CARD], at=T0, lease_s=30, limit=5)
                for ledger in ledgers
                for _ in range(4)
            )
        )
        keys = [one.owed.key for share in shares for one in share]
        while more := await ledgers[0].claim([OwedKind.CARD], at=T0, lease_s=30, limit=50):
            keys += [one.owed.key for one in more]
    assert len(keys) == len(set(keys)) == 40


async def test_who_got_in_anothers_way_is_done_again(url: str, clock: FixedClock):
    """A deadlock undoes one side; its callers hear nothing of it."""
    async with SqlLedger(url, clock) as ledger:
        for key in ("t-a", "t-b"):
            await ledger.owe(Owed(kind=OwedKind.CARD, key=key), at=T0)
        with psycopg.connect(url) as other:
            other.execute("SET deadlock_timeout = '1h'")  # so it is ours that notices
            lock = "SELECT 1 FROM outbox WHERE key = %s FOR UPDATE"
            other.execute(lock, ("t-b",))
            tries: list[int] = []

            def cross(_: State) -> Result[str]:
                tries.append(1)
                events = (build.opened("t-a"), build.opened("t-b"))
                return Result(reply="done", events=events)

            crossing = asyncio.create_task(ledger.commit(Keys(), cross))
            connection = ledger._writer._connection
            assert connection is not None
            pid = connection.raw.info.backend_pid  # type: ignore[attr-defined]
            await asyncio.to_thread(wait_for_lock, url, pid)
            await asyncio.to_thread(other.execute, lock, ("t-a",))
            other.rollback()
        assert (await crossing).reply == "done"
        assert len(tries) > 1
        assert len(await whole(ledger)) == 2


async def test_a_value_that_the_server_cannot_hold_fails_alone(ledger: SqlLedger):
    bad = Keys(idempotency=((build.TENANT, build.AGENT, "a\x00b"),))
    results = await asyncio.gather(
        append(ledger, build.allowed("t-1")),
        ledger.commit(bad, appending(build.allowed("t-2"))),
        append(ledger, build.allowed("t-3")),
        return_exceptions=True,
    )
    assert [isinstance(one, Unavailable) for one in results] == [False, True, False]


@pytest.mark.parametrize("setting", ["fsync", "synchronous_commit"])
async def test_a_server_that_does_not_keep_what_it_acknowledges_is_refused(
    own: Postgres, clock: FixedClock, setting: str
):
    name = own.ready()
    own.execute(f"ALTER SYSTEM SET {setting} = off", "SELECT pg_reload_conf()")
    own.stop()
    own.start()
    assert own.execute(f"SHOW {setting}") == [("off",)]
    ledger = SqlLedger(own.url(name), clock)
    if setting == "synchronous_commit":  # a session may say otherwise, and ours does
        async with ledger:
            connection = ledger._writer._connection
            assert connection is not None
            assert connection.execute(f"SHOW {setting}").fetchone() == ("on",)
        return
    with pytest.raises(InvalidInput, match="fsync is off") as caught:
        await ledger.start()
    assert caught.value.code is Code.INVALID_SETTINGS
    await ledger.close()


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://placet:s3cret@127.0.0.1:1/placet",
        "postgresql://127.0.0.1:1/placet?user=placet&password=s3cret",
        "postgres://placet:s3cret@127.0.0.1:1,127.0.0.1:2/placet",
    ],
)
async def test_no_message_shows_a_password(
    address: str, clock: FixedClock, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.DEBUG)
    with contextlib.suppress(InvalidInput):
        ledger = SqlLedger(address, clock)
        with pytest.raises(Unavailable) as caught:
            await ledger.start()
        await ledger.close()
        shown = [str(caught.value), repr(ledger._db), ledger._db.name, caught.value.message]
        assert not any("s3cret" in text for text in shown), shown
    assert "s3cret" not in caplog.text
    for record in caplog.records:
        assert "s3cret" not in str(record.__dict__)


def test_a_url_that_cannot_be_read_is_not_repeated():
    with pytest.raises(InvalidInput) as caught:
        database("postgresql://placet:s3cret@host:port/placet")
    assert "s3cret" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_without_its_driver_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    monkeypatch.delitem(sys.modules, "storage.postgres.database")
    with pytest.raises(InvalidInput, match=r"pip install placet\[postgres\]") as caught:
        database("postgresql://127.0.0.1/placet")
    assert caught.value.code is Code.INVALID_SETTINGS
