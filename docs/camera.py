"""A browser before one running demo, and how a picture of it is cut out.

Lives here: opening the page as somebody, waiting until it stands still, saving a part of it. Must
not live here: which moments are shown (``screenshots``, ``inboxes``). Law: every picture is of the
real page, with the real service behind it. Needs Debian's ``chromium`` (or the path in CHROMIUM)
and ``playwright``.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from math import ceil
from pathlib import Path

from playwright.async_api import Browser, FloatRect, Locator, Page, async_playwright

from bot.demo.world import World

_CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_WIDTH, TALL = 960, 2400
_SCALE = 1.25  # the side bar then ends on a whole pixel
_TRIES, _PAUSE_S = 50, 0.1
_SCROLLS = """node => [node, ...node.querySelectorAll("*")].some(one =>
  one.scrollHeight > one.clientHeight + 1 && /auto|scroll/.test(getComputedStyle(one).overflowY))"""


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
        height: int = TALL,
        width: int = _WIDTH,
    ) -> None:
        """Open the page as ``user``, tall enough that nothing has to be scrolled."""
        await self._page.set_viewport_size({"width": width, "height": height})
        await self._page.goto(f"{self._world.emulator.workspace_url}?user={user}&{place}")
        await self._page.wait_for_selector("#people button")

    async def card(self, ticket_id: str, name: str, user: str, width: int = _WIDTH) -> None:
        """Take the ticket's card as ``user`` sees it, once it stands still."""
        await self._world.emulator.settle()
        await self.look(user, width=width)
        message = self._world.hands.card(ticket_id)
        if message is None:
            raise LookupError(f"no card of {ticket_id}")
        await self.take(self._page.locator(f'article[data-ts="{message.ts}"]'), name)

    async def take(self, what: Locator, name: str, *, air: int = 0) -> None:
        """Save what ``what`` shows (from its first match to its last), with ``air`` around it.

        Raises:
            ValueError: a part of it would have to be scrolled to.
        """
        await what.first.wait_for()
        if await what.first.evaluate(_SCROLLS):
            raise ValueError(f"{name}: not all of it is in sight")
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


@asynccontextmanager
async def running_browser() -> AsyncIterator[Browser]:
    """A browser, for as long as pictures are taken."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=_FLAGS)
        try:
            yield browser
        finally:
            await browser.close()


async def new_page(browser: Browser) -> Page:
    """A page on which nothing moves."""
    return await browser.new_page(device_scale_factor=_SCALE, reduced_motion="reduce")
