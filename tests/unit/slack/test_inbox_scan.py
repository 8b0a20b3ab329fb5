"""However long the queue is, everybody finds the most urgent of what waits for them."""

from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from bot.slack.home import inbox, lists
from bot.slack.home import view as home_view
from bot.slack.home.inbox import LISTED, LOOKED_AT, PAGE
from bot.slack.kit.language import speaking
from governance.control import Control
from governance.ports import TicketQuery
from governance.tickets.ticket import Ticket
from storage.memory.ledger import MemoryLedger
from tests.support import build
from tests.support.build import ANNA, T0, TENANT, FixedClock
from tests.support.commits import append
from tests.support.core import ADMIN, CARA, OPERATOR, person

OTHERS = 250


class Queue:
    """A ledger of which each page that is read is counted."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self._ledger = ledger
        self.pages = 0

    async def control(self) -> Control:
        return await self._ledger.control()

    async def tickets(self, query: TicketQuery) -> Any:
        self.pages += query.soonest
        return await self._ledger.tickets(query)


async def queue(count: int, *mine: int) -> Queue:
    """So many that wait, each a second after the other; those at ``mine`` need an admin."""
    ledger = MemoryLedger(FixedClock())
    ruled = {
        role: build.ruling(requirement=build.requirement(roles=(_needs(role),), threshold=1))
        for role in (ADMIN, OPERATOR)
    }
    opened = [
        build.opened(
            f"t-{number:05d}",
            ruling=ruled[ADMIN if number in mine else OPERATOR],
            expires_at=T0 + timedelta(hours=1, seconds=number),
        )
        for number in range(count)
    ]
    await append(ledger, *opened)
    return Queue(ledger)


def _needs(role: str) -> Any:
    return next(one for one in build.requirement().roles if one.role == role)


async def _waiting(queue: Queue, *roles: str) -> tuple[list[str], bool]:
    me = person(ANNA, *roles)
    seen = await inbox.scan(queue, TENANT)  # type: ignore[arg-type]  # of the reader this much
    found, is_cut = await seen.waiting(lambda one: inbox.waits_for(one, me))
    return [one.id for one in found], is_cut


async def test_what_i_may_vote_on_is_found_behind_any_number_that_i_may_not() -> None:
    made = await queue(OTHERS + 1, OTHERS)
    assert await _waiting(made, ADMIN) == ([f"t-{OTHERS:05d}"], False)


async def test_of_too_many_the_most_urgent_are_listed_and_the_count_says_so() -> None:
    made = await queue(LISTED + 1)
    ids, is_cut = await _waiting(made, OPERATOR)
    assert ids == [f"t-{number:05d}" for number in range(LISTED)]
    assert is_cut
    ids, is_cut = await _waiting(await queue(LISTED), OPERATOR)
    assert (len(ids), is_cut) == (LISTED, False)


async def test_pages_are_read_once_for_everybody_and_no_further_than_somebody_needs() -> None:
    made = await queue(LISTED + 5 * PAGE)
    seen = await inbox.scan(made, TENANT)  # type: ignore[arg-type]  # of the reader this much
    for one in (ANNA, CARA, ANNA):
        me = person(one, OPERATOR)
        await seen.waiting(lambda ticket, me=me: inbox.waits_for(ticket, me))  # type: ignore[misc]
    assert made.pages == LISTED // PAGE + 1
    _, is_cut = await seen.waiting(lambda _: False)
    assert not is_cut
    assert made.pages == LISTED // PAGE + 5 + 1


async def test_what_lies_behind_all_that_is_looked_at_is_said_to_be_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert LOOKED_AT == 10_000
    monkeypatch.setattr(inbox, "LOOKED_AT", 2 * PAGE)
    made = await queue(2 * PAGE + 1, 2 * PAGE)
    assert await _waiting(made, ADMIN) == ([], True)


async def test_an_empty_queue_is_one_page() -> None:
    made = await queue(0)
    assert await _waiting(made, ADMIN) == ([], False)
    assert made.pages == 1


def _texts(blocks: object) -> str:
    return str(blocks)


async def test_a_cut_list_says_that_there_are_more() -> None:
    service: Any = SimpleNamespace(
        bundle=SimpleNamespace(delegation=SimpleNamespace(max_days=0)), delegations=_none
    )
    made = await queue(LISTED + 1)
    seen = await inbox.scan(made, TENANT)  # type: ignore[arg-type]  # of the reader this much
    found = await inbox.inbox_of(service, person(ANNA, OPERATOR), seen)
    shown = _texts(home_view.home_view(found, {})["blocks"])
    assert f"{home_view.WAITING} (1,000+)" in shown
    assert home_view.MORE_WAIT in shown
    listed = lists.listing(
        "x", found.waiting, control=found.control, empty="", prefix="x", is_cut=found.is_cut
    )
    assert "and 990+ more" in _texts(listed)
    with speaking("de"):
        assert "(1.000+)" in _texts(home_view.home_view(found, {})["blocks"])
        many = lists.listing("x", found.waiting * 2, control=found.control, empty="", prefix="x")
    assert "und 1.990 weitere" in _texts(many)


async def test_where_not_everything_was_looked_at_nobody_reads_that_nothing_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(inbox, "LOOKED_AT", PAGE)
    service: Any = SimpleNamespace(
        bundle=SimpleNamespace(delegation=SimpleNamespace(max_days=0)), delegations=_none
    )
    seen = await inbox.scan(await queue(PAGE + 1, PAGE), TENANT)  # type: ignore[arg-type]
    found = await inbox.inbox_of(service, person(ANNA, ADMIN), seen)
    listed = lists.listing(
        "x",
        found.waiting,
        control=found.control,
        empty=home_view.NOTHING_WAITS,
        prefix="x",
        is_cut=found.is_cut,
    )
    for shown in (_texts(home_view.home_view(found, {})["blocks"]), _texts(listed)):
        assert lists.NONE_SEEN in shown
        assert home_view.NOTHING_WAITS not in shown


async def _none(_: object) -> tuple[Ticket, ...]:
    return ()


async def test_what_is_open_is_listed_with_the_least_time_left_first() -> None:
    made = await queue(LISTED + 5)
    found = await lists.open_tickets(made, TENANT)  # type: ignore[arg-type]
    assert [one.id for one in found] == [f"t-{number:05d}" for number in range(LISTED)]
