"""Roles on PostgreSQL: each process can do its work, and nothing else."""

import asyncio
from dataclasses import dataclass

import psycopg
import pytest

from governance.audit import Event
from governance.errors import Unavailable
from governance.outbox import Owed, OwedKind
from governance.tickets import events as ev
from governance.tickets import run_events as run_ev
from governance.tickets.ticket import TicketId, TicketState
from storage.engine import database
from storage.ledger import SqlLedger
from storage.postgres.database import PostgresDatabase
from storage.postgres.role_check import apply, standing
from storage.postgres.roles import EXECUTORS_EVENTS, Role, every_table, rights
from storage.verifying import verify_server
from tests.support import build
from tests.support.build import ANNA, T0, FixedClock
from tests.support.commits import append, whole
from tests.support.postgres import Postgres
from tests.unit.storage.story import tell

PREFIX = "unit"


@dataclass(frozen=True, slots=True, kw_only=True)
class Separated:
    """A database with roles, and a log with one ticket of each kind that an executor meets."""

    server: Postgres
    name: str

    def url(self, role: str) -> str:
        return self.server.url(self.name).replace("postgres:@", f"{PREFIX}_{role}:@")

    def db(self, role: str) -> PostgresDatabase:
        found = database(self.url(role))
        assert isinstance(found, PostgresDatabase)
        return found

    def ledger(self, role: str) -> SqlLedger:
        return SqlLedger(self.url(role), FixedClock(), trusts_database_time=False)

    def run(self, role: str, statement: str, *values: object) -> None:
        with psycopg.connect(self.url(role)) as connection:
            connection.execute(statement.encode(), values or None)


async def begin(ledger: SqlLedger) -> None:
    async with ledger:
        await append(ledger, build.opened("t-wait"))
        for name in ("t-run", "t-fail", "t-late", "t-defer"):
            await append(ledger, build.allowed(name))
            await append(ledger, build.on(name, run_ev.ExecutionCleared))


@pytest.fixture(scope="module")
def made(postgres: Postgres) -> str:
    name = postgres.ready()
    owner = database(postgres.url(name))
    assert isinstance(owner, PostgresDatabase)
    apply(owner, PREFIX)
    apply(owner, PREFIX)
    asyncio.run(begin(Separated(server=postgres, name=name).ledger("serve")))
    return name


@pytest.fixture(scope="module")
def shared(postgres: Postgres, made: str) -> Separated:
    """For what is refused."""
    return Separated(server=postgres, name=postgres.copy(made))


@pytest.fixture
def separated(postgres: Postgres, made: str) -> Separated:
    return Separated(server=postgres, name=postgres.copy(made))


def test_every_table_has_its_rights():
    for role in Role:
        assert rights(role).keys() == every_table()


async def test_serve_can_tell_every_story(postgres: Postgres):
    name = postgres.ready()
    apply(PostgresDatabase(parts=database(postgres.url(name)).parts), PREFIX)  # type: ignore[attr-defined]
    serve = Separated(server=postgres, name=name)
    async with serve.ledger("serve") as ledger:
        await tell(ledger)
        assert len(await whole(ledger)) > 20
    report = await asyncio.to_thread(verify_server, serve.url("reader"))
    assert report.problems == ()


@pytest.mark.parametrize("role", ["serve", "executor"])
async def test_who_may_write_may_try_whether_it_can_be_written(separated: Separated, role: str):
    async with separated.ledger(role) as ledger:
        owed = await ledger.backlog()
        await ledger.check_writable()
        assert await ledger.backlog() == owed
    async with separated.ledger("reader") as ledger:
        with pytest.raises(Unavailable):
            await ledger.check_writable()


async def test_the_executor_can_tell_of_its_runs(separated: Separated):
    failed = build.report(build.RunStatus.FAILED)
    async with separated.ledger("executor") as ledger:
        await ledger.control()
        await append(ledger, build.started("t-run"))
        await append(
            ledger,
            build.on("t-run", run_ev.ExecutionSucceeded, run_id="run-1", report=build.report()),
        )
        await append(ledger, build.started("t-fail"))
        again = build.revised("t-fail", ask=(await ledger.ticket(TicketId("t-fail"))).ask)  # type: ignore[union-attr]
        told = build.on("t-fail", run_ev.ExecutionFailed, run_id="run-1", report=failed)
        await append(ledger, told, again)
        await append(ledger, build.on("t-late", ev.TicketExpired))
        reason = {"code": build.Code.NO_SANDBOX, "reason": "no sandbox of tier A"}
        await append(ledger, build.on("t-defer", run_ev.ExecutionDeferred, **reason))
        await ledger.owe(Owed(kind=OwedKind.CLEAR, key="t-defer"), at=T0)
        (claimed,) = await ledger.claim([OwedKind.EXECUTE], at=T0, lease_s=5, limit=1)
        await ledger.done(claimed)
        states = [
            (await ledger.ticket(TicketId(name))).state  # type: ignore[union-attr]
            for name in ("t-run", "t-fail", "t-late", "t-defer")
        ]
    assert states == [
        TicketState.EXECUTED,
        TicketState.PENDING,
        TicketState.EXPIRED,
        TicketState.APPROVED,
    ]
    report = await asyncio.to_thread(verify_server, separated.url("reader"))
    # The sample events are not signed and come out of time; but they are what the tables say.
    told = {problem.what for problem in report.problems}
    assert not told & {"hash", "link", "sequence", "column", "head", "projection", "votes"}


def forbidden() -> list[ev.TicketEvent]:
    return [
        build.opened("t-new"),
        build.cast("t-wait"),
        build.on("t-wait", ev.VoteWithdrawn, person=ANNA),
        build.on("t-wait", ev.TicketApproved, weight=4, threshold=4),
        build.on("t-run", run_ev.ExecutionCleared, people=(ANNA,)),
    ]


def governing() -> list[Event]:
    names = ("BundleActivated", "CredentialIssued", "KeyRegistered", "AgentFrozen")
    return [build.samples()[name][0] for name in names]


async def test_the_executor_tells_of_nothing_else_and_governs_nothing(shared: Separated):
    async with shared.ledger("executor") as ledger:
        size, _ = await ledger.head()
        for told in (*forbidden(), *governing()):
            with pytest.raises(Unavailable):
                await append(ledger, told)
        assert (await ledger.head())[0] == size


def event(kind: str, body: str) -> tuple[str, str, bytes]:
    sql = """INSERT INTO events (seq, at, type, version, tenant, trace_id, ticket_id, agent_id,
        hash, body) SELECT max(seq) + 1, '', %s, 1, '', '', '', '', 'h', %s FROM events"""
    return sql, kind, body.encode()


@pytest.mark.parametrize("kind", EXECUTORS_EVENTS)
def test_what_was_hashed_says_the_type_not_only_the_column(separated: Separated, kind: str):
    separated.run("executor", *event(kind, f'{{"type":"{kind}"}}'))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        separated.run("executor", *event(kind, '{"type":"VoteCast"}'))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        separated.run("executor", *event("VoteCast", f'{{"type":"{kind}"}}'))


APPROVED = """UPDATE tickets SET state = 'APPROVED', body = convert_to(replace(convert_from(body,
    'UTF8'), '"PENDING"', '"APPROVED"'), 'UTF8') WHERE id = 't-wait'"""
OTHER_ASK = """UPDATE tickets SET state = 'EXECUTING', body = convert_to(replace(replace(
    convert_from(body, 'UTF8'), '"APPROVED"', '"EXECUTING"'), '"deployer"', '"other"'), 'UTF8')
    WHERE id = 't-run'"""
VOTED = """UPDATE tickets SET body = convert_to(replace(convert_from(body, 'UTF8'),
    '"votes":[]', '"votes":[1]'), 'UTF8') WHERE id = 't-run'"""
SECRETLY = "UPDATE tickets SET state = 'EXECUTING' WHERE id = 't-run'"


@pytest.mark.parametrize(
    "statement",
    [
        APPROVED,
        OTHER_ASK,
        VOTED,
        SECRETLY,
        "INSERT INTO votes VALUES ('t-wait', 1, 'p', 'operator', 9, 'approve', 0, 'p')",
        "INSERT INTO tickets SELECT * FROM tickets",
        "DELETE FROM tickets",
        "UPDATE control SET body = ''",
        "INSERT INTO credentials VALUES ('c', '', NULL, '')",
        "SELECT * FROM credentials",
        "UPDATE buckets SET tokens_milli = 9",
        "INSERT INTO idempotency VALUES ('t', 'a', 'k', 'd', 'i')",
        "INSERT INTO deeds SELECT * FROM deeds",
        "DELETE FROM floods",
        "INSERT INTO head_signatures VALUES (1, '', '', '')",
        "UPDATE events SET type = ''",
        "DELETE FROM events",
        "INSERT INTO detached VALUES (9, 1, 10, '', '', '', '')",
        "INSERT INTO detached_leaves VALUES (0, '')",
        "SELECT * FROM detached_uses",
        "UPDATE idempotency SET ticket_id = 't-wait'",
        "UPDATE idempotency SET key = 'other', kept_until = NULL",
        "DELETE FROM idempotency",
        "TRUNCATE events",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "ALTER TABLE events DISABLE ROW LEVEL SECURITY",
        "DROP TRIGGER tickets_by_executor ON tickets",
        "SET session_replication_role = replica",
        "CREATE TABLE mine (x int)",
        "CREATE TRIGGER mine BEFORE INSERT ON votes EXECUTE FUNCTION events_kept()",
        "SET ROLE unit_serve",
    ],
)
def test_the_executors_role_is_refused_by_the_server(shared: Separated, statement: str):
    with pytest.raises(
        (psycopg.errors.InsufficientPrivilege, psycopg.errors.IntegrityConstraintViolation)
    ):
        shared.run("executor", statement)


def test_the_reader_reads_and_writes_nothing(shared: Separated):
    for table in sorted(every_table()):
        shared.run("reader", f"SELECT * FROM {table}")
        for statement in (f"DELETE FROM {table}", f"INSERT INTO {table} SELECT * FROM {table}"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                shared.run("reader", statement)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET type = ''",
        "TRUNCATE events",
        "DELETE FROM events",
        "INSERT INTO detached VALUES (9, 1, 10, '', '', '', '')",
        "INSERT INTO detached_leaves VALUES (0, '')",
        "INSERT INTO detached_uses VALUES ('', 1, '', '', '', '', '', '')",
        "ALTER TABLE events DISABLE TRIGGER ALL",
        "DELETE FROM tickets",
        "DELETE FROM votes",
        "DELETE FROM head",
        "CREATE TABLE mine (x int)",
    ],
)
def test_serve_changes_no_history_and_no_guards(shared: Separated, statement: str):
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        shared.run("serve", statement)


@pytest.mark.parametrize("role", list(Role))
def test_a_role_is_known_by_its_exact_rights(shared: Separated, role: Role):
    found = standing(shared.db(role))
    assert (found.user, found.role, found.surplus) == (f"{PREFIX}_{role}", role, ())
    assert (found.fsync, found.may_all, found.is_ready) == ("on", False, True)


@pytest.mark.parametrize(
    ("change", "surplus"),
    [
        ("GRANT DELETE ON tickets TO unit_executor", ("DELETE on tickets",)),
        ("GRANT INSERT ON votes TO unit_executor", ()),
        ("GRANT INSERT (ticket_id) ON votes TO unit_executor", ()),
        ("GRANT SELECT ON credentials TO PUBLIC", ()),
        ("ALTER TABLE events DISABLE ROW LEVEL SECURITY", ()),
        ("CREATE POLICY more ON events FOR INSERT TO unit_executor WITH CHECK (true)", ()),
        ("REVOKE UPDATE ON head FROM unit_executor", ()),
    ],
)
def test_a_right_too_many_or_too_few_is_noticed(
    separated: Separated, change: str, surplus: tuple[str, ...]
):
    separated.server.execute(change, name=separated.name)
    found = standing(separated.db("executor"))
    assert (found.role, found.surplus) == (None, surplus)


def test_the_owner_may_all(shared: Separated):
    found = standing(database(shared.server.url(shared.name)))  # type: ignore[arg-type]
    assert (found.may_all, found.role) == (True, None)


HANDS = """DO $$ BEGIN IF to_regrole('unit_hands') IS NULL THEN
    CREATE ROLE unit_hands LOGIN IN ROLE unit_executor; END IF; END $$"""
GUARD = "tickets_by_executor"


def test_a_login_that_is_in_the_executors_role_is_held_to_it(separated: Separated):
    separated.server.execute(HANDS)
    assert standing(separated.db("hands")).role is Role.EXECUTOR
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="only tells of runs"):
        separated.run("hands", APPROVED)


def test_a_role_that_may_become_another_has_that_ones_rights(separated: Separated):
    separated.server.execute(HANDS, "GRANT unit_serve TO unit_hands WITH INHERIT FALSE, SET TRUE")
    try:
        separated.run("hands", "SET ROLE unit_serve")
        assert standing(separated.db("hands")).role is Role.SERVE
        for more in ("pg_write_server_files", "postgres"):
            separated.server.execute(f"GRANT {more} TO unit_hands WITH INHERIT FALSE, SET TRUE")
            assert standing(separated.db("hands")).may_all
            separated.server.execute(f"REVOKE {more} FROM unit_hands")
    finally:
        separated.server.execute("DROP ROLE unit_hands")


@pytest.mark.parametrize(
    "change",
    [
        f"DROP TRIGGER {GUARD} ON tickets",
        f"ALTER TABLE tickets DISABLE TRIGGER {GUARD}",
        f"ALTER TABLE tickets ENABLE REPLICA TRIGGER {GUARD}",
        f"""CREATE OR REPLACE FUNCTION {GUARD}() RETURNS trigger LANGUAGE plpgsql
            AS $$ BEGIN RETURN NEW; END $$""",
    ],
)
def test_an_executor_that_nothing_holds_to_its_runs_is_noticed(separated: Separated, change: str):
    separated.server.execute(change, name=separated.name)
    assert standing(separated.db("executor")).role is None


async def test_a_role_that_may_not_migrate_says_who_must(postgres: Postgres, made: str):
    name = postgres.copy(made)
    postgres.execute("UPDATE alembic_version SET version_num = '0001'", name=name)
    ledger = Separated(server=postgres, name=name).ledger("serve")
    with pytest.raises(Unavailable, match="placet db migrate"):
        await ledger.start()
    await ledger.close()
