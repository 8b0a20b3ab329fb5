"""Turns at one file's write lock, between processes that have much to write.

Lives here: saying that one waits, and seeing that others do. Must not live here: the write lock
itself, which is SQLite's. Law: nobody who waits is passed over for long, however much others have
to write; a turn guards nothing, so without the file for it, or with a process that died or stands
still, writing goes on as before.

SQLite lets whoever asks first have the lock and has others ask again after pauses of up to 100 ms:
a writer that begins anew right after each commit would keep it for seconds.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

ASK_AGAIN_S = 0.0003
"""How long whoever waits lies still before it asks again."""
COURTESY_S = 0.003
"""How long whoever has just written leaves the lock to those who wait."""
_TRIES = 10
"""So often whoever waits tries to be seen: others look for an instant, unless they stand still."""


class Turns:
    """One connection's place among those that write to the same file."""

    def __init__(self, database: Path) -> None:
        path = database.with_name(f"{database.name}.turns")
        self._file: int | None = None
        with contextlib.suppress(OSError):
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """Be seen to wait; where another has the file for itself and keeps it, wait unseen."""
        for _ in range(_TRIES):
            if self._lock(fcntl.LOCK_SH | fcntl.LOCK_NB):
                break
            time.sleep(ASK_AGAIN_S)
        try:
            yield
        finally:
            self._lock(fcntl.LOCK_UN)

    @property
    def is_awaited(self) -> bool:
        """Whether anybody else waits now."""
        is_free = self._lock(fcntl.LOCK_EX | fcntl.LOCK_NB)
        self._lock(fcntl.LOCK_UN)
        return not is_free

    def close(self) -> None:
        """Be seen no more."""
        file, self._file = self._file, None
        if file is not None:
            os.close(file)

    def _lock(self, how: int) -> bool:
        """Whether it could be had; where there is no such file or lock, it always could."""
        if self._file is None:
            return True
        try:
            fcntl.flock(self._file, how)
        except OSError as error:
            return not isinstance(error, BlockingIOError)
        return True
