"""The ledger for one command of the command line.

Lives here: opening the ledger for reads and governing commands, and whether it is there at all.
Must not live here: verifying and exporting it (``verification``); tables, texts or exit codes
(``bot.cli``).
Law: reading never creates a ledger: a name typed wrong is an error, not an empty log; a command
holds no key.
"""

import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from bot.figures.gathered import CountedLog
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing.signer import NoSigner
from governance.administration import Administration
from governance.custody import Custody
from governance.errors import Code, Unavailable
from governance.outbox import Outbox
from governance.ports import Clock, Reader
from governance.principal import TenantId
from storage.engine import database, file_database
from storage.ledger import SqlLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a command is given."""

    reader: Reader
    administration: Administration
    custody: Custody
    clock: Clock
    log: CountedLog
    outbox: Outbox


def ledger_name(url: str) -> str:
    """Which database a URL names, as people may see it: never with a password.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
    """
    return database(url).name


def ledger_file(url: str) -> Path | None:
    """The file that a database URL names; it need not exist. None: it is on a server.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
    """
    found = file_database(url)
    return found.path if found is not None else None


def existing_ledger(url: str) -> Path | None:
    """The file of a ledger that is there; None: it is on a server, which only asking would tell.

    Raises:
        InvalidInput: as ``ledger_file``.
        Unavailable: ``ledger_unavailable``: there is no such file.
    """
    path = ledger_file(url)
    if path is not None and not path.is_file():
        raise Unavailable(
            Code.LEDGER_UNAVAILABLE, f"there is no ledger at {path}; placet serve makes it"
        )
    return path


def active_snapshot(url: str) -> str:
    """The active bundle of a ledger that is only looked at; empty: none, or no ledger yet.

    Raises:
        InvalidInput: as ``ledger_file``.
        Unavailable: ``ledger_unavailable``: it cannot be read.
    """
    db = database(url)
    if not db.is_there:
        return ""
    try:
        with db.moment() as read:
            bodies = [row[0] for row in read("SELECT body FROM control")]
        return str(json.loads(bodies[0])["snapshot"]) if bodies else ""
    except Exception as error:
        raise _no_ledger(url, error) from error


@asynccontextmanager
async def open_tools(settings: Settings, *, create: bool = False) -> AsyncIterator[Tools]:
    """Open the ledger beside whatever else has it open; ``create`` makes one where there is none.

    Raises:
        InvalidInput: ``invalid_settings``: no such database.
        Unavailable: ``ledger_unavailable``: it is not there, not a ledger, or cannot be opened.
    """
    if not create:
        existing_ledger(settings.database)
    clock = WallClock()
    ledger = SqlLedger(settings.database, clock)
    try:
        await _start(ledger, settings.database)
        yield Tools(
            reader=ledger,
            administration=Administration(
                ledger=ledger,
                reader=ledger,
                clock=clock,
                signer=NoSigner(),
                tenant=TenantId(settings.tenant),
            ),
            custody=Custody(ledger=ledger, reader=ledger, tenant=TenantId(settings.tenant)),
            clock=clock,
            log=ledger,
            outbox=ledger,
        )
    finally:
        await ledger.close()


async def _start(ledger: SqlLedger, url: str) -> None:
    try:
        await ledger.start()
    except (SQLAlchemyError, CommandError, sqlite3.Error) as error:
        raise _no_ledger(url, error) from error


def _no_ledger(url: str, error: Exception) -> Unavailable:
    name = ledger_name(url)
    return Unavailable(
        Code.LEDGER_UNAVAILABLE, f"{name} cannot be opened as a ledger ({type(error).__name__})"
    )
