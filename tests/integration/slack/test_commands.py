"""The slash command and the home tab."""

import json

import pytest

from bot.emulator.acts import ActResult
from bot.slack import names
from bot.slack.home import inbox, lists
from governance.tickets.ticket import Ticket
from tests.integration.slack.world import World, code_of


def said(result: ActResult) -> str:
    return json.dumps([ephemeral.blocks for ephemeral in result.ephemerals], ensure_ascii=False)


async def test_help_names_every_word_and_the_fail_mode(world: World) -> None:
    shown = said(await world.emu.command("newbie", "/placet", "help"))
    for word in ("list", "mine", "status", "freeze", "unfreeze"):
        assert f"/placet {word}" in shown
    assert "every action is refused" in shown


async def test_an_unknown_word_is_answered_with_what_there_is(world: World) -> None:
    shown = said(await world.emu.command("olga", "/placet", "lst <script> *x*"))
    assert "/placet help" in shown
    assert "placet.unknown_word" in shown


async def test_list_and_mine_show_what_waits(world: World) -> None:
    ticket = await world.ask()
    assert ticket.id in said(await world.emu.command("owen", "/placet", "list"))
    assert ticket.id in said(await world.emu.command("olga", "/placet", "mine"))
    assert "Nothing waits" in said(await world.emu.command("owen", "/placet", "mine"))
    await world.click("olga", names.APPROVE)
    assert "Nothing waits" in said(await world.emu.command("olga", "/placet", "mine"))


async def test_details_opens_from_a_list(world: World) -> None:
    await world.ask()
    result = await world.emu.command("olga", "/placet", "list")
    await world.emu.click("olga", "approvals", result.ephemerals[0].ts, names.DETAILS)
    modal = world.emu.modal("olga")
    assert modal is not None
    assert modal.callback_id == names.DETAILS_VIEW


async def test_status_of_nothing_is_a_kind_refusal(world: World) -> None:
    assert code_of(await world.emu.command("olga", "/placet", "status nope")) == "not_found"
    await world.emu.command("olga", "/placet", "status")
    modal = world.emu.modal("olga")
    assert modal is not None
    assert modal.callback_id == names.PICK_VIEW
    ticket = await world.ask()
    shown = said(await world.emu.command("olga", "/placet", f"status {ticket.id}"))
    assert ticket.binding[:12] in shown


async def test_a_list_of_more_than_it_looks_at_says_so(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (inbox, lists):
        monkeypatch.setattr(module, "LISTED", 2)
    for number in range(3):
        await world.ask(key=f"k-{number}")
    shown = await world.emu.command("olga", "/placet", "list")
    assert shown.ephemerals[0].text.startswith("More wait than can be listed here")
    stranger = said(await world.emu.command("newbie", "/placet", "list"))
    assert lists.NONE_SEEN in stranger
    assert "Nothing is open" not in stranger


async def test_lifting_a_freeze_of_everyone_is_asked_for_in_a_sentence(world: World) -> None:
    await world.emu.command("olga", "/placet", "freeze all odd")
    asked = said(await world.emu.command("olga", "/placet", "unfreeze all"))
    assert "You asked to unfreeze every agent." in asked


async def test_one_person_freezes_and_two_unfreeze(world: World) -> None:
    ticket = await world.ask()
    shown = said(await world.emu.command("olga", "/placet", "freeze deploy-bot acts &lt;odd"))
    assert "is frozen" in shown
    await world.deliver()
    frozen = str(world.card().current.blocks)
    assert "Frozen" in frozen
    assert f"'{names.APPROVE}'" not in frozen
    assert f"'{names.REJECT}'" in frozen
    assert code_of(await world.click("rita", names.APPROVE, stale=True)) == "frozen"
    again = said(await world.emu.command("rita", "/placet", "freeze deploy-bot"))
    assert "already" in again
    asked = said(await world.emu.command("olga", "/placet", "unfreeze deploy-bot"))
    assert "second person" in asked
    asked = said(await world.emu.command("olga", "/placet", "unfreeze deploy-bot"))
    assert "second person" in asked
    lifted = said(await world.emu.command("rita", "/placet", "unfreeze deploy-bot"))
    assert "no longer frozen" in lifted
    await world.deliver()
    assert "Frozen" not in str(world.card().current.blocks)
    await world.click("rita", names.APPROVE)
    assert len((await world.ticket(ticket.id)).votes) == 1


async def _rooms(world: World, ticket: Ticket) -> dict[str, str]:
    """Everything else that shows somebody a ticket that waits for them."""
    emu = world.emu
    shown = {
        word: said(await emu.command("rita", "/placet", word))
        for word in ("list", "mine", f"status {ticket.id}")
    }
    tab = await emu.open_home("rita")
    assert tab is not None
    shown["home"] = str(tab.blocks)
    await emu.shortcut("rita", names.SHORTCUT_INBOX)
    shown["inbox"] = _modal(world, "rita")
    await emu.click("rita", "approvals", world.card().ts, names.DETAILS)
    shown["details"] = _modal(world, "rita")
    await emu.close_view("rita", emu.modal("rita").id, everything=True)
    await emu.click_view("rita", tab.id, names.BULK)
    shown["like tickets"] = _modal(world, "rita")
    await emu.close_view("rita", emu.modal("rita").id, everything=True)
    return shown


def _modal(world: World, user: str) -> str:
    modal = world.emu.modal(user)
    assert modal is not None
    return str(modal.blocks)


async def test_while_it_is_frozen_every_room_says_so_and_none_offers_an_approval(
    world: World,
) -> None:
    await world.ask(key="k-0")
    ticket = await world.ask()
    before = await _rooms(world, ticket)
    await world.emu.command("olga", "/placet", "freeze deploy-bot odd requests")
    await world.deliver()
    frozen = await _rooms(world, ticket)
    for name, shown in frozen.items():
        assert "Frozen" not in before[name], name
        assert "U0OLGA" in shown, name
        assert "Reason given: odd requests" in shown, name
    assert f"'{names.APPROVE}'" in before["details"]
    assert f"'{names.APPROVE}'" not in frozen["details"]
    assert "checkboxes" in before["like tickets"]
    assert "checkboxes" not in frozen["like tickets"]
    for user in ("olga", "rita"):
        await world.emu.command(user, "/placet", "unfreeze deploy-bot")
    await world.deliver()
    after = await _rooms(world, ticket)
    assert [name for name, shown in after.items() if "Frozen" in shown] == []
    assert f"'{names.APPROVE}'" in str([card.current.blocks for card in world.cards()])
    await world.click("rita", names.APPROVE)
    assert len((await world.ticket(ticket.id)).votes) == 1


async def test_whoever_holds_no_role_freezes_nothing(world: World) -> None:
    assert code_of(await world.emu.command("newbie", "/placet", "freeze all")) == "wrong_role"
    assert code_of(await world.emu.command("olga", "/placet", "freeze")) == "not_found"


async def test_the_home_tab_shows_what_waits_for_me(world: World) -> None:
    ticket = await world.ask()
    home = await world.emu.open_home("olga")
    assert home is not None
    assert ticket.id in str(home.blocks)
    home = await world.emu.open_home("owen")
    assert home is not None
    assert "Nothing waits" in str(home.blocks)
