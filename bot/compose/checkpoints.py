"""Checkpoints: the log, signed, in a file outside the database.

Lives here: signing the log as it is and appending the note. Must not live here: when (``serve``),
what a note says (``governance.audit``), proofs (``storage``). Law: a note is in the log before it
is in the file, and on disk before it counts as published.
"""

import asyncio
import os
from pathlib import Path

from bot.compose.core import Core
from bot.settings import Settings
from governance.administration import TreeHead
from governance.errors import Code, InvalidInput
from governance.note_keys import Kind, NoteKey
from governance.transparency import Published
from governance.trust import read_vkeys

_GAP = b"\n\n"
"""What ends a note in the file."""


async def checkpoint(core: Core) -> None:
    """Sign the log and append the note to the file outside the database.

    The tree that is signed is the one that the records' bytes give, not only the one that the
    head claims; proofs lead to it from then on.

    Raises:
        Unavailable: the key or the log cannot be used now, or the two trees are not the same.
    """
    size, root, head = await core.ledger.tree_head()
    if size == 0:
        return
    await core.proofs.catch_up(size, root)
    tree = TreeHead(size=size, root=root, head=head)
    note = await core.administration.checkpoint(tree, origin=core.settings.origin)
    await asyncio.to_thread(_append, core.settings.checkpoints, note)
    await core.proofs.publish(Published(size=size, root=root, note=note))


def witnesses_of(settings: Settings) -> tuple[NoteKey, ...]:
    """The witnesses whose cosignatures are kept.

    Raises:
        InvalidInput: ``invalid_settings``: their file cannot be read, or holds another kind of key.
    """
    if settings.witnesses is None:
        return ()
    try:
        keys = read_vkeys(settings.witnesses.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InvalidInput(
            Code.INVALID_SETTINGS, f"PLACET_WITNESSES cannot be read: {error}"
        ) from error
    if not all(key.kind is Kind.COSIGNATURE for key in keys):
        raise InvalidInput(
            Code.INVALID_SETTINGS, "PLACET_WITNESSES holds a key that is no witness's"
        )
    return keys


def _append(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+b") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(0, end - len(_GAP)))
        # What was torn by a crash must not run into this one and spoil both.
        file.write((_GAP if end and file.read() != _GAP else b"") + note.encode("utf-8") + b"\n")
        file.flush()
        os.fsync(file.fileno())
