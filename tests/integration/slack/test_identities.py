"""Accounts that must not vote, each with its own code."""

from dataclasses import replace
from typing import Any

import pytest

from bot.slack import names
from tests.integration.slack.world import BUNDLE, SEED, World, _user, code_of, open_world

BAD: dict[str, tuple[dict[str, Any], str]] = {
    "bot": ({"is_bot": True}, "voter_is_bot"),
    "app user": ({"is_app_user": True}, "voter_is_bot"),
    "workflow": ({"is_workflow_bot": True}, "voter_is_bot"),
    "connector": ({"is_connector_bot": True}, "voter_is_bot"),
    "guest": ({"is_restricted": True}, "voter_is_guest"),
    "single-channel guest": ({"is_ultra_restricted": True}, "voter_is_guest"),
    "guest of both kinds": (
        {"is_restricted": True, "is_ultra_restricted": True},
        "voter_is_guest",
    ),
    "stranger": ({"is_stranger": True}, "voter_is_stranger"),
    "invited": ({"is_invited_user": True}, "voter_is_stranger"),
    "unconfirmed e-mail": ({"is_email_confirmed": False}, "voter_is_stranger"),
    "deactivated": ({"deleted": True}, "voter_deactivated"),
    "deactivated guest": ({"deleted": True, "is_restricted": True}, "voter_deactivated"),
    "foreign stranger": ({"team_id": "T0ELSE", "is_stranger": True}, "foreign_team"),
    "guest bot": ({"is_restricted": True, "is_bot": True}, "voter_is_bot"),
}


@pytest.mark.parametrize("kind", list(BAD))
async def test_an_account_that_may_not_vote_is_refused_by_its_own_code(kind: str) -> None:
    flags, code = BAD[kind]
    users = (*SEED.users, _user("U0BAD", "bad", **flags))
    channel = replace(SEED.channels[0], members=(*SEED.channels[0].members, "U0BAD"))
    directory = BUNDLE["directory"]["roles"]
    people = [*directory["operator"]["people"], f"slack:{SEED.team_id}/U0BAD"]
    roles = {**directory, "operator": {"people": people}}
    bundle = {**BUNDLE, "directory": {"roles": roles}}
    seed = replace(SEED, users=users, channels=(channel,))
    async with open_world(seed=seed, bundle=bundle) as world:
        ticket = await world.ask()
        result = await world.click("bad", names.APPROVE)
        assert code_of(result) == code
        assert (await world.ticket(ticket.id)).votes == ()


async def test_a_deactivation_is_believed_at_once(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.emu.set_user("rita", deleted=True)
    assert code_of(await world.click("rita", names.APPROVE)) == "voter_deactivated"
    assert len((await world.ticket(ticket.id)).votes) == 1


async def test_leaving_a_user_group_is_believed_at_once(world: World) -> None:
    ticket = await world.ask()
    await world.emu.set_usergroup("S0REVIEW", "U0NEWBIE")
    assert code_of(await world.click("rita", names.APPROVE)) == "wrong_role"
    await world.click("newbie", names.APPROVE)
    assert [vote.role for vote in (await world.ticket(ticket.id)).votes] == ["reviewer"]


async def test_a_voter_who_is_gone_when_it_is_redeemed_no_longer_counts(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.click("rita", names.APPROVE)
    await world.emu.set_user("rita", deleted=True)
    cleared = await world.service.clear(ticket.id)
    assert cleared.ticket.state == "PENDING"
