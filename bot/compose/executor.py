"""The executor process: claims approved actions and runs them.

Lives here: the composition of ``placet executor``. Must not live here: how anything is run.
Law: it holds no vote key and no Slack token, and starts nothing that was not proven by the
self-test of this start.
"""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bot.compose import policy
from bot.compose.core import Core, NoDirectory, core_over
from bot.compose.following import PolicyFollower
from bot.delivery import Delivery
from bot.executor.actions import ActionError, ActionRegistry
from bot.executor.selftest import Availability, establish
from bot.executor.worker import Plans, Worker
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing.signer import NoSigner
from governance.errors import Code, InvalidInput
from governance.outbox import Owed, OwedKind
from governance.policy.active import ActiveBundle
from governance.policy.model import Bundle
from governance.tickets.ticket import TicketId
from storage.ledger import SqlLedger

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningExecutor:
    """An executor at work."""

    core: Core
    availability: Availability
    delivery: Delivery


def actions_of(bundle: Bundle, settings: Settings) -> ActionRegistry:
    """The registered actions of a bundle, over this machine's folders.

    Raises:
        InvalidInput: ``invalid_bundle``: an action that is none, or a folder nobody named.
    """
    runs = {tool.name: tool.run for tool in bundle.tools if tool.run is not None}
    try:
        return ActionRegistry.load(runs, settings.folders)
    except ActionError as error:
        raise InvalidInput(
            Code.INVALID_BUNDLE, str(error), pointer=f"/tools{error.pointer}"
        ) from error


@asynccontextmanager
async def run_executor(settings: Settings) -> AsyncIterator[RunningExecutor]:
    """Prove the sandbox, then work off what is approved until the context ends.

    Raises:
        InvalidInput: ``invalid_bundle`` or ``invalid_settings``.
        Unavailable: the ledger cannot be opened or written.
    """
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(SqlLedger(settings.database, WallClock()))
        await ledger.check_writable()
        start = await policy.at_start(settings, ledger)
        active = ActiveBundle(start.bundle)
        plans = [Plans(bundle=start.bundle, actions=actions_of(start.bundle, settings))]
        established = await establish()
        availability = established.availability
        _log.info("sandbox tier %s: %s", availability.tier or "none", availability.reason)
        core = core_over(
            ledger, settings, active=active, directory=NoDirectory(), signer=NoSigner()
        )

        async def adopt(bundle: Bundle) -> None:
            plans[0] = Plans(bundle=bundle, actions=actions_of(bundle, settings))
            active.replace(bundle)

        follower = PolicyFollower(
            settings=settings,
            reader=ledger,
            current=lambda: active.current,
            adopt=adopt,
            disk=start.disk,
        )
        follower.start()
        stack.push_async_callback(follower.stop)

        async def ask_clearance(ticket_id: TicketId) -> None:
            owed = Owed(kind=OwedKind.CLEAR, key=ticket_id)
            await core.ledger.owe(owed, at=core.clock.now())

        worker = Worker(
            name=settings.executor_name,
            service=core.service,
            reader=core.ledger,
            plans=lambda: plans[0],
            launcher=established.launcher,
            tier=availability.tier,
            unavailable=availability.reason,
            ask_clearance=ask_clearance,
        )
        delivery = Delivery(
            outbox=core.ledger,
            reader=core.ledger,
            clock=core.clock,
            workers={OwedKind.EXECUTE: worker.execute},
        )
        delivery.start()
        try:
            yield RunningExecutor(core=core, availability=availability, delivery=delivery)
        finally:
            await delivery.stop()
