"""Takes the pictures of the docs from the running demo: ``python docs/screenshots.py [FOLDER]``.

Lives here: which moments are shown, and how each is cut out. Must not live here: anything drawn by
hand. Law: every picture is of the real page, with the real service behind it. Needs Debian's
``chromium`` (or the path in CHROMIUM) and ``playwright``.
"""

import asyncio
import os
import sys
from math import ceil
from pathlib import Path

from playwright.async_api import Browser, FloatRect, Locator, Page, async_playwright

from bot.demo import jobs
from bot.demo.moves import Moves
from bot.demo.world import World, run_world
from bot.slack import names
from bot.slack.commands import break_glass

IMAGES = Path(__file__).resolve().parent / "images"
CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
NAMES = (
    "card-pending",
    "card-phone",
    "card-change",
    "card-half-approved",
    "card-approved",
    "card-executed",
    "card-rejected",
    "card-cut",
    "reject-error",
    "details",
    "file",
    "refusal",
    "audit-channel",
    "app-home",
    "like-tickets",
    "card-emergency",
    "help",
    "workspace",
)
"""Every picture, without its suffix."""
_PHONE = 430
_WIDTH, _LOW, _HEIGHT, _TALL = 960, 690, 820, 2400
_SCALE = 1.25  # the side bar then ends on a whole pixel
_AIR = 10
_TRIES, _PAUSE_S = 50, 0.1
_AUDIT_PAUSE_S = 2.5
"""The audit channel gets at most one message a second; so long, and all is said."""


class Camera:
    """One page in a browser, pointed at one world."""

    def __init__(self, page: Page, world: World, folder: Path) -> None:
        self._page = page
        self._world = world
        self._folder = folder

    async def look(
        self,
        user: str,
        place: str = "channel=approvals",
        height: int = _TALL,
        width: int = _WIDTH,
    ) -> None:
        """Open the page as ``user``, tall enough that nothing has to be scrolled."""
        await self._page.set_viewport_size({"width": width, "height": height})
        await self._page.goto(f"{self._world.emulator.workspace_url}?user={user}&{place}")
        await self._page.wait_for_selector("#people button")

    async def card(
        self, ticket_id: str, name: str, user: str, part: str = "", width: int = _WIDTH
    ) -> None:
        """Take the ticket's card (or ``part`` of it) as ``user`` sees it, once it stands still."""
        await self._world.emulator.settle()
        await self.look(user, width=width)
        message = self._world.hands.card(ticket_id)
        if message is None:
            raise LookupError(f"no card of {ticket_id}")
        await self.take(self._page.locator(f'article[data-ts="{message.ts}"] {part}'), name)

    async def take(self, what: Locator, name: str, *, air: int = 0) -> None:
        """Save what ``what`` shows (from its first match to its last), with ``air`` around it."""
        await what.first.wait_for()
        await self._page.evaluate("document.fonts.ready")
        boxes = await self._boxes(what)
        left = ceil(min(box["x"] for box in boxes)) - air
        top = min(box["y"] for box in boxes) - air
        right = max(box["x"] + box["width"] for box in boxes) + air
        bottom = max(box["y"] + box["height"] for box in boxes) + air
        await self._page.screenshot(
            path=self._folder / f"{name}.png",
            clip={"x": left, "y": top, "width": right - left, "height": bottom - top},
        )

    async def _boxes(self, what: Locator) -> list[FloatRect]:
        """Where the matches are, once the page is not being drawn anew."""
        for _ in range(_TRIES):
            boxes = [box for one in await what.all() if (box := await one.bounding_box())]
            if boxes:
                return boxes
            await asyncio.sleep(_PAUSE_S)
        raise LookupError(f"{what} does not stand still")

    async def window(self, name: str) -> None:
        """Save the whole page."""
        await self._page.screenshot(path=self._folder / f"{name}.png")

    @property
    def page(self) -> Page:
        return self._page


async def _before_the_run(camera: Camera, world: World) -> None:
    """Pending, half approved, approved, refusals and modals: nothing is executed here."""
    moves = Moves(world)
    ticket = await moves.pending(jobs.EXECUTED)
    await camera.card(ticket, "card-pending", "U0OLIVIA")
    await _modals(camera, world, ticket)
    await _refusal(camera, world, ticket)
    await moves.approve("U0OLIVIA", ticket)
    await camera.card(ticket, "card-half-approved", "U0RIN")
    await camera.card(ticket, "card-phone", "U0RIN", width=_PHONE)
    for user in ("U0RIN", "U0RAVI"):
        await moves.approve(user, ticket)
    await moves.reaches(ticket, "APPROVED")
    await camera.card(ticket, "card-approved", "U0OLIVIA")
    long = await moves.pending(jobs.LONG)
    await camera.card(long, "card-cut", "U0OLIVIA", part=".body > :nth-child(-n+6)")
    change = await moves.pending(jobs.EDITED)
    await camera.card(change, "card-change", "U0OLIVIA")
    await _file(camera, world, await moves.pending(jobs.HUGE))


async def _file(camera: Camera, world: World, ticket: str) -> None:
    """The whole as a file, in the messages with the app."""
    page = camera.page
    await camera.look("U0OLIVIA")
    card = world.hands.card(ticket)
    if card is None:
        raise LookupError(f"no card of {ticket}")
    article = page.locator(f'article[data-ts="{card.ts}"]')
    await article.locator(f'[data-action-id="{names.DETAILS}"]').click()
    await page.locator(f'#modal [data-action-id="{names.SEND_FILE}"]').click()
    await world.emulator.settle()
    await page.locator("#modal .x").click()
    await page.locator("#dms button").first.click()
    await page.wait_for_selector(f'[data-action-id="{names.FILE_READ}"]')
    await camera.take(page.locator("#messages article"), "file")


async def _modals(camera: Camera, world: World, ticket: str) -> None:
    page, modal = camera.page, camera.page.locator("#modal")
    await camera.look("U0RUTH", height=_HEIGHT)
    card = world.hands.card(ticket)
    if card is None:
        raise LookupError(f"no card of {ticket}")
    article = page.locator(f'article[data-ts="{card.ts}"]')
    await article.locator(f'[data-action-id="{names.DETAILS}"]').click()
    await page.wait_for_selector("#modal[open] pre")
    await world.emulator.settle()
    await camera.take(modal, "details", air=_AIR)
    await page.locator("#modal .x").click()
    await article.locator(f'[data-action-id="{names.REJECT}"]').click()
    await page.wait_for_selector("#modal[open] textarea")
    await page.locator("#modal [data-submit]").click()
    await page.wait_for_selector("#modal [role=alert]")
    await camera.take(modal, "reject-error", air=_AIR)
    await page.locator("#modal .x").click()
    await world.emulator.settle()


async def _refusal(camera: Camera, world: World, ticket: str) -> None:
    await world.hands.press("U0DANA", ticket, names.APPROVE)
    await camera.look("U0DANA")
    await camera.take(camera.page.locator("article.is-ephemeral").last, "refusal")


async def _to_the_end(camera: Camera, world: World) -> None:
    """Executed, rejected, and what is left of it in the other places."""
    moves = Moves(world)
    if world.sandbox.tier is None:
        raise RuntimeError(f"no sandbox here, so nothing runs: {world.sandbox.reason}")
    await asyncio.sleep(_AUDIT_PAUSE_S)
    ticket = await moves.pending(jobs.EXECUTED)
    for user in ("U0OLIVIA", "U0RIN", "U0RAVI"):
        await moves.approve(user, ticket)
    await moves.reaches(ticket, "EXECUTED")
    await camera.card(ticket, "card-executed", "U0OLIVIA")
    no = await moves.pending(jobs.RELEASED)
    await world.hands.vote("U0OMAR", no, names.REJECT, "Hold it back until Monday.")
    await moves.reaches(no, "REJECTED")
    await camera.card(no, "card-rejected", "U0OLIVIA")
    for job in (jobs.EXCEPTED, jobs.URGENT, jobs.RESTRICTED):
        await moves.pending(job)
    await moves.ask(jobs.DENIED)
    await _elsewhere(camera, world, ticket)
    await _for_approvers(camera, world, moves)


async def _elsewhere(camera: Camera, world: World, ticket: str) -> None:
    page = camera.page
    await asyncio.sleep(_AUDIT_PAUSE_S)
    await world.emulator.settle()
    await camera.look("U0OLIVIA", "channel=placet-audit")
    await page.wait_for_selector("#messages article")
    await camera.take(page.locator("#messages article", has_text=ticket), "audit-channel")
    await world.emulator.open_home("U0OLIVIA")
    await world.emulator.settle()
    await camera.look("U0OLIVIA", "home=1")
    await camera.take(page.locator("section.home"), "app-home")
    await world.hands.command("U0RIN", "help")
    await camera.look("U0RIN")
    await camera.take(page.locator("article.is-ephemeral").last, "help")
    await camera.look("U0OLIVIA", height=_LOW)
    await world.emulator.settle()
    await page.evaluate("document.getElementById('stream').scrollTop = 1e6")
    await camera.window("workspace")


async def _for_approvers(camera: Camera, world: World, moves: Moves) -> None:
    """Deciding side by side, and an emergency."""
    page = camera.page
    await moves.pending(jobs.RELEASED)
    await moves.pending(jobs.RELEASED)
    await world.emulator.open_home("U0OMAR")
    await world.emulator.settle()
    await camera.look("U0OMAR", "home=1", height=_HEIGHT)
    await page.locator(f'[data-action-id="{names.BULK}"]').first.click()
    await page.wait_for_selector("#modal[open] input[type=checkbox]")
    await world.emulator.settle()
    await camera.take(page.locator("#modal"), "like-tickets", air=_AIR)
    await page.locator("#modal .x").click()
    await world.hands.command("U0OLIVIA", "break-glass")
    form = world.emulator.modal("U0OLIVIA")
    if form is None:
        raise LookupError("no form for an emergency")
    said = {
        break_glass.WHICH_BLOCK: "stuck-pause",
        break_glass.TOOL_BLOCK: "pause.lift",
        break_glass.TARGET_BLOCK: "checkout",
        break_glass.ARGS_BLOCK: '{"service": "checkout"}',
        names.REASON_BLOCK: "The fix is live on every host, and the flag's own page is down.",
    }
    await world.emulator.submit("U0OLIVIA", form.id, said)
    await world.emulator.settle()
    await camera.look("U0RIN")
    await camera.take(page.locator("#messages article").last, "card-emergency")


async def _in_world(browser: Browser, folder: Path, *, with_executor: bool) -> None:
    page = await browser.new_page(device_scale_factor=_SCALE, reduced_motion="reduce")
    async with run_world(port=0, policies=None, with_executor=with_executor) as world:
        camera = Camera(page, world, folder)
        await (_to_the_end if with_executor else _before_the_run)(camera, world)
        await page.close()


async def photograph(folder: Path) -> None:
    """Take every picture into ``folder``, which exists."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        try:
            await _in_world(browser, folder, with_executor=False)
            await _in_world(browser, folder, with_executor=True)
        finally:
            await browser.close()


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(photograph(chosen))
