"""The inbox's forms in a real browser, as a person fills them."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from bot.slack import names
from bot.slack.commands import lending
from bot.slack.home import bulk_view
from tests.emulator.test_page import ARGS
from tests.integration.slack.inbox_world import account, modal, open_inbox_world
from tests.integration.slack.world import World

pytestmark = pytest.mark.browser


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with open_inbox_world() as opened:
        yield opened


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """A page of Debian's chromium; any script error fails the test."""
    errors: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        made = await browser.new_page(viewport={"width": 1280, "height": 1400})
        made.on("pageerror", lambda error: errors.append(str(error)))
        yield made
        await browser.close()
    assert errors == []


FORM = "dialog[data-view-id][open]"


async def test_a_voice_is_lent_in_the_form(world: World, page: Page) -> None:
    await world.emu.command("olga", "/placet", "delegate")
    await page.goto(f"{world.emu.workspace_url}?user=U0OLGA&channel=approvals")
    form = page.locator(FORM)
    await form.locator(f'select[data-block-id="{lending.WHO_BLOCK}"]').select_option("U0NEWBIE")
    await form.locator(f'textarea[data-block-id="{names.REASON_BLOCK}"]').fill("on leave")
    await form.locator("[data-submit]").click()
    await expect(form.locator('[data-block-id="placet.lent"]')).to_contain_text("until")
    (lent,) = await world.service.delegations(account("U0OLGA"))
    assert (lent.delegate, lent.reason) == (account("U0NEWBIE"), "on leave")


async def test_a_ticket_is_found_by_typing(world: World, page: Page) -> None:
    ticket = await world.ask()
    await world.emu.command("olga", "/placet", "why")
    await page.goto(f"{world.emu.workspace_url}?user=U0OLGA&channel=approvals")
    form = page.locator(FORM)
    await form.locator("input.find").fill("web")
    await form.locator("select.select").select_option(ticket.id)
    await form.locator("[data-submit]").click()
    await expect(form).to_contain_text("deploys-need-people")


async def test_boxes_are_ticked_one_by_one(world: World, page: Page) -> None:
    tickets = [await world.ask(key=f"k-{n}", target=f"web-{n}") for n in range(2)]
    await page.goto(f"{world.emu.workspace_url}?user=U0OLGA&home=1")
    await world.emu.open_home("olga")
    await world.emu.click_view("olga", world.emu.home("olga").id, names.BULK)  # type: ignore[union-attr]
    form = page.locator(FORM)
    box = form.locator(f'[data-block-id="{bulk_view.box_id(1)}"] input')
    assert await form.locator("input:checked").count() == 0
    await box.check()
    await form.locator("[data-submit]").click()
    await expect(form).to_contain_text("Your vote counts")
    assert modal(world, "olga").callback_id == names.NOTICE_VIEW
    counted = [len((await world.ticket(ticket.id)).votes) for ticket in tickets]
    assert counted == [0, 1]
