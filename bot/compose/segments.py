"""Sealing segments of the log, for a command and for the service's clock.

Lives here: which checkpoint key, folder and retention a seal has, and how a verification begins
with one. Must not live here: files and states (``storage.segments``), what a seal says
(``governance.segments``). Law: one process seals at a time; the files are on the disk before the
log says that they were sealed.
"""

import asyncio
import json
import multiprocessing
import os
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from bot.compose import policy
from bot.compose.core import Core
from bot.compose.tools import existing_ledger
from bot.retention import ACTOR, retention_of
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing import StoreSigner
from bot.signing_place import store_of
from governance.administration import CHECKPOINT, Administration
from governance.errors import Code, InvalidInput, PlacetError, Unavailable
from governance.principal import TenantId
from governance.retention import Retention
from governance.segments import Sealed, Segment, SegmentSealed
from storage.engine import database
from storage.ledger import SqlLedger
from storage.segments import alone, make_ready
from storage.verify_options import Options
from storage.verify_segments import Shelf, state_name

if TYPE_CHECKING:
    from multiprocessing.connection import Connection as PipeConnection


_NICE = 10
_Work = tuple[str, Path, Sealed | None, Retention, datetime]
"""Database, folder, the newest seal, retention, and up to when."""


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
            work = (settings.database, settings.segments, sealed, kept, until)
            segment = await _elsewhere(*work)
            if segment is None:
                return None
            return await administration.seal(segment, actor=actor, origin=settings.origin)
    except OSError as error:
        raise unwritten(settings.segments, error) from error


async def _elsewhere(*work: *_Work) -> Segment | None:
    """Have a process that gives way do it: verifying in a thread would hold up decisions."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_written, args=(theirs, *work), daemon=True)
    process.start()
    theirs.close()
    try:
        found = await asyncio.to_thread(_received, ours)
        await asyncio.to_thread(process.join)
    finally:
        process.terminate()  # where nobody waits for it any more; killed anywhere, nothing is lost
    if isinstance(found, PlacetError):
        raise found
    return found


def _received(ours: "PipeConnection") -> Segment | PlacetError | None:
    with ours:
        try:
            found: Segment | PlacetError | None = ours.recv()
        except EOFError:
            return Unavailable(Code.LEDGER_UNAVAILABLE, "the process that seals has ended early")
        return found


def _written(theirs: "PipeConnection", *work: *_Work) -> None:
    """What the other process does; every failure is an answer, too."""
    url, folder, sealed, retention, until = work
    answer: Segment | PlacetError | None
    os.nice(_NICE)
    try:
        answer = make_ready(database(url), folder, sealed, retention, until=until)
    except PlacetError as error:
        answer = error
    except OSError as error:
        answer = unwritten(folder, error)
    except Exception as error:  # noqa: BLE001  # either driver's, which may not be sent
        answer = unread(error)
    theirs.send(answer)


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


def unread(error: Exception) -> Unavailable:
    """A driver's error in our words."""
    kind = type(error).__name__
    return Unavailable(Code.LEDGER_UNAVAILABLE, f"the ledger cannot be read ({kind})")


def unwritten(folder: Path, error: OSError) -> InvalidInput:
    """A folder's error in our words."""
    return InvalidInput(Code.INVALID_FIELD, f"{folder} cannot be written: {error.strerror}")
