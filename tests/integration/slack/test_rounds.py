"""Cards that somebody deleted are found without the right to read messages."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from bot.compose.rounds import EVERY_S, REST_S, Rounds, repost
from bot.emulator.faults import FaultKind
from bot.slack import names
from bot.slack.sending.publisher import MENDING_S
from governance.outbox import Place
from tests.integration.slack.world import RealClock, World, open_world


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """The app acts here by itself: it calls Slack, and Slack does not call it."""
    async with open_world() as opened:
        yield opened


async def _leads() -> bool:
    return True


async def _follows() -> bool:
    return False


def rounds(world: World) -> Rounds:
    return Rounds(
        service=world.service,
        reader=world.ledger,
        outbox=world.ledger,
        clock=RealClock(),
        publisher=world.app.publisher,
        leads=_leads,
    )


def delete(world: World) -> None:
    world.emu.workspace.board.keep(replace(world.card(), is_deleted=True))


def asked(world: World) -> int:
    return len(world.emu.calls("chat.getPermalink"))


async def test_a_card_that_somebody_deleted_is_posted_again_before_anything_else_happens(
    world: World,
) -> None:
    for number in range(3):
        await world.ask(key=f"k-{number}", target=f"web-{number}")
    delete(world)
    going = rounds(world)
    assert [await going.step() for _ in range(4)] == [EVERY_S, EVERY_S, EVERY_S, REST_S]
    assert asked(world) == 3
    await world.deliver()
    assert len(world.cards()) == 3
    assert "web-2" in str(world.card().current.blocks)
    await world.click("olga", names.APPROVE)
    assert world.emu.ephemerals("olga") == ()


async def test_cards_that_stand_are_left_alone_and_looked_at_again_in_the_next_round(
    world: World,
) -> None:
    await world.ask()
    going = rounds(world)
    for number in (1, 2):
        assert await going.step() == EVERY_S
        assert asked(world) == number
        assert await going.step() == REST_S
    await world.deliver()
    assert len(world.emu.calls("chat.postMessage")) == 1


async def test_what_is_settled_or_has_no_card_is_not_asked_for(world: World) -> None:
    settled = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.click("rita", names.APPROVE)
    owed = await world.ask(key="k-2")
    await world.ledger.put_place(owed.id, Place(channel="C0APPROVE", ts="", shown=""))
    assert (await world.ticket(settled.id)).state == "APPROVED"
    assert await rounds(world).step() == REST_S
    assert asked(world) == 0


async def test_many_without_a_card_are_passed_over_before_the_round_rests(world: World) -> None:
    for number in range(3):
        ticket = await world.ask(key=f"k-{number}")
        if number < 2:
            await world.ledger.put_place(ticket.id, Place(channel="C0APPROVE", ts="", shown=""))
    going = replace(rounds(world), page=2)
    assert [await going.step() for _ in range(3)] == [EVERY_S, EVERY_S, REST_S]
    assert asked(world) == 1


async def test_only_the_process_that_speaks_goes_round(world: World) -> None:
    await world.ask()
    assert await replace(rounds(world), leads=_follows).step() == REST_S
    assert asked(world) == 0


async def test_a_limit_is_waited_for_and_what_cannot_be_asked_is_not_taken_for_gone(
    world: World,
) -> None:
    ticket = await world.ask()
    going = rounds(world)
    world.emu.faults.add(FaultKind.RATE_LIMITED, on="chat.getPermalink", retry_after_s=7)
    assert await going.step() == 7
    assert await going.step() == EVERY_S  # the same card
    assert await going.step() == REST_S
    world.emu.faults.add(FaultKind.REFUSED, on="chat.getPermalink", error="internal_error")
    assert await rounds(world).step() == MENDING_S
    place = await world.ledger.place(ticket.id)
    assert place is not None
    assert place.ts


async def test_a_card_that_was_posted_again_meanwhile_keeps_its_place(world: World) -> None:
    ticket = await world.ask()
    stale = await world.ledger.place(ticket.id)
    assert stale is not None
    now = replace(stale, ts="1.000001")
    await world.ledger.put_place(ticket.id, now)
    await repost(world.ledger, RealClock(), ticket, stale)
    assert await world.ledger.place(ticket.id) == now


async def _turn() -> None:
    """Let others run."""
    await asyncio.sleep(0)


async def test_rounds_go_on_until_they_are_stopped(world: World) -> None:
    await world.ask()
    going = replace(rounds(world), every_s=0.0, rest_s=0.0)
    going.start()
    await going.stop()  # before it began
    going.start()
    while asked(world) < 2:
        await _turn()
    await going.stop()
