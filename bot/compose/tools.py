"""The ledger for one command of the command line.

Lives here: opening the ledger for reads and governing commands, verifying it, exporting it, and
whether it is there at all. Must not live here: tables, texts or exit codes (``bot.cli``).
Law: reading never creates a ledger: a name typed wrong is an error, not an empty log; a command
holds no key.
"""

import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing import NoSigner
from governance.administration import Administration
from governance.errors import Code, Unavailable
from governance.ports import Clock, Reader
from governance.principal import TenantId
from storage.engine import database
from storage.ledger import SqliteLedger


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What a command is given."""

    reader: Reader
    administration: Administration
    clock: Clock


def ledger_file(url: str) -> Path:
    """The file that a database URL names; it need not exist.

    Raises:
        InvalidInput: ``invalid_settings``: no such kind of database.
    """
    return database(url).path


def existing_ledger(url: str) -> Path:
    """The file of a ledger that is there.

    Raises:
        InvalidInput: as ``ledger_file``.
        Unavailable: ``ledger_unavailable``: there is no such file.
    """
    path = ledger_file(url)
    if not path.is_file():
        raise Unavailable(
            Code.LEDGER_UNAVAILABLE, f"there is no ledger at {path}; placet serve makes it"
        )
    return path


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
    ledger = SqliteLedger(settings.database, clock)
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
            clock=clock,
        )
    finally:
        await ledger.close()


async def _start(ledger: SqliteLedger, url: str) -> None:
    try:
        await ledger.start()
    except (SQLAlchemyError, CommandError, sqlite3.Error) as error:
        raise _no_ledger(url, error) from error


def _no_ledger(url: str, error: Exception) -> Unavailable:
    path = ledger_file(url)
    return Unavailable(
        Code.LEDGER_UNAVAILABLE, f"{path} cannot be opened as a ledger ({type(error).__name__})"
    )
