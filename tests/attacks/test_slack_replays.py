"""Threat: signed bytes that were taken once are sent again, to another process or after a restart.

A signature is good for minutes. What somebody has taken back since must not come back by it.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bot.emulator.journal import Delivery
from bot.slack import names
from bot.slack.commands import break_glass, lending
from governance.ports import TicketQuery
from tests.integration.slack.inbox_world import INBOX_BUNDLE
from tests.integration.slack.stage import STAGED, Stage, open_stage
from tests.integration.slack.world import _serve

BUNDLE: dict[str, Any] = STAGED | {
    name: INBOX_BUNDLE[name] for name in ("delegation", "constraints", "emergency")
}


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, bundle=BUNDLE) as opened:
        yield opened


@contextlib.asynccontextmanager
async def elsewhere(stage: Stage) -> AsyncIterator[None]:
    """From here on Slack's requests go to another process on the same database."""
    async with stage.second_app(is_socket=False) as app:
        runner, url = await _serve(app.handle_http)
        await stage.emu.connect(request_url=url, verify=False)
        try:
            yield
        finally:
            await runner.cleanup()


def newest(stage: Stage, name: str) -> Delivery:
    found: Delivery = stage.emu.deliveries(name)[-1]
    return found


async def replayed(stage: Stage, sent: Delivery) -> None:
    """Send the very same bytes and headers; they are answered with a quiet 200."""
    again = await stage.emu.replay(sent)
    assert (again.status, again.error) == (200, "")


async def test_an_approval_that_was_withdrawn_does_not_come_back(stage: Stage) -> None:
    await stage.ask()
    await stage.click("olga", names.APPROVE)
    approved = newest(stage, "block_actions")
    await stage.show()
    await stage.click("olga", names.WITHDRAW)
    assert (await stage.ticket()).votes == ()
    async with elsewhere(stage):
        await replayed(stage, approved)
        assert (await stage.ticket()).votes == ()
        told = len(stage.emu.ephemerals("olga"))
        await replayed(stage, approved)
        assert len(stage.emu.ephemerals("olga")) == told
        await stage.show()
        await stage.click("olga", names.APPROVE)  # a click of their own counts
        assert len((await stage.ticket()).votes) == 1


async def test_a_vote_that_was_turned_round_does_not_turn_back(stage: Stage) -> None:
    await stage.ask("job.by-weight")
    await stage.click("olga", names.REJECT)
    await stage.fill("olga", {names.REASON_BLOCK: "not yet"})
    rejected = newest(stage, "view_submission")
    await stage.click("olga", names.APPROVE)
    async with elsewhere(stage):
        await replayed(stage, rejected)
    assert [str(vote.choice) for vote in (await stage.ticket()).votes] == ["approve"]


async def test_a_voice_that_was_taken_back_is_not_lent_again(stage: Stage) -> None:
    service, olga = stage.world.service, await stage.person("olga")
    sent = []
    await stage.emu.command("olga", names.COMMAND, "delegate @newbie 2d on leave")
    sent.append(newest(stage, names.COMMAND))
    await _taken_back(stage)
    await stage.emu.command("olga", names.COMMAND, "delegate")
    await stage.fill("olga", {lending.WHO_BLOCK: "U0NEWBIE", names.REASON_BLOCK: "on leave"})
    sent.append(newest(stage, "view_submission"))
    await _taken_back(stage)
    async with elsewhere(stage):
        for one in sent:
            await replayed(stage, one)
    assert not await service.delegations(olga)


async def _taken_back(stage: Stage) -> None:
    service, olga = stage.world.service, await stage.person("olga")
    (lent,) = await service.delegations(olga)
    await service.end_delegation(lent.id, olga)


async def test_a_freeze_that_two_people_lifted_does_not_come_back(stage: Stage) -> None:
    await stage.emu.command("olga", names.COMMAND, "freeze deploy-bot odd")
    froze = newest(stage, names.COMMAND)
    for user in ("olga", "otto"):
        await stage.emu.command(user, names.COMMAND, "unfreeze deploy-bot")
    lifted = newest(stage, names.COMMAND)
    async with elsewhere(stage):
        await replayed(stage, froze)
        assert not (await stage.world.ledger.control()).frozen
        await stage.emu.command("olga", names.COMMAND, "freeze deploy-bot once more")
        await replayed(stage, lifted)
    frozen = (await stage.world.ledger.control()).frozen["deploy-bot"]
    assert frozen.unfreeze_asked_by is None


async def test_an_emergency_is_not_asked_for_twice_by_one_form(stage: Stage) -> None:
    await stage.emu.command("olga", names.COMMAND, "break-glass")
    fields: Mapping[str, str] = {
        break_glass.WHICH_BLOCK: "failover",
        break_glass.TOPIC_BLOCK: "job.failover",
        break_glass.TARGET_BLOCK: "db-1",
        names.REASON_BLOCK: "the primary is down",
    }
    await stage.fill("olga", fields)
    async with elsewhere(stage):
        await replayed(stage, newest(stage, "view_submission"))
    assert len(await stage.world.ledger.tickets(TicketQuery())) == 1
