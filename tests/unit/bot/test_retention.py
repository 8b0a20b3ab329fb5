"""The daily look: everything that is due goes, wherever it was interrupted, and nothing else."""

from datetime import timedelta

import pytest

from bot import retention
from bot.retention import Eraser, retention_of
from governance.custody import Custody
from governance.digests import content_digest
from governance.errors import Code, Unavailable
from governance.policy.bundle import load
from governance.policy.decision import Effect
from governance.ports import Result
from governance.retention import Retention
from governance.retention_events import HoldScope
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import T0, TENANT, FixedClock
from tests.support.commits import naming

YEAR = Retention(days=365, by_class={"financial": 2555})
COUNT = retention.BATCH * 2 + 5


class House:
    def __init__(self) -> None:
        self.clock = FixedClock()
        self.ledger = MemoryLedger(self.clock)
        self.custody = Custody(ledger=self.ledger, reader=self.ledger, tenant=TENANT)
        self.eraser = Eraser(
            custody=self.custody, reader=self.ledger, past=self.ledger, clock=self.clock
        )

    async def ask(self, name: str, *, classes: tuple[str, ...] = ("internal",)) -> str:
        body = name.encode()
        digest = content_digest(body)
        opened = build.opened(
            name,
            ask=build.ask(idempotency_key=name, content_digest=digest),
            ruling=build.ruling(Effect.DENY, requirement=None),
            data_classes=classes,
        )
        result = Result(reply=None, events=(opened,), contents={digest: body})
        await self.ledger.commit(naming(name), lambda _: result)
        return digest

    async def there(self, *digests: str) -> list[bool]:
        return [await self.ledger.content(digest) is not None for digest in digests]


@pytest.fixture
def house() -> House:
    return House()


async def test_each_content_goes_when_its_own_retention_is_over(house: House):
    plain = await house.ask("t-1")
    books = await house.ask("t-2", classes=("financial", "internal"))
    house.clock.at = T0 + timedelta(days=364)
    young = await house.ask("t-3")
    assert await house.eraser.sweep(YEAR) == 0
    house.clock.at = T0 + timedelta(days=365)
    assert await house.eraser.sweep(YEAR) == 1
    assert await house.there(plain, books, young) == [False, True, True]
    house.clock.at = T0 + timedelta(days=2555)
    assert await house.eraser.sweep(YEAR) == 2
    assert await house.there(plain, books, young) == [False, False, False]
    assert await house.eraser.sweep(YEAR) == 0


async def test_a_sweep_that_was_interrupted_goes_on_where_it_was(house: House):
    digests = [await house.ask(f"t-{number}") for number in range(COUNT)]
    house.clock.at = T0 + timedelta(days=400)
    calls: list[int] = []
    expire = house.custody.expire

    async def once(*args: object, **named: object) -> object:
        calls.append(1)
        if len(calls) == 2:
            raise Unavailable(Code.LEDGER_UNAVAILABLE, "gone")
        return await expire(*args, **named)  # type: ignore[arg-type]

    house.custody.expire = once  # type: ignore[method-assign, assignment]
    with pytest.raises(Unavailable):
        await house.eraser.sweep(YEAR)
    assert sum(await house.there(*digests)) == COUNT - retention.BATCH
    assert await house.eraser.sweep(YEAR) == COUNT - retention.BATCH
    assert sum(await house.there(*digests)) == 0
    assert len(calls) == 4


async def test_what_a_hold_kept_goes_once_the_hold_is_lifted(house: House):
    first = await house.ask("t-1")
    house.clock.at = T0 + timedelta(days=400)
    await house.custody.hold(HoldScope.TICKET, "t-1", hold_id="h", actor="a", reason="case")
    late = await house.ask("t-2")
    house.clock.at = T0 + timedelta(days=800)
    assert await house.eraser.sweep(YEAR) == 1
    assert await house.there(first, late) == [True, False]
    await house.custody.lift("h", actor="a", reason="closed")
    assert await house.eraser.sweep(YEAR) == 1
    assert await house.there(first, late) == [False, False]


async def test_a_hold_placed_between_two_sweeps_loses_nothing_when_it_ends(house: House):
    await house.ask("t-1")
    house.clock.at = T0 + timedelta(days=366)
    assert await house.eraser.sweep(YEAR) == 1
    held = await house.ask("t-2")
    await house.custody.hold(HoldScope.ALL, "", hold_id="h", actor="a", reason="case")
    house.clock.at = T0 + timedelta(days=900)
    assert await house.eraser.sweep(YEAR) == 0
    await house.custody.lift("h", actor="a", reason="closed")
    assert await house.eraser.sweep(YEAR) == 1
    assert await house.there(held) == [False]


async def test_a_longer_retention_than_before_keeps_and_a_shorter_one_takes_the_old(house: House):
    old = await house.ask("t-1")
    house.clock.at = T0 + timedelta(days=100)
    assert await house.eraser.sweep(Retention(days=365)) == 0
    assert await house.eraser.sweep(Retention(days=500)) == 0
    assert await house.eraser.sweep(Retention(days=90)) == 1
    assert await house.there(old) == [False]


@pytest.mark.parametrize(
    ("bundle", "expected"),
    [
        ({}, Retention(days=365, by_class={"financial": 2555})),
        (
            {"audit": {"retention_days": 30, "retention_by_class": {"pii": 90, "financial": 400}}},
            Retention(days=30, by_class={"pii": 90, "financial": 400}),
        ),
    ],
)
def test_a_bundle_says_for_how_long(bundle: dict[str, object], expected: Retention):
    assert retention_of(load({"version": "v1", "rules": [], **bundle})) == expected
