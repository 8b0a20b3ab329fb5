"""Checkpoints: the log, signed, in a file outside the database.

Lives here: signing the log as it is and appending the note. Must not live here: when
(``serve``), or what a note says (``governance.audit``). Law: a note is in the log before it is in
the file, and on disk before it counts as published.
"""

import asyncio
import os
from pathlib import Path

from bot.compose.core import Core
from governance.administration import TreeHead


async def checkpoint(core: Core) -> None:
    """Sign the log and append the note to the file outside the database.

    Raises:
        Unavailable: the key or the log cannot be used now.
    """
    size, root, head = await core.ledger.tree_head()
    if size == 0:
        return
    tree = TreeHead(size=size, root=root, head=head)
    note = await core.administration.checkpoint(tree, origin=core.settings.origin)
    await asyncio.to_thread(_append, core.settings.checkpoints, note)


def _append(path: Path, note: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8") as file:
        file.write(note + "\n")
        file.flush()
        os.fsync(file.fileno())
