"""A request is taken once, by whichever process has it first."""

import asyncio
from datetime import timedelta

from storage.ledger import SqlLedger
from storage.taken import FORGOTTEN_AT_ONCE
from tests.contract.conftest import AnyLedger
from tests.support.build import T0, FixedClock
from tests.support.postgres import Postgres

UNTIL = T0 + timedelta(minutes=10)


async def test_whoever_takes_a_request_first_has_it_until_its_time_is_over(ledger: AnyLedger):
    assert await ledger.take("k-1", at=T0, until=UNTIL)
    assert not await ledger.take("k-1", at=T0, until=UNTIL + timedelta(hours=1))
    assert await ledger.take("k-2", at=T0, until=UNTIL)
    assert not await ledger.take("k-1", at=UNTIL - timedelta(seconds=1), until=UNTIL)
    assert await ledger.take("k-1", at=UNTIL, until=UNTIL + timedelta(minutes=10))


async def test_of_many_at_the_same_moment_one_has_it(ledger: AnyLedger):
    found = await asyncio.gather(*(ledger.take("k-1", at=T0, until=UNTIL) for _ in range(20)))
    assert sum(found) == 1


async def test_what_is_over_is_forgotten_by_whoever_comes_next(
    postgres: Postgres, clock: FixedClock
):
    name = postgres.ready()
    async with SqlLedger(postgres.url(name), clock) as ledger:
        for number in range(FORGOTTEN_AT_ONCE + 5):
            await ledger.take(f"k-{number}", at=T0, until=UNTIL)
        await ledger.take("later", at=UNTIL, until=UNTIL + timedelta(minutes=10))
        await ledger.take("last", at=UNTIL, until=UNTIL + timedelta(minutes=10))
    rows = postgres.execute("SELECT key FROM taken ORDER BY key", name=name)
    assert [row[0] for row in rows] == ["last", "later"]


async def test_of_two_processes_on_one_database_one_has_it(postgres: Postgres, clock: FixedClock):
    url = postgres.url(postgres.ready())
    async with SqlLedger(url, clock) as one, SqlLedger(url, clock) as other:
        for number in range(10):
            found = await asyncio.gather(
                *(who.take(f"k-{number}", at=T0, until=UNTIL) for who in (one, other, one, other))
            )
            assert sum(found) == 1
