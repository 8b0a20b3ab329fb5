"""Detaching sealed segments from the database, for a command and for the service's clock.

Lives here: what is verified before, which key signs, who may. Must not live here: which segments
(``storage.retention``), what keeps them (``governance.detaching``). Law: nothing leaves a log that
does not verify, or that a reader of ours has not read to there; a look changes nothing.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta

from bot.compose import policy
from bot.compose.aside import aside, unread
from bot.compose.core import Core
from bot.compose.databases import server
from bot.compose.segments import unwritten
from bot.compose.speaking import AUDIT_CURSOR
from bot.compose.tools import existing_ledger
from bot.compose.verification import published_checkpoints, verify_ledger, witnesses_text
from bot.retention import ACTOR, retention_of
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing.places import store_of
from bot.signing.signer import StoreSigner
from governance.administration import CHECKPOINT, Administration
from governance.errors import Code, PlacetError, Refused
from governance.principal import TenantId
from governance.retention import Retention
from governance.segments import Detached, SegmentSealed
from storage.engine import database
from storage.ledger import SqlLedger
from storage.retention.detachable import choose
from storage.retention.segments import alone
from storage.verify.detached import NotAtHand, state_at
from storage.verify.options import Options
from storage.verify.segments import Shelf

Progress = Callable[[int, int], None]
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Departure:
    """Segments that may leave, or have left where ``is_done``, oldest first."""

    segments: tuple[SegmentSealed, ...]
    is_done: bool

    @property
    def events(self) -> int:
        """How many records are in them."""
        return sum(segment.events for segment in self.segments)


async def detach(
    settings: Settings,
    *,
    until: datetime | None,
    actor: str,
    apply: bool,
    progress: Progress | None = None,
) -> Departure:
    """Take the oldest sealed segments, whose time is over, out of the database; or only look.

    Raises:
        InvalidInput: ``invalid_settings`` or ``invalid_bundle``; ``invalid_field``: the folder
            cannot be read.
        Refused: ``wrong_state``: the log or a file does not verify, or something needs a record;
            ``held``: a legal hold does; ``forbidden``: the database's role may not.
        Unavailable: ``ledger_unavailable``, or ``not_ready``: the key cannot be used.
    """
    existing_ledger(settings.database)
    if apply:
        await asyncio.to_thread(_hold_allowed, settings.database)
    clock = WallClock()
    async with AsyncExitStack() as stack:
        store = store_of(settings)
        stack.push_async_callback(store.close)
        ledger = await stack.enter_async_context(SqlLedger(settings.database, clock))
        start = await policy.at_start(settings, ledger)
        signer = StoreSigner(store, ledger.control)
        administration = Administration(
            ledger=ledger,
            reader=ledger,
            clock=clock,
            signer=signer,
            tenant=TenantId(settings.tenant),
        )
        try:
            with alone(settings.segments):
                detached = (await ledger.control()).detached
                kept = retention_of(start.bundle)
                now = clock.now()
                seals = await asyncio.to_thread(
                    _chosen, settings, detached, kept, until=until or now, now=now
                )
                if seals:
                    await _hold_read(settings, ledger, seals)
                    await asyncio.to_thread(_hold_verified, settings, detached, progress)
                    await administration.look_at(seals)
                if seals and apply:
                    await signer.ensure((CHECKPOINT,))
                    await administration.detach(seals, actor=actor)
        except OSError as error:
            raise unwritten(settings.segments, error) from error
    return Departure(segments=tuple(seals.values()), is_done=apply and bool(seals))


async def detach_old(core: Core) -> int:
    """Take those out that end before what the settings keep, oldest first; how many segments left.

    The files, the rows and the log are verified by a process that gives way. Each segment leaves
    in a transaction of its own, since others wait while it does; the first that something still
    needs ends it, and those before it have left.

    Raises:
        InvalidInput, Refused, Unavailable: as ``detach``.
    """
    settings, now, gone = core.settings, core.clock.now(), 0
    kept = retention_of(core.bundle)
    plain = Retention(days=kept.days, by_class=dict(kept.by_class))
    until = now - timedelta(days=settings.detach_days)
    await asyncio.to_thread(_hold_allowed, settings.database)
    try:
        with alone(settings.segments):
            detached = (await core.ledger.control()).detached
            seals = await aside(_verified, settings, detached, plain, until=until, now=now)
            for seq, seal in seals.items():
                await _hold_read(settings, core.ledger, {seq: seal})
                await core.administration.detach({seq: seal}, actor=ACTOR)
                _log.info("events %d to %d have left the database", seal.first, seal.last)
                gone += 1
    except OSError as error:
        raise unwritten(settings.segments, error) from error
    return gone


def _verified(
    settings: Settings,
    detached: Detached | None,
    retention: Retention,
    *,
    until: datetime,
    now: datetime,
) -> Mapping[int, SegmentSealed]:
    """Those that may leave by their age; where there are any, the log and their files verify."""
    try:
        seals = _chosen(settings, detached, retention, until=until, now=now)
        if seals:
            _hold_verified(settings, detached, None, jobs=0)  # its own processes would outlive it
    except OSError as error:
        raise unwritten(settings.segments, error) from error
    return seals


def detached_upto(url: str) -> int:
    """The number of the newest event that is not in the database any more; 0: all are.

    Raises:
        Unavailable: ``ledger_unavailable``: it cannot be read.
    """
    try:
        with database(url).moment() as read:
            return int(next(read("SELECT coalesce(max(last), 0) FROM detached"))[0])
    except Exception as error:
        raise unread(error) from error


def _chosen(
    settings: Settings,
    detached: Detached | None,
    retention: Retention,
    *,
    until: datetime,
    now: datetime,
) -> Mapping[int, SegmentSealed]:
    db, folder = database(settings.database), settings.segments
    try:
        return choose(db, folder, detached, retention, until=until, now=now)
    except (PlacetError, OSError):
        raise
    except Exception as error:
        raise unread(error) from error


def _hold_verified(
    settings: Settings,
    detached: Detached | None,
    progress: Progress | None,
    *,
    jobs: int | None = None,
) -> None:
    """The log from where it begins here; the newest state stands for what left before."""
    sealed: Options = {"shelf": Shelf.of(settings.segments), "jobs": jobs}
    try:
        if detached is not None:
            sealed["start"] = state_at(settings.segments, detached.last)
    except NotAtHand as error:
        raise Refused(Code.WRONG_STATE, f"nothing is detached: {error}") from error
    verdict = verify_ledger(
        settings.database,
        checkpoints=published_checkpoints(settings),
        witnesses=witnesses_text(settings),
        progress=progress,
        sealed=sealed,
    )
    if not verdict.is_verified:
        raise Refused(
            Code.WRONG_STATE,
            f"nothing is detached, as the log does not verify: {verdict.problems[0]}",
        )


async def _hold_read(
    settings: Settings, ledger: SqlLedger, seals: Mapping[int, SegmentSealed]
) -> None:
    """Whether the audit channel, where there is one, was told all of it."""
    last = max(seal.last for seal in seals.values())
    read = await ledger.cursor(AUDIT_CURSOR)
    if settings.slack_audit_channel and 0 < read < last:
        raise Refused(
            Code.WRONG_STATE,
            f"the audit channel was told of events up to {read} alone: let it catch up first",
        )


def _hold_allowed(url: str) -> None:
    """On a server only the owner of the tables takes records out."""
    found = server(url)
    if found is not None and (found.standing is None or not found.standing.may_all):
        raise Refused(
            Code.FORBIDDEN,
            f"only the owner of the tables of {found.name} detaches; no role of the service may",
        )
