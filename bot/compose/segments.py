"""Sealing segments of the log, for a command and for the service's clock.

Lives here: which checkpoint key, folder and retention a seal has, and how a verification begins
with one. Must not live here: files and states (``storage.retention.segments``), what a seal says
(``governance.segments``). Law: one process seals at a time; the files are on the disk before the
log says that they were sealed.
"""

import json
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path

from bot.compose import policy
from bot.compose.aside import aside, unread
from bot.compose.core import Core
from bot.compose.tools import existing_ledger
from bot.retention import ACTOR, retention_of
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing.places import store_of
from bot.signing.signer import StoreSigner
from governance.administration import CHECKPOINT, Administration
from governance.errors import Code, InvalidInput
from governance.principal import TenantId
from governance.retention import Retention
from governance.segments import Sealed, Segment, SegmentSealed
from storage.engine import database
from storage.ledger import SqlLedger
from storage.retention.segments import alone, make_ready
from storage.verify.options import Options
from storage.verify.segments import Shelf, state_name


async def seal(settings: Settings, *, until: datetime | None, actor: str) -> SegmentSealed | None:
    """Seal what follows the newest seal, up to the newest checkpoint (until then); None: nothing.

    Raises:
        InvalidInput: ``invalid_settings`` or ``invalid_bundle``; ``invalid_field``: the folder
            lacks the state of the newest seal.
        Refused: ``wrong_state``: another process seals, or the log does not verify.
        Unavailable: ``ledger_unavailable``, or ``not_ready``: the key cannot be used.
    """
    existing_ledger(settings.database)
    clock = WallClock()
    async with AsyncExitStack() as stack:
        store = store_of(settings)
        stack.push_async_callback(store.close)
        ledger = await stack.enter_async_context(SqlLedger(settings.database, clock))
        start = await policy.at_start(settings, ledger)
        signer = StoreSigner(store, ledger.control)
        await signer.ensure((CHECKPOINT,))
        administration = Administration(
            ledger=ledger,
            reader=ledger,
            clock=clock,
            signer=signer,
            tenant=TenantId(settings.tenant),
        )
        return await _seal(
            settings,
            ledger,
            administration,
            retention=retention_of(start.bundle),
            until=until or clock.now(),
            actor=actor,
        )


async def seal_old(core: Core) -> None:
    """Seal what is older than the settings say, if anything is; the work is another process's."""
    until = core.clock.now() - timedelta(days=core.settings.seal_days)
    await _seal(
        core.settings,
        core.ledger,
        core.administration,
        retention=retention_of(core.bundle),
        until=until,
        actor=ACTOR,
    )


async def _seal(
    settings: Settings,
    ledger: SqlLedger,
    administration: Administration,
    *,
    retention: Retention,
    until: datetime,
    actor: str,
) -> SegmentSealed | None:
    sealed = (await ledger.control()).sealed
    kept = Retention(days=retention.days, by_class=dict(retention.by_class))
    try:
        with alone(settings.segments):
            segment = await aside(_ready, settings.database, settings.segments, sealed, kept, until)
            if segment is None:
                return None
            return await administration.seal(segment, actor=actor, origin=settings.origin)
    except OSError as error:
        raise unwritten(settings.segments, error) from error


def _ready(
    url: str, folder: Path, sealed: Sealed | None, retention: Retention, until: datetime
) -> Segment | None:
    """What the process beside us does."""
    try:
        return make_ready(database(url), folder, sealed, retention, until=until)
    except OSError as error:
        raise unwritten(folder, error) from error


def given(
    url: str, folder: Path | None, *, states: Path, since_seal: bool, complete: bool
) -> Options:
    """What a verification is given of the segments in ``folder``.

    ``states``: where the state at the end of what is detached lies, where no folder is named; also
    the folder for whoever asks to begin at a seal, or for every file.

    Raises:
        InvalidInput: ``invalid_field``: it cannot be read, or lacks the state to begin with.
        Unavailable: ``ledger_unavailable``.
    """
    if folder is None and not (since_seal or complete):
        return {"states": states}
    folder = folder or states
    try:
        found: Options = {"shelf": Shelf.of(folder), "complete": complete}
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{folder} cannot be read: {error.strerror}"
        ) from error
    if since_seal:
        found["start"] = _newest_state(url, folder)
    return found


def _newest_state(url: str, folder: Path) -> Path:
    """The state of the newest seal that the ledger knows; the walk says whether it may be."""
    try:
        with database(url).moment() as read:
            bodies = [json.loads(row[0]) for row in read("SELECT body FROM control")]
        sealed = bodies[0].get("sealed") if bodies else None
        last = int(sealed["last"]) if sealed else 0
    except Exception as error:
        raise unread(error) from error
    path = folder / state_name(last)
    if not last or not path.is_file():
        detail = f"{path} is not there" if last else "nothing was sealed yet"
        raise InvalidInput(Code.INVALID_FIELD, f"no seal to begin with: {detail}")
    return path


def unwritten(folder: Path, error: OSError) -> InvalidInput:
    """A folder's error in our words."""
    return InvalidInput(Code.INVALID_FIELD, f"{folder} cannot be written: {error.strerror}")
