"""A person clicks a card in a real browser until the action has run."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, async_playwright, expect

from bot.demo import jobs
from bot.demo.world import World, run_world

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.browser,
    pytest.mark.sandbox,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(not CHROMIUM.exists(), reason="needs Debian's chromium"),
]
WAIT_MS = 20_000


@pytest.fixture
async def world() -> AsyncIterator[World]:
    async with run_world(port=0, policies=None) as running:
        yield running


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    async with async_playwright() as driver:
        browser = await driver.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield await browser.new_page(viewport={"width": 1280, "height": 900})
        await browser.close()


async def ask(world: World, job: jobs.Job) -> str:
    answer = await world.client.post("/api/v1/jobs", job.body, token=world.tokens["deploy-bot"])
    return str(answer.body["job_id"])


async def open_as(page: Page, world: World, user: str) -> None:
    await page.goto(f"{world.emulator.workspace_url}?user={user}&channel=approvals")


async def test_a_card_is_clicked_through_to_executed(world: World, page: Page) -> None:
    ticket = await ask(world, jobs.EXECUTED)
    for user in ("U0OLIVIA", "U0RIN", "U0RAVI"):
        await open_as(page, world, user)
        await page.locator('[data-action-id="placet.approve"]').click(timeout=WAIT_MS)
        async with asyncio.timeout(20):
            while not any(user in vote.person for vote in await _votes(world, ticket)):
                await world.core.ledger.changed(0, 0.05)
    await expect(page.locator("[data-ts]").last).to_contain_text("max_connections", timeout=WAIT_MS)
    await expect(page.locator('[data-action-id="placet.approve"]')).to_have_count(
        0, timeout=WAIT_MS
    )
    async with asyncio.timeout(20):
        while (await world.core.service.ticket(ticket)).state != "EXECUTED":  # type: ignore[arg-type]
            await world.core.ledger.changed(0, 0.05)
    assert "250" in (world.site / "app/settings.ini").read_text(encoding="utf-8")


async def _votes(world: World, ticket: str) -> list[object]:
    return list((await world.core.service.ticket(ticket)).votes)  # type: ignore[arg-type]


async def test_a_rejection_without_a_reason_shows_its_error_in_the_modal(
    world: World, page: Page
) -> None:
    ticket = await ask(world, jobs.EXECUTED)
    await open_as(page, world, "U0RUTH")
    await page.locator('[data-action-id="placet.reject"]').click(timeout=WAIT_MS)
    modal = page.locator("dialog[data-view-id][open]")
    await modal.locator("textarea").fill("   ", timeout=WAIT_MS)
    await modal.locator("[data-submit]").click()
    await expect(modal).to_be_visible()
    assert (await world.core.service.ticket(ticket)).state == "PENDING"  # type: ignore[arg-type]
    await modal.locator("textarea").fill("Not before Monday.")
    await modal.locator("[data-submit]").click()
    await expect(modal).to_have_count(0, timeout=WAIT_MS)
    assert (await world.core.service.ticket(ticket)).state == "REJECTED"  # type: ignore[arg-type]
