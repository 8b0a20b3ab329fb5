"""What policy alone let run has no card, until something about it is people's to say."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.slack import names
from governance.execution import OutputState
from governance.tickets.ticket import TicketState
from tests.integration.slack.stage import Stage, open_stage

WHY = {names.REASON_BLOCK: "I looked at the console"}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path) as opened:
        yield opened


async def _running(stage: Stage) -> None:
    await stage.allowed()
    assert await stage.start() == ""
    await stage.try_to_show()
    assert list(stage.world.cards()) == []


async def test_people_are_asked_what_became_of_it_and_told_when_that_is_known(
    stage: Stage,
) -> None:
    await _running(stage)
    await stage.vanish()
    await stage.show()
    await stage.click("olga", names.TOOK_EFFECT)
    await stage.fill("olga", WHY)
    await stage.show()
    await stage.check(TicketState.EXECUTED, OutcomeAttested=1, UnknownResolved=1, runs=1)


async def test_whoever_finds_that_it_did_not_take_effect_has_people_asked(stage: Stage) -> None:
    await _running(stage)
    await stage.vanish()
    await stage.show()
    await stage.click("olga", names.NO_EFFECT)
    await stage.fill("olga", WHY)
    await stage.show()
    state = (await stage.ticket()).state
    await stage.check(state, OutcomeAttested=1, UnknownResolved=1, runs=1)


@pytest.mark.parametrize(
    ("action_id", "left"),
    [
        (names.RELEASE_OUTPUT, OutputState.RELEASED),
        (names.DISCARD_OUTPUT, OutputState.DISCARDED),
    ],
)
async def test_people_are_asked_whether_its_output_may_be_seen(
    stage: Stage, action_id: str, left: OutputState
) -> None:
    await _running(stage)
    assert await stage.end(output=b"AKIAIOSFODNN7EXAMPLE", held=True) == ""
    await stage.show()
    assert "The output is quarantined" in str(stage.world.card().current.blocks)
    await stage.click("olga", action_id)
    await stage.fill("olga", WHY)
    await stage.show()
    report = (await stage.ticket()).report
    assert report is not None
    assert report.output_state is left
    await stage.check(TicketState.EXECUTED, runs=1)
