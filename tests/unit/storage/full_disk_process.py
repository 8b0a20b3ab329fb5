"""A process whose files may not grow for a while: ``url``; prints what each commit came to."""

import asyncio
import resource
import signal
import sys

from governance.errors import PlacetError
from governance.outbox import OwedKind
from storage.ledger import SqliteLedger
from tests.support import build
from tests.support.commits import append

PATIENCE_S = 30


async def attempt(ledger: SqliteLedger, name: str) -> str:
    try:
        done = await append(ledger, build.allowed(name))
    except PlacetError as error:
        return error.code.value
    return str(done.seqs[0])


def is_unwritable(ledger: SqliteLedger) -> str:
    return f"unwritable={ledger.condition.unwritable_s > 0}"


async def comes_back(ledger: SqliteLedger) -> str:
    """Nobody commits anything: the ledger finds out by itself."""
    async with asyncio.timeout(PATIENCE_S):
        while ledger.condition.unwritable_s:  # noqa: ASYNC110  # its thread wakes nobody
            await asyncio.sleep(0.02)
    return is_unwritable(ledger)


async def startable(ledger: SqliteLedger) -> str:
    try:
        await ledger.check_writable()
    except PlacetError as error:
        return error.code.value
    return "startable"


async def main(url: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with SqliteLedger(url, build.FixedClock()) as ledger:
        results = [await attempt(ledger, "t-1"), is_unwritable(ledger)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        results += [await attempt(ledger, "t-2"), await attempt(ledger, "t-3")]
        results += [is_unwritable(ledger), await startable(ledger)]
        # A turn of the outbox that finds nothing writes nothing: it succeeds, and proves nothing.
        await ledger.claim((OwedKind.CARD,), at=build.T0, lease_s=1, limit=1)
        results += [is_unwritable(ledger)]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        results += [await comes_back(ledger), await attempt(ledger, "t-2")]
    sys.stdout.write(" ".join(results))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
