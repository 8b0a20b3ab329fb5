"""The page in a real browser: what a person clicks is what the app hears."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright, expect

from tests.emulator.conftest import Bench, button

pytestmark = pytest.mark.browser
ARGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@pytest.fixture
async def page(bench: Bench) -> AsyncIterator[Page]:
    """A page of Debian's chromium; any script error fails the test."""
    errors: list[str] = []
    async with async_playwright() as play:
        browser = await play.chromium.launch(executable_path="/usr/bin/chromium", args=ARGS)
        made = await browser.new_page(viewport={"width": 1280, "height": 800})
        made.on("pageerror", lambda error: errors.append(str(error)))
        yield made
        await browser.close()
    assert errors == []


async def test_a_button_in_the_page_changes_the_message_for_everyone(
    bench: Bench, page: Page
) -> None:
    words = {k: {"type": "plain_text", "text": k} for k in ("title", "text", "confirm", "deny")}
    ts = await bench.post_card(button(confirm=words), text="<b>Pay</b> *now*")
    await page.goto(f"{bench.emulator.workspace_url}?user=U0BOB&channel=ops")
    message = page.locator(f'[data-ts="{ts}"]')
    await expect(message.locator("strong", has_text="now")).to_be_visible()
    assert await message.locator("b").count() == 0
    await message.locator('[data-action-id="approve"]').click()
    assert bench.heard == []
    await page.locator("[data-confirm=yes]").click()
    await expect(message).to_contain_text("Approved")
    await expect(message).to_contain_text("(edited)")
    assert bench.heard[0]["user"]["id"] == "U0BOB"
    await page.locator('[data-user-id="U0ALICE"]').click()
    await expect(page.locator(f'[data-ts="{ts}"]')).to_contain_text("Approved")


async def test_a_form_shows_errors_at_its_fields_and_then_closes(bench: Bench, page: Page) -> None:
    ts = await bench.post_card(button("ask"))
    await page.goto(f"{bench.emulator.workspace_url}?user=U0ALICE&channel=ops")
    await page.locator(f'[data-ts="{ts}"] [data-action-id="ask"]').click()
    form = page.locator("dialog[data-view-id][open]")
    await form.locator('[data-action-id="reason"]').fill("bad")
    await form.locator("[data-submit]").click()
    await expect(form.locator(".wrong")).to_have_text("Say more")
    await expect(form.locator('[data-action-id="reason"]')).to_have_value("bad")
    await form.locator('[data-action-id="reason"]').fill("good")
    await form.locator("[data-submit]").click()
    await expect(form).to_have_count(0)
    assert bench.emulator.modal("alice") is None


async def test_a_command_typed_in_the_box_answers_only_its_person(bench: Bench, page: Page) -> None:
    await page.goto(f"{bench.emulator.workspace_url}?user=U0ALICE&channel=ops")
    await page.locator("#say").fill("/tiny hello")
    await page.locator("#say").press("Enter")
    await expect(page.locator(".is-ephemeral")).to_contain_text("You said hello")
    await page.locator('[data-user-id="U0BOB"]').click()
    await expect(page.locator(".is-ephemeral")).to_have_count(0)


async def test_dates_and_times_are_in_the_readers_language(bench: Bench, page: Page) -> None:
    now = int(time.time())
    said = f"<!date^1772366400^{{date_long}} {{time}}|x>; <!date^{now}^{{date_pretty}}|x>"
    ts = await bench.post_card(text=said)
    message = page.locator(f'[data-ts="{ts}"]')
    await page.goto(f"{bench.emulator.workspace_url}?user=U0BOB&channel=ops")
    await expect(message).to_contain_text("Sunday, March 1, 2026 12:00\u202fPM; today")
    await bench.emulator.set_user("bob", locale="de-DE")
    await page.goto(f"{bench.emulator.workspace_url}?user=U0BOB&channel=ops")
    await expect(message).to_contain_text("Sonntag, 1. März 2026 12:00; heute")
