"""Detaches from a ledger and kills itself at one of the steps: ``python -m ... URL FOLDER STEP``.

Steps 1 and 2 are before the first and the second deletion of records, 3 after all of them, 4 is
right before COMMIT and 5 after it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from storage.connection import Connection
from storage.ledger import SqlLedger
from storage.retention import detaching
from storage.sqlite.database import SqliteConnection
from storage.writing import flush
from tests.support.build import FixedClock
from tests.support.past import YEARS_S
from tests.support.sealing import detach

_take_out, _commit = detaching.take_out, SqliteConnection.commit
_is_gone = False


def _dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class Dying:
    """A connection in whose hands the process ends."""

    def __init__(self, connection: Connection, step: int) -> None:
        self._connection = connection
        self._left = step

    def __getattr__(self, name: str) -> object:
        return getattr(self._connection, name)

    def execute(self, sql: str, values: object = ()) -> object:
        """See ``Connection``."""
        if sql.startswith("DELETE FROM events"):
            self._left -= 1
            if self._left == 0:
                _dies()
        return self._connection.execute(sql, values)  # type: ignore[arg-type]


async def main(url: str, folder: Path, step: int) -> None:
    """Detach, up to the step."""

    def take_out(connection: Connection, seq: int, segment: object) -> None:
        global _is_gone  # noqa: PLW0603  # a process for this alone
        _take_out(Dying(connection, step if step < 3 else 0), seq, segment)  # type: ignore[arg-type]
        _is_gone = True
        if step == 3:
            _dies()

    def commit(connection: SqliteConnection) -> None:
        if _is_gone and step == 4:
            _dies()
        _commit(connection)
        if _is_gone and step == 5:
            _dies()

    flush.detaching.take_out = take_out  # type: ignore[attr-defined]
    SqliteConnection.commit = commit  # type: ignore[method-assign]
    clock = FixedClock()
    clock.pass_(YEARS_S)
    async with SqlLedger(url, clock) as ledger:
        await detach(ledger, url, folder)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
