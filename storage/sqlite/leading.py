"""Who does what only one process should do, on one file: a lock beside the database.

Lives here: that lock. Must not live here: the work (checkpoints, the audit channel).
Law: it ends with its process. Nothing is wrong if two lead for a moment, or nobody does; it saves
double work and guards nothing.
"""

import fcntl
import os
from pathlib import Path


class FileLeader:
    """This process's candidacy."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._held: dict[str, int] = {}
        self._is_closed = False

    async def leads(self, name: str) -> bool:
        """See ``connection.Leader``; the lock is had or refused at once."""
        if self._is_closed or name in self._held:
            return name in self._held
        path = self._database.with_name(f"{self._database.name}.{name}.lock")
        try:
            held = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError:
            return True  # where no lock can be had, work done twice is better than none
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            return False
        self._held[name] = held
        return True

    async def close(self) -> None:
        """Leave it to others; from now on nobody here leads."""
        self._is_closed = True
        while self._held:
            os.close(self._held.popitem()[1])
