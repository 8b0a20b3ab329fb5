"""Whatever a card offers can be done without it: from Details, which the app's own tab opens.

Nobody needs the channel: it may be archived, the card deleted, the app no longer a member.
"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.emulator.view_desk import View
from bot.slack import names
from bot.slack.cards.offers import offered
from bot.slack.home import view as home_view
from governance.execution import OutputState
from governance.tickets.ticket import TicketState
from tests.integration.slack.stage import Stage, open_stage
from tests.integration.slack.world import TRANSPORTS

S = TicketState
WHY = {names.REASON_BLOCK: "I looked at the console"}
SECRET = b"done\nAKIAIOSFODNN7EXAMPLE\n"


@pytest.fixture(params=TRANSPORTS)
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with open_stage(tmp_path, transport=request.param) as opened:
        yield opened


def _modal(stage: Stage, user: str) -> View:
    found: View | None = stage.emu.modal(user)
    assert found is not None
    return found


def _buttons(view: View) -> dict[str, str]:
    """The buttons of a view: what each carries, by what it does."""
    return {
        element["action_id"]: element.get("value", "")
        for block in view.blocks
        if block["type"] == "actions"
        for element in block["elements"]
    }


async def _details(stage: Stage, user: str) -> View:
    """Open Details from an answer that only this person sees."""
    sent = await stage.emu.command(user, names.COMMAND, f"status {stage.ticket_id}")
    await stage.emu.click(user, "approvals", sent.ephemerals[0].ts, names.DETAILS)
    return _modal(stage, user)


async def _press(stage: Stage, user: str, action_id: str) -> str:
    """Press a button in Details; what the modal says then."""
    view = await _details(stage, user)
    await stage.emu.click_view(user, view.id, action_id)
    return str(_modal(stage, user).blocks)


@pytest.mark.parametrize("way", ["voted", "approved", "unknown", "held_back"])
async def test_details_offer_what_the_card_offers(stage: Stage, way: str) -> None:
    if way == "voted":
        await stage.ask()
        await stage.click("olga", names.APPROVE)
    else:
        await getattr(stage, way)()
    wanted = {*offered(await stage.ticket())} - {names.DETAILS}
    assert set(_buttons(await _details(stage, "rita"))) == wanted


async def test_a_vote_is_withdrawn_in_details(stage: Stage) -> None:
    await stage.ask()
    await stage.click("olga", names.APPROVE)
    assert "withdrawn" in await _press(stage, "olga", names.WITHDRAW)
    assert (await stage.ticket()).votes == ()
    await stage.click("roy", names.APPROVE)
    assert "placet.notice.no_vote" in await _press(stage, "olga", names.WITHDRAW)
    await stage.check(S.PENDING, VoteCast=2, VoteWithdrawn=1)


async def test_what_is_approved_is_stopped_in_details(stage: Stage) -> None:
    await stage.approved()
    assert "Stopped. It will not run." in await _press(stage, "otto", names.STOP)
    await stage.check(S.REJECTED, TicketRejected=1)


async def test_what_became_of_a_run_is_said_in_details(stage: Stage) -> None:
    await stage.unknown()
    for user in ("olga", "otto"):
        await _press(stage, user, names.TOOK_EFFECT)
        await stage.fill(user, WHY)
    await stage.check(S.EXECUTED, OutcomeAttested=2, UnknownResolved=1, runs=1)


async def test_a_held_back_output_is_decided_about_in_details(stage: Stage) -> None:
    await stage.held_back(SECRET)
    assert "placet.notice.self_approval_denied" in await _press(stage, "owen", names.RELEASE_OUTPUT)
    assert "AKIAIOSFODNN7EXAMPLE" not in await _press(stage, "olga", names.RELEASE_OUTPUT)
    await stage.fill("olga", WHY)
    report = (await stage.ticket()).report
    assert report is not None
    assert report.output_state is OutputState.RELEASED
    await stage.check(S.EXECUTED, OutputReleased=1, runs=1)


@pytest.mark.parametrize("action_id", [names.RELEASE_OUTPUT, names.DISCARD_OUTPUT])
async def test_an_orphan_that_asks_about_an_output_loses_its_buttons(
    stage: Stage, action_id: str
) -> None:
    await stage.held_back(SECRET)
    orphan = stage.world.card()
    await stage.lose_place()
    await stage.emu.click("olga", "approvals", orphan.ts, action_id)
    [retired] = [one for one in stage.world.cards() if one.ts == orphan.ts]
    assert "retired" in str(retired.current.blocks)


def _left(stage: Stage, user: str) -> list[str]:
    """The part of the home tab that waits for this person's word; empty where there is none."""
    tab = stage.emu.home(user)
    assert tab is not None
    heads = [str(block) if block["type"] == "header" else "" for block in tab.blocks]
    start = next((n for n, said in enumerate(heads) if home_view.LEFT in said), None)
    if start is None:
        return []
    end = next(n for n, said in enumerate(heads) if said and n > start)
    return [str(block) for block in tab.blocks[start:end]]


async def test_what_became_of_a_run_waits_on_the_home_tab_of_who_may_say(stage: Stage) -> None:
    await stage.unknown()
    for user in ("olga", "otto", "owen", "newbie"):
        await stage.emu.open_home(user)
    shown = str(_left(stage, "olga"))
    assert "Nobody knows whether it took effect" in shown
    assert stage.ticket_id in shown
    assert _left(stage, "owen") == _left(stage, "newbie") == []
    await _press(stage, "olga", names.TOOK_EFFECT)
    await stage.fill("olga", WHY)
    await stage.emu.open_home("olga")
    assert _left(stage, "olga") == []
    assert _left(stage, "otto") != []
    tab = stage.emu.home("otto")
    assert tab is not None
    await stage.emu.click_view("otto", tab.id, names.DETAILS, value=_buttons(tab)[names.DETAILS])
    await stage.emu.click_view("otto", _modal(stage, "otto").id, names.TOOK_EFFECT)
    await stage.fill("otto", WHY)
    await stage.check(S.EXECUTED, OutcomeAttested=2, UnknownResolved=1, runs=1)


async def test_a_held_back_output_waits_on_the_home_tab_until_it_was_judged(stage: Stage) -> None:
    await stage.held_back(SECRET)
    await stage.emu.open_home("olga")
    assert "The output is quarantined" in str(_left(stage, "olga"))
    await _press(stage, "otto", names.DISCARD_OUTPUT)
    await stage.fill("otto", WHY)
    await stage.emu.open_home("olga")
    assert _left(stage, "olga") == []


async def test_nothing_is_said_to_be_good_that_is_over(stage: Stage) -> None:
    await stage.unknown()
    for words in (f"status {stage.ticket_id}", "list"):
        told = str((await stage.emu.command("olga", names.COMMAND, words)).ephemerals[0].blocks)
        assert "Good until" not in told, words
        assert "Outcome unknown: " in told, words
