"""A request is taken once, by whichever process has it first."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from governance.errors import Code, Refused, Unavailable
from governance.once import RepeatedError, Request, in_hand
from governance.ports import Keys, Result, State, Step
from storage.ledger import SqlLedger
from storage.taken import FORGOTTEN_AT_ONCE
from tests.contract.conftest import AnyLedger
from tests.support import build
from tests.support.build import T0, FixedClock
from tests.support.postgres import Postgres

UNTIL = T0 + timedelta(minutes=10)


def _request(key: str = "k-1") -> Request:
    return Request(key=key, at=T0, until=UNTIL, turn=asyncio.Lock())


def _record(by: str) -> Step[str]:
    """A step that leaves one record."""

    def step(_: State) -> Result[str]:
        return Result(reply=by, events=(build.evaluated(),))

    return step


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


async def test_whatever_is_committed_for_a_request_takes_it(ledger: AnyLedger):
    with in_hand(_request()):
        assert (await ledger.commit(Keys(), _record("one"))).reply == "one"
    size = await ledger.head()
    with in_hand(_request()), pytest.raises(RepeatedError):
        await ledger.commit(Keys(), _record("again"))
    assert await ledger.head() == size
    assert not await ledger.take("k-1", at=T0, until=UNTIL)


async def test_one_request_may_commit_more_than_once(ledger: AnyLedger):
    with in_hand(_request()):
        found = await asyncio.gather(*(ledger.commit(Keys(), _record(f"p{n}")) for n in range(5)))
        assert (await ledger.commit(Keys(), _record("last"))).reply == "last"
    assert [one.reply for one in found] == [f"p{n}" for n in range(5)]
    assert (await ledger.head())[0] == 6


async def test_of_two_arrivals_at_the_same_moment_one_is_committed(ledger: AnyLedger):
    async def arrive(by: str) -> str:
        with in_hand(_request()):
            return (await ledger.commit(Keys(), _record(by))).reply

    found = await asyncio.gather(*(arrive(f"p{n}") for n in range(8)), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["RepeatedError"] * 7 + ["str"]
    assert (await ledger.head())[0] == 1


async def test_a_refusal_inside_the_transaction_takes_the_request_and_may_be_followed_up(
    ledger: AnyLedger,
):
    def refused(_: State) -> Result[str]:
        return Result(reply=Refused(Code.WRONG_ROLE, "no"))

    with in_hand(_request()):
        with pytest.raises(Refused):
            await ledger.commit(Keys(), refused)
        assert (await ledger.commit(Keys(), _record("then"))).reply == "then"
    with in_hand(_request()), pytest.raises(RepeatedError):
        await ledger.commit(Keys(), _record("again"))


async def test_what_was_not_committed_does_not_take_the_request(tmp_path: Path, clock: FixedClock):
    url = f"sqlite:///{tmp_path}/placet.db"
    closed = SqlLedger(url, clock)
    async with closed:
        pass
    request = _request()
    with in_hand(request), pytest.raises(Unavailable):
        await closed.commit(Keys(), _record("lost"))
    assert not request.is_taken
    async with SqlLedger(url, clock) as ledger:
        with in_hand(request):
            assert (await ledger.commit(Keys(), _record("now"))).reply == "now"
