"""Activating a bundle by command.

Lives here: recording the activation, holding the open tickets to it, and what came of that.
Must not live here: texts (``bot.cli``). Law: only a bundle that loads and is vouched for is
activated; broken off at any moment, the activation stands, nothing starts that it has not judged,
and a running service or the same command again finishes the work.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bot.compose.core import NoDirectory, core_over
from bot.compose.policy import Vouched
from bot.reassess import Changes, changes_since, judge_open
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing.signer import NoSigner
from governance.policy.active import ActiveBundle
from storage.ledger import SqlLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Activated:
    """What an activation did; ``left`` tickets could not be judged yet and do not start."""

    is_changed: bool
    old: str
    new: str
    tickets: Changes
    left: int


async def activate(
    settings: Settings,
    given: Vouched,
    *,
    actor: str,
    progress: Callable[[int], None] | None = None,
) -> Activated:
    """Make a bundle the active one and judge every open ticket by it.

    Raises:
        Unavailable: ``ledger_*``; ``snapshot_changed``: somebody activated another meanwhile.
    """
    bundle, signature = given.bundle, given.signature
    async with SqlLedger(settings.database, WallClock()) as ledger:
        core = core_over(
            ledger,
            settings,
            active=ActiveBundle(bundle),
            directory=NoDirectory(),
            signer=NoSigner(),
        )
        old, (before, _) = (await ledger.control()).snapshot, await ledger.head()
        is_changed = await core.administration.activate(
            bundle,
            actor=actor,
            key_id=signature.key_id if signature else "",
            signature=signature.value if signature else "",
        )
        done = await judge_open(core.service, ledger, progress=progress)
        return Activated(
            is_changed=is_changed,
            old=old,
            new=bundle.snapshot,
            tickets=await changes_since(ledger, before, bundle.snapshot),
            left=done.left,
        )
