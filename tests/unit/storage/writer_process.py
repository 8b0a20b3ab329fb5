"""A process that commits to a ledger shared with others: ``url name count``."""

import asyncio
import sys

from storage.ledger import SqlLedger
from tests.support import build
from tests.unit.storage.story import ask, commit


async def main(url: str, name: str, count: int) -> None:
    clock = build.FixedClock()
    async with SqlLedger(
        url, clock, busy_timeout_s=60, batch_limit=4, trusts_database_time=False
    ) as ledger:
        await asyncio.gather(
            *(
                commit(ledger, build.allowed(f"{name}-{number}", ask=ask(f"{name}-{number}")))
                for number in range(count)
            )
        )


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
