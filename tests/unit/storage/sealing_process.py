"""Seals a ledger and kills itself at one of the steps: ``python -m ... URL FOLDER STEP``.

Steps 1 to 3 are the syncs of the records, the state and the folder; 4 is before the commit of the
event, 5 after it.
"""

import asyncio
import os
import signal
import sys
from pathlib import Path

from governance.administration import Administration
from storage.ledger import SqlLedger
from storage.retention import segments
from tests.support.build import FixedClock
from tests.support.sealing import seal

_sync, _sealed = os.fsync, Administration.seal
_done = 0


def _dies() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(url: str, folder: Path, step: int) -> None:
    """Seal, up to the step."""

    def sync(descriptor: int) -> None:
        global _done  # noqa: PLW0603  # a process for this alone
        _done += 1
        if _done == step:
            _dies()
        _sync(descriptor)

    async def event(office: Administration, *given: object, **named: object) -> object:
        if step == 4:
            _dies()
        made = await _sealed(office, *given, **named)  # type: ignore[arg-type]
        if step == 5:
            _dies()
        return made

    segments.os.fsync = sync  # type: ignore[attr-defined]
    Administration.seal = event  # type: ignore[assignment,method-assign]
    async with SqlLedger(url, FixedClock()) as ledger:
        await seal(ledger, url, folder)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
