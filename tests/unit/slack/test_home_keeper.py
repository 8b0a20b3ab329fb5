"""Home tabs follow the log at Slack's pace, and only those that a change concerns."""

import asyncio
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from bot.slack.home.home import Home
from bot.slack.home.keeper import HomeKeeper
from bot.slack.payloads import HomeOpened
from bot.slack.sending.client import RateLimitedError, TransientError
from bot.slack.speakers import Speakers
from governance.delegation import Wish
from governance.principal import PersonId
from tests.support.build import ANNA, BEN, T0
from tests.unit.governance.test_governing import DAY, EVE, House


@dataclass
class Pen:
    """A publisher that remembers, or fails as it is told."""

    written: list[tuple[str, Any]] = field(default_factory=list)
    failing: list[Exception] = field(default_factory=list)

    async def publish_home(self, user: str, view: Any) -> None:
        if self.failing:
            raise self.failing.pop(0)
        self.written.append((user, view))

    @property
    def users(self) -> list[str]:
        return [user for user, _ in self.written]


@dataclass
class Kept:
    """A keeper over a house, with people whose tab is open."""

    house: House
    pen: Pen
    keeper: HomeKeeper

    async def open(self, *users: str) -> None:
        for user in users:
            await self.keeper.home.opened(HomeOpened(user=user))
        await self.keeper.refresh()
        self.pen.written.clear()


@pytest.fixture
async def kept() -> Kept:
    house, pen = await House().ready(), Pen()
    desk: Any = SimpleNamespace(
        reader=house.ledger, service=house.service, publisher=pen, speakers=Speakers()
    )
    keeper = HomeKeeper(home=Home(desk=desk, team_id="T1"), gather_s=0)
    return Kept(house=house, pen=pen, keeper=keeper)


async def test_changes_that_come_together_are_one_publication(kept: Kept) -> None:
    await kept.open("UANNA")
    ticket = await kept.house.ask()
    await kept.house.vote(ticket, BEN)
    assert await kept.keeper.refresh() == 0
    assert kept.pen.users == ["UANNA"]


async def test_whom_a_change_does_not_concern_is_left_alone(kept: Kept) -> None:
    await kept.open("UANNA", "UEVE")
    await kept.house.ask()
    await kept.keeper.refresh()
    assert kept.pen.users == ["UANNA"]


async def test_a_tab_that_would_show_the_same_is_not_published(kept: Kept) -> None:
    await kept.open("UANNA")
    ticket = await kept.house.ask()
    await kept.keeper.refresh()
    await kept.house.refusal(ticket, EVE)
    await kept.keeper.refresh()
    assert kept.pen.users == ["UANNA"]


async def test_who_is_lent_a_voice_sees_what_waits_for_it(kept: Kept) -> None:
    await kept.open("UEVE")
    ticket = await kept.house.ask()
    wish = Wish(delegator=ANNA, delegate=EVE, roles=(), ends_at=T0 + DAY, reason="on leave")
    await kept.house.service.delegate(wish)
    await kept.keeper.refresh()
    assert kept.pen.users == ["UEVE"]
    assert ticket.id in str(kept.pen.written[0][1])


async def test_slacks_pause_is_kept_and_nobody_is_forgotten(kept: Kept) -> None:
    await kept.open("UANNA", "UBEN")
    await kept.house.ask()
    kept.pen.failing = [RateLimitedError("views.publish", 7)]
    assert await kept.keeper.refresh() == 7
    assert [*kept.keeper.due] == [ANNA, BEN]
    assert await kept.keeper.refresh() == 0
    assert kept.pen.users == ["UANNA", "UBEN"]


async def test_one_tab_that_fails_holds_up_no_other(kept: Kept) -> None:
    await kept.open("UANNA", "UBEN")
    await kept.house.ask()
    kept.pen.failing = [TransientError("views.publish", "fatal_error")]
    assert await kept.keeper.refresh() == 0
    assert kept.pen.users == ["UBEN"]
    assert not kept.keeper.due


async def test_the_log_is_followed_until_it_stops(kept: Kept) -> None:
    await kept.keeper.home.opened(HomeOpened(user="UANNA"))
    kept.keeper.start()
    while kept.keeper._seen < 0:
        await kept.house.ledger.head()
        await _turn()
    kept.pen.written.clear()
    await kept.house.ask()
    while not kept.pen.written:
        await _turn()
    await kept.keeper.stop()
    assert kept.pen.users == ["UANNA"]


async def test_a_tab_that_is_opened_during_a_pause_is_made_after_it(kept: Kept) -> None:
    kept.pen.failing = [RateLimitedError("views.publish", 3)]
    await kept.keeper.home.opened(HomeOpened(user="UANNA"))
    assert kept.pen.users == []
    await kept.keeper.refresh()
    assert kept.pen.users == ["UANNA"]


async def test_what_had_to_wait_needs_no_further_change(kept: Kept) -> None:
    await kept.open("UANNA", "UBEN")
    kept.pen.failing = [RateLimitedError("views.publish", 0), RateLimitedError("views.publish", 0)]
    await kept.house.ask()
    kept.keeper.start()
    kept.keeper.due[ANNA] = None
    while kept.pen.users != ["UANNA", "UBEN"]:
        await _turn()
    await kept.keeper.stop()
    assert not kept.keeper.due


async def _turn() -> None:
    """Let others run."""
    await asyncio.sleep(0)


async def test_a_bug_in_one_tab_does_not_end_the_others(kept: Kept) -> None:
    await kept.open("UANNA")
    kept.pen.failing = [ZeroDivisionError()]
    kept.keeper.start()
    await kept.house.ask()
    while kept.pen.failing:
        await _turn()
    await kept.house.lend(BEN, EVE)
    while not kept.pen.written:
        await _turn()
    await kept.keeper.stop()
    assert kept.pen.users == ["UANNA"]


async def test_another_tab_of_the_app_is_none_of_ours(kept: Kept) -> None:
    await kept.keeper.home.opened(HomeOpened(user="UANNA", tab="messages"))
    assert kept.pen.written == []
    assert not await kept.keeper.home.publish(PersonId("slack:T1/UANNA"), await _scan(kept))


async def _scan(kept: Kept) -> Any:
    return await kept.keeper.home.scan()
