"""Where cards may stand: not where outsiders read along, unless the bundle says so."""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from bot.emulator.faults import FaultKind
from bot.slack.sending.channels import (
    INVITING_OUTSIDERS,
    SENTENCES,
    UNDESCRIBED,
    WITH_ORGANISATION,
    WITH_OUTSIDERS,
    sharing_problem,
)
from bot.slack.sending.client import CallFailedError, PermanentError
from bot.slack.sending.exposure import TAKEN_BACK, Exposure
from governance.outbox import Place
from governance.policy.model import Sharing
from tests.integration.slack.world import BUNDLE, World, open_world

PLAIN = {"is_ext_shared": False, "is_pending_ext_shared": False, "is_org_shared": False}


@pytest.mark.parametrize(
    ("channel", "refuse", "organisation"),
    [
        (PLAIN, "", ""),
        ({"is_im": True}, "", ""),
        ({**PLAIN, "is_ext_shared": True}, WITH_OUTSIDERS, WITH_OUTSIDERS),
        ({"is_im": True, "is_ext_shared": True}, WITH_OUTSIDERS, WITH_OUTSIDERS),
        ({**PLAIN, "is_pending_ext_shared": True}, INVITING_OUTSIDERS, INVITING_OUTSIDERS),
        ({**PLAIN, "pending_connected_team_ids": ["T2"]}, INVITING_OUTSIDERS, INVITING_OUTSIDERS),
        ({**PLAIN, "is_org_shared": True}, WITH_ORGANISATION, ""),
        ({**PLAIN, "is_org_shared": True, "is_shared": True}, WITH_ORGANISATION, ""),
        ({**PLAIN, "is_org_shared": True, "is_ext_shared": True}, WITH_OUTSIDERS, WITH_OUTSIDERS),
        ({**PLAIN, "is_shared": True}, WITH_OUTSIDERS, WITH_OUTSIDERS),
        ({}, UNDESCRIBED, UNDESCRIBED),
        ({"is_ext_shared": "false"}, UNDESCRIBED, UNDESCRIBED),
    ],
)
def test_a_shared_channel_takes_cards_only_as_far_as_the_bundle_says(
    channel: Mapping[str, object], refuse: str, organisation: str
) -> None:
    assert sharing_problem(channel, Sharing.REFUSE) == refuse
    assert sharing_problem(channel, Sharing.ORGANISATION) == organisation
    assert sharing_problem(channel, Sharing.OUTSIDERS) == ""
    assert not refuse or SENTENCES[refuse].startswith(("This", "Another", "Slack"))


async def test_a_channel_is_refused_as_soon_as_slack_says_that_it_is_shared() -> None:
    async with open_world() as world:
        channels = world.app.channels
        await channels.check("C0APPROVE")
        await world.emu.set_channel("approvals", is_ext_shared=True)
        with pytest.raises(PermanentError, match=WITH_OUTSIDERS):
            await channels.check("C0APPROVE")
        await world.emu.set_channel("approvals", is_ext_shared=False)
        await channels.check("C0APPROVE")


async def test_a_bundle_that_allows_outsiders_asks_nobody() -> None:
    bundle: dict[str, Any] = copy.deepcopy(BUNDLE)
    bundle["directory"]["shared_channels"] = "outsiders"
    async with open_world(bundle=bundle) as world:
        await world.emu.set_channel("approvals", is_ext_shared=True)
        await world.app.channels.check("C0APPROVE")
        assert world.emu.calls("conversations.info") == ()


async def test_a_channel_that_slack_does_not_describe_takes_no_cards() -> None:
    async with open_world() as world:
        with pytest.raises(CallFailedError):
            await world.app.channels.check("C0NOWHERE")
        world.emu.faults.add(FaultKind.REFUSED, on="conversations.info", error="missing_scope")
        with pytest.raises(CallFailedError, match="missing_scope"):
            await world.app.channels.check("C0APPROVE")
        await world.app.channels.check("C0APPROVE")  # a failure is not kept


async def test_a_card_is_taken_back_where_outsiders_came_and_tells_nothing_any_more() -> None:
    async with open_world() as world:
        await world.ask()
        exposure, place = _exposed(world), _place(world)
        assert await exposure.hidden(place) is place
        assert await exposure.hidden(None) is None
        await world.emu.set_channel("approvals", is_ext_shared=True)
        assert await exposure.hidden(place) == Place(channel="C0APPROVE", ts="", shown="")
        left = str(world.card().current.blocks)
        assert TAKEN_BACK in left
        assert "web-1" not in left + world.card().current.text
        assert "placet.approve" not in left


async def test_a_card_stays_while_slack_cannot_be_asked_about_its_channel() -> None:
    async with open_world() as world:
        await world.ask()
        place = _place(world)
        world.emu.faults.add(FaultKind.REFUSED, on="conversations.info", error="fatal_error")
        assert await _exposed(world).hidden(place) is place


def _exposed(world: World) -> Exposure:
    return Exposure(channels=world.app.channels, publisher=world.app.publisher)


def _place(world: World) -> Place:
    return Place(channel="C0APPROVE", ts=world.card().ts, shown="x")
