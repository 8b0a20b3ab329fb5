"""Copies of the ledger's file, and putting one back.

Lives here: ``placet db backup`` and ``placet db restore``. Must not live here: the copying. Law:
nothing that is there is overwritten; a copy that is older than what was published is called so.
"""

from pathlib import Path
from typing import Annotated

import typer

from bot.cli.environment import settings_now
from bot.cli.output import AsJson, answered, emit, note, show, visible
from bot.replies import Exit


@answered
def backup(
    file: Annotated[Path, typer.Argument(help="New file to write, made for you alone.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Copy a SQLite ledger while the service runs; the copy is looked through before it is named.

    It holds contents too: keep it as safe as the ledger. Keys and checkpoints are not in it; keep
    those elsewhere. A PostgreSQL ledger is copied by pg_dump or pg_basebackup.
    """
    from bot.compose import backups

    done = backups.back_up(settings_now(), file)
    if as_json:
        emit({"file": str(file), "events": done.size, "head": done.head, "bytes": done.file_bytes})
        return
    name = visible(str(file))
    show(f"{name} holds the ledger up to record {done.size} ({done.file_bytes:,} bytes).")
    note(f"Verify it: placet audit verify --database sqlite:///{name}")


@answered
def restore(
    file: Annotated[Path, typer.Argument(help="A backup that placet db backup wrote.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Make the ledger of PLACET_DATABASE from a backup; nothing that is there is overwritten.

    Move the old file and its -wal and -shm away first. Exit code 1: it is restored, but older
    than the newest checkpoint; placet serve does not start on it by itself.
    """
    from bot.compose import backups

    settings = settings_now()
    done, lost = backups.restore(settings, file)
    if as_json:
        told = {"events": done.size, "head": done.head, "is_current": not lost}
        emit(told | ({"problem": lost} if lost else {}))
    else:
        show(f"Restored up to record {done.size}.")
        if lost:
            note(visible(f"But {lost}. placet serve starts on it only with --accept-rollback."))
    if lost:
        raise typer.Exit(Exit.PROBLEM)
