"""One message in place of many: it appears once, is kept true, and says when it is over."""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace

from bot.emulator.faults import FaultKind
from bot.emulator.messages import Message
from bot.slack.sending.digest import DIGEST_AT, Digests
from governance.outbox import Owed, OwedKind
from tests.integration.slack.world import World, open_world
from tests.support.build import FixedClock

CHANNEL = "C0APPROVE"


@dataclass(kw_only=True)
class Crowd:
    """A channel in which many cards wait."""

    world: World
    clock: FixedClock
    digests: Digests

    async def wait(self, count: int, first: int = 0) -> None:
        """Owe so many cards that were never posted."""
        for number in range(first, first + count):
            owed = Owed(kind=OwedKind.CARD, key=f"t-{number}")
            await self.world.ledger.owe(owed, at=self.clock.now())

    async def served(self, left: int) -> None:
        """Have all but so many posted."""
        for held in await self.world.ledger.claim(
            (OwedKind.CARD,), at=self.clock.now(), lease_s=9, limit=10_000
        ):
            if await self.world.ledger.unplaced(10_000) > left:
                await self.world.ledger.done(held)

    def again(self) -> Digests:
        """The same after a restart."""
        return Digests(
            outbox=self.world.ledger,
            publisher=self.world.app.publisher,
            clock=self.clock,
            channel=CHANNEL,
        )

    def shown(self) -> list[Message]:
        return list(self.world.emu.messages("approvals"))

    def calls(self) -> tuple[int, int]:
        emu = self.world.emu
        return len(emu.calls("chat.postMessage")), len(emu.calls("chat.update"))


@contextlib.asynccontextmanager
async def crowd() -> AsyncIterator[Crowd]:
    clock = FixedClock()
    async with open_world() as world:
        made = Crowd(world=world, clock=clock, digests=None)  # type: ignore[arg-type]
        made.digests = made.again()
        yield made


async def test_few_that_wait_are_told_by_their_cards_alone() -> None:
    async with crowd() as c:
        await c.wait(DIGEST_AT - 1)
        assert await c.digests.told() == DIGEST_AT - 1
        await c.digests.posted()
        assert c.calls() == (0, 0)


async def test_many_that_wait_are_told_once_and_then_kept_true() -> None:
    async with crowd() as c:
        await c.wait(DIGEST_AT)
        await c.digests.told()
        await c.digests.told()
        assert c.calls() == (1, 0)
        assert c.shown()[0].text.startswith("20 requests wait for a card")
        await c.wait(10, first=DIGEST_AT)
        c.clock.pass_(60)
        await c.digests.told()
        assert c.calls() == (1, 1)
        assert c.shown()[0].text.startswith("30 requests wait for a card")


async def test_no_card_waits_for_the_message_to_be_brought_up_to_date() -> None:
    async with crowd() as c:
        await c.wait(DIGEST_AT)
        await c.digests.told()
        c.clock.pass_(60)
        c.world.emu.faults.add(FaultKind.RATE_LIMITED, on="chat.update", retry_after_s=9)
        assert await c.digests.told() == DIGEST_AT
        assert c.calls() == (1, 1)
        await c.wait(10, first=DIGEST_AT)
        await c.digests.told()
        assert c.shown()[0].text.startswith("30 requests wait for a card")


async def test_when_the_last_card_is_posted_the_message_says_so_once() -> None:
    async with crowd() as c:
        await c.wait(DIGEST_AT)
        await c.digests.told()
        await c.digests.posted()
        assert c.calls() == (1, 0)
        await c.served(1)
        await c.digests.posted()
        await c.digests.posted()
        assert c.calls() == (1, 1)
        assert c.shown()[0].text == "Every request has its card again\u2024"


async def test_a_restart_forgets_neither_the_message_nor_to_end_it() -> None:
    async with crowd() as c:
        await c.wait(DIGEST_AT)
        await c.digests.told()
        await c.again().told()
        assert c.calls() == (1, 1)
        await c.served(0)
        restarted = c.again()
        await restarted.posted()
        await restarted.posted()
        assert c.calls() == (1, 2)


async def test_a_message_that_somebody_deleted_is_posted_anew_while_many_wait() -> None:
    async with crowd() as c:
        await c.wait(DIGEST_AT)
        await c.digests.told()
        c.world.emu.workspace.board.keep(replace(c.shown()[0], is_deleted=True))
        c.clock.pass_(60)
        await c.digests.told()
        assert len(c.shown()) == 1
        c.world.emu.workspace.board.keep(replace(c.shown()[0], is_deleted=True))
        await c.served(0)
        await c.digests.posted()
        assert c.shown() == []
