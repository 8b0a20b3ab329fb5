"""The pictures of what concerns one person, and of a run of which nobody knows the end.

Lives here: a morning of one operator, and the same for somebody who reads German. Must not live
here: how a picture is cut out (``camera``). Law: what stands on a tab came about in the product;
only the executor that falls silent is played.
"""

from dataclasses import replace

from camera import Camera

from bot.demo import jobs
from bot.demo.moves import Moves
from bot.demo.seed import APPROVALS, TEAM
from bot.demo.world import World
from governance.execution import SandboxTier
from governance.tickets import commands
from governance.tickets.ticket import TicketId

NAMES = ("card-unknown", "app-home", "app-home-below", "home-german")
"""The pictures that are taken here."""
NEXT_NOTE = replace(
    jobs.RELEASED,
    body={
        **jobs.RELEASED.body,
        "target": "release note 4.3",
        "arguments": {"title": "Checkout 4.3", "body": "Cards can be saved; opt-in."},
        "justification": "It goes out this afternoon.",
    },
)
"""Another one that is like the release."""
_LEASE_S = 1
_AIR = 10
_BELOW = "What you decided"
"""The heading with which the second half of a tab begins."""


async def fallen_silent(world: World, ticket_id: str) -> None:
    """An executor begins the run of an approved ticket, and is never heard of again."""
    service = world.core.service
    ticket = (await service.clear(TicketId(ticket_id))).ticket
    await service.handle(
        commands.StartExecution(
            ticket_id=ticket.id,
            run_id="run-1",
            executor="executor-2",
            lease_s=_LEASE_S,
            action_digest=ticket.ask.action_digest,
            plan_digest=ticket.ruling.plan_digest,
            sandbox=SandboxTier.A,
        )
    )


async def inboxes(camera: Camera, world: World) -> None:
    """A run without an end, and the tabs of those who are asked about it."""
    moves = Moves(world)
    lost = await moves.pending(jobs.EXECUTED)
    for user in ("U0OLIVIA", "U0RIN", "U0RAVI"):
        await moves.approve(user, lost)
    await moves.reaches(lost, "APPROVED")
    await fallen_silent(world, lost)
    await moves.reaches(lost, "UNKNOWN")
    await camera.card(lost, "card-unknown", "U0OLIVIA")
    await _a_morning(world, moves)
    await world.emulator.set_user("U0RUTH", locale="de-DE")
    await _open_tab(camera, world, "U0RUTH")
    await camera.take(camera.page.locator("section.home > *"), "home-german", air=_AIR)
    await world.emulator.set_channel(APPROVALS, is_archived=True)
    await moves.ask(NEXT_NOTE)
    await _open_tab(camera, world, "U0OLIVIA")
    starts = f"self::h3[.='{_BELOW}']"
    upper = f"section.home >> xpath=./*[following-sibling::*[{starts}]]"
    lower = f"section.home >> xpath=./*[{starts} or preceding-sibling::*[{starts}]]"
    await camera.take(camera.page.locator(upper), "app-home", air=_AIR)
    await camera.take(camera.page.locator(lower), "app-home-below", air=_AIR)


async def _a_morning(world: World, moves: Moves) -> None:
    hands = world.hands
    edited = await moves.pending(jobs.EDITED)
    await moves.approve("U0OLIVIA", edited)
    await moves.pending(jobs.RESTRICTED, on_behalf_of=f"slack:{TEAM}/U0OLIVIA")
    await moves.pending(jobs.EXCEPTED)
    await moves.pending(jobs.RELEASED)
    await hands.command("U0OMAR", "delegate @olivia 3d On leave for three days")
    await hands.command("U0OLIVIA", "delegate @sage 12h On a plane for the day")
    await hands.command("U0RIN", "delegate @ruth 2d Asleep while you work")


async def _open_tab(camera: Camera, world: World, user: str) -> None:
    await world.emulator.settle()
    await world.emulator.open_home(user)
    await camera.look(user, "home=1")
    await camera.page.wait_for_selector("section.home")
    await world.emulator.settle()
