"""Verifying a ledger on PostgreSQL; what is found there of tampering is in ``tests/attacks``."""

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
