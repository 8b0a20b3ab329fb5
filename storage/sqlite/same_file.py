"""Whether a database's file is still the one that was opened.

Lives here: its device and inode, remembered. Must not live here: opening it.
Law: what is written to a file that has lost its name is acknowledged and gone; so nothing is
written or read while the name is missing or means another file. Moving the file back mends it;
another file (a backup put in its place) is taken on by a restart only.
Source: SQLite's rollback journal has this check (``SQLITE_READONLY_DBMOVED``), its WAL has not.
"""

import os
import sqlite3
from pathlib import Path


class DatabaseFileGone(sqlite3.OperationalError):
    """There is no file of that name any more."""


class DatabaseFileReplaced(sqlite3.OperationalError):
    """The name means another file than the one that this process began with."""


class SameFile:
    """What file a name meant when it was first asked."""

    def __init__(self) -> None:
        self._known: tuple[int, int] | None = None

    def check(self, path: Path) -> None:
        """Compare; two microseconds.

        Raises:
            DatabaseFileGone: see there; so is the other.
        """
        try:
            found = os.stat(path)
        except OSError as error:
            raise DatabaseFileGone(f"{path.name} is gone") from error
        which = (found.st_dev, found.st_ino)
        if self._known is None:
            self._known = which
        elif self._known != which:
            raise DatabaseFileReplaced(f"{path.name} is another file than before")
