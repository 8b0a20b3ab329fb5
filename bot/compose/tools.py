"""The ledger for one command of the command line.

Lives here: opening the ledger for reads and governing commands, verifying it, exporting it, and
whether it is there at all. Must not live here: tables, texts or exit codes (``bot.cli``).
Law: reading never creates a ledger: a name typed wrong is an error, not an empty log; a command
holds no key.
"""

import asyncio
import json
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path

from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from bot.compose.core import Core
from bot.scheduler import WallClock
from bot.settings import Settings
from bot.signing import NoSigner
from governance.administration import Administration
from governance.errors import Code, InvalidInput, Unavailable
from governance.ports import Clock, Reader
from governance.principal import TenantId
from storage.engine import database
from storage.export import export
from storage.ledger import SqliteLedger
from storage.verify import Report, verify_database, verify_export
from storage.verify_values import key_of

Progress = Callable[[int, int], None]
"""Called now and then with records done and records in all (0: not known)."""
OutsideKeys = Mapping[str, Mapping[str, str]]
"""Public keys kept outside the ledger: ``{id: {"purpose": ..., "pem": ...}}``."""


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


def active_snapshot(url: str) -> str:
    """The active bundle of a ledger that is only looked at; empty: none, or no ledger yet.

    Raises:
        InvalidInput: as ``ledger_file``.
        Unavailable: ``ledger_unavailable``: it cannot be read.
    """
    path = ledger_file(url)
    if not path.is_file():
        return ""
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as found:
            row = found.execute("SELECT body FROM control").fetchone()
        return str(json.loads(row[0])["snapshot"]) if row else ""
    except (sqlite3.Error, ValueError, KeyError, TypeError) as error:
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a log: at which event (0: none in particular), what and how."""

    seq: int
    what: str
    detail: str

    def __str__(self) -> str:
        place = f"event {self.seq}" if self.seq else "the log"
        return f"{place}: {self.what}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verification found, and how much it looked at; no problems: the log verifies.

    ``uncovered`` events are newer than the newest good checkpoint; ``root`` and ``head`` in hex.
    """

    problems: tuple[Fault, ...]
    events: int
    tickets: int
    votes: int
    signatures: int
    checkpoints: int
    uncovered: int
    root: str
    head: str

    @property
    def is_verified(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_ledger(
    url: str,
    *,
    checkpoints: str = "",
    keys: OutsideKeys | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Verify a ledger's file, which another process may be writing.

    Raises:
        InvalidInput: ``invalid_settings``: no such database; ``invalid_field``: ``keys``.
        Unavailable: ``ledger_unavailable``: there is no such file.
    """
    path = existing_ledger(url)
    _check_keys(keys)
    return _verdict(verify_database(path, keys=keys, checkpoints=checkpoints, progress=progress))


def verify_exported(
    path: Path,
    *,
    checkpoints: str = "",
    keys: OutsideKeys | None = None,
    progress: Progress | None = None,
) -> Verdict:
    """Verify an export, from its text alone.

    Raises:
        InvalidInput: ``invalid_field``: the file cannot be read, or ``keys``.
    """
    _check_keys(keys)
    try:
        report = verify_export(path, keys=keys, checkpoints=checkpoints, progress=progress)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{path} cannot be read: {error.strerror}"
        ) from error
    return _verdict(report)


async def verify_running(core: Core) -> Verdict:
    """Verify the ledger of a process that goes on working, with its published checkpoints."""
    return await asyncio.to_thread(
        verify_ledger,
        core.settings.database,
        checkpoints=published_checkpoints(core.settings),
    )


def published_checkpoints(settings: Settings) -> str:
    """The text of the checkpoints that were written outside the database; empty: none yet.

    Raises:
        Unavailable: ``ledger_unavailable``: they are there and cannot be read.
    """
    try:
        return settings.checkpoints.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise Unavailable(
            Code.LEDGER_UNAVAILABLE,
            f"the checkpoints in {settings.checkpoints} cannot be read ({type(error).__name__})",
        ) from error


def _check_keys(keys: OutsideKeys | None) -> None:
    for name, entry in (keys or {}).items():
        try:
            key_of(entry["purpose"], entry["pem"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise InvalidInput(
                Code.INVALID_FIELD, f"key {name!r} is not a purpose and a PEM public key"
            ) from error


def _verdict(report: Report) -> Verdict:
    counts = report.counts
    return Verdict(
        problems=tuple(
            Fault(seq=item.seq, what=item.what, detail=item.detail) for item in report.problems
        ),
        events=counts.events,
        tickets=counts.tickets,
        votes=counts.votes,
        signatures=counts.signatures,
        checkpoints=counts.checkpoints,
        uncovered=counts.uncovered,
        root=report.root.hex(),
        head=report.head,
    )


def export_ledger(url: str, path: Path) -> int:
    """Write the log to a new file (0600), whole or not at all; how many events it has.

    Raises:
        InvalidInput: ``invalid_field``: the file is there already, or cannot be made.
        Unavailable: ``ledger_unavailable``: there is no such ledger, or it cannot be read.
    """
    source = existing_ledger(url)
    aside = path.with_name(f"{path.name}.{os.getpid()}.part")
    if path.exists():
        raise InvalidInput(Code.INVALID_FIELD, f"{path} is there already; name another file")
    try:
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{path} cannot be made: {error.strerror}"
        ) from error
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as out:
            count = export(source, out)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
    except (sqlite3.Error, OSError) as error:
        raise Unavailable(
            Code.LEDGER_UNAVAILABLE, f"the export is not whole ({type(error).__name__})"
        ) from error
    finally:
        aside.unlink(missing_ok=True)
    return count
