"""What is cached about people is forgotten once Slack says that it changed."""

import copy
from dataclasses import replace
from typing import Any

import pytest

from bot.slack import names
from tests.integration.slack.world import (
    BUNDLE,
    SEED,
    TEAM,
    World,
    _user,
    code_of,
    open_world,
)


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


async def test_an_accepted_invitation_is_believed_at_once() -> None:
    bundle: dict[str, Any] = copy.deepcopy(BUNDLE)
    bundle["directory"]["roles"]["operator"]["people"].append(f"slack:{TEAM}/U0NEW")
    channel = replace(SEED.channels[0], members=(*SEED.channels[0].members, "U0NEW"))
    users = (*SEED.users, _user("U0NEW", "new", is_invited_user=True))
    async with open_world(seed=replace(SEED, users=users, channels=(channel,)), bundle=bundle) as w:
        ticket = await w.ask()
        assert code_of(await w.click("new", names.APPROVE)) == "voter_is_invited"
        w.emu.workspace.replace_user(_user("U0NEW", "new"))
        await w.emu.event("team_join", user={"id": "U0NEW"})
        await w.click("new", names.APPROVE)
        assert [vote.role for vote in (await w.ticket(ticket.id)).votes] == ["operator"]


@pytest.mark.parametrize("name", names.GROUP_EVENTS)
async def test_each_word_of_a_changed_group_makes_us_ask_again(world: World, name: str) -> None:
    await world.ask()
    asked = len(world.emu.calls("usergroups.users.list"))
    assert await world.emu.event(name, subteam={"id": "S0REVIEW"})
    await world.click("rita", names.APPROVE)
    assert len(world.emu.calls("usergroups.users.list")) == asked + 1


async def test_a_voter_who_is_gone_when_it_is_redeemed_no_longer_counts(world: World) -> None:
    ticket = await world.ask()
    await world.click("olga", names.APPROVE)
    await world.click("rita", names.APPROVE)
    await world.emu.set_user("rita", deleted=True)
    cleared = await world.service.clear(ticket.id)
    assert cleared.ticket.state == "PENDING"


async def test_an_app_of_the_whole_organisation_names_our_workspace_and_takes_its_views() -> None:
    def of_org(user_id: str) -> dict[str, Any]:
        return {"id": f"W{user_id[1:]}", "enterprise_id": "E0ORG", "teams": [TEAM]}

    users = tuple(replace(one, enterprise_user=of_org(one.id)) for one in SEED.users)
    seed = replace(SEED, users=users, enterprise_id="E0ORG", is_org_install=True)
    async with open_world(seed=seed) as world:
        ticket = await world.ask()
        assert world.emu.calls("usergroups.users.list")[-1].params["team_id"] == TEAM
        await world.click("rita", names.APPROVE)
        await world.click("olga", names.REJECT)
        form = world.emu.modal("olga")
        assert form is not None
        await world.emu.submit("olga", form.id, {names.REASON_BLOCK: "no"})  # it names no team
        assert (await world.ticket(ticket.id)).state == "REJECTED"
        voted = [vote.person for vote in (await world.ticket(ticket.id)).votes]
        assert voted == [f"slack:{TEAM}/W0RITA", f"slack:{TEAM}/W0OLGA"]
