"""Forged, replayed, duplicated and malformed deliveries: never a second vote, never a 500."""

import io
from collections.abc import AsyncIterator

import pytest

from bot.emulator.faults import FaultKind
from bot.slack import names
from tests.integration.slack.world import World, open_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Over HTTP: an envelope has neither a signature nor bytes that somebody could send again."""
    async with open_world() as opened:
        yield opened


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (FaultKind.WRONG_SIGNATURE, 401),
        (FaultKind.OLD_TIMESTAMP, 401),
        (FaultKind.FUTURE_TIMESTAMP, 401),
        (FaultKind.NON_NUMERIC_TIMESTAMP, 401),
        (FaultKind.MISSING_TIMESTAMP, 401),
        (FaultKind.MISSING_SIGNATURE, 401),
        (FaultKind.FOREIGN_TEAM, 403),
        (FaultKind.FOREIGN_APP, 403),
    ],
)
async def test_a_forged_click_is_answered_4xx_and_counts_nothing(
    world: World, kind: FaultKind, status: int
) -> None:
    ticket = await world.ask()
    world.emu.faults.add(kind, on="block_actions")
    result = await world.click("olga", names.APPROVE)
    assert result.status == status
    history = await world.ledger.history(ticket.id)
    assert [record.type for record in history] == ["TicketOpened"]


async def test_a_click_in_the_name_of_an_unknown_account_is_refused(world: World) -> None:
    ticket = await world.ask()
    world.emu.faults.add(FaultKind.FOREIGN_USER, on="block_actions")
    result = await world.click("olga", names.APPROVE)
    assert result.status == 200
    assert (await world.ticket(ticket.id)).votes == ()


async def test_a_byte_identical_replay_is_quiet_and_not_dispatched(world: World) -> None:
    ticket = await world.ask()
    await world.click("newbie", names.APPROVE)
    said = len(world.emu.ephemerals("newbie"))
    for _ in range(5):
        sent = await world.emu.replay_last("block_actions")
        assert (sent.status, sent.answer) == (200, "")
    assert len(world.emu.ephemerals("newbie")) == said
    history = await world.ledger.history(ticket.id)
    assert [record.type for record in history].count("VoteRefused") == 1


async def test_a_duplicated_click_is_dispatched_once(world: World) -> None:
    ticket = await world.ask()
    world.emu.faults.add(FaultKind.DUPLICATE, on="block_actions")
    await world.click("olga", names.APPROVE)
    assert len(world.emu.deliveries("block_actions")) == 2
    assert world.emu.ephemerals("olga") == ()
    assert len((await world.ticket(ticket.id)).votes) == 1


async def test_a_duplicated_event_is_dispatched_once(world: World) -> None:
    await world.emu.open_home("olga")
    published = len(world.emu.calls("views.publish"))
    await world.emu.replay_last("app_home_opened")
    assert published == 1
    assert len(world.emu.calls("views.publish")) == published


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"payload=",
        b"payload={",
        b"payload=[]",
        b"payload=%ff%fe",
        b"\xff\xfe\x00",
        b"[" * 5_000,
        b"payload=" + b"%5B" * 5_000,
        b"a=b&a=c",
        b"x" * 2_000_000,
    ],
)
@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "x/y"])
async def test_unsigned_garbage_is_4xx(world: World, body: bytes, kind: str) -> None:
    async with world.session.post(
        world.url, data=io.BytesIO(body), headers={"Content-Type": kind}
    ) as answer:
        assert 400 <= answer.status < 500
        assert (await answer.json())["error"]["code"] in {"unauthenticated", "too_large"}
