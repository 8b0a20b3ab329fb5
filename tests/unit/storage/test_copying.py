"""Moving a ledger: whole or not at all, the same bytes, never over another log."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from governance.errors import Code, InvalidInput, PlacetError, Unavailable
from governance.outbox import OwedKind
from storage.copying import as_file, copied, copy
from storage.engine import database, migrate
from storage.ledger import SqlLedger
from storage.sqlite.database import SqliteDatabase
from storage.verify.verifier import verify_database
from storage.verifying import verify_server
from tests.support import build
from tests.support.build import FixedClock
from tests.support.commits import append, whole
from tests.support.postgres import Postgres
from tests.unit.storage.story import tell


async def write(url: str) -> None:
    async with SqlLedger(url, FixedClock(), trusts_database_time=False) as ledger:
        await tell(ledger)
        await ledger.claim([OwedKind.CARD], at=build.T0, lease_s=5, limit=1)
        await ledger.advance("audit", 3)


@pytest.fixture
def told(url: str) -> str:
    """A file with a story."""
    asyncio.run(write(url))
    return url


def test_a_copy_is_the_same_log_and_goes_on(
    told: str, path: Path, postgres: Postgres, clock: FixedClock
):
    target = postgres.url(postgres.ready())
    steps: list[tuple[int, int]] = []
    done = copy(
        database(told), database(target), progress=lambda now, total: steps.append((now, total))
    )
    assert steps[-1] == (sum(done.rows.values()),) * 2
    there = verify_server(target)
    assert there.problems == ()
    here = verify_database(path)
    assert (there.root, there.head, there.counts) == (here.root, here.head, here.counts)
    assert (done.seq, done.head) == (here.counts.events, here.head)
    asyncio.run(goes_on(target, clock))


async def goes_on(url: str, clock: FixedClock) -> None:
    async with SqlLedger(url, clock, trusts_database_time=False) as ledger:
        size, _ = await ledger.head()
        assert (await append(ledger, build.evaluated())).seqs == (size + 1,)
        assert await ledger.cursor("audit") == 3
        assert len(await whole(ledger)) == size + 1


def test_a_server_comes_back_as_a_file_for_export(told: str, postgres: Postgres):
    target = postgres.url(postgres.ready())
    copied(database(told), database(target))
    with as_file(target) as found:
        assert verify_database(found).problems == ()
    assert not found.exists()
    with as_file(told) as own:
        assert own == Path(told.removeprefix("sqlite:///"))


def test_a_log_is_never_copied_over_another(told: str, postgres: Postgres):
    target = postgres.url(postgres.ready())
    copied(database(told), database(target))
    before = verify_server(target)
    with pytest.raises(InvalidInput, match="not empty") as caught:
        copied(database(told), database(target))
    assert caught.value.code is Code.INVALID_SETTINGS
    assert verify_server(target) == before


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO cursors VALUES ('audit', 1)",
        "UPDATE head SET seq = 1",
        "DELETE FROM head",
    ],
)
def test_a_target_with_anything_in_it_is_refused(told: str, postgres: Postgres, statement: str):
    name = postgres.ready()
    postgres.execute(statement, name=name)
    with pytest.raises(InvalidInput, match="not empty"):
        copied(database(told), database(postgres.url(name)))


def test_a_source_that_grows_meanwhile_is_refused_and_the_target_stays_empty(
    told: str, postgres: Postgres
):
    name = postgres.ready()
    grown = False

    def grow(_done: int, _total: int) -> None:
        nonlocal grown
        if not grown:
            grown = True
            other = database(told).connect(busy_timeout_s=5)
            other.begin_chain()
            other.execute("UPDATE head SET seq = seq + 1")
            other.commit()
            other.close()

    with pytest.raises(InvalidInput, match="grew"):
        copied(database(told), database(postgres.url(name)), progress=grow)
    assert postgres.execute("SELECT count(*) FROM events", name=name) == [(0,)]


def test_broken_off_in_the_middle_nothing_is_there(told: str, postgres: Postgres):
    name = postgres.ready()

    def break_(done: int, _total: int) -> None:
        if done > 20:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        copied(database(told), database(postgres.url(name)), progress=break_)
    assert postgres.execute("SELECT count(*) FROM events", name=name) == [(0,)]
    assert postgres.execute("SELECT seq FROM head", name=name) == [(0,)]


def test_a_log_that_was_tampered_with_is_not_let_in(told: str, path: Path, postgres: Postgres):
    tampering = database(told).connect(busy_timeout_s=5)
    for trigger in ("events_no_delete", "events_no_update"):
        tampering.execute(f"DROP TRIGGER {trigger}")
    tampering.execute("DELETE FROM events WHERE seq = 5")
    tampering.close()
    name = postgres.ready()
    with pytest.raises(Unavailable):
        copied(database(told), database(postgres.url(name)))
    assert postgres.execute("SELECT count(*) FROM events", name=name) == [(0,)]


def old(told: str, server: Postgres) -> tuple[str, str]:
    return told, server.url(server.empty())


def gone(_: str, server: Postgres) -> tuple[str, str]:
    return "sqlite:////nowhere/placet.db", server.url(server.ready())


def unreachable(told: str, server: Postgres) -> tuple[str, str]:
    return told, server.url("nowhere")


@pytest.mark.parametrize("pair", [old, gone, unreachable])
def test_what_cannot_be_used_is_said_and_nothing_is_made(
    told: str, postgres: Postgres, pair: Callable[[str, Postgres], tuple[str, str]]
):
    source, target = pair(told, postgres)
    with pytest.raises(PlacetError):
        copied(database(source), database(target))
    assert not Path("/nowhere").exists()


def test_a_file_may_be_the_target(told: str, tmp_path: Path):
    target = tmp_path / "other.db"
    migrate(f"sqlite:///{target}")
    copied(database(told), SqliteDatabase(path=target))
    assert verify_database(target).problems == ()
