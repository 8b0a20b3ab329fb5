"""Takes the pictures of the docs from the running demo: ``python docs/screenshots.py [FOLDER]``.

Lives here: which moments of a ticket are shown. Must not live here: how a picture is cut out
(``camera``), what concerns one person (``inboxes``), anything drawn by hand. Law: every picture is
of the real page, with the real service behind it.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from camera import Camera, new_page, running_browser
from inboxes import NAMES as INBOXES
from inboxes import NEXT_NOTE, inboxes
from playwright.async_api import Browser

from bot.demo import jobs
from bot.demo.moves import Moves
from bot.demo.world import World, run_world
from bot.slack import names
from bot.slack.commands import break_glass

IMAGES = Path(__file__).resolve().parent / "images"
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
    "like-tickets",
    "card-emergency",
    "help",
    "workspace",
    *INBOXES,
)
"""Every picture, without its suffix."""
_PHONE = 430
_LOW = 678
_AUDIT_PAUSE_S = 2.5
"""The audit channel gets at most one message a second; so long, and all is said."""
Scene = Callable[[Camera, World], Awaitable[None]]


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
    await camera.card(long, "card-cut", "U0OLIVIA")
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
    await camera.look("U0RUTH")
    card = world.hands.card(ticket)
    if card is None:
        raise LookupError(f"no card of {ticket}")
    article = page.locator(f'article[data-ts="{card.ts}"]')
    await article.locator(f'[data-action-id="{names.DETAILS}"]').click()
    await page.wait_for_selector("#modal[open] pre")
    await world.emulator.settle()
    await camera.take(modal, "details")
    await page.locator("#modal .x").click()
    await article.locator(f'[data-action-id="{names.REJECT}"]').click()
    await page.wait_for_selector("#modal[open] textarea")
    await page.locator("#modal [data-submit]").click()
    await page.wait_for_selector("#modal [role=alert]")
    await camera.take(modal, "reject-error")
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
    await moves.pending(NEXT_NOTE)
    await world.emulator.open_home("U0OMAR")
    await world.emulator.settle()
    await camera.look("U0OMAR", "home=1")
    await page.locator(f'[data-action-id="{names.BULK}"]').first.click()
    await page.wait_for_selector("#modal[open] input[type=checkbox]")
    await world.emulator.settle()
    await camera.take(page.locator("#modal"), "like-tickets")
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


async def _in_world(browser: Browser, folder: Path, scene: Scene, *, with_executor: bool) -> None:
    page = await new_page(browser)
    async with run_world(port=0, policies=None, with_executor=with_executor) as world:
        await scene(Camera(page, world, folder), world)
        await page.close()


async def photograph(folder: Path) -> None:
    """Take every picture into ``folder``, which exists."""
    async with running_browser() as browser:
        await _in_world(browser, folder, _before_the_run, with_executor=False)
        await _in_world(browser, folder, _to_the_end, with_executor=True)
        await _in_world(browser, folder, inboxes, with_executor=False)


if __name__ == "__main__":
    chosen = Path(sys.argv[1]) if len(sys.argv) > 1 else IMAGES
    chosen.mkdir(parents=True, exist_ok=True)
    asyncio.run(photograph(chosen))
