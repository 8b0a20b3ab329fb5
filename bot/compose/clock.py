"""The service's clock: what is done every so often, and how often.

Lives here: which ticks a service has. Must not live here: what they do. Law: of several processes
on one log one publishes checkpoints, one seals and detaches, and one erases what was kept for long
enough.
"""

from contextlib import AsyncExitStack
from functools import partial

from bot.compose.checkpoints import checkpoint
from bot.compose.core import Core
from bot.compose.detaching import detach_old
from bot.compose.segments import seal_old
from bot.compose.undelivered import LOOK_S, Undelivered
from bot.forgetting import FORGET_S, forget_keys
from bot.retention import EVERY_S, Eraser, retention_of
from bot.scheduler import SWEEP_S, JumpGuard, Sweeper, Ticker
from bot.weekly import EVERY_S as WEEKLY_S
from bot.weekly import Weekly


async def start_clock(
    stack: AsyncExitStack,
    core: Core,
    guard: JumpGuard,
    *,
    weekly: Weekly | None = None,
    undelivered: Undelivered | None = None,
) -> None:
    """Begin to tick, until ``stack`` ends."""
    sweeper = Sweeper(
        service=core.service,
        reader=core.ledger,
        outbox=core.ledger,
        clock=core.clock,
        guard=guard,
    )
    ticker = Ticker()
    ticker.every(SWEEP_S, "sweep", sweeper.sweep)
    ticker.every(
        core.settings.checkpoint_every_s, "checkpoint", partial(_checkpoint, core), at_once=True
    )
    ticker.every(EVERY_S, "retention", partial(_expire, core, guard), at_once=True)
    if core.settings.seal_days or core.settings.detach_days:
        ticker.every(EVERY_S, "segments", partial(_segments, core, guard), at_once=True)
    if weekly is not None:
        ticker.every(WEEKLY_S, "weekly digest", partial(_weekly, weekly, guard), at_once=True)
    if undelivered is not None:
        ticker.every(LOOK_S, "delivery", undelivered.look, at_once=True)
    ticker.every(FORGET_S, "forget keys", partial(forget_keys, core.ledger, guard))
    stack.push_async_callback(core.proofs.close)
    ticker.start()
    stack.callback(ticker.stop)


async def _checkpoint(core: Core) -> None:
    if await core.ledger.leads("checkpoint"):
        await checkpoint(core)


async def _segments(core: Core, guard: JumpGuard) -> None:
    """One after the other, and by the process that has the folder; what may leave is sealed."""
    if not (guard.check() and await core.ledger.leads("seal")):
        return
    if core.settings.seal_days:
        await seal_old(core)
    if core.settings.detach_days:
        await detach_old(core)


async def _weekly(weekly: Weekly, guard: JumpGuard) -> None:
    """Not while the clock is ahead: the weeks that it skips would be taken for sent."""
    if guard.check():
        await weekly.turn()


async def _expire(core: Core, guard: JumpGuard) -> None:
    """Not while the clock is ahead: a year that did not pass would end every retention."""
    if guard.check() and await core.ledger.leads("retention"):
        eraser = Eraser(
            custody=core.custody, reader=core.ledger, past=core.ledger, clock=core.clock
        )
        await eraser.sweep(retention_of(core.bundle))
