"""Verifying the ledger and taking it away, for commands and for the service itself.

Lives here: what is verified against what, and files around an export. Must not live here: the
verification (``storage.verify``), texts or exit codes (``bot.cli``). Law: an export is whole or is
not there; what cannot be read never counts as verified.
"""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bot.compose.core import Core
from bot.compose.tools import existing_ledger
from bot.settings import Settings
from governance.errors import Code, InvalidInput, Unavailable
from storage.copying import as_file
from storage.export import NotThisLog, export, export_segments
from storage.verify.options import Options
from storage.verify.published import witnesses_in
from storage.verify.values import key_of
from storage.verify.verifier import Report, verify_database, verify_export
from storage.verifying import verify_server

Progress = Callable[[int, int], None]
"""Called now and then with records done and records in all (0: not known)."""
OutsideKeys = Mapping[str, Mapping[str, str]]
"""Public keys kept outside the ledger: ``{id: {"purpose": ..., "pem": ...}}``."""
_BROKEN = (sqlite3.Error, OSError, UnicodeDecodeError)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that is wrong with a log: at which event (0: none in particular), what and how."""

    seq: int
    what: str
    detail: str
    table: str = ""
    """The table, or the file of an export, where it is not the event itself; then its row."""
    row: str = ""
    field: str = ""

    @property
    def place(self) -> str:
        """Where it is, in words."""
        event = f"event {self.seq}" if self.seq else ""
        row = f"{self.table} {self.row}".strip() if self.table != "events" else ""
        return ", ".join(part for part in (event, row) if part) or "the log"

    def __str__(self) -> str:
        return f"{self.place}: {self.what}: {self.detail}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What verification found, and how much it looked at; no problems: the log verifies.

    Of very many problems some are kept, the first of each kind among them; ``problem_count`` has
    all of them.
    ``uncovered`` events are newer than the newest good checkpoint, ``unsigned`` newer than the
    newest signed head; ``root`` and ``head`` in hex.
    """

    problems: tuple[Fault, ...]
    problem_count: int
    events: int
    tickets: int
    votes: int
    signatures: int
    checkpoints: int
    uncovered: int
    unsigned: int
    root: str
    head: str
    seals: int = 0
    since: int = 0
    """Events up to here were not looked at: a seal vouches for them."""
    detached: int = 0
    """Events up to here are in files alone; they were read where ``since`` is 0."""

    @property
    def is_verified(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems


def verify_ledger(
    url: str,
    *,
    checkpoints: str = "",
    witnesses: str = "",
    keys: OutsideKeys | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
    sealed: Options | None = None,
) -> Verdict:
    """Verify a ledger, which other processes may be writing.

    ``jobs``: processes beside this one; None: as ``storage.verify`` sees fit.
    ``sealed``: what ``bot.compose.segments.given`` found.

    Raises:
        InvalidInput: ``invalid_settings``: no such database, or ``witnesses``; ``invalid_field``:
            ``keys``.
        Unavailable: ``ledger_unavailable``: there is no such file.
    """
    path = existing_ledger(url)
    _check_keys(keys)
    _check_witnesses(witnesses)
    given: Options = {
        "keys": keys,
        "checkpoints": checkpoints,
        "witnesses": witnesses,
        "progress": progress,
        "jobs": jobs,
        **(sealed or {}),
    }
    return _verdict(verify_server(url, **given) if path is None else verify_database(path, **given))


def verify_exported(
    path: Path,
    *,
    checkpoints: str = "",
    keys: OutsideKeys | None = None,
    progress: Progress | None = None,
    jobs: int | None = None,
) -> Verdict:
    """Verify an export, from its text alone.

    Raises:
        InvalidInput: ``invalid_field``: the file cannot be read, or ``keys``.
    """
    _check_keys(keys)
    try:
        report = verify_export(
            path, keys=keys, checkpoints=checkpoints, progress=progress, jobs=jobs
        )
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
        witnesses=witnesses_text(core.settings),
        sealed={"states": core.settings.segments},
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


def witnesses_text(settings: Settings) -> str:
    """The verifier keys of the witnesses whose cosignatures are kept; empty: there are none.

    Raises:
        InvalidInput: ``invalid_settings``: they cannot be read.
    """
    try:
        return "" if settings.witnesses is None else settings.witnesses.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            f"PLACET_WITNESSES cannot be read ({type(error).__name__})",
        ) from error


def _check_witnesses(text: str) -> None:
    try:
        witnesses_in(text)
    except ValueError as error:
        raise InvalidInput(Code.INVALID_SETTINGS, f"PLACET_WITNESSES: {error}") from error


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
            Fault(
                seq=item.seq,
                what=item.what,
                detail=item.detail,
                table=item.table,
                row=item.row,
                field=item.field,
            )
            for item in report.problems
        ),
        problem_count=sum(report.kinds.values()),
        events=counts.events,
        tickets=counts.tickets,
        votes=counts.votes,
        signatures=counts.signatures,
        checkpoints=counts.checkpoints,
        uncovered=counts.uncovered,
        unsigned=counts.unsigned,
        root=report.root.hex(),
        head=report.head,
        seals=report.seals,
        since=report.since,
        detached=report.detached,
    )


def export_ledger(url: str, path: Path, *, progress: Progress | None = None) -> int:
    """Write the log to a new file (0600), whole or not at all; how many events it has.

    Raises:
        InvalidInput: ``invalid_field``: the file is there already, or cannot be made.
        Unavailable: ``ledger_unavailable``: there is no such ledger, or it cannot be read.
    """
    existing_ledger(url)
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
        with os.fdopen(descriptor, "w", encoding="utf-8") as out, as_file(url) as source:
            count = export(source, out, progress=progress)
            out.flush()
            os.fsync(out.fileno())
        aside.replace(path)
    except _BROKEN as error:
        raise _not_whole(error) from error
    finally:
        aside.unlink(missing_ok=True)
    return count


def export_to_folder(
    url: str, folder: Path, *, events: int, progress: Progress | None = None
) -> int:
    """Write what ``folder`` lacks of the log, ``events`` to a file; how many it gained.

    Raises:
        InvalidInput: ``invalid_field``: the folder cannot be made, or holds something else.
        Unavailable: ``ledger_unavailable``: there is no such ledger, or it cannot be read.
    """
    existing_ledger(url)
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        raise InvalidInput(
            Code.INVALID_FIELD, f"{folder} cannot be made: {error.strerror}"
        ) from error
    try:
        with as_file(url) as source:
            return export_segments(source, folder, events=events, progress=progress)
    except NotThisLog as error:
        raise InvalidInput(Code.INVALID_FIELD, str(error)) from error
    except _BROKEN as error:
        raise _not_whole(error) from error


def _not_whole(error: Exception) -> Unavailable:
    return Unavailable(Code.LEDGER_UNAVAILABLE, f"the export is not whole ({type(error).__name__})")
