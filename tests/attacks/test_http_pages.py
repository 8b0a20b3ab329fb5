"""Threat: the pages of a list tell of tickets that their reader may not read: by name or number."""

from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest

from bot.api.deps import Limits
from bot.api.pages import AT_ONCE
from governance.principal import Scope
from tests.integration.api.world import OLGA, OWNER, Got, World, agent, running
from tests.support import build
from tests.support.commits import append

READ = {"topic": "job.mcp-bridge.read.x"}
LISTS = ("jobs", "approvals", "approvals?include_resolved=true", "jobs?state=APPROVAL_REQUIRED")


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with running() as made:
        await _hide(made)
        yield made


async def _hide(world: World) -> None:
    """OWNER reads what merge-bot asks, and nothing that stray-bot does."""
    world.people.roles[OWNER] = frozenset()
    await world.issue(
        "stranger", Scope.SUBMIT, Scope.READ, agent=agent("stray-bot", owners=(OLGA,))
    )


@dataclass
class Walk:
    found: list[str]
    cursors: list[str]
    sizes: list[int]


async def _walk(world: World, path: str, who: str = "owner", *, limit: int = 1) -> Walk:
    """Page after page to the end."""
    walk = Walk([], [], [])
    cursor: str | None = None
    while len(walk.sizes) < 100:
        params = {"limit": str(limit), **({"cursor": cursor} if cursor else {})}
        told = await world.get(path, who, params=params)
        assert told.status == 200, told.text
        walk.found += [item["job_id"] for item in told["items"]]
        walk.sizes.append(len(told["items"]))
        cursor = told["next_cursor"]
        if cursor is None:
            return walk
        walk.cursors.append(cursor)
    raise AssertionError(walk)


@pytest.mark.parametrize("path", LISTS)
async def test_no_cursor_names_a_ticket_and_no_page_tells_how_many_are_hidden(
    world: World, path: str
):
    own: list[str] = []
    for hidden in (0, 1, 5, 3):
        for _ in range(hidden):
            await world.job("stranger")
        own.insert(0, await world.job())
    await world.job("stranger")
    walk = await _walk(world, path)
    assert walk.found == own
    assert set(walk.cursors) <= set(own)
    assert walk.sizes == [1] * len(own)
    assert (await _walk(world, path, limit=3)).sizes == [3, 1]


@pytest.mark.parametrize("path", LISTS)
async def test_who_may_read_nothing_gets_one_empty_page(world: World, path: str):
    for _ in range(5):
        await world.job("stranger")
    assert await _walk(world, path, "nobody") == Walk([], [], [0])


async def _cursor(world: World, path: str, who: str, cursor: str) -> Got:
    return await world.get(path, who, params={"cursor": cursor})


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("who", ["owner", "nobody", "agent"])
async def test_a_cursor_that_may_not_be_read_is_answered_as_one_that_is_not_there(
    world: World, path: str, who: str
):
    await world.job("other")
    hidden = await world.job("stranger")
    for other in (hidden, "tk-none", ":", ":x", ":1234567890123456789", ":-1", "\u0661", "a b"):
        told = await _cursor(world, path, who, other)
        assert (told.status, told["code"], told["pointer"]) == (
            400,
            "invalid_field",
            "/query/cursor",
        ), other
        assert told["error"] == (await _cursor(world, path, who, "tk-none"))["error"]


async def _bounded(hidden: int) -> tuple[Walk, list[str], int]:
    """What OWNER is told of three own jobs among others, few events at a time."""
    async with running(limits=Limits(looked_through=4)) as world:
        await _hide(world)
        own = []
        for place in range(20):
            is_own = place in (3, 4, 17)
            busy = place % 3 < hidden
            if is_own:
                own.insert(0, await world.job())
            elif busy:
                await world.job("stranger")
            else:
                await world.post("policy/evaluate", "stranger", READ)
        return await _walk(world, "jobs", limit=2), own, await world.size()


async def test_a_list_that_looks_through_few_events_at_a_time_comes_to_its_end_and_counts_none():
    few, own, size = await _bounded(hidden=1)
    many, again, same = await _bounded(hidden=3)
    assert size == same
    assert (few.found, many.found) == (own, again)
    assert few.sizes == many.sizes
    assert 0 in few.sizes
    assert [c for c in few.cursors if c.startswith(":")] == [
        c for c in many.cursors if c.startswith(":")
    ]
    assert {c for c in few.cursors if not c.startswith(":")} <= set(own)


async def test_what_waits_is_listed_however_long_ago_it_was_asked():
    async with running(limits=Limits(looked_through=4)) as world:
        await _hide(world)
        own = await world.job()
        for _ in range(20):
            await world.job("stranger")
        for path in ("approvals", "jobs?state=APPROVAL_REQUIRED"):
            assert await _walk(world, path) == Walk([own], [], [1])


async def test_every_page_of_who_reads_all_goes_on_behind_its_last_ticket(world: World):
    names = [await world.job("stranger" if n % 2 else "agent") for n in range(5)][::-1]
    for who in ("olga", "reader", "admin"):
        walk = await _walk(world, "jobs", who, limit=2)
        assert (walk.found, walk.sizes) == (names, [2, 2, 1])
        assert walk.cursors == [names[1], names[3]]


async def test_a_page_is_filled_from_however_many_lie_between():
    async with running(limits=Limits(requests_per_s=0)) as world:
        await _hide(world)
        own = [await world.job()]
        for number in range(AT_ONCE + 1):
            told = await world.post("jobs", "stranger", {**READ, "target": str(number)})
            assert told.status == 200
        own.insert(0, await world.job())
        assert await _walk(world, "jobs", limit=2) == Walk(own, [], [2])


@pytest.mark.parametrize("who", ["reader", "agent", "owner"])
async def test_a_ticket_of_another_tenant_is_no_cursor(world: World, who: str):
    elsewhere = build.ask(tenant=build.TenantId("umbrella"))
    await append(world.ledger, build.opened("t-1", ask=elsewhere))
    told = await _cursor(world, "jobs", who, "t-1")
    assert (told.status, told["pointer"]) == (400, "/query/cursor")
