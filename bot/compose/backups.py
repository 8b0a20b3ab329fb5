"""Backups of a ledger's file, for ``placet db``.

Lives here: which file, and what a failure means. Must not live here: the copying
(``sqlite.backup``), texts (``bot.cli``). Law: a server's ledger is not half copied: its own tools
do that.
"""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from bot.compose.rollback import behind_at_rest
from bot.compose.tools import existing_ledger, ledger_file
from bot.settings import Settings
from governance.errors import Code, InvalidInput, Refused, Unavailable
from storage.sqlite import backup
from storage.sqlite.backup import Copied


def back_up(settings: Settings, to: Path) -> Copied:
    """Copy the ledger of ``settings`` to a new file.

    Raises:
        InvalidInput: ``invalid_settings``: it is on a server.
        Refused: ``wrong_state``: the file is there, or the copy is damaged.
        Unavailable: ``ledger_unavailable``: there is no ledger, or it cannot be read or written.
    """
    path = existing_ledger(settings.database)
    return _done(lambda: backup.back_up(_on_disk(path), to))


def restore(settings: Settings, file: Path) -> tuple[Copied, str]:
    """Make the ledger of ``settings`` from a backup; with what it lacks, empty where nothing.

    Raises:
        InvalidInput, Refused, Unavailable: as ``back_up``.
    """
    path = _on_disk(ledger_file(settings.database))
    done = _done(lambda: backup.restore(file, path))
    lost = behind_at_rest(settings)
    return done, lost.sentence if lost is not None else ""


def _on_disk(path: Path | None) -> Path:
    if path is None:
        raise InvalidInput(
            Code.INVALID_SETTINGS,
            "a PostgreSQL ledger is copied by the server's own tools: pg_dump or pg_basebackup",
        )
    return path


def _done(work: Callable[[], Copied]) -> Copied:
    try:
        return work()
    except backup.NotCopied as error:
        raise Refused(Code.WRONG_STATE, f"not copied: {error}") from error
    except (sqlite3.Error, OSError) as error:
        why = getattr(error, "sqlite_errorname", "") or getattr(error, "strerror", "")
        text = f"the copy could not be made ({why or type(error).__name__})"
        raise Unavailable(Code.LEDGER_UNAVAILABLE, text) from error
