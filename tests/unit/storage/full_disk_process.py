"""A process whose files may not grow for a while: ``url``; prints what each commit came to."""

import asyncio
import resource
import signal
import sys

from governance.errors import PlacetError
from storage.ledger import SqliteLedger
from tests.support import build
from tests.support.commits import append


async def attempt(ledger: SqliteLedger, name: str) -> str:
    try:
        done = await append(ledger, build.allowed(name))
    except PlacetError as error:
        return error.code.value
    return str(done.seqs[0])


async def main(url: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    async with SqliteLedger(url, build.FixedClock()) as ledger:
        results = [await attempt(ledger, "t-1")]
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, hard))
        results += [await attempt(ledger, "t-2"), await attempt(ledger, "t-3")]
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        results += [await attempt(ledger, "t-2")]
    sys.stdout.write(" ".join(results))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
